#include "gateway/migrate/inventory.h"

#include <algorithm>

#include "gateway/migrate/identity.h"
#include "gateway/migrate/sieve.h"
#include "gateway/source/upstream_authority.h"

namespace gateway::migrate {

using wire::base::Result;

namespace {

// Who has rights in a mailbox beside its owner. Administrators keep theirs by configuration, so the one who reads for
// us does not count.
std::vector<std::string> others_with_rights(const std::string& acl, const std::string& user, const std::string& admin) {
  std::vector<std::string> out;
  for (std::string& who : with_rights(acl)) {
    if (who == "owner" || who == user || who == admin || who == "administrators" || who.starts_with('-')) continue;
    if (who == "user=" + user || who.starts_with(user + "@")) continue;
    out.push_back(std::move(who));
  }
  return out;
}

struct Asked {
  std::string mailbox;
  std::optional<imapc::Call<std::vector<std::string>>> acl, comments;
};

}  // namespace

std::vector<std::string> with_rights(const std::string& acl) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false;
  for (char c : acl + ' ') {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ' ' && !quoted) {
      words.push_back(word);
      word.clear();
    } else {
      word += c;
    }
  }
  std::vector<std::string> out;
  for (size_t i = 1; i + 1 < words.size(); i += 2) out.push_back(std::move(words[i]));
  return out;
}

awaitable<std::optional<std::string>> not_the_user(source::UserAccountPtr account) {
  const config::Upstream& upstream = account->services().config.upstreams.at(account->record().upstream);
  if (!upstream.admin) co_return std::nullopt;
  auto lease = co_await account->source()->lease();
  if (!lease) co_return std::nullopt;
  const IdentityProof proof =
      co_await prove_identity(account->services(), upstream, account->user(), std::nullopt, **lease);
  if (proof.is_the_user.value_or(true)) co_return std::nullopt;
  co_return "the session that reads at the source is not that of '" + account->user() + "' (" + proof.evidence +
      "): the messages read would be somebody else's; mend [[upstream]] admin, or give the user's own password with "
      "fairlead user password " +
      account->user() + " --source";
}

namespace {

awaitable<void> add_sieve(source::UserAccountPtr account, Inventory& out) {
  const config::Upstream& upstream = account->services().config.upstreams.at(account->record().upstream);
  const SieveLook look = co_await look_for_sieve(account->services(), upstream, account->user());
  const std::string what = wire::base::escape(look.what);
  switch (look.found) {
    case SieveLook::Found::script:
      out.held_back.push_back({"sieve", "the user has an active Sieve script at the source, '" + what + "'"});
      break;
    case SieveLook::Found::unknown:
      out.held_back.push_back({"sieve", "whether the user has a Sieve script at the source is not known: " + what});
      break;
    case SieveLook::Found::nobody_answers:
      out.not_known.push_back("sieve: not known, " + what);
      break;
    case SieveLook::Found::no_script:
      break;
  }
}

}  // namespace

awaitable<Result<Inventory>> not_carried(source::UserAccountPtr account) {
  Inventory report;
  std::vector<Uncarried>& out = report.held_back;
  auto seen = co_await account->source()->observe_source();
  if (!seen) co_return seen.error();
  const auto readable = [](const source::SourceMailbox& m) { return m.selectable(); };
  const auto shared = std::find_if(seen->foreign.begin(), seen->foreign.end(), readable);
  if (shared != seen->foreign.end()) {
    const auto count = std::count_if(shared, seen->foreign.end(), readable);
    std::string what = "the user sees " + std::to_string(count) + " mailboxes of others, such as '" +
                       wire::base::escape(shared->name) + "'";
    out.push_back({"shared", std::move(what)});
  }
  auto lease = co_await account->source()->lease();
  if (!lease) co_return lease.error();
  imapc::Connection& c = **lease;
  const auto& offers = c.capabilities();
  if (offers.has("QUOTA")) {
    auto call = c.get_quota_root("INBOX");
    auto roots = co_await call.get();
    for (const std::string& root : roots ? *roots : std::vector<std::string>()) {
      // A root without a limit: "ROOT" () or, at Courier, "ROOT" and nothing.
      const size_t list = root.rfind('(');
      const bool limited = list != root.npos && root.find_first_not_of(" ", list + 1) != root.find(')', list);
      if (!limited) continue;
      out.push_back({"quota", "the source limits the user's space (" + wire::base::escape(root) + ")"});
      break;
    }
  }
  std::vector<Asked> asked;
  for (const auto& m : seen->mailboxes) {
    if (!m.selectable()) continue;
    Asked a;
    a.mailbox = m.name;
    if (offers.has("ACL")) a.acl.emplace(c.get_acl(m.name));
    if (offers.has("METADATA")) a.comments.emplace(c.get_comments(m.name));
    asked.push_back(std::move(a));
  }
  const auto& admin = account->services().config.upstreams.at(account->record().upstream).admin;
  bool acl = false, metadata = false;
  for (Asked& a : asked) {
    if (a.acl) {
      auto lines = co_await a.acl->get();
      for (const std::string& line : lines ? *lines : std::vector<std::string>()) {
        const auto others = others_with_rights(line, account->user(), admin ? admin->user : std::string());
        if (others.empty() || acl) continue;
        acl = true;
        out.push_back({"acl", "'" + wire::base::escape(others.front()) + "' has rights in '" +
                                  wire::base::escape(a.mailbox) + "'"});
      }
    }
    if (a.comments) {
      auto lines = co_await a.comments->get();
      for (const std::string& line : lines ? *lines : std::vector<std::string>()) {
        const size_t values = line.find("(/");  // the name before it may be quoted too
        const bool nothing = values == line.npos || line.find_first_of("\"{", values) == line.npos;
        if (nothing || metadata) continue;
        metadata = true;
        out.push_back({"metadata", "'" + wire::base::escape(a.mailbox) + "' has a comment (METADATA)"});
      }
    }
  }
  co_await add_sieve(account, report);
  co_return report;
}

awaitable<std::optional<std::string>> could_not_log_in(source::UserAccountPtr account) {
  const source::Services& services = account->services();
  if (account->record().has_own_password || services.config.upstream_login) co_return std::nullopt;
  co_return "'" + account->user() +
      "' has no password here and [auth] upstream_login is false: nobody could log in afterwards; set one with "
      "fairlead "
      "user password " +
      account->user();
}

}  // namespace gateway::migrate
