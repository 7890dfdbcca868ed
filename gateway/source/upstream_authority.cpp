#include "gateway/source/upstream_authority.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>

#include "gateway/source/listing_sink.h"
#include "gateway/source/upstream_connect.h"
#include "gateway/source/upstream_quirks.h"

namespace gateway::source {

using storage::Errc;
using storage::Failure;
using storage::MailboxInfo;
using wire::base::MailboxKey;
using wire::imap::SequenceSet;

namespace {

// How often a mailbox is looked at while its client is in IDLE and no connection is left for an IDLE of our own.
constexpr std::chrono::seconds poll_interval{30};
constexpr std::chrono::seconds watch_pause{5};  // after a failure

}  // namespace

UpstreamAuthority::UpstreamAuthority(Copy& copy, Services& services, asio::any_io_executor core,
                                     const config::Upstream& upstream, std::string user)
    : copy_(copy),
      services_(services),
      core_(core),
      upstream_(upstream),
      user_(std::move(user)),
      link_(
          core, [this] { return connect(); }, upstream.max_per_user, services.registry->budget_of(upstream)),
      tasks_(core,
             [this](const std::string& task, std::exception_ptr error) {
               services_.warn(user_, task + ": " + wire::net::describe(error));
             }),
      content_done_(core),
      unlocked_(core),
      watch_ended_(core) {}

UpstreamAuthority::~UpstreamAuthority() { OPENSSL_cleanse(login_password_.data(), login_password_.size()); }

awaitable<Result<std::unique_ptr<imapc::Connection>>> UpstreamAuthority::connect() {
  auto made = co_await connect_as(services_, core_, upstream_, user_, login_password_);
  if (!made || !services_.rules) co_return made;
  profile_ = quirks::profile_for(services_.rules->rules, evidence_of(upstream_, **made));
  distrusted_ = distrusted_capabilities(profile_);
  if (profile_.select_instead_of_examine) examine_keeps_uid_validity_ = false;
  co_return made;
}

void UpstreamAuthority::set_authoritative(bool yes) {
  if (authoritative_ && !yes) link_.fence();
  authoritative_ = yes;
}

Result<MailboxSnapshotPtr> UpstreamAuthority::still_there(MailboxKey key) const {
  MailboxSnapshotPtr now = copy_.store().snapshot(key);
  if (!now) return Failure(Errc::not_found, "the mailbox is not there any more");
  return now;
}

bool UpstreamAuthority::offers(const imapc::Connection& c, std::string_view capability) const {
  const bool trusted = std::find(distrusted_.begin(), distrusted_.end(), capability) == distrusted_.end();
  return trusted && c.capabilities().has(capability);
}

bool UpstreamAuthority::is_broken(const Failure& f) { return f.code == Errc::closed || f.code == Errc::timeout; }

awaitable<UpstreamAuthority::MailboxLock> UpstreamAuthority::lock_mailbox(MailboxKey key) {
  auto is_free = [this, key] { return !locked_.contains(key); };
  co_await unlocked_.wait_for(is_free);
  locked_.insert(key);
  co_return MailboxLock(this, key);
}

void UpstreamAuthority::unlock_mailbox(MailboxKey key) {
  locked_.erase(key);
  unlocked_.notify_all();
}

awaitable<Result<UpstreamAuthority::Examined>> UpstreamAuthority::examine(std::string name) {
  auto lease = co_await link_.prefer(name, false, job_use());
  if (!lease) co_return lease.error();
  wire::imap::cmd::Select request;
  request.examine = examine_keeps_uid_validity_;
  request.condstore = has_numbers(**lease);
  Selecting selecting = start_select(*lease, name, request);
  auto now = co_await finish_select(*lease, name, selecting);
  if (!now) co_return now.error();
  const auto tree = copy_.store().tree();
  if (const MailboxInfo* info = tree->find(name)) {
    MailboxInfo known = *info;
    auto same = co_await same_identity(*lease, known, *now);
    if (!same) co_return same.error();
  }
  co_return Examined(std::move(*lease), std::move(*now));
}

namespace {

// A digest of "uid flags" lines: equal when the listing is.
class DigestSink final : public imapc::FetchSink {
 public:
  DigestSink() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_, EVP_sha256(), nullptr); }
  ~DigestSink() override { EVP_MD_CTX_free(context_); }
  void on_message(const imapc::FetchItem& item) override {
    if (item.uid && item.flags) add(*item.uid, item.flags->flags);
  }
  void add(Uid uid, const Flags& flags) {
    line_ = std::to_string(uid.value) + ' ' + std::to_string(flags.system);
    std::vector<std::string> words = flags.keywords;
    std::sort(words.begin(), words.end());
    for (const std::string& w : words) line_ += ' ' + w;
    line_ += '\n';
    EVP_DigestUpdate(context_, line_.data(), line_.size());
  }
  storage::Sha256 finish() {
    storage::Sha256 out;
    EVP_DigestFinal_ex(context_, out.data(), nullptr);
    return out;
  }

