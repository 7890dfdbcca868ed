// Commands about the messages of the selected mailbox, SELECT itself, and APPEND.
#include "imapc/commands.h"
#include "wire/imap/cmd/append.h"
#include "wire/imap/cmd/copy.h"
#include "wire/imap/cmd/expunge.h"

namespace imapc {

using wire::imap::SequenceSet;
using wire::imap::Writer;

namespace {

Call<Copied> submit_copy(Session& session, const UidSet& uids, std::string mailbox, bool move) {
  wire::imap::cmd::Copy request;
  request.uid = true;
  request.move = move;
  request.set = SequenceSet::of(uids);
  request.mailbox.octets = std::move(mailbox);
  auto command = std::make_shared<CopyCommand>(session.executor(), move ? "UID MOVE" : "UID COPY");
  session.submit(command, [&request](Writer& w) { write(w, request); });
  return Call<Copied>(command);
}

template <class T>
Call<T> failed_call(std::shared_ptr<TypedCommand<T>> command, Failure why) {
  command->fail(std::move(why));
  return Call<T>(std::move(command));
}

}  // namespace

Call<Selected> Connection::select(wire::imap::cmd::Select request) {
  auto command = std::make_shared<SelectCommand>(*session_, request.examine);
  session_->submit(command, [&request](Writer& w) { write(w, request); });
  return Call<Selected>(command);
}

Call<Nothing> Connection::uid_fetch(wire::imap::cmd::Fetch request, FetchSink& sink) {
  request.uid = true;
  auto command = std::make_shared<FetchCommand>(*session_, std::move(request), sink);
  session_->submit(command, [&command](Writer& w) { write(w, command->request()); });
  return Call<Nothing>(command);
}

Call<Stored> Connection::uid_store(wire::imap::cmd::Store request) {
  request.uid = true;
  auto command = std::make_shared<StoreCommand>(*session_, request.set);
  session_->submit(command, [&request](Writer& w) { write(w, request); });
  return Call<Stored>(command);
}

Call<Copied> Connection::uid_copy(const UidSet& uids, std::string mailbox) {
  return submit_copy(*session_, uids, std::move(mailbox), false);
}

Call<Copied> Connection::uid_move(const UidSet& uids, std::string mailbox) {
  if (!session_->can("MOVE") && !session_->can("IMAP4rev2")) {
    auto command = std::make_shared<CopyCommand>(session_->executor(), "UID MOVE");
    return failed_call<Copied>(command, Failure(Errc::unsupported, "the server does not offer MOVE"));
  }
  return submit_copy(*session_, uids, std::move(mailbox), true);
}

Call<Expunged> Connection::expunge() {
  auto command = std::make_shared<ExpungeCommand>(*session_, "EXPUNGE");
  session_->submit(command, [](Writer& w) { write(w, wire::imap::cmd::Expunge()); });
  return Call<Expunged>(command);
}

Call<Expunged> Connection::uid_expunge(const UidSet& uids) {
  auto command = std::make_shared<ExpungeCommand>(*session_, "UID EXPUNGE");
  if (!session_->can("UIDPLUS") && !session_->can("IMAP4rev2")) {
    return failed_call<Expunged>(command, Failure(Errc::unsupported, "the server does not offer UID EXPUNGE"));
  }
  wire::imap::cmd::Expunge request;
  request.uid = true;
  request.set = SequenceSet::of(uids);
  session_->submit(command, [&request](Writer& w) { write(w, request); });
  return Call<Expunged>(command);
}

Call<Found> Connection::uid_search(wire::imap::cmd::Search request) {
  request.uid = true;
  if (session_->can("ESEARCH")) request.esearch = request.return_all = true;  // ranges instead of every number
  auto command = std::make_shared<SearchCommand>(*session_);
  session_->submit(command, [&request](Writer& w) { write(w, request); });
  return Call<Found>(command);
}

Call<Appended> Connection::append(AppendRequest request) {
  auto command = std::make_shared<AppendCommand>(session_->executor(), "APPEND");
  const std::string_view limit = session_->capabilities.value("APPENDLIMIT");
  if (!limit.empty() && request.size > std::strtoull(std::string(limit).c_str(), nullptr, 10)) {
    return failed_call<Appended>(command,
                                 Failure(Errc::limit, "the server takes no message of this size (APPENDLIMIT)"));
  }
  Outgoing out;
  out.body = request.body;
  out.body_size = request.size;
  command->set_tag({});
  Writer w = session_->begin(out, command);
  out.text.clear();  // write_append begins with the tag itself
  wire::imap::MailboxName mailbox;
  mailbox.octets = std::move(request.mailbox);
  wire::imap::cmd::AppendMessage message;
  message.flags = std::move(request.flags);
  message.date = request.date;
  message.size = request.size;
  wire::imap::cmd::write_append(w, command->tag(), mailbox, message);
  session_->finish(std::move(out), w);
  return Call<Appended>(command);
}

}  // namespace imapc
