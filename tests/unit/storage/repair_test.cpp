// Repair after every kind of damage to a real store's bytes: what can be read stays, what index.snap knows comes back,
// nothing that was expunged does, and a second doctor finds nothing but bodies that are honestly lost.
#include "storage/repair.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "storage/account.h"
#include "storage/coding.h"
#include "storage/frame.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

const std::filesystem::path directory = "/disk/user";
const std::string lost_body = "messages whose bodies are missing";

std::unique_ptr<Account> open(FaultEnv& env, const std::filesystem::path& where = directory, bool create = false) {
  Result<std::unique_ptr<Account>> a = Account::open(env, where, {.create = create, .segment_bytes = 4096});
  EXPECT_TRUE(a) << a.error().describe();
  return a ? std::move(*a) : nullptr;
}

void append(Account& a, MailboxKey key, const std::string& text) {
  Batch b = a.begin();
  NewMessage m;
  m.info.body = *b.add_body(*prepare(a, text));
  m.info.size = text.size();
  m.flags.add("$K" + std::to_string(text.size() % 3));
  ASSERT_TRUE(b.add_message(key, m));
  ASSERT_TRUE(a.commit(std::move(b)));
  ASSERT_TRUE(a.sync());
}

// Several segments, two mailboxes, expunged and flagged messages.
struct Store {
  FaultEnv env;
  MailboxKey inbox, trash;
  explicit Store(bool snapshot) {
    auto a = open(env, directory, true);
    inbox = *create_mailbox(*a, "INBOX");
    trash = *create_mailbox(*a, "Trash");
    for (uint32_t i = 0; i < 12; ++i) append(*a, i % 3 == 0 ? trash : inbox, noise(700 + i, i));
    Batch b = a->begin();
    EXPECT_TRUE(b.expunge(inbox, UidSet(Uid(2), Uid(3))));
    FlagChange c{FlagsMode::add, {}};
    c.flags.system = wire::base::seen;
    EXPECT_TRUE(b.change_flags(inbox, UidSet(Uid(4), Uid(9)), c));
    b.subscribe("Trash", true);
    EXPECT_TRUE(a->commit(std::move(b)));
    append(*a, inbox, noise(300, 99));
    EXPECT_TRUE(a->sync());
    if (snapshot) {
      EXPECT_TRUE(a->close());
    }
  }
  std::vector<std::string> segments() const {
    std::vector<std::string> out;
    for (const std::string& p : env.paths()) {
      if (p.find("/log/") != std::string::npos) out.push_back(p);
    }
    return out;
  }
};

// Where frames begin in a segment as it is written.
std::vector<size_t> frames_of(const std::vector<uint8_t>& bytes) {
  std::vector<size_t> at;
  auto salt = load_le<uint64_t>(bytes.data() + 16);
  for (size_t o = segment_header_size; o + frame_header_size <= bytes.size();) {
    auto h = FrameHeader::decode(std::span(bytes).subspan(o), salt);
    if (!h) break;
    at.push_back(o);
    o += frame_header_size + h->length;
  }
  return at;
}

std::string without_history(const std::string& text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    std::string line = text.substr(at, end - at + 1);
    if (line.rfind("gone ", 0) != 0) out += line;
    at = end + 1;
  }
  return out;
}

void expect_clean_but_for_bodies(FaultEnv& env, bool bodies_may_miss) {
  Result<CheckReport> report = check_store(env, directory);
  ASSERT_TRUE(report) << report.error().describe();
  for (const CheckProblem& p : report->problems) {
    EXPECT_TRUE(bodies_may_miss && p.what.find(lost_body) != std::string::npos) << p.what << " at " << p.where;
  }
}

// Everything in `files` now, byte for byte, that `was` had in the log and the log has no more.
bool quarantined(const FaultEnv& env, const std::vector<uint8_t>& was) {
  for (const std::string& p : env.paths()) {
    if (p.find("/quarantine/") != std::string::npos && env.bytes(p) == was) return true;
  }
  return false;
}

TEST(Repair, does_nothing_to_a_store_that_is_whole) {
  Store store(true);
  const std::vector<std::string> before = store.env.paths();
  Result<RepairReport> r = repair_store(store.env, directory, {});
  ASSERT_TRUE(r) << r.error().describe();
  EXPECT_TRUE(r->done.empty());
  EXPECT_EQ(store.env.paths(), before);
}

class RepairEveryFrame : public testing::TestWithParam<bool> {};

