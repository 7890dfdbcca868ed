#include "gateway/derived/engine.h"

#include "gateway/derived/content.h"
#include "wire/mail/scan.h"
#include "wire/net/pool.h"

namespace gateway::derived {

using storage::DerivedData;
using storage::Result;
using storage::Uid;
using wire::base::MailboxKey;
using Clock = std::chrono::steady_clock;

namespace {

constexpr uint64_t whole_message = 8u << 20;    // a longer one gets what its header gives, and nothing of its parts
constexpr uint64_t header_prefix = 1u << 20;    // the scanner's own limit
constexpr size_t most_mailboxes = 500;          // of an account whose dead entries are looked for
constexpr uint64_t worth_tidying = 1024;        // entries
constexpr size_t fragments = 32;                // small groups that any file may have
constexpr std::chrono::milliseconds step{500};  // of waiting for quiet

// Sets a flag for as long as a coroutine's scope lasts, also when it is cancelled.
class Claim {
 public:
  Claim(bool& flag, wire::net::Event& changed, std::shared_ptr<const bool> gone)
      : flag_(flag), changed_(changed), gone_(std::move(gone)) {
    flag_ = true;
  }
  ~Claim() {
    if (*gone_) return;
    flag_ = false;
    changed_.notify_all();
  }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

 private:
  bool& flag_;
  wire::net::Event& changed_;
  const std::shared_ptr<const bool> gone_;  // whether flag and event are
};

bool make(Maker& maker, storage::DerivedGroup& group, const storage::Sha256& name, storage::BodyReader& reader) {
  if (reader.size() <= whole_message) {
    const auto text = reader.read_all(whole_message);
    if (!text) return false;
    const auto scan = wire::mail::scan(std::string_view(*text));
    maker.add(group, name, scan, true);
    return true;
  }
  std::string prefix(header_prefix, '\0');
  const auto n = reader.read(0, std::span(reinterpret_cast<uint8_t*>(prefix.data()), prefix.size()));
  if (!n || *n != prefix.size()) return false;
  const auto scan = wire::mail::scan(std::string_view(prefix));
  if (scan.parts[0].header.end >= prefix.size()) return false;
  maker.add(group, name, scan, false);
  return true;
}

}  // namespace

// One walk over a mailbox; shared with the pool.
struct Engine::Fill {
  std::shared_ptr<DerivedData> data;
  storage::Account* store;
  storage::MailboxSnapshotPtr box;
  std::shared_ptr<std::atomic<bool>> closing;
  std::chrono::milliseconds budget;
  uint32_t at = 0;
  Maker maker;
  storage::DerivedGroup group{column_count};
  Result<void> outcome;

  bool over() const { return at >= box->size() || !outcome; }

  void slice() {
    const auto until = Clock::now() + budget;
    for (; at < box->size() && outcome; ++at) {
      if (*closing || (at % 16 == 0 && Clock::now() > until)) break;
      const auto name = box->body(at);
      if (!name || data->has(*name)) continue;
      auto reader = store->open_body(*name);
      if (!reader || !make(maker, group, *name, *reader)) continue;
      if (group.full()) put();
    }
    // Also at the end of an account: what is made is kept.
    if (at >= box->size() || *closing) put();
  }

