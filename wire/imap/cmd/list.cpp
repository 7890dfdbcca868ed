#include "wire/imap/cmd/list.h"

#include "wire/base/flags.h"
#include "wire/imap/mailbox.h"

namespace wire::imap::cmd {

using base::iequals;

namespace {

constexpr size_t max_options = 20;

bool pattern(Cursor& c, std::string& out) {
  if (!c.list_mailbox(out)) return false;
  return out.size() <= max_mailbox_name || c.fail(base::Errc::limit, "mailbox pattern too long");
}

bool reference(Cursor& c, std::string& out) {
  if (!c.astring(out)) return false;
  return out.size() <= max_mailbox_name || c.fail(base::Errc::limit, "mailbox reference too long");
}

bool selection(Cursor& c, List& out) {
  return c.list(max_options, [&] {
    std::string_view word;
    if (!c.atom(word)) return false;
    if (iequals(word, "SUBSCRIBED")) return out.select_subscribed = true;
    if (iequals(word, "REMOTE")) return out.select_remote = true;
    if (iequals(word, "RECURSIVEMATCH")) return out.select_recursive_match = true;
    if (iequals(word, "SPECIAL-USE")) return out.select_special_use = true;
    return c.malformed("unknown LIST selection option");
  });
}

bool returns(Cursor& c, List& out) {
  return c.list(max_options, [&] {
    std::string_view word;
    if (!c.atom(word)) return false;
    if (iequals(word, "SUBSCRIBED")) return out.return_subscribed = true;
    if (iequals(word, "CHILDREN")) return out.return_children = true;
    if (iequals(word, "SPECIAL-USE")) return out.return_special_use = true;
    if (iequals(word, "STATUS")) return c.sp() && parse(c, out.return_status);
    return c.malformed("unknown LIST return option");
  });
}

// Words in parentheses, as many as are switched on.
class Options {
 public:
  explicit Options(Writer& w) : w_(w) { w_.raw('('); }
  Writer& add(std::string_view word) {
    if (!first_) w_.sp();
    first_ = false;
    return w_.raw(word);
  }
  void add_if(bool on, std::string_view word) {
    if (on) add(word);
  }

 private:
  Writer& w_;
  bool first_ = true;
};

}  // namespace

// list = "LIST" [SP "(" options ")"] SP mailbox SP (list-mailbox / "(" patterns ")") [SP "RETURN" SP "(" options ")"]
bool parse(Cursor& c, List& out) {
  out = List();
  if (!c.sp()) return false;
  if (c.peek() == '(') {
    out.extended = true;
    if (!selection(c, out) || !c.sp()) return false;
    // RFC 5258 3.1: it modifies other options and means nothing alone.
    if (out.select_recursive_match && !out.select_subscribed && !out.select_special_use) {
      return c.malformed("RECURSIVEMATCH needs another selection option");
    }
  }
  if (!reference(c, out.reference) || !c.sp()) return false;
  if (c.peek() == '(') {
    out.extended = true;
    if (!c.list(max_list_patterns, [&] {
          out.patterns.emplace_back();
          return pattern(c, out.patterns.back());
        })) {
      return false;
    }
    if (out.patterns.empty()) return c.malformed("mailbox pattern expected");
  } else {
    out.patterns.emplace_back();
    if (!pattern(c, out.patterns.back())) return false;
  }
  if (c.peek() != ' ') return c.ok();
  if (!c.sp()) return false;
  if (c.leniency().extra_space && c.at_end()) return true;
  out.extended = true;
  return c.expect_word("RETURN") && c.sp() && returns(c, out);
}

void write(Writer& w, const List& c) {
  w.raw("LIST ");
  bool selected = c.select_subscribed || c.select_remote || c.select_recursive_match || c.select_special_use;
  bool returned = c.return_subscribed || c.return_children || c.return_special_use || c.return_status.bits != 0;
  if (c.patterns.empty()) w.fail();
  if (selected) {
    Options options(w);
    options.add_if(c.select_subscribed, "SUBSCRIBED");
    options.add_if(c.select_remote, "REMOTE");
    options.add_if(c.select_recursive_match, "RECURSIVEMATCH");
    options.add_if(c.select_special_use, "SPECIAL-USE");
    w.raw(") ");
  }
  w.astring(c.reference).sp();
  // The parentheses alone already ask for the extended form.
  if (c.patterns.size() > 1 || (c.extended && !selected && !returned)) {
    for (size_t i = 0; i < c.patterns.size(); ++i) w.raw(i == 0 ? '(' : ' ').list_mailbox(c.patterns[i]);
    w.raw(')');
  } else if (!c.patterns.empty()) {
    w.list_mailbox(c.patterns[0]);
  }
  if (!returned) return;
  w.raw(" RETURN ");
  Options options(w);
  options.add_if(c.return_subscribed, "SUBSCRIBED");
  options.add_if(c.return_children, "CHILDREN");
  options.add_if(c.return_special_use, "SPECIAL-USE");
  if (c.return_status.bits != 0) write(options.add("STATUS "), c.return_status);
  w.raw(')');
}

bool parse(Cursor& c, Lsub& out) { return c.sp() && reference(c, out.reference) && c.sp() && pattern(c, out.pattern); }

void write(Writer& w, const Lsub& c) { w.raw("LSUB ").astring(c.reference).sp().list_mailbox(c.pattern); }

}  // namespace wire::imap::cmd
