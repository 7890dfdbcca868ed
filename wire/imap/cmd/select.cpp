#include "wire/imap/cmd/select.h"

#include "wire/base/flags.h"

namespace wire::imap::cmd {

using base::iequals;

namespace {

constexpr size_t max_params = 10;

// "(" uidvalidity SP modseq [SP known-uids] [SP "(" seqs SP uids ")"] ")"
bool qresync(Cursor& c, Qresync& out) {
  if (!(c.expect('(') && c.nz_number(out.uid_validity.value) && c.sp() && c.number(out.modseq))) return false;
  if (!out.modseq) return c.malformed("number must not be zero");
  bool known = false;
  while (c.accept(' ')) {
    if (c.accept('(')) {
      if (!(parse(c, out.match_seqs.emplace()) && c.sp() && parse(c, out.match_uids.emplace()) && c.expect(')'))) {
        return false;
      }
      break;
    }
    if (known) return c.malformed("sequence match data expected");
    known = true;
    if (!parse(c, out.known_uids.emplace())) return false;
  }
  return c.expect(')');
}

}  // namespace

bool parse(Cursor& c, Select& out) {
  out.condstore = false;
  out.qresync.reset();
  if (!c.sp() || !parse(c, out.mailbox)) return false;
  if (c.peek() != ' ') return c.ok();
  if (!c.sp()) return false;
  if (c.leniency().extra_space && c.at_end()) return true;
  return c.list(max_params, [&] {
    std::string_view word;
    if (!c.atom(word)) return false;
    if (iequals(word, "CONDSTORE")) return out.condstore = true;
    if (iequals(word, "QRESYNC")) return c.sp() && qresync(c, out.qresync.emplace());
    return c.malformed("unknown SELECT parameter");
  });
}

void write(Writer& w, const Select& c) {
  write(w.raw(c.examine ? "EXAMINE " : "SELECT "), c.mailbox);
  if (!c.condstore && !c.qresync) return;
  w.raw(c.condstore ? " (CONDSTORE" : " (");
  if (c.qresync) {
    const Qresync& q = *c.qresync;
    w.raw(c.condstore ? " QRESYNC (" : "QRESYNC (").number(q.uid_validity).sp().number(q.modseq);
    if (q.known_uids) write(w.sp(), *q.known_uids);
    if (q.match_seqs && q.match_uids) {
      write(w.raw(" ("), *q.match_seqs);
      write(w.sp(), *q.match_uids);
      w.raw(')');
    }
    w.raw(')');
  }
  w.raw(')');
}

}  // namespace wire::imap::cmd
