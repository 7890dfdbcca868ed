#include "gateway/source/upstream_connect.h"

#include <fstream>

#include "wire/net/pool.h"

namespace gateway::source {

using storage::Errc;
using storage::Failure;

Result<imapc::Endpoint> endpoint_of(const config::Upstream& upstream) {
  if (!upstream.imap) return Failure(Errc::unsupported, "the upstream '" + upstream.name + "' has no imap address");
  imapc::Endpoint out;
  out.host = upstream.imap->host;
  out.port = upstream.imap->port;
  out.verify = upstream.tls.verify;
  out.ca_file = upstream.tls.ca_file;
  if (upstream.imap->scheme == "imaps") {
    out.security = imapc::Security::implicit_tls;
  } else {
    out.security = upstream.tls.off ? imapc::Security::none : imapc::Security::starttls_if_offered;
  }
  return out;
}

Result<std::optional<imapc::Admin>> admin_of(const config::Upstream& upstream) {
  if (!upstream.admin) return std::optional<imapc::Admin>();
  imapc::Admin admin;
  admin.user = upstream.admin->user;
  switch (upstream.admin->method) {
    case config::AdminMethod::authzid:
      admin.method = imapc::Admin::Method::authzid;
      break;
    case config::AdminMethod::separator:
      admin.method = imapc::Admin::Method::separator;
      break;
    default:
      return Failure(Errc::unsupported, "the admin method of the upstream '" + upstream.name +
                                            "' is not served by this build; use authzid or separator");
  }
  std::ifstream file(upstream.admin->password_file);
  std::string password;
  if (!std::getline(file, password)) {
    return Failure(Errc::usage, "the admin password of the upstream '" + upstream.name + "' cannot be read from " +
                                    upstream.admin->password_file.string());
  }
  if (!password.empty() && password.back() == '\r') password.pop_back();
  admin.password = imapc::Secret(password);
  imapc::wipe(password);
  return std::optional<imapc::Admin>(std::move(admin));
}

imapc::Options connection_options(const config::Upstream& upstream) {
  imapc::Options out;
  out.compress = upstream.compress;
  out.enable = {"CONDSTORE", "QRESYNC"};
  return out;
}

awaitable<Result<std::unique_ptr<imapc::Connection>>> connect_as(Services& services, asio::any_io_executor core,
                                                                 const config::Upstream& upstream, std::string user,
                                                                 std::string login_password) {
  auto endpoint = endpoint_of(upstream);
  if (!endpoint) co_return endpoint.error();
  imapc::Credentials credentials;
  credentials.user = user;
  auto admin = admin_of(upstream);
  if (!admin) co_return admin.error();
  if (*admin) {
    credentials.admin = std::move(**admin);
  } else {
    control::Control* control = &services.control;
    auto look = [control, user] { return control->source_password(user); };
    auto known = co_await wire::net::run_on_pool(services.blocking, look);
    if (!known) co_return known.error();
    if (*known) {
      credentials.password = imapc::Secret(**known);
      imapc::wipe(**known);
    } else if (!login_password.empty()) {
      credentials.password = imapc::Secret(login_password);
    } else {
      co_return Failure(Errc::auth, "nothing is known that could log in as '" + user + "' at the upstream '" +
                                        upstream.name + "'; add a password (fairlead user password " + user +
                                        " --source) or an admin to the configuration");
    }
  }
  imapc::wipe(login_password);
  imapc::Options options = connection_options(upstream);
  auto made = co_await imapc::Connection::open(std::move(core), std::move(*endpoint), std::move(credentials),
                                               std::move(options));
  if (!made) {
    Failure why = made.error();
    // A certificate that cannot be trusted is not a refusal of what was asked: nothing could be asked.
    if (why.code == Errc::refused) why.code = Errc::unavailable;
    why.note = "upstream '" + upstream.name + "', user '" + user + "': " + why.note;
    co_return why;
  }
  co_return std::move(*made);
}

}  // namespace gateway::source