 private:
  EVP_MD_CTX* context_;
  std::string line_;
};

storage::Sha256 digest_of(const storage::MailboxSnapshot& box) {
  DigestSink d;
  for (uint32_t i = 0; i < box.size(); ++i) d.add(box.uid(i), box.flags(i));
  return d.finish();
}

}  // namespace

awaitable<Result<std::vector<bool>>> UpstreamAuthority::unchanged(const std::vector<SourceMailbox>& mailboxes) {
  std::vector<bool> out(mailboxes.size(), false);
  struct Question {
    size_t index;
    MailboxInfo info;
    Selecting selecting;
    DigestSink digest;
    std::optional<imapc::Call<imapc::Nothing>> listing;
    Question(size_t i, MailboxInfo m, Selecting s) : index(i), info(std::move(m)), selecting(std::move(s)) {}
  };
  constexpr size_t window = 16;  // mailboxes whose questions are under way at once
  std::vector<std::pair<size_t, MailboxInfo>> by_listing;
  const auto tree = copy_.store().tree();
  for (size_t i = 0; i < mailboxes.size(); ++i) {
    const SourceMailbox& s = mailboxes[i];
    if (!s.selectable()) {
      out[i] = true;
      continue;
    }
    const MailboxInfo* info = tree->find(s.name);
    if (!info || !s.uid_validity) continue;
    const auto cursor = copy_.store().cursor(info->key);
    if (!cursor || !cursor->complete || cursor->uid_validity != *s.uid_validity) continue;
    if (s.uid_next && *s.uid_next != cursor->uid_next) continue;
    if (s.messages && *s.messages != cursor->exists) continue;
    if (s.highest_modseq) {
      out[i] = cursor->highest_modseq == *s.highest_modseq;
    } else if (cursor->exists == 0) {
      out[i] = true;
    } else {
      by_listing.emplace_back(i, *info);
    }
  }
  if (by_listing.empty()) co_return out;
  auto lease = co_await link_.any(job_use());
  if (!lease) co_return lease.error();
  for (size_t at = 0; at < by_listing.size(); at += window) {
    std::vector<std::unique_ptr<Question>> asked;
    for (size_t n = at; n < std::min(at + window, by_listing.size()); ++n) {
      wire::imap::cmd::Select request;
      request.examine = examine_keeps_uid_validity_;
      Selecting selecting = start_select(*lease, by_listing[n].second.name, request);
      auto q = std::make_unique<Question>(by_listing[n].first, by_listing[n].second, std::move(selecting));
      wire::imap::cmd::Fetch flags;
      flags.uid = true;
      flags.set.ranges.push_back({1, 0});
      flags.items = wire::imap::cmd::Fetch::uid_item | wire::imap::cmd::Fetch::flags;
      q->listing.emplace((*lease)->uid_fetch(flags, q->digest));
      asked.push_back(std::move(q));
    }
    for (auto& q : asked) {
      auto now = co_await finish_select(*lease, q->info.name, q->selecting);
      auto listed_all = co_await q->listing->get();
      if (!now && is_broken(now.error())) co_return now.error();
      if (!now || !listed_all || now->uid_validity != q->info.uid_validity) continue;
      storage::MailboxSnapshotPtr ours = copy_.store().snapshot(q->info.key);
      out[q->index] = ours && digest_of(*ours) == q->digest.finish();
    }
    lease->line().selected.clear();
  }
  co_return out;
}

