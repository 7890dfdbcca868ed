#include "wire/imap/cmd/store.h"

#include <algorithm>

namespace wire::imap::cmd {

namespace {

// flag-list / (flag *(SP flag))
bool flag_words(Cursor& c, FlagList& out) {
  if (c.peek() == '(') return parse(c, out);
  out = FlagList();
  for (size_t n = 0; n <= max_keywords; ++n) {
    if (!parse_flag(c, out)) return false;
    if (c.peek() != ' ') return c.ok();
    if (!c.sp()) return false;
    if (c.leniency().extra_space && c.at_end()) return true;
  }
  return c.fail(base::Errc::limit, "too many flags");
}

}  // namespace

// SP sequence-set [SP "(" "UNCHANGEDSINCE" SP n ")"] SP ["+" / "-"] "FLAGS" [".SILENT"] SP flags
bool parse(Cursor& c, Store& out) {
  out = Store{.uid = out.uid};
  if (!(c.sp() && parse(c, out.set) && c.sp())) return false;
  if (c.accept('(')) {
    if (!(c.expect_word("UNCHANGEDSINCE") && c.sp() && c.number64(out.unchanged_since.emplace().value) &&
          c.expect(')') && c.sp())) {
      return false;
    }
  }
  if (c.accept('+')) {
    out.mode = base::FlagsMode::add;
  } else if (c.accept('-')) {
    out.mode = base::FlagsMode::remove;
  }
  if (!c.expect_word("FLAGS")) return false;
  out.silent = c.accept_word(".SILENT");
  if (!c.sp() || !flag_words(c, out.flags)) return false;
  if (out.flags.recent || out.flags.any_keyword) return c.malformed("flag that cannot be set");
  bool strange = std::any_of(out.flags.flags.keywords.begin(), out.flags.flags.keywords.end(),
                             [](const std::string& k) { return k.starts_with('\\'); });
  return !strange || c.malformed("unknown system flag");
}

void write(Writer& w, const Store& c) {
  write(w.raw(c.uid ? "UID STORE " : "STORE "), c.set);
  w.sp();
  if (c.unchanged_since) w.raw("(UNCHANGEDSINCE ").number(*c.unchanged_since).raw(") ");
  if (c.mode == base::FlagsMode::add) w.raw('+');
  if (c.mode == base::FlagsMode::remove) w.raw('-');
  write(w.raw(c.silent ? "FLAGS.SILENT " : "FLAGS "), c.flags);
}

}  // namespace wire::imap::cmd