  void put() {
    if (!outcome || group.empty()) return;
    outcome = data->append(group);
    group.clear();
  }
};

Engine::Engine(asio::any_io_executor core, asio::thread_pool& pool, storage::Env& env, storage::Account& store,
               Warn warn, Pace pace)
    : core_(core),
      pool_(pool),
      env_(env),
      store_(store),
      warn_(std::move(warn)),
      pace_(pace),
      changed_(core),
      tasks_(core, [w = warn_](const std::string&, std::exception_ptr e) {
        if (w) w("derived data: " + wire::net::describe(e));
      }) {}

Engine::~Engine() {
  *closing_ = true;
  *gone_ = true;
}

awaitable<std::shared_ptr<DerivedData>> Engine::data() {
  while (opening_) co_await changed_.wait();
  if (*closing_) co_return nullptr;
  if (!data_) {
    Claim claim(opening_, changed_, gone_);
    DerivedData::Kind kind;
    kind.account = store_.id();
    kind.content = content_number();
    kind.columns = column_count;
    storage::Env* env = &env_;
    auto open = [env, kind, path = store_.directory() / "derived.data"] { return DerivedData::open(*env, path, kind); };
    data_ = co_await wire::net::run_on_pool(pool_, std::move(open));
  }
  co_return data_;
}

void Engine::want(MailboxKey box) {
  urgent_ = true;
  due_[box] = Uid(1);
  start();
}

void Engine::arrived(MailboxKey box, Uid uid) {
  last_arrival_ = Clock::now();
  if (due_.empty()) first_arrival_ = last_arrival_;
  const auto [at, fresh] = due_.try_emplace(box, uid);
  if (!fresh) at->second = std::min(at->second, uid);
  start();
}

void Engine::start() {
  if (running_ || failed_ || *closing_) return;
  running_ = true;  // from now on, not from when the task first runs
  tasks_.spawn("derived data", run());
}

awaitable<void> Engine::run() {
  Claim claim(running_, changed_, gone_);
  while (!due_.empty() && !*closing_) {
    co_await wait_for_quiet();
    const auto there = co_await data();
    if (!there) co_return;
    urgent_ = false;
    const auto due = std::exchange(due_, {});
    for (const auto& [box, from] : due) {
      const bool done = co_await fill(box, from);
      if (!done) co_return;
    }
    co_await tidy();
  }
}

awaitable<void> Engine::wait_for_quiet() {
  while (!urgent_ && !*closing_) {
    const auto now = Clock::now();
    if (now - last_arrival_ >= pace_.quiet || now - first_arrival_ >= pace_.most) co_return;
    co_await wire::net::sleep_for(std::min(step, pace_.quiet));
  }
}

awaitable<bool> Engine::fill(MailboxKey box, Uid from) {
  auto job = std::make_shared<Fill>();
  job->data = data_;
  job->store = &store_;
  job->box = store_.snapshot(box);
  job->closing = closing_;
  job->budget = pace_.slice;
  if (!job->box) co_return true;
  job->at = job->box->lower_bound(from);
  while (!job->over() && !*closing_) {
    auto work = [job] { job->slice(); };
    co_await wire::net::run_on_pool(pool_, std::move(work));
  }
  if (job->outcome) co_return !*closing_;
  // Until the account is opened again: a full disk is not asked anew for each message.
  failed_ = true;
  due_.clear();
  if (warn_) warn_("derived data is not kept: " + job->outcome.error().describe());
  co_return false;
}

// Where many small groups, or many entries of mail that is gone, make the file worse than it need be.
awaitable<void> Engine::tidy() {
  const DerivedData::Stats stats = data_->stats();
  const bool fragmented = stats.small > fragments + (stats.groups - stats.small);
  const bool look = fragmented || (!looked_for_dead_ && stats.entries >= worth_tidying);
  const storage::MailboxTreePtr tree = store_.tree();
  if (!look || tree->mailboxes.size() > most_mailboxes) co_return;
  looked_for_dead_ = true;
  struct Job {
    std::vector<storage::MailboxSnapshotPtr> boxes;
    Result<void> outcome;
  };
  auto job = std::make_shared<Job>();
  for (const storage::MailboxInfo& m : tree->mailboxes) {
    if (auto box = store_.snapshot(m.key)) job->boxes.push_back(std::move(box));
  }
  auto work = [job, data = data_, closing = closing_, fragmented, entries = stats.entries] {
    std::vector<storage::Sha256> live;
    for (const auto& box : job->boxes) {
      for (uint32_t i = 0; i < box->size() && !*closing; ++i) {
        const auto name = box->body(i);
        if (name && data->has(*name)) live.push_back(*name);
      }
    }
    if (fragmented || live.size() < entries / 3 * 2) job->outcome = data->rewrite(live, *closing);
  };
  co_await wire::net::run_on_pool(pool_, std::move(work));
  if (!job->outcome && !*closing_) {
    failed_ = true;
    if (warn_) warn_("derived data was not rewritten: " + job->outcome.error().describe());
  }
}

awaitable<void> Engine::settled() {
  while (running_ || opening_) co_await changed_.wait();
}

awaitable<void> Engine::close() {
  *closing_ = true;
  tasks_.cancel_all();
  co_await tasks_.join();
  while (opening_) co_await changed_.wait();
  data_.reset();
}

}  // namespace gateway::derived
