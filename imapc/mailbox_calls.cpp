// Commands about mailboxes as such.
#include "imapc/commands.h"
#include "wire/imap/cmd/mailbox.h"

namespace imapc {

using wire::imap::Writer;

namespace {

// RFC 3501 5.1: INBOX in any case. The rest is the server's own spelling.
template <class T>
Call<Nothing> submit_plain(Session& session, const char* name, const T& request) {
  auto command = std::make_shared<TypedCommand<Nothing>>(session.executor(), name);
  session.submit(command, [&request](Writer& w) { write(w, request); });
  return Call<Nothing>(command);
}

wire::imap::MailboxName named(std::string octets) {
  wire::imap::MailboxName name;
  name.octets = std::move(octets);
  return name;
}

}  // namespace

Call<Connection::Listed> Connection::list(wire::imap::cmd::List request) {
  auto command = std::make_shared<ListCommand>(*session_, false, request.return_status.bits != 0);
  session_->submit(command, [&request](Writer& w) { write(w, request); });
  return Call<Listed>(command);
}

Call<Connection::Listed> Connection::lsub(std::string reference, std::string pattern) {
  auto command = std::make_shared<ListCommand>(*session_, true, false);
  wire::imap::cmd::Lsub request;
  request.reference = std::move(reference);
  request.pattern = std::move(pattern);
  session_->submit(command, [&request](Writer& w) { write(w, request); });
  return Call<Listed>(command);
}

Call<StatusData> Connection::status(std::string mailbox, wire::imap::StatusItems items) {
  wire::imap::cmd::Status request;
  request.mailbox = named(std::move(mailbox));
  request.items = items;
  auto command = std::make_shared<StatusCommand>(*session_, request.mailbox.octets);
  session_->submit(command, [&request](Writer& w) { write(w, request); });
  return Call<StatusData>(command);
}

Call<Nothing> Connection::create(std::string mailbox, std::vector<std::string> special_use) {
  wire::imap::cmd::Create request;
  request.mailbox = named(std::move(mailbox));
  if (session_->can("CREATE-SPECIAL-USE")) request.use = std::move(special_use);
  return submit_plain(*session_, "CREATE", request);
}

Call<Nothing> Connection::remove(std::string mailbox) {
  wire::imap::cmd::Delete request;
  request.mailbox = named(std::move(mailbox));
  return submit_plain(*session_, "DELETE", request);
}

Call<Nothing> Connection::rename(std::string from, std::string to) {
  wire::imap::cmd::Rename request;
  request.from = named(std::move(from));
  request.to = named(std::move(to));
  return submit_plain(*session_, "RENAME", request);
}

Call<Nothing> Connection::subscribe(std::string mailbox) {
  wire::imap::cmd::Subscribe request;
  request.mailbox = named(std::move(mailbox));
  return submit_plain(*session_, "SUBSCRIBE", request);
}

Call<Nothing> Connection::unsubscribe(std::string mailbox) {
  wire::imap::cmd::Unsubscribe request;
  request.mailbox = named(std::move(mailbox));
  return submit_plain(*session_, "UNSUBSCRIBE", request);
}

}  // namespace imapc
