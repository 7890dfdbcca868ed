#include "wire/imap/status_data.h"

#include "wire/base/flags.h"

namespace wire::imap {

namespace {

using Item = StatusItems::Item;

constexpr struct {
  Item item;
  std::string_view name;
} names[] = {{StatusItems::messages, "MESSAGES"},
             {StatusItems::recent, "RECENT"},
             {StatusItems::uid_next, "UIDNEXT"},
             {StatusItems::uid_validity, "UIDVALIDITY"},
             {StatusItems::unseen, "UNSEEN"},
             {StatusItems::highest_modseq, "HIGHESTMODSEQ"},
             {StatusItems::size, "SIZE"},
             {StatusItems::deleted, "DELETED"},
             {StatusItems::mailbox_id, "MAILBOXID"},
             {StatusItems::append_limit, "APPENDLIMIT"},
             {StatusItems::deleted_storage, "DELETED-STORAGE"}};

constexpr size_t max_items = 50;

// Items are told by their whole name: 0 for a stranger's.
uint16_t find_item(std::string_view word) {
  for (const auto& [item, name] : names) {
    if (base::iequals(name, word)) return item;
  }
  return 0;
}

bool number(Cursor& c, std::optional<uint32_t>& out) {
  uint32_t n = 0;
  if (!c.number(n)) return false;
  out = n;
  return true;
}

bool number(Cursor& c, std::optional<uint64_t>& out) {
  uint64_t n = 0;
  if (!c.number64(n)) return false;
  out = n;
  return true;
}

// "(" objectid ")". Cyrus 3.6.1 sends freed memory as the id of a STATUS (seen on the wire: "(0*\xfa\xc3U)"), so that
// anything up to the parenthesis is passed over and only what can be an id is kept.
bool object_id(Cursor& c, std::string& out) {
  if (!c.expect('(')) return false;
  std::string_view rest = c.rest();
  size_t close = rest.find(')');
  if (close == std::string_view::npos) return c.malformed("MAILBOXID without its parenthesis");
  std::string_view id = rest.substr(0, close);
  bool usable = !id.empty() && id.size() <= 255 && chars::all(id, chars::atom);
  out = usable ? id : std::string_view();
  return c.expect_word(rest.substr(0, close + 1));
}

bool item_value(Cursor& c, uint16_t item, StatusData& out) {
  switch (item) {
    case StatusItems::messages:
      return number(c, out.messages);
    case StatusItems::recent:
      return number(c, out.recent);
    case StatusItems::unseen:
      return number(c, out.unseen);
    case StatusItems::deleted:
      return number(c, out.deleted);
    case StatusItems::uid_next:
      return c.number(out.uid_next.emplace());
    case StatusItems::uid_validity:
      return c.number(out.uid_validity.emplace());
    case StatusItems::highest_modseq:
      return c.number(out.highest_modseq.emplace());
    case StatusItems::size:
      return number(c, out.size);
    case StatusItems::deleted_storage:
      return number(c, out.deleted_storage);
    case StatusItems::append_limit:
      return c.accept_atom("NIL") || number(c, out.append_limit);
    case StatusItems::mailbox_id:
      return object_id(c, out.mailbox_id);
    default:
      return c.skip_value();
  }
}

}  // namespace

bool parse(Cursor& c, StatusItems& out) {
  out = StatusItems();
  bool ok = c.list(max_items, [&] {
    std::string_view word;
    if (!c.atom(word)) return false;
    uint16_t item = find_item(word);
    if (item == 0) return c.malformed("unknown STATUS item");
    out.bits |= item;
    return true;
  });
  return ok && (out.bits != 0 || c.malformed("STATUS item expected"));
}

void write(Writer& w, const StatusItems& items) {
  char before = '(';
  for (const auto& [item, name] : names) {
    if (!items.has(item)) continue;
    w.raw(before).raw(name);
    before = ' ';
  }
  if (before == '(') w.fail();
  w.raw(')');
}

bool parse(Cursor& c, StatusData& out) {
  out = StatusData();
  if (!(c.expect_word("STATUS") && c.sp() && parse(c, out.name) && c.sp())) return false;
  return c.list(max_items, [&] {
    std::string_view word;
    return c.atom(word) && c.sp() && item_value(c, find_item(word), out);
  });
}

void write(Writer& w, const StatusData& data) {
  write(w.raw("STATUS "), data.name);
  w.raw(" (");
  bool first = true;
  auto item = [&](std::string_view name) -> Writer& {
    if (!first) w.sp();
    first = false;
    return w.raw(name).sp();
  };
  if (data.messages) item("MESSAGES").number(*data.messages);
  if (data.recent) item("RECENT").number(*data.recent);
  if (data.uid_next) item("UIDNEXT").number(*data.uid_next);
  if (data.uid_validity) item("UIDVALIDITY").number(*data.uid_validity);
  if (data.unseen) item("UNSEEN").number(*data.unseen);
  if (data.highest_modseq) item("HIGHESTMODSEQ").number(*data.highest_modseq);
  if (data.size) item("SIZE").number(*data.size);
  if (data.deleted) item("DELETED").number(*data.deleted);
  if (data.deleted_storage) item("DELETED-STORAGE").number(*data.deleted_storage);
  if (data.append_limit) item("APPENDLIMIT").number(*data.append_limit);
  if (!data.mailbox_id.empty()) item("MAILBOXID").raw('(').atom(data.mailbox_id).raw(')');
  w.raw(')');
}

}  // namespace wire::imap
