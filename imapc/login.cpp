#include "imapc/login.h"

#include <openssl/evp.h>

#include "wire/imap/cmd/login.h"

namespace imapc {

namespace {

std::string base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(n));
  return out;
}

// RFC 4616: authzid NUL authcid NUL password.
std::string plain_message(const Identity& identity) {
  std::string message;
  message.reserve(identity.authzid.size() + identity.authcid.size() + identity.password.reveal().size() + 2);
  message.append(identity.authzid).push_back('\0');
  message.append(identity.authcid).push_back('\0');
  message.append(identity.password.reveal());
  std::string out = base64(message);
  wipe(message);
  return out;
}

}  // namespace

Identity::Identity(const Credentials& credentials) {
  if (!credentials.admin) {
    authcid = credentials.user;
    password = credentials.password;
    return;
  }
  const Admin& admin = *credentials.admin;
  password = admin.password;
  if (admin.method == Admin::Method::separator) {
    authcid = credentials.user + admin.separator + admin.user;
  } else {
    authzid = credentials.user;
    authcid = admin.user;
  }
}

Result<LoginMethod> choose_login(const wire::imap::Capabilities& capabilities, const Identity& identity, bool sasl_ir) {
  for (const std::string* s : {&identity.authzid, &identity.authcid, &identity.password.reveal()}) {
    if (s->find('\0') != std::string::npos || s->size() > 4096)
      return Failure(Errc::usage, "no such user or password can be");
  }
  const bool plain = capabilities.has("AUTH=PLAIN");
  const bool login = !capabilities.has("LOGINDISABLED");
  // One round trip each; PLAIN also carries every byte without a literal.
  if (plain && sasl_ir && capabilities.has("SASL-IR")) return LoginMethod::plain_initial;
  if (!identity.authzid.empty()) {
    if (plain) return LoginMethod::plain;
    return Failure(Errc::unsupported, "the server does not offer AUTHENTICATE PLAIN, by which an admin becomes a user");
  }
  if (login) return LoginMethod::login;
  if (plain) return LoginMethod::plain;
  return Failure(Errc::unsupported, "the server offers no way to log in with a password here (TLS may be needed)");
}

void submit_login(Session& session, std::shared_ptr<Command> command, LoginMethod method, const Identity& identity) {
  Outgoing out;
  out.secret = true;
  out.text.reserve(16 * 1024);  // so that growing leaves no copy behind
  wire::imap::Writer w = session.begin(out, std::move(command));
  if (method == LoginMethod::login) {
    wire::imap::cmd::Login login;
    login.user = identity.authcid;
    login.password = identity.password.reveal();
    write(w, login);
    w.crlf();
    wipe(login.password);
    session.finish(std::move(out), w);
    return;
  }
  std::string message = plain_message(identity);
  wire::imap::cmd::Authenticate authenticate;
  authenticate.mechanism = "PLAIN";
  if (method == LoginMethod::plain_initial) {
    authenticate.initial = message;
    write(w, authenticate);
    wipe(*authenticate.initial);
    w.crlf();
    session.finish(std::move(out), w);
  } else {
    write(w, authenticate);
    w.crlf();
    const size_t point = out.text.size();
    w.raw(message).crlf();
    session.finish_with_sync_point(std::move(out), w, point);
  }
  wipe(message);
}

bool betrays(const std::string& text, const Identity& identity) {
  const std::string& password = identity.password.reveal();
  if (password.empty()) return false;
  if (text.find(password) != std::string::npos) return true;
  std::string message = plain_message(identity);
  const bool found = text.find(message) != std::string::npos;
  wipe(message);
  return found;
}

}  // namespace imapc
