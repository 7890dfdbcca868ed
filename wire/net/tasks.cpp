#include "wire/net/tasks.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <list>
#include <vector>

#include "wire/net/wheel.h"

namespace wire::net {

struct TaskGroup::State {
  struct Task {
    explicit Task(std::string n) : name(std::move(n)) {}
    std::string name;
    asio::cancellation_signal signal;
  };

  State(asio::any_io_executor e, OnError h) : executor(e), on_error(std::move(h)), changed(e) {}

  void ended(std::list<std::shared_ptr<Task>>::iterator it, std::exception_ptr error) {
    const std::shared_ptr<Task> task = *it;
    tasks.erase(it);
    if (error && on_error && !is_cancelled(error)) on_error(task->name, error);
    changed.notify_all();
  }

  asio::any_io_executor executor;
  OnError on_error;
  std::list<std::shared_ptr<Task>> tasks;
  Event changed;
};

TaskGroup::TaskGroup(asio::any_io_executor executor, OnError on_error)
    : state_(std::make_shared<State>(std::move(executor), std::move(on_error))) {}

TaskGroup::~TaskGroup() {
  state_->on_error = nullptr;  // may refer to the owner
  cancel_all();
}

void TaskGroup::spawn(std::string name, awaitable<void> task) {
  auto entry = std::make_shared<State::Task>(std::move(name));
  auto it = state_->tasks.insert(state_->tasks.end(), entry);
  auto done = [state = state_, it](std::exception_ptr error) { state->ended(it, error); };
  asio::co_spawn(state_->executor, std::move(task),
                 asio::bind_cancellation_slot(entry->signal.slot(), std::move(done)));
}

void TaskGroup::cancel_all() {
  const std::vector<std::shared_ptr<State::Task>> tasks(state_->tasks.begin(), state_->tasks.end());
  for (const auto& task : tasks) task->signal.emit(asio::cancellation_type::terminal);
}

size_t TaskGroup::running() const { return state_->tasks.size(); }

awaitable<void> TaskGroup::join() {
  const std::shared_ptr<State> state = state_;
  auto none = [&state] { return state->tasks.empty(); };
  co_await state->changed.wait_for(none);
}

std::string describe(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "unknown exception";
  }
}

bool is_cancelled(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& e) {
    return e.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

}  // namespace wire::net
