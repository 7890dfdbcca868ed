// The commands as the session knows them. For the .cpp files of this folder.
#pragma once

#include "imapc/command.h"
#include "imapc/connection.h"
#include "imapc/results.h"
#include "imapc/session.h"

namespace imapc {

// Any UID fits a set that names "*", whose value only the server knows.
bool may_contain(const wire::imap::SequenceSet& set, Uid uid);

class ListCommand : public TypedCommand<Connection::Listed> {
 public:
  ListCommand(Session& session, bool lsub, bool with_status)
      : TypedCommand(session.executor(), lsub ? "LSUB" : "LIST"),
        lsub_(lsub),
        with_status_(with_status),
        limit_(session.options().limits.max_mailboxes) {}
  Result<bool> take(wire::imap::Response& reply, bool head) override;

 private:
  const bool lsub_, with_status_;
  const size_t limit_;
};

class StatusCommand : public TypedCommand<StatusData> {
 public:
  StatusCommand(Session& session, std::string mailbox)
      : TypedCommand(session.executor(), "STATUS"), mailbox_(std::move(mailbox)) {}
  Result<bool> take(wire::imap::Response& reply, bool head) override;

 private:
  const std::string mailbox_;
};

class SelectCommand : public TypedCommand<Selected> {
 public:
  SelectCommand(Session& session, bool examine);
  Result<bool> take(wire::imap::Response& reply, bool head) override;
  void succeed(wire::imap::Status& status) override;
  // A refused SELECT leaves nothing selected (RFC 3501 6.3.1), and whoever asked may rely on neither.
  Errc refusal(const wire::imap::Status& status) const override;

 private:
  bool take_code(wire::imap::RespCode& code);
  const bool examine_;
  const size_t limit_;
  size_t results_ = 0;
  std::shared_ptr<SelectedState> selected_;
};

class FetchCommand : public TypedCommand<Nothing> {
 public:
  FetchCommand(Session& session, wire::imap::cmd::Fetch request, FetchSink& sink)
      : TypedCommand(session.executor(), "UID FETCH"), request_(std::move(request)), sink_(&sink) {}
  Result<bool> take(wire::imap::Response& reply, bool head) override;
  bool takes_body(const FetchItem& so_far, const FetchSection& section) const override;
  FetchSink* sink() const override { return sink_; }
  void abandon() override;
  const wire::imap::cmd::Fetch& request() const { return request_; }

 private:
  bool answers(const FetchItem& item, bool head) const;
  const wire::imap::cmd::Fetch request_;
  FetchSink* sink_;  // null: abandoned
};

class StoreCommand : public TypedCommand<Stored> {
 public:
  StoreCommand(Session& session, wire::imap::SequenceSet set)
      : TypedCommand(session.executor(), "UID STORE"),
        set_(std::move(set)),
        limit_(session.options().limits.max_results) {}
  Result<bool> take(wire::imap::Response& reply, bool head) override;
  void succeed(wire::imap::Status& status) override;

 private:
  const wire::imap::SequenceSet set_;
  const size_t limit_;
};

// COPY and MOVE.
class CopyCommand : public TypedCommand<Copied> {
 public:
  using TypedCommand::TypedCommand;
  Result<bool> take(wire::imap::Response& reply, bool head) override;
  void succeed(wire::imap::Status& status) override;

 private:
  bool take_code(wire::imap::RespCode& code);
};

class ExpungeCommand : public TypedCommand<Expunged> {
 public:
  ExpungeCommand(Session& session, const char* name)
      : TypedCommand(session.executor(), name), limit_(session.options().limits.max_results) {}
  Result<bool> take(wire::imap::Response& reply, bool head) override;

 private:
  const size_t limit_;
};

class SearchCommand : public TypedCommand<Found> {
 public:
  explicit SearchCommand(Session& session) : TypedCommand(session.executor(), "UID SEARCH") {}
  Result<bool> take(wire::imap::Response& reply, bool head) override;
};

class AppendCommand : public TypedCommand<Appended> {
 public:
  using TypedCommand::TypedCommand;
  void succeed(wire::imap::Status& status) override;
};

class NamespaceCommand : public TypedCommand<wire::imap::NamespaceData> {
 public:
  using TypedCommand::TypedCommand;
  Result<bool> take(wire::imap::Response& reply, bool head) override;
};

// CAPABILITY and ENABLE: the session has learnt the answer; this is the caller's copy.
class CapabilityCommand : public TypedCommand<wire::imap::Capabilities> {
 public:
  using TypedCommand::TypedCommand;
  Result<bool> take(wire::imap::Response& reply, bool head) override;
};

class CompressCommand : public TypedCommand<Nothing> {
 public:
  explicit CompressCommand(Session& session)
      : TypedCommand(session.executor(), "COMPRESS"), stream_(session.deflate()), session_(session) {}
  // At once: the server's next byte is compressed.
  void succeed(wire::imap::Status& status) override;

 private:
  DeflateStream* stream_;
  Session& session_;
};

// LOGIN and AUTHENTICATE. A refusal without a code is about the credentials.
class LoginCommand : public TypedCommand<Nothing> {
 public:
  using TypedCommand::TypedCommand;

 protected:
  Errc refusal(const wire::imap::Status& status) const override;
};

}  // namespace imapc
