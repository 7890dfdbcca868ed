#include "wire/imap/response.h"

#include "wire/base/flags.h"

namespace wire::imap {

using base::Errc;
using base::iequals;
using base::Result;

namespace {

constexpr struct {
  Condition condition;
  std::string_view word;
} conditions[] = {{Condition::ok, "OK"},
                  {Condition::no, "NO"},
                  {Condition::bad, "BAD"},
                  {Condition::bye, "BYE"},
                  {Condition::preauth, "PREAUTH"}};

bool condition(Cursor& c, bool tagged, Condition& out) {
  for (const auto& [value, word] : conditions) {
    if (tagged && value > Condition::bad) break;
    if (c.accept_atom(word)) {
      out = value;
      return true;
    }
  }
  return false;
}

// SP resp-text. RFC 3501 demands text, RFC 9051 lets it be empty, some servers leave the space out as well.
bool resp_text(Cursor& c, Status& out) {
  if (c.at_end() && c.ok()) return c.leniency().no_status_text || c.malformed("status without text");
  if (!c.sp()) return false;
  if (c.peek() == '[') {
    if (!parse(c, out.code)) return false;
    c.accept(' ');
  }
  std::string_view text;
  if (!c.text(text)) return false;
  out.text = text;
  return true;
}

bool number_of(Cursor& c, uint32_t& out, std::string_view word) {
  return c.number(out) && c.sp() && c.expect_word(word) && c.end();
}

bool vanished(Cursor& c, VanishedData& out) {
  if (!c.expect_word("VANISHED") || !c.sp()) return false;
  if (c.accept_word("(EARLIER)")) {
    out.earlier = true;
    if (!c.sp()) return false;
  }
  return parse(c, out.uids);
}

template <class T>
bool whole(Cursor& c, Response& out) {
  return parse(c, out.emplace<T>()) && c.end();
}

template <class T>
bool word_and(Cursor& c, std::string_view word, Response& out) {
  T& value = out.emplace<T>();
  c.expect_word(word);
  if constexpr (requires { value.capabilities; }) {
    return parse(c, value.capabilities) && c.end();
  } else if constexpr (requires { value.flags; }) {
    return c.sp() && parse(c, value.flags) && c.end();
  } else {
    return c.sp() && parse(c, value.params) && c.end();
  }
}

bool numbered(Cursor& c, Response& out, bool& known) {
  Cursor::Mark begin = c.mark();
  uint32_t n = 0;
  std::string_view word;
  if (!c.number(n) || !c.sp() || !c.atom(word)) return false;
  c.reset(begin);
  if (iequals(word, "FETCH")) return whole<FetchData>(c, out);
  if (iequals(word, "EXPUNGE")) {
    ExpungeData& data = out.emplace<ExpungeData>();
    return number_of(c, data.seq.value, word) && (data.seq || c.malformed("number must not be zero"));
  }
  if (iequals(word, "EXISTS")) return number_of(c, out.emplace<ExistsData>().count, word);
  if (iequals(word, "RECENT")) return number_of(c, out.emplace<RecentData>().count, word);
  known = false;
  return true;
}

bool untagged(Cursor& c, Response& out, bool& known) {
  if (chars::is(c.peek(), chars::digit)) return numbered(c, out, known);
  Status status;
  if (condition(c, false, status.condition)) {
    bool ok = resp_text(c, status);
    out = std::move(status);
    return ok;
  }
  Cursor::Mark begin = c.mark();
  std::string_view word;
  if (!c.atom(word)) return false;
  c.reset(begin);
  if (iequals(word, "LIST") || iequals(word, "LSUB")) return whole<ListData>(c, out);
  if (iequals(word, "STATUS")) return whole<StatusData>(c, out);
  if (iequals(word, "SEARCH")) return whole<SearchData>(c, out);
  if (iequals(word, "ESEARCH")) return whole<EsearchData>(c, out);
  if (iequals(word, "VANISHED")) return vanished(c, out.emplace<VanishedData>()) && c.end();
  if (iequals(word, "FLAGS")) return word_and<FlagsData>(c, word, out);
  if (iequals(word, "CAPABILITY")) return word_and<CapabilityData>(c, word, out);
  if (iequals(word, "ENABLED")) return word_and<EnabledData>(c, word, out);
  if (iequals(word, "ID")) return word_and<IdData>(c, word, out);
  if (iequals(word, "NAMESPACE")) return whole<NamespaceData>(c, out);
  known = false;
  return true;
}

}  // namespace

Result<Response> parse_response(const Frame& frame, const Leniency& leniency) {
  Cursor c(frame, leniency);
  Response out;
  if (c.accept('*')) {
    if (!c.sp()) return c.failure();
    std::string_view text = c.rest();
    bool known = true;
    if (!untagged(c, out, known)) {
      // Bounds hold whatever is tolerated.
      base::Failure failure = c.failure();
      if (!leniency.bad_response || failure.code == Errc::limit) return failure;
      known = false;
    }
    if (!known) out = UnknownData{std::string(text)};
    return out;
  }
  if (c.accept('+')) {
    std::string_view text;
    if (!c.accept(' ') && !(c.at_end() && leniency.no_status_text)) c.malformed("space expected");
    if (!c.text(text)) return c.failure();
    out = Continuation{std::string(text)};
    return out;
  }
  Status status;
  std::string_view tag;
  if (!c.tag(tag) || !c.sp()) return c.failure();
  status.tag = tag;
  if (!condition(c, true, status.condition)) c.malformed("status expected");
  if (!resp_text(c, status)) return c.failure();
  out = std::move(status);
  return out;
}

void write_line(Writer& w, const Status& s) {
  if (s.tagged()) {
    if (!chars::all(s.tag, chars::tag)) w.fail();
    w.raw(s.tag).sp();
  } else {
    w.raw("* ");
  }
  w.raw(conditions[size_t(s.condition)].word).sp();
  write(w, s.code);
  if (s.code.code != Code::none) {
    if (!s.text.empty()) w.sp();
  } else if (s.text.starts_with('[')) {
    w.fail();  // it would be read as a code
  }
  w.text(s.text).crlf();
}

void write_line(Writer& w, const Continuation& d) { w.raw("+ ").text(d.text).crlf(); }
void write_line(Writer& w, const CapabilityData& d) {
  write(w.raw("* CAPABILITY"), d.capabilities);
  w.crlf();
}
void write_line(Writer& w, const EnabledData& d) {
  write(w.raw("* ENABLED"), d.capabilities);
  w.crlf();
}
void write_line(Writer& w, const FlagsData& d) {
  write(w.raw("* FLAGS "), d.flags);
  w.crlf();
}
void write_line(Writer& w, const ExistsData& d) { w.raw("* ").number(d.count).raw(" EXISTS\r\n"); }
void write_line(Writer& w, const RecentData& d) { w.raw("* ").number(d.count).raw(" RECENT\r\n"); }
void write_line(Writer& w, const ExpungeData& d) { w.raw("* ").number(d.seq).raw(" EXPUNGE\r\n"); }
void write_line(Writer& w, const VanishedData& d) {
  write(w.raw(d.earlier ? "* VANISHED (EARLIER) " : "* VANISHED "), d.uids);
  w.crlf();
}
void write_line(Writer& w, const FetchData& d, std::span<const Literal> literals) {
  write(w.raw("* "), d, literals);
  w.crlf();
}
void write_line(Writer& w, const ListData& d) {
  write(w.raw("* "), d);
  w.crlf();
}
void write_line(Writer& w, const StatusData& d) {
  write(w.raw("* "), d);
  w.crlf();
}
void write_line(Writer& w, const SearchData& d) {
  write(w.raw("* "), d);
  w.crlf();
}
void write_line(Writer& w, const EsearchData& d) {
  write(w.raw("* "), d);
  w.crlf();
}
void write_line(Writer& w, const NamespaceData& d) {
  write(w.raw("* "), d);
  w.crlf();
}
void write_line(Writer& w, const IdData& d) {
  write(w.raw("* ID "), d.params);
  w.crlf();
}
void write_line(Writer& w, const UnknownData& d) { w.raw("* ").text(d.text).crlf(); }

void write_response(Writer& w, const Response& r, std::span<const Literal> literals) {
  std::visit(
      [&](const auto& value) {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, FetchData>) {
          write_line(w, value, literals);
        } else {
          write_line(w, value);
        }
      },
      r);
}

}  // namespace wire::imap
