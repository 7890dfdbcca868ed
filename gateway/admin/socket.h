// The admin socket: HTTP/1.1 on <data_dir>/admin.sock, for the command line and for scripts (docs/admin-api.md). Who
// may open the file may do everything: it has mode 0600. On one core; outlived by Context.
#pragma once

#include <memory>
#include <string>

#include "gateway/admin/verb.h"
#include "wire/net/connect.h"
#include "wire/net/tasks.h"

namespace gateway::admin {

class AdminSocket {
 public:
  using Warn = std::function<void(const std::string& what)>;
  static Result<std::unique_ptr<AdminSocket>> open(asio::any_io_executor executor, const std::filesystem::path& path,
                                                   Context& context, Warn warn);
  // No new requests; those under way get `grace` to end, then they are cancelled. On the socket's core.
  awaitable<void> stop(std::chrono::milliseconds grace);

 private:
  AdminSocket(std::unique_ptr<wire::net::Listener> listener, asio::any_io_executor executor, Context& context,
              Warn warn);
  awaitable<void> accept();
  awaitable<void> serve(wire::net::StreamPtr stream);
  awaitable<Result<>> answer(wire::net::Stream& stream, std::string verb, std::string body, bool keep_alive);

  std::unique_ptr<wire::net::Listener> listener_;
  asio::any_io_executor executor_;
  Context& context_;
  Warn warn_;
  wire::net::TaskGroup tasks_;
  bool stopping_ = false;
  size_t working_ = 0;  // requests whose verb runs
};

// The command line's side: has the server run the verb. Errc::not_found: no server listens there.
awaitable<Result<VerbResult>> call_server(std::filesystem::path path, std::string verb, boost::json::object args,
                                          Progress& progress);

}  // namespace gateway::admin
