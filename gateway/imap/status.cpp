#include "gateway/imap/status.h"

namespace gateway::imap {

using Items = wire::imap::StatusItems;

bool unsupported_items(Items items) {
  return items.has(Items::mailbox_id) || items.has(Items::deleted) || items.has(Items::deleted_storage);
}

awaitable<Result<void>> write_status(Session& s, std::string name, Items items) {
  if (items.has(Items::highest_modseq)) s.enable_condstore();
  auto status = co_await s.account().status(name, items.has(Items::size));
  if (!status) co_return status.error();
  write_status(s, std::move(name), items, *status);
  co_return Result<void>();
}

void write_status(Session& s, std::string name, Items items, const source::MailboxStatus& status) {
  wire::imap::StatusData data;
  data.name.octets = std::move(name);
  if (items.has(Items::messages)) data.messages = status.messages;
  if (items.has(Items::recent)) data.recent = status.recent;
  if (items.has(Items::uid_next)) data.uid_next = status.uid_next;
  if (items.has(Items::uid_validity)) data.uid_validity = status.uid_validity;
  if (items.has(Items::unseen)) data.unseen = status.unseen;
  if (items.has(Items::highest_modseq)) data.highest_modseq = status.highest_modseq;
  if (items.has(Items::size)) data.size = status.size;
  if (items.has(Items::append_limit)) data.append_limit = s.environment().config->max_append_bytes;
  wire::imap::Writer w(s.out());
  w.raw("* ");
  write(w, data);
  w.crlf();
}

}  // namespace gateway::imap
