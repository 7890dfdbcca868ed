#include "gateway/imap/server.h"

#include <spdlog/spdlog.h>

#include "gateway/imap/session.h"
#include "wire/net/wheel.h"

namespace gateway::imap {

// The sessions of one core. Touched on that core only.
struct Server::Core {
  explicit Core(asio::any_io_executor e)
      : executor(std::move(e)), tasks(executor, [](const std::string& task, std::exception_ptr error) {
          spdlog::debug("{} ended: {}", task, wire::net::describe(error));
        }) {}
  asio::any_io_executor executor;
  wire::net::TaskGroup tasks;
};

namespace {

awaitable<void> run_session(std::shared_ptr<Session> session, std::function<void(std::shared_ptr<Session>)> move_on) {
  co_await session->run();
  if (session->moves_to()) move_on(std::move(session));
}

}  // namespace

Server::Server(std::shared_ptr<const Environment> environment, std::vector<asio::any_io_executor> cores)
    : environment_(std::move(environment)) {
  for (auto& core : cores) cores_.push_back(std::make_unique<Core>(std::move(core)));
}

Server::~Server() = default;

Server::Core& Server::core_of(const asio::any_io_executor& executor) {
  for (auto& core : cores_) {
    if (core->executor == executor) return *core;
  }
  throw wire::base::FailureError(wire::base::Failure(wire::base::Errc::internal, "an account on an unknown core"));
}

void Server::serve(wire::net::StreamPtr stream, config::ListenSecurity security, source::Descriptors::Hold hold) {
  Core& core = *cores_[next_++ % cores_.size()];
  if (stream->executor() != core.executor) stream->rebind(core.executor);
  run_on(core, std::make_shared<Session>(environment_, std::move(stream), security, std::move(hold)));
}

void Server::run_on(Core& core, std::shared_ptr<Session> session) {
  asio::post(core.executor, [this, &core, session = std::move(session)]() mutable {
    auto move_on = [this](std::shared_ptr<Session> s) {
      Core& next = core_of(*s->moves_to());
      s->continue_on(next.executor);
      run_on(next, std::move(s));
    };
    auto task = run_session(std::move(session), std::move(move_on));
    core.tasks.spawn("imap session", std::move(task));
  });
}

awaitable<void> Server::stop(std::string why, std::chrono::milliseconds grace) {
  environment_->sessions->close(why);
  const asio::any_io_executor home = co_await asio::this_coro::executor;
  wire::net::Wheel& wheel = wire::net::Wheel::of(home);
  const auto start = wheel.now();
  while (environment_->sessions->count() > 0 && wheel.now() - start < grace) {
    co_await wire::net::sleep_for(wire::net::Wheel::tick);
  }
  for (auto& core : cores_) {
    Core* one = core.get();
    auto on_core = [one]() -> awaitable<void> {
      one->tasks.cancel_all();
      co_await one->tasks.join();
    };
    auto task = on_core();
    co_await asio::co_spawn(one->executor, std::move(task), asio::use_awaitable);
  }
}

}  // namespace gateway::imap
