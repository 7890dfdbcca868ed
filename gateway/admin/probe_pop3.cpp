#include "gateway/admin/probe_pop3.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "gateway/admin/verbs.h"
#include "gateway/source/upstream_connect.h"
#include "pop3c/client.h"

namespace gateway::admin {

namespace {

namespace json = boost::json;

constexpr uint64_t uidl_samples = 3;

pop3c::Endpoint endpoint_of(const config::Upstream& upstream) {
  pop3c::Endpoint out;
  out.host = upstream.pop3->host;
  out.port = upstream.pop3->port;
  out.verify = upstream.tls.verify;
  out.ca_file = upstream.tls.ca_file;
  out.security = upstream.pop3->scheme == "pop3s" ? pop3c::Security::implicit_tls
                 : upstream.tls.off               ? pop3c::Security::none
                                                  : pop3c::Security::stls_if_offered;
  return out;
}

Result<pop3c::Credentials> credentials_of(const config::Upstream& upstream, const std::string& user,
                                          const std::optional<std::string>& password) {
  pop3c::Credentials out;
  out.user = user;
  if (password) {
    out.password = *password;
    return out;
  }
  Result<std::optional<imapc::Admin>> admin = source::admin_of(upstream);
  if (!admin) return admin.error();
  if (!*admin) return Failure(Errc::auth, "no password was given and the upstream has no admin");
  const imapc::Admin& a = **admin;
  out.password = a.password.reveal();
  if (a.method == imapc::Admin::Method::authzid) {
    out.authzid = user;
    out.user = a.user;
  } else {
    out.user = user + a.separator + a.user;
  }
  return out;
}

awaitable<Result<void>> look_inside(pop3c::Client& client, json::object& report) {
  const Result<pop3c::Stat> stat = co_await client.stat();
  if (!stat) co_return stat.error();
  report["messages"] = stat->messages;
  const Result<std::vector<pop3c::Uidl>> uidl = co_await client.uidl(std::min(stat->messages, uidl_samples));
  if (!uidl) co_return uidl.error();
  json::array samples;
  for (const pop3c::Uidl& u : *uidl) samples.emplace_back(wire::base::escape(u.id));
  report["uidl"] = std::move(samples);
  if (!uidl->empty()) report["uidl_format"] = uidl_format(uidl->front().id);
  co_return Result<void>();
}

}  // namespace

std::string uidl_format(const std::string& uidl) {
  const auto digits = [](std::string_view s) {
    return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); };
  const size_t dot = uidl.find('.');
  if (dot != std::string::npos && digits(std::string_view(uidl).substr(0, dot)) &&
      digits(std::string_view(uidl).substr(dot + 1))) {
    return "uidvalidity.uid";
  }
  if (uidl.size() == 16 && std::all_of(uidl.begin(), uidl.end(), is_hex)) return "uid+uidvalidity in hex";
  return digits(uidl) ? "uid" : "other";
}

awaitable<json::object> probe_pop3(const config::Upstream& upstream, std::optional<std::string> user,
                                   std::optional<std::string> password) {
  json::object report;
  const asio::any_io_executor here = co_await asio::this_coro::executor;
  pop3c::Endpoint endpoint = endpoint_of(upstream);
  const pop3c::Options options;
  Result<std::unique_ptr<pop3c::Client>> made = co_await pop3c::Client::open(here, std::move(endpoint), options);
  if (!made) {
    report["error"] = made.error().describe();
    co_return report;
  }
  pop3c::Client& client = **made;
  report["banner"] = wire::base::escape(client.greeting());
  report["tls"] = client.is_tls();
  std::vector<std::string> offers;
  for (const std::string& line : client.capabilities().lines()) offers.push_back(wire::base::escape(line));
  report["capabilities"] = json_list(offers);
  report["utf8"] = client.capabilities().has("UTF8");
  if (user) {
    Result<pop3c::Credentials> credentials = credentials_of(upstream, *user, password);
    Result<void> done;
    if (credentials) {
      done = co_await client.login(std::move(*credentials));
    } else {
      done = credentials.error();
    }
    if (done) done = co_await look_inside(client, report);
    if (!done) report["error"] = done.error().describe();
  }
  co_await client.quit();
  co_return report;
}

}  // namespace gateway::admin