// --- IDLE

std::shared_ptr<void> UpstreamAuthority::watch(MailboxPtr box) {
  auto token = std::make_shared<WatchToken>(weak_from_this());
  tasks_.spawn("watching '" + box->info().name + "'", watch_loop(box, token));
  return token;
}

namespace {

// Any news ends the IDLE: the ladder then finds out what it was.
class WakeUp final : public imapc::Observer {
 public:
  explicit WakeUp(imapc::Connection& c) : connection_(c) {}
  void on_exists(uint32_t) override { wake(); }
  void on_expunge(wire::base::SeqNo) override { wake(); }
  void on_vanished(const wire::base::UidSet&) override { wake(); }
  void on_fetch(const imapc::FetchItem&) override { wake(); }

 private:
  void wake() { connection_.stop_idle(); }
  imapc::Connection& connection_;
};

}  // namespace

awaitable<void> UpstreamAuthority::watch_loop(std::weak_ptr<Mailbox> weak, std::weak_ptr<WatchToken> token) {
  auto self = shared_from_this();
  for (;;) {
    MailboxPtr box = weak.lock();
    if (!box || box->gone() || token.expired()) co_return;
    const MailboxInfo info = box->info();
    box.reset();
    auto lease = co_await link_.spare();
    if (lease && (*lease)->capabilities().has("IDLE")) {
      wire::imap::cmd::Select request;
      request.examine = examine_keeps_uid_validity_;
      Selecting selecting = start_select(*lease, info.name, request);
      auto now = co_await finish_select(*lease, info.name, selecting);
      if (!now) {
        if (now.error().code == Errc::not_found) co_return;
        co_await wire::net::sleep_for(watch_pause);
        continue;
      }
      // What came between the last look and this EXAMINE.
      auto key = co_await refresh(info.name, false);
      if (!key && key.error().code == Errc::not_found) co_return;
      WakeUp wake(**lease);
      (*lease)->set_observer(&wake);
      imapc::Connection* connection = &**lease;
      wire::net::TaskGroup ender(core_, nullptr);
      ender.spawn("end of watch", end_of_watch(self, token, connection));
      lease->set_idling(true);
      auto idled = co_await (*lease)->idle();
      lease->set_idling(false);
      ender.cancel_all();
      co_await ender.join();
      (*lease)->set_observer(nullptr);
      if (token.expired()) co_return;
      if (!idled) co_await wire::net::sleep_for(watch_pause);
    } else {
      co_await wire::net::sleep_for(poll_interval);
    }
    if (token.expired()) co_return;
    auto key = co_await refresh(info.name, false);
    if (!key && key.error().code == Errc::not_found) co_return;
  }
}

UpstreamAuthority::WatchToken::~WatchToken() {
  if (auto self = owner.lock()) self->watch_ended_.notify_all();
}

awaitable<void> UpstreamAuthority::end_of_watch(std::shared_ptr<UpstreamAuthority> self,
                                                std::weak_ptr<WatchToken> token, imapc::Connection* connection) {
  auto ended = [token] { return token.expired(); };
  co_await self->watch_ended_.wait_for(ended);
  // Cancelled: the watch ended by itself, and its connection may be gone.
  const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) co_return;
  connection->stop_idle();
}

awaitable<void> UpstreamAuthority::close() {
  tasks_.cancel_all();
  co_await link_.close();
  co_await tasks_.join();
}

}  // namespace gateway::source
