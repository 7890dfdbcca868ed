#include "wire/imap/cmd/search.h"

#include <algorithm>

#include "wire/base/flags.h"

namespace wire::imap::cmd {

using base::Errc;
using base::iequals;
using Op = SearchKey::Op;

namespace {

constexpr size_t max_return_options = 20;
constexpr size_t max_charset = 64;

// What follows the word of a key.
enum class Args : uint8_t {
  none,
  text,
  field_text,
  atom,
  day,
  number,
  interval /* RFC 5032: nz-number */,
  uids,
  modseq,
  object_id
};

constexpr struct {
  Op op;
  Args args;
  std::string_view name;
} keys[] = {{Op::all, Args::none, "ALL"},
            {Op::answered, Args::none, "ANSWERED"},
            {Op::deleted, Args::none, "DELETED"},
            {Op::draft, Args::none, "DRAFT"},
            {Op::flagged, Args::none, "FLAGGED"},
            {Op::fresh, Args::none, "NEW"},
            {Op::old, Args::none, "OLD"},
            {Op::recent, Args::none, "RECENT"},
            {Op::seen, Args::none, "SEEN"},
            {Op::unanswered, Args::none, "UNANSWERED"},
            {Op::undeleted, Args::none, "UNDELETED"},
            {Op::undraft, Args::none, "UNDRAFT"},
            {Op::unflagged, Args::none, "UNFLAGGED"},
            {Op::unseen, Args::none, "UNSEEN"},
            {Op::bcc, Args::text, "BCC"},
            {Op::body, Args::text, "BODY"},
            {Op::cc, Args::text, "CC"},
            {Op::from, Args::text, "FROM"},
            {Op::subject, Args::text, "SUBJECT"},
            {Op::text, Args::text, "TEXT"},
            {Op::to, Args::text, "TO"},
            {Op::header, Args::field_text, "HEADER"},
            {Op::keyword, Args::atom, "KEYWORD"},
            {Op::unkeyword, Args::atom, "UNKEYWORD"},
            {Op::before, Args::day, "BEFORE"},
            {Op::on, Args::day, "ON"},
            {Op::since, Args::day, "SINCE"},
            {Op::sent_before, Args::day, "SENTBEFORE"},
            {Op::sent_on, Args::day, "SENTON"},
            {Op::sent_since, Args::day, "SENTSINCE"},
            {Op::saved_before, Args::day, "SAVEDBEFORE"},
            {Op::saved_on, Args::day, "SAVEDON"},
            {Op::saved_since, Args::day, "SAVEDSINCE"},
            {Op::save_date_supported, Args::none, "SAVEDATESUPPORTED"},
            {Op::larger, Args::number, "LARGER"},
            {Op::smaller, Args::number, "SMALLER"},
            {Op::older, Args::interval, "OLDER"},
            {Op::younger, Args::interval, "YOUNGER"},
            {Op::uid_set, Args::uids, "UID"},
            {Op::modseq, Args::modseq, "MODSEQ"},
            {Op::email_id, Args::object_id, "EMAILID"},
            {Op::thread_id, Args::object_id, "THREADID"}};

// MODSEQ [entry-name SP entry-type-req SP] mod-sequence-value: the entry is only looked at for its shape.
bool modseq(Cursor& c, SearchKey& key) {
  if (c.peek() == '"') {
    std::string entry;
    std::string_view type;
    if (!(c.string(entry) && c.sp() && c.atom(type) && c.sp())) return false;
    if (!iequals(type, "priv") && !iequals(type, "shared") && !iequals(type, "all")) {
      return c.malformed("MODSEQ entry type expected");
    }
  }
  return c.number64(key.number);
}

bool arguments(Cursor& c, Args args, SearchKey& key) {
  std::string_view word;
  if (args == Args::none) return true;
  if (!c.sp()) return false;
  switch (args) {
    case Args::text:
      return c.astring(key.text);
    case Args::field_text:
      return c.astring(key.field) && c.sp() && c.astring(key.text);
    case Args::atom:
    case Args::object_id:
      if (!c.atom(word)) return false;
      key.text = word;
      return true;
    case Args::day:
      return parse(c, key.day);
    case Args::number:
      return c.number64(key.number);
    case Args::interval:
      return c.number64(key.number) && (key.number > 0 || c.malformed("an interval of nothing"));
    case Args::uids:
      return parse(c, key.set);
    case Args::modseq:
      return modseq(c, key);
    case Args::none:
      break;
  }
  return true;
}

// Reads keys into one array, with the operators still waiting for children on a stack of their own.
class Reader {
 public:
  Reader(Cursor& c, std::vector<SearchKey>& out) : c_(c), out_(out) {}

