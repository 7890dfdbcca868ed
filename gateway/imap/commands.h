// The commands of this server: one sorted table that drives dispatch, state checks, what may be said of sequence
// numbers, and CAPABILITY. docs/adding-a-command.md tells how a row is added.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "gateway/imap/session.h"

namespace gateway::imap {

// What a finished command may tell of other sessions' changes.
enum class Untagged : uint8_t {
  none,        // nothing: no mailbox is selected, or the command does it by itself
  no_expunge,  // RFC 3501 7.4.1: FETCH, STORE and SEARCH by sequence number; their UID forms are `all`
  all,
};

using Handler = awaitable<Reply> (*)(Session&, wire::imap::CommandLine&);

struct Command {
  std::string_view name;
  uint8_t states;  // bits of State
  Untagged untagged;
  bool uid_form;  // UID NAME exists
  bool arguments;
  std::string_view capability;  // that advertises it; empty: IMAP4rev1
  Handler handler;
};

std::span<const Command> commands();
const Command* find_command(std::string_view upper_case_name);

// "IMAP4rev1 ..." as it holds for this session now.
std::string capability_text(const Session& session);

// One file each: cmd_<name>.cpp.
awaitable<Reply> cmd_append(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_authenticate(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_capability(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_check(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_close(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_copy(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_create(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_delete(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_enable(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_examine(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_expunge(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_fetch(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_id(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_idle(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_list(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_login(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_logout(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_lsub(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_move(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_namespace(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_noop(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_rename(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_search(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_select(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_sort(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_starttls(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_status(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_store(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_subscribe(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_thread(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_unselect(Session& s, wire::imap::CommandLine& line);
awaitable<Reply> cmd_unsubscribe(Session& s, wire::imap::CommandLine& line);

}  // namespace gateway::imap
