// The POP3 half of `probe`: what the upstream's POP3 server says, and what its UIDLs look like. Changes nothing there.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "gateway/config/config.h"
#include "gateway/control/control.h"
#include "wire/net/asio.h"

namespace gateway::admin {

// What a UIDL is made of, by its look: "uidvalidity.uid", "uid+uidvalidity in hex", "other". Clients keep UIDLs for
// ever, so a move has to keep them too (I4).
std::string uidl_format(const std::string& uidl);

// A failure is part of the report: {"error": "..."}. Without a user only what needs no login. `password`: the user's
// own; absent: the upstream's admin, where POP3 lets it act as the user.
awaitable<boost::json::object> probe_pop3(const config::Upstream& upstream, std::optional<std::string> user,
                                          std::optional<std::string> password);

}  // namespace gateway::admin