  bool run() {
    if (!open(Op::all_of, true)) return false;  // the line itself, ended by its end
    for (;;) {
      if (!one_key()) return false;
      close_complete();
      if (!c_.ok()) return false;
      if (stack_.size() == 1 && at_line_end()) break;
      if (!c_.sp()) return false;
    }
    out_[0].end = uint32_t(out_.size());
    return c_.ok();
  }

 private:
  struct Open {
    size_t node;
    uint32_t missing;  // children still to come; ignored in a list
    bool list;         // ends with ")"
  };

  bool at_line_end() {
    return c_.at_end() || (c_.leniency().extra_space && c_.rest().find_first_not_of(' ') == std::string_view::npos);
  }

  bool open(Op op, bool list, uint32_t missing = 0) {
    if (int(stack_.size()) > max_search_depth) return c_.fail(Errc::limit, "search nested too deeply");
    if (!node(op)) return false;
    stack_.push_back({out_.size() - 1, missing, list});
    return true;
  }

  bool node(Op op) {
    if (out_.size() >= max_search_keys) return c_.fail(Errc::limit, "too many search keys");
    SearchKey& key = out_.emplace_back();
    key.op = op;
    key.end = uint32_t(out_.size());
    return true;
  }

  // A leaf with what leads to it: "(", NOT, OR.
  bool one_key() {
    for (;;) {
      if (c_.accept('(')) {
        if (!open(Op::all_of, true)) return false;
        continue;
      }
      if (c_.accept_atom("NOT")) {
        if (!open(Op::none_of, false, 1) || !c_.sp()) return false;
        continue;
      }
      if (c_.accept_atom("OR")) {
        if (!open(Op::any_of, false, 2) || !c_.sp()) return false;
        continue;
      }
      return leaf();
    }
  }

  bool leaf() {
    char ch = c_.peek();
    if (ch == '*' || chars::is(ch, chars::digit)) {
      return node(Op::seq_set) && parse(c_, out_.back().set);
    }
    std::string_view word;
    if (!c_.atom(word)) return false;
    for (const auto& [op, args, name] : keys) {
      if (iequals(name, word)) return node(op) && arguments(c_, args, out_.back());
    }
    return c_.malformed("unknown search key");
  }

  // A key has ended: so has each operator above it that waited for nothing else, and each list whose ")" stands here.
  void close_complete() {
    while (stack_.size() > 1) {
      Open& top = stack_.back();
      if (top.list ? !c_.accept(')') : --top.missing > 0) return;
      out_[top.node].end = uint32_t(out_.size());
      stack_.pop_back();
    }
  }

