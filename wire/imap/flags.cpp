#include "wire/imap/flags.h"

namespace wire::imap {

using base::iequals;

namespace {

constexpr struct {
  uint8_t bit;
  std::string_view name;
} names[] = {{base::answered, "\\Answered"},
             {base::flagged, "\\Flagged"},
             {base::deleted, "\\Deleted"},
             {base::seen, "\\Seen"},
             {base::draft, "\\Draft"}};

// What a server without manners calls a flag: anything up to a space or parenthesis.
bool loose_word(Cursor& c, std::string_view& out) {
  std::string_view rest = c.rest();
  size_t end = 0;
  while (end < rest.size() && uint8_t(rest[end]) > 32 && rest[end] != '(' && rest[end] != ')' && rest[end] != '"') {
    ++end;
  }
  if (end == 0) return c.malformed("flag expected");
  out = rest.substr(0, end);
  return c.expect_word(out);
}

}  // namespace

bool parse_flag(Cursor& c, FlagList& out) {
  if (c.accept_word("\\*")) {
    out.any_keyword = true;
    return true;
  }
  Cursor::Mark begin = c.mark();
  std::string_view word;
  if (c.leniency().loose_flags) {
    if (!loose_word(c, word)) return false;
  } else {
    c.accept('\\');
    if (!c.atom(word)) return false;
    word = c.since(begin).text;
  }
  if (uint8_t bit = base::system_flag(word)) {
    out.flags.system |= bit;
    return true;
  }
  if (iequals(word, "\\Recent")) {
    out.recent = true;
    return true;
  }
  if (word.size() > max_keyword_length) return c.fail(base::Errc::limit, "keyword too long");
  // Counted before the search for duplicates, whose cost grows with the list.
  if (out.flags.keywords.size() >= max_keywords && !out.flags.has(word)) {
    return c.fail(base::Errc::limit, "too many keywords");
  }
  out.flags.add(word);
  return true;
}

bool parse(Cursor& c, FlagList& out) {
  out = FlagList();
  return c.list(10 * max_keywords, [&] { return parse_flag(c, out); });
}

void write_flags(Writer& w, const FlagList& list) {
  bool first = true;
  auto next = [&]() -> Writer& {
    if (!first) w.sp();
    first = false;
    return w;
  };
  for (const auto& [bit, name] : names) {
    if (list.flags.system & bit) next().raw(name);
  }
  if (list.recent) next().raw("\\Recent");
  for (const std::string& word : list.flags.keywords) {
    std::string_view bare = word;
    next();
    if (bare.starts_with('\\')) {
      w.raw('\\');
      bare.remove_prefix(1);
    }
    w.atom(bare);
  }
  if (list.any_keyword) next().raw("\\*");
}

void write(Writer& w, const FlagList& list) {
  w.raw('(');
  write_flags(w, list);
  w.raw(')');
}

}  // namespace wire::imap
