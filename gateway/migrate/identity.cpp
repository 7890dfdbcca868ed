#include "gateway/migrate/identity.h"

#include "gateway/migrate/inventory.h"
#include "gateway/source/upstream_connect.h"
#include "imapc/connection.h"
#include "wire/net/pool.h"

namespace gateway::migrate {

using source::UpstreamBudget;
using storage::Errc;
using storage::Failure;
using wire::base::Result;

namespace {

constexpr wire::net::Timeout place_patience{10'000};

bool is_name_of(const std::string& identifier, const std::string& who) {
  return !who.empty() && (identifier == who || identifier == "user=" + who || identifier.starts_with(who + "@"));
}

// nullopt: the account has no INBOX.
awaitable<Result<std::optional<Inbox>>> look(imapc::Connection& c) {
  wire::imap::cmd::Select request;
  request.examine = true;
  request.mailbox.octets = "INBOX";
  auto call = c.select(request);
  auto now = co_await call.get();
  if (!now && (now.error().code == Errc::refused || now.error().code == Errc::not_found)) {
    co_return std::optional<Inbox>();
  }
  if (!now) co_return now.error();
  Inbox out;
  out.uid_validity = now->uid_validity;
  out.uid_next = now->uid_next;
  out.messages = now->exists;
  out.mailbox_id = now->mailbox_id;
  co_return std::optional<Inbox>(std::move(out));
}

// Another login's INBOX, looked at between two looks at ours.
awaitable<Result<Same>> compare_with(source::Services& services, const config::Upstream& upstream,
                                     imapc::Credentials credentials, imapc::Connection& session) {
  auto endpoint = source::endpoint_of(upstream);
  if (!endpoint) co_return endpoint.error();
  auto before = co_await look(session);
  if (!before) co_return before.error();
  const std::shared_ptr<UpstreamBudget> budget = services.registry->budget_of(upstream);
  auto place = co_await budget->take(UpstreamBudget::Use::session, place_patience);
  if (!place) co_return place.error();
  imapc::Options options = source::connection_options(upstream);
  options.enable.clear();
  const asio::any_io_executor core = co_await asio::this_coro::executor;
  auto made = co_await imapc::Connection::open(core, *endpoint, std::move(credentials), std::move(options));
  if (!made) co_return made.error();
  auto other = co_await look(**made);
  if (!other) co_return other.error();
  co_await (*made)->logout();
  auto after = co_await look(session);
  if (!after) co_return after.error();
  if (!*other || !*before || !*after) co_return other->has_value() == before->has_value() ? Same::unclear : Same::no;
  co_return same_inbox(**before, **other, **after);
}

}  // namespace

Same same_inbox(const Inbox& before, const Inbox& other, const Inbox& after) {
  if (!before.mailbox_id.empty() && !other.mailbox_id.empty()) {
    return before.mailbox_id == other.mailbox_id ? Same::yes : Same::no;
  }
  if (other.uid_validity != before.uid_validity) return Same::no;
  if (other.uid_next < before.uid_next || other.uid_next > after.uid_next) return Same::no;
  // Accounts made in one second share a UIDVALIDITY: empty ones tell nothing.
  return before.uid_next.value > 1 && other.messages != 0 ? Same::yes : Same::unclear;
}

Same owner_by_rights(const std::vector<std::string>& acl, const std::string& user, const std::string& admin) {
  bool names_user = false, names_admin = false;
  for (const std::string& line : acl) {
    for (const std::string& who : with_rights(line)) {
      names_user = names_user || is_name_of(who, user);
      names_admin = names_admin || is_name_of(who, admin);
    }
  }
  if (names_user == names_admin) return Same::unclear;
  return names_user ? Same::yes : Same::no;
}

awaitable<IdentityProof> prove_identity(source::Services& services, const config::Upstream& upstream, std::string user,
                                        std::optional<std::string> own_password, imapc::Connection& session) {
  IdentityProof out;
  auto admin = source::admin_of(upstream);
  if (!admin) {
    out.evidence = admin.error().describe();
    co_return out;
  }
  if (!*admin) {
    out.is_the_user = true;
    out.evidence = "the session was opened with the user's own password";
    co_return out;
  }
  if (session.capabilities().has("ACL")) {
    auto call = session.get_acl("INBOX");
    auto acl = co_await call.get();
    const Same by_rights = acl ? owner_by_rights(*acl, user, (*admin)->user) : Same::unclear;
    if (by_rights != Same::unclear) {
      out.is_the_user = by_rights == Same::yes;
      out.evidence =
          std::string("the rights in its INBOX are those of ") + (*out.is_the_user ? "the user" : "the administrator");
      co_return out;
    }
  }
  if (!own_password) {
    control::Control* control = &services.control;
    auto look_up = [control, user] { return control->source_password(user); };
    auto known = co_await wire::net::run_on_pool(services.blocking, look_up);
    if (known && *known) own_password = std::move(**known);
  }
  if (own_password) {
    imapc::Credentials credentials;
    credentials.user = user;
    credentials.password = imapc::Secret(*own_password);
    imapc::wipe(*own_password);
    auto same = co_await compare_with(services, upstream, std::move(credentials), session);
    if (same && *same != Same::unclear) {
      out.is_the_user = *same == Same::yes;
      out.evidence = std::string("its INBOX is ") + (*out.is_the_user ? "" : "not ") +
                     "the one that the user's own password opens";
      co_return out;
    }
  }
  const char* no_inbox = "it has an INBOX, and the administrator has none of its own";
  if (services.registry->admin_has_no_inbox(upstream.name)) {
    out.is_the_user = true;
    out.evidence = no_inbox;
    co_return out;
  }
  auto here = co_await look(session);
  if (!here || !*here) {
    out.evidence = here ? "the session has no INBOX" : here.error().describe();
    co_return out;
  }
  imapc::Credentials itself;
  itself.user = (*admin)->user;
  itself.password = (*admin)->password;
  auto same = co_await compare_with(services, upstream, std::move(itself), session);
  if (!same && same.error().code != Errc::auth) {
    out.evidence = same.error().describe();
  } else if (!same) {
    // An administrator who is no user cannot be asked again and again: the server counts wrong logins.
    services.registry->note_admin_has_no_inbox(upstream.name);
    out.is_the_user = true;
    out.evidence = no_inbox;
  } else if (*same == Same::unclear) {
    out.evidence = "its INBOX and the administrator's own cannot be told apart: both are empty";
  } else {
    out.is_the_user = *same == Same::no;
    out.evidence =
        *out.is_the_user ? "its INBOX is not the administrator's own" : "its INBOX is the administrator's own";
  }
  co_return out;
}

}  // namespace gateway::migrate