  Cursor& c_;
  std::vector<SearchKey>& out_;
  std::vector<Open> stack_;
};

bool return_options(Cursor& c, Search& out) {
  out.esearch = true;
  return c.list(max_return_options, [&] {
    std::string_view word;
    if (!c.atom(word)) return false;
    if (iequals(word, "MIN")) return out.return_min = true;
    if (iequals(word, "MAX")) return out.return_max = true;
    if (iequals(word, "ALL")) return out.return_all = true;
    if (iequals(word, "COUNT")) return out.return_count = true;
    return c.malformed("unknown SEARCH return option");
  });
}

void write_leaf(Writer& w, const SearchKey& key) {
  if (key.op == Op::seq_set) {
    write(w, key.set);
    return;
  }
  for (const auto& [op, args, name] : keys) {
    if (op != key.op) continue;
    w.raw(name);
    switch (args) {
      case Args::none:
        return;
      case Args::text:
        w.sp().astring(key.text);
        return;
      case Args::field_text:
        w.sp().astring(key.field).sp().astring(key.text);
        return;
      case Args::atom:
      case Args::object_id:
        w.sp().atom(key.text);
        return;
      case Args::day:
        write(w.sp(), key.day);
        return;
      case Args::number:
      case Args::interval:
      case Args::modseq:
        w.sp().number(key.number);
        return;
      case Args::uids:
        write(w.sp(), key.set);
        return;
    }
  }
  w.fail();
}

}  // namespace

bool Search::uses_modseq() const {
  return std::any_of(keys.begin(), keys.end(), [](const SearchKey& k) { return k.op == Op::modseq; });
}

SearchKey& add_key(Search& search, Op op) {
  if (search.keys.empty()) search.keys.emplace_back().op = Op::all_of;
  SearchKey& key = search.keys.emplace_back();
  key.op = op;
  key.end = search.keys.front().end = uint32_t(search.keys.size());
  return key;
}

bool parse_charset(Cursor& c, std::string& out) {
  if (!c.sp() || !c.astring(out)) return false;
  if (out.empty() || out.size() > max_charset) return c.malformed("charset expected");
  std::transform(out.begin(), out.end(), out.begin(), chars::upper);
  return c.sp();
}

bool parse_search_keys(Cursor& c, std::vector<SearchKey>& out) { return Reader(c, out).run(); }

// search = "SEARCH" [SP "RETURN" SP "(" options ")"] [SP "CHARSET" SP astring] 1*(SP search-key)
bool parse(Cursor& c, Search& out) {
  out = Search{.uid = out.uid};
  if (!c.sp()) return false;
  if (c.accept_atom("RETURN") && !(c.sp() && return_options(c, out) && c.sp())) return false;
  if (c.accept_atom("CHARSET") && !parse_charset(c, out.charset)) return false;
  return parse_search_keys(c, out.keys);
}

void write(Writer& w, const Search& c) {
  w.raw(c.uid ? "UID SEARCH" : "SEARCH");
  if (c.esearch) {
    w.raw(" RETURN (");
    std::string_view before;
    auto option = [&](bool on, std::string_view name) {
      if (!on) return;
      w.raw(before).raw(name);
      before = " ";
    };
    option(c.return_min, "MIN");
    option(c.return_max, "MAX");
    option(c.return_all, "ALL");
    option(c.return_count, "COUNT");
    w.raw(')');
  }
  if (!c.charset.empty()) w.raw(" CHARSET ").astring(c.charset);
  write_search_keys(w, c.keys);
}

void write_search_keys(Writer& w, const std::vector<SearchKey>& tree) {
  if (tree.size() < 2 || tree[0].op != Op::all_of) {
    w.fail();
    return;
  }
  // Lists close where the array says that their subtree ends; the first node is the line itself.
  std::vector<uint32_t> lists;
  bool after_open = false;
  for (size_t i = 1; i < tree.size(); ++i) {
    while (!lists.empty() && lists.back() <= i) {
      w.raw(')');
      lists.pop_back();
    }
    if (!after_open) w.sp();
    after_open = false;
    const SearchKey& key = tree[i];
    switch (key.op) {
      case Op::all_of:
        if (key.end <= i + 1) w.fail();  // "()" is not IMAP
        w.raw('(');
        lists.push_back(key.end);
        after_open = true;
        break;
      case Op::any_of:
        w.raw("OR");
        break;
      case Op::none_of:
        w.raw("NOT");
        break;
      default:
        write_leaf(w, key);
    }
  }
  for (size_t n = lists.size(); n > 0; --n) w.raw(')');
}

}  // namespace wire::imap::cmd
