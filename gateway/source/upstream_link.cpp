#include "gateway/source/upstream_link.h"

#include <algorithm>
#include <vector>

namespace gateway::source {

// Counts a connection that is being made, also when the maker is cancelled.
class UpstreamLink::Connecting {
 public:
  explicit Connecting(UpstreamLink& link) : link_(link) { ++link_.connecting_; }
  ~Connecting() {
    --link_.connecting_;
    link_.freed_.notify_all();
  }
  Connecting(const Connecting&) = delete;
  Connecting& operator=(const Connecting&) = delete;

 private:
  UpstreamLink& link_;
};

using wire::base::Errc;
using wire::base::Failure;

namespace {

constexpr wire::net::Timeout patience{30'000};  // for a line to become free
constexpr std::chrono::seconds rest_before_migration{2};

}  // namespace

UpstreamLink::UpstreamLink(asio::any_io_executor core, Connect connect, size_t max_lines,
                           std::shared_ptr<UpstreamBudget> budget)
    : core_(core),
      connect_(std::move(connect)),
      budget_(std::move(budget)),
      max_lines_(max_lines == 0 ? SIZE_MAX : max_lines),
      freed_(std::move(core)) {
  reopen();
}

void UpstreamLink::reopen() {
  closed_ = false;
  if (budget_ && !keeper_) keeper_ = budget_->keeps_idle(core_, [this](Use for_whom) { shed(for_whom); });
}

void UpstreamLink::note_resting() {
  if (!keeper_) return;
  keeper_->resting = static_cast<size_t>(
      std::count_if(lines_.begin(), lines_.end(), [](const Line& l) { return !l.busy || l.idling; }));
}

// Somebody else waits: what rests here goes first, then, for a session, an IDLE, whose mailbox is polled from then on.
void UpstreamLink::shed(Use for_whom) {
  const bool for_session = for_whom == Use::session;
  if (for_session && !budget_->sessions_wait()) return;
  if (!for_session && budget_->has_room()) return;
  if (Line* oldest = resting()) {
    // A session that types needs its connection again at once: migration does not get that one.
    if (!for_session && std::chrono::steady_clock::now() - oldest->rests_since < rest_before_migration) return;
    oldest->connection->close();
    drop_dead();
    return;
  }
  if (!for_session) return;
  for (Line& line : lines_) {
    if (!line.idling) continue;
    line.connection->stop_idle();
    return;
  }
}

void UpstreamLink::forget(std::list<Line>::iterator it) {
  commands_of_dead_ += it->connection->commands_sent();
  lines_.erase(it);
}

void UpstreamLink::drop_dead() {
  for (auto it = lines_.begin(); it != lines_.end();) {
    auto next = std::next(it);
    if (!it->busy && !it->connection->is_open()) forget(it);
    it = next;
  }
  note_resting();
}

UpstreamLink::Line* UpstreamLink::pick(const std::string& mailbox, bool writable) {
  Line* fresh = nullptr;
  Line* oldest = nullptr;
  for (Line& line : lines_) {
    if (line.busy) continue;
    if (!mailbox.empty() && line.selected == mailbox && (line.writable || !writable)) return &line;
    if (line.selected.empty()) fresh = &line;
    if (!oldest || line.used < oldest->used) oldest = &line;
  }
  if (fresh) return fresh;
  // A free line with another mailbox is taken when no other can be made, or when nothing must be selected.
  if (oldest && (mailbox.empty() || lines_.size() + connecting_ >= max_lines_)) return oldest;
  return nullptr;
}

UpstreamLink::Line* UpstreamLink::resting() {
  Line* oldest = nullptr;
  for (Line& line : lines_) {
    if (!line.busy && (!oldest || line.used < oldest->used)) oldest = &line;
  }
  return oldest;
}

// For an IDLE, which lasts, only what leaves the account another one for its commands.
bool UpstreamLink::one_is_left() {
  const auto busy =
      static_cast<size_t>(std::count_if(lines_.begin(), lines_.end(), [](const Line& l) { return l.busy; }));
  if (busy + connecting_ + 1 >= max_lines_) return false;
  return lines_.size() - busy >= 2 || !budget_ || budget_->has_room();
}

awaitable<Result<UpstreamLink::Lease>> UpstreamLink::take(std::string mailbox, bool writable, bool must_leave_one,
                                                          Use use) {
  const uint64_t born = generation_;
  UpstreamBudget::Place place;
  bool has_place = !budget_;
  for (;;) {
    if (closed_ || generation_ != born) {
      co_return Failure(Errc::closed, "the account's connections to its old server are closed");
    }
    drop_dead();
    if (must_leave_one && !one_is_left()) {
      co_return Failure(Errc::limit, "no connection to the old server is left to wait on");
    }
    Line* line = pick(mailbox, writable);
    const bool may_connect = lines_.size() + connecting_ < max_lines_;
    if (!line && may_connect && !has_place) {
      has_place = budget_->try_take(use, place);
      // Better one of ours with another mailbox than to wait for somebody's.
      if (!has_place) line = resting();
    }
    if (line && budget_) {
      place = UpstreamBudget::Place();
      has_place = false;
    }
    if (line && line->place.change_use(use)) {
      line->busy = true;
      line->used = ++clock_;
      note_resting();
      co_return Lease(this, line);
    }
    if (line && !may_connect) {
      // A session's connection that migration may not have now: it waits its turn without one.
      line->connection->close();
      drop_dead();
      continue;
    }
    if (may_connect && !has_place) {
      if (must_leave_one) co_return Failure(Errc::limit, "the upstream's connections are all in use");
      // Not counted among ours while it waits: migration that has no turn must not keep this user's sessions waiting.
      wire::net::Timeout wait = patience;
      if (use == Use::migration) wait = wire::net::no_timeout;
      auto granted = co_await budget_->take(use, wait);
      if (!granted) co_return granted.error();
      place = std::move(*granted);
      has_place = true;
      continue;
    }
    if (may_connect) {
      Result<std::unique_ptr<imapc::Connection>> made = Failure(Errc::internal, "");
      {
        Connecting counted(*this);
        made = co_await connect_();
      }
      if (!made) co_return made.error();
      if (closed_ || generation_ != born) {
        // The account got another owner meanwhile: what was to be asked here may not be asked any more.
        (*made)->close();
        continue;
      }
      lines_.emplace_back();
      Line& fresh = lines_.back();
      fresh.place = std::move(place);
      fresh.connection = std::move(*made);
      fresh.busy = true;
      fresh.used = ++clock_;
      co_return Lease(this, &fresh);
    }
    const bool woken = co_await freed_.wait(patience);
    if (!woken) co_return Failure(Errc::unavailable, "all connections to the old server are busy");
  }
}

awaitable<Result<UpstreamLink::Lease>> UpstreamLink::any(Use use) { return take(std::string(), false, false, use); }

awaitable<Result<UpstreamLink::Lease>> UpstreamLink::prefer(std::string mailbox, bool writable, Use use) {
  return take(std::move(mailbox), writable, false, use);
}

awaitable<Result<UpstreamLink::Lease>> UpstreamLink::spare() { return take(std::string(), false, true, Use::session); }

void UpstreamLink::give_back(Line* line) {
  line->busy = line->idling = false;
  line->rests_since = std::chrono::steady_clock::now();
  if (closed_ || (budget_ && budget_->sessions_wait())) line->connection->close();
  drop_dead();
  freed_.notify_all();
}

void UpstreamLink::fence() {
  closed_ = true;
  ++generation_;
  freed_.notify_all();
  for (Line& line : lines_) {
    if (line.busy) line.connection->close();
  }
}

awaitable<void> UpstreamLink::close() {
  fence();
  keeper_.reset();
  std::vector<std::unique_ptr<imapc::Connection>> idle;
  std::vector<UpstreamBudget::Place> places;  // until the goodbyes are said
  for (auto it = lines_.begin(); it != lines_.end();) {
    auto next = std::next(it);
    if (it->busy) {
      it->connection->close();
    } else {
      idle.push_back(std::move(it->connection));
      places.push_back(std::move(it->place));
      commands_of_dead_ += idle.back()->commands_sent();
      lines_.erase(it);
    }
    it = next;
  }
  for (auto& connection : idle) co_await connection->logout();
}

uint64_t UpstreamLink::commands_sent() const {
  uint64_t n = commands_of_dead_;
  for (const Line& line : lines_) n += line.connection->commands_sent();
  return n;
}

}  // namespace gateway::source
