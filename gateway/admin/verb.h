// The operator's verbs as plain handlers in one table. The admin socket and the command line call the same ones, so
// that the result is the same with a server running and without.
//
// Handlers run on any core and resume there; they take their arguments as values. Context outlives them.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "gateway/imap/sessions.h"
#include "gateway/migrate/jobs.h"
#include "gateway/source/registry.h"
#include "wire/net/asio.h"

namespace gateway::admin {

using wire::base::Errc;
using wire::base::Failure;
using wire::base::Result;

// Exit statuses of the contract.
enum class Exit : int { done = 0, no = 1, usage = 2, not_now = 3 };

struct VerbResult {
  Exit exit = Exit::done;
  boost::json::object json;  // the contract's document
  std::string text;          // the same for people; lines, each with its end
};

// Who hears how far a job is. Called from any core; must not block.
class Progress {
 public:
  virtual ~Progress() = default;
  virtual void update(const migrate::Tally& tally) = 0;
};

struct Context {
  source::Services& services;
  asio::thread_pool& passwords;
  imap::Sessions* sessions = nullptr;  // null: no server in this process
};

using Handler = awaitable<VerbResult> (*)(Context& context, boost::json::object args, Progress& progress);

struct Verb {
  std::string_view name;  // "user add"
  Handler run;
};

// Sorted by name.
std::span<const Verb> verbs();
const Verb* find_verb(std::string_view name);

// What a failure means to the one who asked.
Exit exit_of(const Failure& f);
VerbResult failed(const Failure& f);
VerbResult failed(const std::string& user, const Failure& f);

}  // namespace gateway::admin
