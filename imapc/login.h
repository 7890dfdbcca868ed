// Choosing a way to log in and putting it into words. For the .cpp files of this folder.
#pragma once

#include "imapc/endpoint.h"
#include "imapc/session.h"

namespace imapc {

// Whose password is sent, and whose mail is wanted.
struct Identity {
  std::string authzid;  // empty: the same as authcid
  std::string authcid;
  Secret password;
  explicit Identity(const Credentials& credentials);
};

enum class LoginMethod : uint8_t { login, plain_initial, plain };

// From what the server offers. unsupported: nothing that is allowed here and can say who is meant.
Result<LoginMethod> choose_login(const wire::imap::Capabilities& capabilities, const Identity& identity, bool sasl_ir);

// Sends it; the command's result is that of the login. Errors never hold what was sent.
void submit_login(Session& session, std::shared_ptr<Command> command, LoginMethod method, const Identity& identity);

// Whether a stranger's text repeats a secret, plain or in base64.
bool betrays(const std::string& text, const Identity& identity);

}  // namespace imapc
