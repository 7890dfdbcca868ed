// What an upstream is, and what it proves when asked (contract: probe).

#include <algorithm>

#include "gateway/migrate/identity.h"
#include "gateway/migrate/jobs.h"
#include "gateway/source/upstream_connect.h"
#include "gateway/source/upstream_quirks.h"
#include "imapc/list.h"

namespace gateway::migrate {

using storage::Errc;
using storage::Failure;

namespace {

// Whether the same mailbox shows the same UIDVALIDITY when it is opened twice.
awaitable<std::optional<bool>> same_twice(imapc::Connection& c, std::string name, bool examine) {
  wire::imap::cmd::Select request;
  request.examine = examine;
  request.mailbox.octets = std::move(name);
  auto first = c.select(request);
  auto second = c.select(request);
  auto a = co_await first.get();
  auto b = co_await second.get();
  if (!a || !b) co_return std::nullopt;
  co_return a->uid_validity == b->uid_validity;
}

awaitable<Result<void>> look_inside(imapc::Connection& c, ProbeReport& report) {
  if (c.capabilities().has("NAMESPACE")) {
    auto call = c.namespaces();
    auto told = co_await call.get();
    if (!told) co_return told.error();
    if (!told->personal.empty()) {
      report.prefix = told->personal.front().prefix;
      report.separator = told->personal.front().separator;
    }
    for (const auto& n : told->other_users) report.other_namespaces.push_back(n.prefix);
    for (const auto& n : told->shared) report.shared_namespaces.push_back(n.prefix);
  }
  imapc::TreeRequest request;
  auto tree = co_await imapc::list_tree(c, request);
  if (!tree) co_return tree.error();
  // EXAMINE leaves no trace, so every mailbox may be asked; one that shows two numbers is enough.
  bool examine_persists = true;
  for (const imapc::ListedMailbox& m : *tree) {
    if (!m.selectable()) continue;
    if (report.separator == 0) report.separator = m.separator;
    auto same = co_await same_twice(c, m.name, true);
    if (same && !*same) {
      examine_persists = false;
      break;
    }
  }
  report.examine_uid_validity_persists = examine_persists;
  report.uid_validity_persists = examine_persists;
  if (!examine_persists) {
    auto same = co_await same_twice(c, "INBOX", false);
    report.uid_validity_persists = same.value_or(false);
  }
  if (!report.condstore)
    report.not_preservable.push_back("modseq: the source has no CONDSTORE; Fairlead assigns its own");
  if (!*report.uid_validity_persists) {
    report.not_preservable.push_back("uid: the source shows another UIDVALIDITY at every SELECT");
  }
  for (const std::string& p : report.other_namespaces)
    report.not_preservable.push_back("shared: other users' mailboxes below '" + p + "'");
  for (const std::string& p : report.shared_namespaces)
    report.not_preservable.push_back("shared: shared mailboxes below '" + p + "'");
  co_return Result<void>();
}

// The session that a sync would read with: the administrator's where there is one.
awaitable<IdentityProof> who_reads(source::Services& services, const config::Upstream& there, std::string user,
                                   std::optional<std::string> password, imapc::Connection& probing) {
  if (!password || !there.admin) {
    co_return co_await prove_identity(services, there, std::move(user), std::nullopt, probing);
  }
  std::string nothing;
  const asio::any_io_executor core = co_await asio::this_coro::executor;
  auto reading = co_await source::connect_as(services, core, there, user, std::move(nothing));
  if (!reading) {
    IdentityProof out;
    out.evidence = reading.error().describe();
    co_return out;
  }
  IdentityProof out = co_await prove_identity(services, there, std::move(user), std::move(password), **reading);
  co_await (*reading)->logout();
  co_return out;
}

std::vector<std::string> matching_rules(const source::Services& services, const config::Upstream& there,
                                        const imapc::Connection& c, const ProbeReport& report) {
  if (!services.rules) return {};
  quirks::Evidence seen = source::evidence_of(there, c);
  if (report.examine_uid_validity_persists) seen.examine_uidvalidity_changes = !*report.examine_uid_validity_persists;
  quirks::Profile profile = quirks::profile_for(services.rules->rules, seen);
  for (const std::string& id : profile.observed) profile.rules.push_back(id + " (observed)");
  return profile.rules;
}

}  // namespace

awaitable<Result<ProbeReport>> probe(source::Services& services, std::string upstream, std::optional<std::string> user,
                                     std::optional<std::string> password) {
  auto at = services.config.upstreams.find(upstream);
  if (at == services.config.upstreams.end()) {
    co_return Failure(Errc::usage, "there is no upstream '" + upstream + "' in the configuration");
  }
  const config::Upstream& there = at->second;
  ProbeReport report;
  report.upstream = upstream;
  asio::any_io_executor core = co_await asio::this_coro::executor;
  Result<std::unique_ptr<imapc::Connection>> made = Failure(Errc::internal, "");
  if (user && password) {
    auto endpoint = source::endpoint_of(there);
    if (!endpoint) co_return endpoint.error();
    imapc::Credentials credentials;
    credentials.user = *user;
    credentials.password = imapc::Secret(*password);
    imapc::Options options = source::connection_options(there);
    made = co_await imapc::Connection::open(core, *endpoint, std::move(credentials), std::move(options));
  } else if (user) {
    std::string nothing;
    made = co_await source::connect_as(services, core, there, *user, std::move(nothing));
  } else {
    co_return Failure(Errc::usage,
                      "a probe needs a user to log in as: add --user, and --password-file where there is no admin");
  }
  if (!made) co_return made.error();
  imapc::Connection& c = **made;
  report.banner = c.greeting();
  for (const auto& field : c.server_id().fields) {
    if (field.value) report.id[field.name] = *field.value;
  }
  const auto& offers = c.capabilities();
  report.capabilities = offers.names();
  for (std::string_view m : offers.values("AUTH")) report.sasl.emplace_back(m);
  report.qresync = offers.has("QRESYNC");
  report.condstore = offers.has("CONDSTORE") || report.qresync;
  report.uidplus = offers.has("UIDPLUS");
  report.special_use = offers.has("SPECIAL-USE");
  report.list_status = offers.has("LIST-STATUS");
  report.move = offers.has("MOVE");
  report.tls = c.stream().is_tls();
  if (auto ok = co_await look_inside(c, report); !ok) co_return ok.error();
  report.rules = matching_rules(services, there, c, report);
  IdentityProof proof = co_await who_reads(services, there, *user, std::move(password), c);
  report.is_the_user = proof.is_the_user;
  report.identity_evidence = std::move(proof.evidence);
  co_await c.logout();
  co_return report;
}

}  // namespace gateway::migrate
