#include "wire/imap/resp_code.h"

#include "wire/base/flags.h"

namespace wire::imap {

namespace {

constexpr struct {
  Code code;
  std::string_view name;
} names[] = {
    {Code::alert, "ALERT"},
    {Code::already_exists, "ALREADYEXISTS"},
    {Code::append_uid, "APPENDUID"},
    {Code::authentication_failed, "AUTHENTICATIONFAILED"},
    {Code::authorization_failed, "AUTHORIZATIONFAILED"},
    {Code::bad_charset, "BADCHARSET"},
    {Code::cannot, "CANNOT"},
    {Code::capability, "CAPABILITY"},
    {Code::client_bug, "CLIENTBUG"},
    {Code::closed, "CLOSED"},
    {Code::compression_active, "COMPRESSIONACTIVE"},
    {Code::contact_admin, "CONTACTADMIN"},
    {Code::copy_uid, "COPYUID"},
    {Code::corruption, "CORRUPTION"},
    {Code::expired, "EXPIRED"},
    {Code::expunge_issued, "EXPUNGEISSUED"},
    {Code::has_children, "HASCHILDREN"},
    {Code::highest_modseq, "HIGHESTMODSEQ"},
    {Code::in_use, "INUSE"},
    {Code::limit, "LIMIT"},
    {Code::mailbox_id, "MAILBOXID"},
    {Code::modified, "MODIFIED"},
    {Code::no_modseq, "NOMODSEQ"},
    {Code::no_perm, "NOPERM"},
    {Code::nonexistent, "NONEXISTENT"},
    {Code::not_saved, "NOTSAVED"},
    {Code::over_quota, "OVERQUOTA"},
    {Code::parse, "PARSE"},
    {Code::permanent_flags, "PERMANENTFLAGS"},
    {Code::privacy_required, "PRIVACYREQUIRED"},
    {Code::read_only, "READ-ONLY"},
    {Code::read_write, "READ-WRITE"},
    {Code::server_bug, "SERVERBUG"},
    {Code::throttled, "THROTTLED"},
    {Code::too_big, "TOOBIG"},
    {Code::try_create, "TRYCREATE"},
    {Code::uid_next, "UIDNEXT"},
    {Code::uid_not_sticky, "UIDNOTSTICKY"},
    {Code::uid_validity, "UIDVALIDITY"},
    {Code::unavailable, "UNAVAILABLE"},
    {Code::unknown_cte, "UNKNOWN-CTE"},
    {Code::unseen, "UNSEEN"},
    {Code::use_attr, "USEATTR"},
};

Code find_code(std::string_view word) {
  for (const auto& [code, name] : names) {
    if (base::iequals(name, word)) return code;
  }
  return Code::other;
}

std::string_view name_of(Code code) {
  for (const auto& [known, name] : names) {
    if (known == code) return name;
  }
  return {};
}

constexpr size_t max_charsets = 200;

bool arguments(Cursor& c, RespCode& out) {
  switch (out.code) {
    case Code::uid_next:
    case Code::uid_validity:
    case Code::unseen: {
      uint32_t n = 0;
      if (!c.sp() || !c.number(n)) return false;
      out.number = n;
      return true;
    }
    case Code::highest_modseq:
      return c.sp() && c.number64(out.number);
    case Code::append_uid:
      return c.sp() && c.nz_number(out.uid_validity.value) && c.sp() && parse(c, out.uids);
    case Code::copy_uid:
      return c.sp() && c.nz_number(out.uid_validity.value) && c.sp() && parse(c, out.source) && c.sp() &&
             parse(c, out.uids);
    case Code::modified:
      return c.sp() && parse(c, out.modified);
    case Code::permanent_flags:
      return c.sp() && parse(c, out.flags);
    case Code::capability:
      return parse(c, out.capabilities);
    case Code::mailbox_id: {
      std::string_view id;
      if (!(c.sp() && c.expect('(') && c.atom(id) && c.expect(')'))) return false;
      out.text = id;
      return true;
    }
    case Code::bad_charset:
      if (c.peek() == ']') return true;
      return c.sp() && c.list(max_charsets, [&] {
        out.charsets.emplace_back();
        return c.astring(out.charsets.back());
      });
    default:
      return true;
  }
}

}  // namespace

bool parse(Cursor& c, RespCode& out) {
  out = RespCode();
  if (!c.expect('[')) return false;
  Cursor trial = c;
  std::string_view word;
  if (trial.atom(word)) {
    out.code = find_code(word);
    if (out.code != Code::other && arguments(trial, out) && trial.accept(']')) {
      c = trial;
      return true;
    }
  }
  out = RespCode(Code::other);
  std::string_view rest = c.rest();
  bool in_quotes = false;
  for (size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] == '\\' && in_quotes) {
      ++i;
    } else if (rest[i] == '"') {
      in_quotes = !in_quotes;
    } else if (rest[i] == ']' && !in_quotes) {
      out.text = rest.substr(0, i);
      return c.expect_word(rest.substr(0, i + 1));
    }
  }
  return c.malformed("response code without its bracket");
}

void write(Writer& w, const RespCode& code) {
  if (code.code == Code::none) return;
  w.raw('[').raw(name_of(code.code));
  switch (code.code) {
    case Code::uid_next:
    case Code::uid_validity:
    case Code::unseen:
    case Code::highest_modseq:
      w.sp().number(code.number);
      break;
    case Code::append_uid:
      write(w.sp().number(code.uid_validity).sp(), code.uids);
      break;
    case Code::copy_uid:
      write(w.sp().number(code.uid_validity).sp(), code.source);
      write(w.sp(), code.uids);
      break;
    case Code::modified:
      write(w.sp(), code.modified);
      break;
    case Code::permanent_flags:
      write(w.sp(), code.flags);
      break;
    case Code::capability:
      write(w, code.capabilities);
      break;
    case Code::mailbox_id:
      w.raw(" (").atom(code.text).raw(')');
      break;
    case Code::bad_charset:
      if (code.charsets.empty()) break;
      w.raw(" (");
      for (size_t i = 0; i < code.charsets.size(); ++i) {
        if (i > 0) w.sp();
        w.astring(code.charsets[i]);
      }
      w.raw(')');
      break;
    case Code::other:
      w.text(code.text);
      break;
    default:
      break;
  }
  w.raw(']');
}

}  // namespace wire::imap
