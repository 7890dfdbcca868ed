#include "gateway/imap/commands.h"

#include <algorithm>
#include <array>

namespace gateway::imap {
namespace {

constexpr uint8_t any = 7, before = 1, after = 6, chosen = 4;  // states

constexpr auto all = Untagged::all;

constexpr std::array table{
    Command{"APPEND", after, all, false, true, "", cmd_append},
    Command{"AUTHENTICATE", before, Untagged::none, false, true, "", cmd_authenticate},
    Command{"CAPABILITY", any, all, false, false, "", cmd_capability},
    Command{"CHECK", chosen, all, false, false, "", cmd_check},
    Command{"CLOSE", chosen, Untagged::none, false, false, "", cmd_close},
    Command{"COPY", chosen, all, true, true, "", cmd_copy},
    Command{"CREATE", after, all, false, true, "", cmd_create},
    Command{"DELETE", after, all, false, true, "", cmd_delete},
    Command{"ENABLE", after, all, false, true, "ENABLE", cmd_enable},
    Command{"EXAMINE", after, Untagged::none, false, true, "", cmd_examine},
    Command{"EXPUNGE", chosen, all, true, true, "", cmd_expunge},
    Command{"FETCH", chosen, Untagged::no_expunge, true, true, "", cmd_fetch},
    Command{"ID", any, all, false, true, "ID", cmd_id},
    Command{"IDLE", after, all, false, false, "IDLE", cmd_idle},
    Command{"LIST", after, all, false, true, "", cmd_list},
    Command{"LOGIN", before, Untagged::none, false, true, "", cmd_login},
    Command{"LOGOUT", any, Untagged::none, false, false, "", cmd_logout},
    Command{"LSUB", after, all, false, true, "", cmd_lsub},
    Command{"MOVE", chosen, all, true, true, "MOVE", cmd_move},
    Command{"NAMESPACE", after, all, false, false, "NAMESPACE", cmd_namespace},
    Command{"NOOP", any, all, false, false, "", cmd_noop},
    Command{"RENAME", after, all, false, true, "", cmd_rename},
    Command{"SEARCH", chosen, Untagged::no_expunge, true, true, "", cmd_search},
    Command{"SELECT", after, Untagged::none, false, true, "", cmd_select},
    Command{"SORT", chosen, Untagged::no_expunge, true, true, "SORT", cmd_sort},
    Command{"STARTTLS", before, Untagged::none, false, false, "STARTTLS", cmd_starttls},
    Command{"STATUS", after, all, false, true, "", cmd_status},
    Command{"STORE", chosen, Untagged::no_expunge, true, true, "", cmd_store},
    Command{"SUBSCRIBE", after, all, false, true, "", cmd_subscribe},
    Command{"THREAD", chosen, Untagged::no_expunge, true, true, "THREAD=REFERENCES", cmd_thread},
    Command{"UNSELECT", chosen, Untagged::none, false, false, "UNSELECT", cmd_unselect},
    Command{"UNSUBSCRIBE", after, all, false, true, "", cmd_unsubscribe},
};
static_assert(std::is_sorted(table.begin(), table.end(),
                             [](const Command& a, const Command& b) { return a.name < b.name; }));

// What no command of its own advertises.
constexpr std::string_view always[] = {"LITERAL+", "SASL-IR"};
constexpr std::string_view after_login[] = {
    "CHILDREN",    "CONDSTORE",   "CREATE-SPECIAL-USE",    "ESEARCH", "LIST-EXTENDED", "LIST-STATUS", "QRESYNC",
    "SPECIAL-USE", "STATUS=SIZE", "THREAD=ORDEREDSUBJECT", "UIDPLUS", "WITHIN",
};

}  // namespace

std::span<const Command> commands() { return table; }

const Command* find_command(std::string_view name) {
  auto it = std::lower_bound(table.begin(), table.end(), name,
                             [](const Command& c, std::string_view n) { return c.name < n; });
  return it != table.end() && it->name == name ? &*it : nullptr;
}

std::string capability_text(const Session& session) {
  const bool logged_in = session.state() != State::not_authenticated;
  std::string out = "IMAP4rev1";
  auto add = [&out](std::string_view word) {
    out += ' ';
    out += word;
  };
  for (std::string_view word : always) add(word);
  for (const Command& c : table) {
    if (c.capability.empty()) continue;
    if (c.name == "STARTTLS" && !session.tls_possible()) continue;
    if (!logged_in && c.states == chosen) continue;
    add(c.capability);
  }
  if (!logged_in) {
    add(session.login_allowed() ? "AUTH=PLAIN" : "LOGINDISABLED");
    return out;
  }
  for (std::string_view word : after_login) add(word);
  add("APPENDLIMIT=" + std::to_string(session.environment().config->max_append_bytes));
  return out;
}

}  // namespace gateway::imap
