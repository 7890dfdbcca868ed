// Feeds an Importer from a FETCH: bodies go from the read buffer into the store's hash and compressor. On the core.
#pragma once

#include <functional>
#include <optional>

#include "gateway/source/importer.h"
#include "imapc/sink.h"

namespace gateway::source {

// What a FETCH reply says of a message, without its body.
Listed listed(const imapc::FetchItem& item);

// Flags kept in memory, until it is certain that they belong to the mailbox we know, or to learn who is still there.
class FlagSink final : public imapc::FetchSink {
 public:
  void on_message(const imapc::FetchItem& item) override;
  std::vector<Listed> messages;  // those whose flags were told
  UidSet uids;                   // all that were named
};

class ListingSink final : public imapc::FetchSink {
 public:
  // All outlive the command. `writer` null: no bodies are asked.
  ListingSink(Importer& importer, storage::BodyWriter* writer, std::function<void(const ImportCounts&)> on_counts);

  void on_body_begin(const imapc::FetchItem&, const imapc::FetchSection&, uint64_t) override;
  void on_body_bytes(std::string_view bytes) override;
  void on_body_end() override;
  void on_message(const imapc::FetchItem& item) override;
  void on_vanished(const wire::base::UidSet& uids) override { vanished_.add(uids); }

  // The copy refused something (a full disk): everything after it was dropped.
  const std::optional<storage::Failure>& failure() const { return failure_; }
  const UidSet& vanished() const { return vanished_; }
  const UidSet& with_body() const { return with_body_; }
  const UidSet& nil_body() const { return nil_body_; }

 private:
  void note(const Result<void>& outcome);

  Importer& importer_;
  storage::BodyWriter* writer_;
  std::function<void(const ImportCounts&)> on_counts_;
  std::optional<storage::PreparedBody> body_;
  bool nil_ = false;
  std::optional<storage::Failure> failure_;
  UidSet vanished_, with_body_, nil_body_;
};

}  // namespace gateway::source
