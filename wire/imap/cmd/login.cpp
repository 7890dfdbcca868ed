#include "wire/imap/cmd/login.h"

#include <algorithm>

namespace wire::imap::cmd {

namespace {

constexpr size_t max_mechanism = 20;  // RFC 4422

bool base64_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '=';
}

}  // namespace

bool parse(Cursor& c, Login& out) { return c.sp() && c.astring(out.user) && c.sp() && c.astring(out.password); }

void write(Writer& w, const Login& c) { w.raw("LOGIN ").astring(c.user).sp().astring(c.password); }

// SP auth-type [SP (base64 / "=")]
bool parse(Cursor& c, Authenticate& out) {
  out = Authenticate();
  std::string_view word;
  if (!c.sp() || !c.atom(word)) return false;
  if (word.size() > max_mechanism) return c.malformed("SASL mechanism too long");
  out.mechanism.resize(word.size());
  std::transform(word.begin(), word.end(), out.mechanism.begin(), chars::upper);
  if (c.peek() != ' ') return c.ok();
  std::string_view response;
  if (!c.sp() || !c.text(response)) return false;
  if (response.empty() || !std::all_of(response.begin(), response.end(), base64_char)) {
    return c.malformed("initial response is no base64");
  }
  out.initial = response == "=" ? std::string() : std::string(response);
  return true;
}

void write(Writer& w, const Authenticate& c) {
  w.raw("AUTHENTICATE ").atom(c.mechanism);
  if (!c.initial) return;
  if (!std::all_of(c.initial->begin(), c.initial->end(), base64_char)) w.fail();
  w.sp().raw(c.initial->empty() ? std::string_view("=") : std::string_view(*c.initial));
}

}  // namespace wire::imap::cmd
