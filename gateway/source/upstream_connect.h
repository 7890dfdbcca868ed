// How this gateway logs in to an upstream for a user: the admin where there is one, else the password that was given
// with `user add`, else what the user just logged in with (design 9).
#pragma once

#include <memory>
#include <string>

#include "gateway/source/registry.h"
#include "imapc/connection.h"

namespace gateway::source {

// Reads admin.password_file: blocking, small.
Result<imapc::Endpoint> endpoint_of(const config::Upstream& upstream);
Result<std::optional<imapc::Admin>> admin_of(const config::Upstream& upstream);
imapc::Options connection_options(const config::Upstream& upstream);

// `login_password`: may be empty. Errc::auth when nothing is known that could log in.
awaitable<Result<std::unique_ptr<imapc::Connection>>> connect_as(Services& services, asio::any_io_executor core,
                                                                 const config::Upstream& upstream, std::string user,
                                                                 std::string login_password);

}  // namespace gateway::source
