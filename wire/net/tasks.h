// The one place where coroutines are spawned: every task has an owner that can cancel and await it, and a handler that
// hears of every exception.
//
// A group belongs to one thread (that of its executor). Destroying it cancels what still runs; the tasks must not use
// anything of the owner's afterwards, so an owner that tasks refer to awaits join() first.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <string>

#include "wire/net/asio.h"
#include "wire/net/stream.h"

namespace wire::net {

class TaskGroup {
 public:
  // Called on the group's thread with the task's name. Not called for a task that ends because it was cancelled.
  using OnError = std::function<void(const std::string& task, std::exception_ptr error)>;

  TaskGroup(asio::any_io_executor executor, OnError on_error);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // The task starts when the group's io_context next runs. It takes values, or references that outlive join().
  void spawn(std::string name, awaitable<void> task);
  void cancel_all();
  size_t running() const;
  // Until no task runs. Not from within one of the tasks.
  awaitable<void> join();

  struct State;

 private:
  std::shared_ptr<State> state_;  // shared with the tasks' completion handlers, which may outlive the group
};

// What an exception says, for a log: Failure's words, what(), or "unknown exception".
std::string describe(std::exception_ptr error);

// Whether it only says that the task was cancelled.
bool is_cancelled(std::exception_ptr error);

}  // namespace wire::net