TEST_P(RepairEveryFrame, is_clean_after_a_flipped_byte_in_any_of_them) {
  Store store(GetParam());
  const std::string shown = describe(*open(*store.env.image(Survives::all)));
  for (const std::string& path : store.segments()) {
    const std::vector<uint8_t> bytes = store.env.bytes(path);
    std::vector<size_t> places{5, 20};  // of the segment's header
    for (size_t at : frames_of(bytes)) {
      places.push_back(at + 3);                       // the frame's header
      places.push_back(at + frame_header_size + 40);  // what it says
    }
    for (size_t place : places) {
      if (place >= bytes.size()) continue;
      SCOPED_TRACE(path + " at " + std::to_string(place));
      auto env = store.env.image(Survives::all);
      std::vector<uint8_t> damaged = bytes;
      damaged[place] ^= 0x40;
      env->replace(path, damaged);
      Result<RepairReport> r = repair_store(*env, directory, {});
      ASSERT_TRUE(r) << r.error().describe();
      expect_clean_but_for_bodies(*env, true);
      EXPECT_TRUE(quarantined(*env, damaged) || r->done.empty() || r->lost_frames == 0);
      auto a = open(*env);
      ASSERT_TRUE(a);
      EXPECT_TRUE(a->open_report().damage.empty());
      MailboxSnapshotPtr inbox = a->snapshot(store.inbox);
      if (inbox && GetParam()) {
        // The snapshot knew it all: identities, flags and what is gone.
        EXPECT_FALSE(inbox->find(Uid(2)) || inbox->find(Uid(3)));
        std::string now = describe(*a);
        size_t no_body = now.find(" NO BODY");
        if (no_body == std::string::npos) {
          EXPECT_EQ(without_history(now), without_history(shown));
        }
        EXPECT_FALSE(r->jumped);
      }
      // Idempotent.
      const std::string after = describe(*a);
      a.reset();
      Result<RepairReport> again = repair_store(*env, directory, {});
      ASSERT_TRUE(again);
      EXPECT_TRUE(again->done.empty()) << again->done[0];
      EXPECT_EQ(describe(*open(*env)), after);
      if (HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Snapshot, RepairEveryFrame, testing::Bool(),
                         [](const auto& i) { return i.param ? "with_index" : "by_the_log_alone"; });

TEST(Repair, leaves_an_account_in_the_format_that_it_has) {
  FaultEnv env;
  Result<std::unique_ptr<Account>> a =
      Account::open(env, directory, {.create = true, .segment_bytes = 4096, .format = 1});
  ASSERT_TRUE(a);
  const MailboxKey inbox = *create_mailbox(**a, "INBOX");
  for (uint32_t i = 0; i < 8; ++i) append(**a, inbox, noise(700 + i, i));
  a->reset();
  std::vector<std::string> segments;
  for (const std::string& p : env.paths()) {
    if (p.find("/log/") != std::string::npos) segments.push_back(p);
  }
  std::vector<uint8_t> bytes = env.bytes(segments.front());
  bytes[bytes.size() / 2] ^= 1;
  env.replace(segments.front(), bytes);
  Result<RepairReport> r = repair_store(env, directory, {});
  ASSERT_TRUE(r) << r.error().describe();
  EXPECT_FALSE(r->done.empty());
  for (const std::string& p : env.paths()) {
    if (p.find("/log/") == std::string::npos) continue;
    const std::vector<uint8_t> header = env.bytes(p);
    EXPECT_EQ(SegmentHeader::decode(header)->format(), 1u) << p;
  }
}

// Neither index.snap nor an older copy knows it: what the letter's head says is enough.
TEST(Repair, message_whose_bytes_are_damaged_stays_listed_with_the_name_of_its_body) {
  Store s(false);
  auto before = open(s.env);
  const Sha256 name = *before->snapshot(s.inbox)->message(0).body;
  const std::string seen = describe(*before);
  before.reset();
  const std::string text = noise(701, 1);
  for (const std::string& path : s.segments()) {
    std::vector<uint8_t> bytes = s.env.bytes(path);
    auto wanted = wire::base::as_bytes(text);
    auto at = std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end());
    if (at == bytes.end()) continue;
    at[300] ^= 8;
    s.env.replace(path, bytes);
  }
  Result<RepairReport> r = repair_store(s.env, directory, {});
  ASSERT_TRUE(r) << r.error().describe();
  EXPECT_FALSE(r->jumped);
  EXPECT_EQ(r->lost_frames, 0u);
  auto a = open(s.env);
  EXPECT_TRUE(a->open_report().damage.empty());
  EXPECT_EQ(*a->snapshot(s.inbox)->message(0).body, name);
  EXPECT_FALSE(a->has_body(name));
  Batch b = a->begin();
  ASSERT_EQ(*b.add_body(*prepare(*a, text)), name);
  ASSERT_TRUE(a->commit(std::move(b)));
  EXPECT_EQ(describe(*a), seen);
}

TEST(Repair, closes_the_gap_of_a_segment_that_is_gone_and_jumps_if_nobody_knows_what_it_held) {
  Store store(false);
  const std::vector<std::string> all = store.segments();
  ASSERT_GE(all.size(), 3u);
  uint32_t next = open(*store.env.image(Survives::all))->snapshot(store.inbox)->info().uid_next.value;
  store.env.forget(all[all.size() / 2]);
  Result<RepairReport> r = repair_store(store.env, directory, {});
  ASSERT_TRUE(r) << r.error().describe();
  EXPECT_TRUE(r->jumped);
  EXPECT_GT(r->lost_frames, 0u);
  expect_clean_but_for_bodies(store.env, true);
  auto a = open(store.env);
  EXPECT_GT(a->snapshot(store.inbox)->info().uid_next.value, next);
}

TEST(Repair, keeps_what_a_torn_tail_held) {
  Store store(false);
  const std::string path = store.segments().back();
  std::vector<uint8_t> bytes = store.env.bytes(path);
  bytes.resize(bytes.size() - 7);
  store.env.replace(path, bytes);
  Result<RepairReport> r = repair_store(store.env, directory, {});
  ASSERT_TRUE(r) << r.error().describe();
  EXPECT_FALSE(r->quarantine.empty());
  EXPECT_FALSE(r->jumped);
  expect_clean_but_for_bodies(store.env, false);
}

TEST(Repair, takes_lost_bodies_from_an_older_copy) {
  Store store(true);
  auto env = store.env.image(Survives::all);
  for (const std::string& p : store.env.paths()) {
    std::string to = p;
    to.replace(0, directory.string().size(), "/disk/backup");
    env->replace(to, store.env.bytes(p));
  }
  const std::string shown = describe(*open(*store.env.image(Survives::all)));
  const std::string path = store.segments()[1];
  std::vector<uint8_t> bytes = env->bytes(path);
  for (size_t at = segment_header_size + 100; at < bytes.size(); at += 300) bytes[at] ^= 1;
  env->replace(path, bytes);
  RepairOptions options;
  options.from = "/disk/backup";
  Result<RepairReport> r = repair_store(*env, directory, options);
  ASSERT_TRUE(r) << r.error().describe();
  EXPECT_GT(r->bodies_restored, 0u);
  expect_clean_but_for_bodies(*env, false);
  EXPECT_EQ(without_history(describe(*open(*env))), without_history(shown));
}

TEST(Repair, goes_on_where_it_was_killed_at_every_io) {
  Store store(true);
  const std::string path = store.segments()[1];
  std::vector<uint8_t> bytes = store.env.bytes(path);
  for (size_t at = segment_header_size + 100; at < bytes.size(); at += 700) bytes[at] ^= 1;
  store.env.replace(path, bytes);
  std::string expected;
  {
    auto env = store.env.image(Survives::all);
    ASSERT_TRUE(repair_store(*env, directory, {}));
    expected = without_history(describe(*open(*env)));
  }
  bool completed = false;
  for (uint64_t n = 1; !completed; n += 1 + n / 40) {
    ASSERT_LT(n, 5000u);
    SCOPED_TRACE("I/O " + std::to_string(n));
    auto env = store.env.image(Survives::all);
    env->heal();
    env->fail(0, Errc::io, true);
    env->die(n);
    completed = repair_store(*env, directory, {}).has_value() && env->operations() < n;
    for (Survives what : {Survives::synced, Survives::all, Survives::some}) {
      auto boot = env->image(what, static_cast<uint32_t>(n));
      Result<RepairReport> again = repair_store(*boot, directory, {});
      ASSERT_TRUE(again) << again.error().describe();
      expect_clean_but_for_bodies(*boot, true);
      ASSERT_EQ(without_history(describe(*open(*boot))), expected);
    }
  }
}

}  // namespace
}  // namespace storage
