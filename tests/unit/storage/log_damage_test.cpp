// Logs that were cut or damaged: what is lost is named, what is whole goes on, and nothing is invented.
#include <gtest/gtest.h>

#include <set>

#include "storage/account.h"
#include "storage/check.h"
#include "storage/frame.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

const std::string first_segment = "/disk/user/log/0000000000000001-open-0000.log";

Uid append(Account& a, MailboxKey key, std::string_view text) {
  Result<PreparedBody> body = prepare(a, text);
  Batch b = a.begin();
  NewMessage m;
  m.info.size = text.size();
  m.info.body = *b.add_body(std::move(*body));
  Result<MessageIds> ids = b.add_message(key, m);
  EXPECT_TRUE(ids);
  EXPECT_TRUE(a.commit(std::move(b)));
  return ids->uid;
}

// A small store without index.snap, each batch synced, and what it showed after each.
struct Small {
  FaultEnv env;
  std::vector<uint8_t> log;
  std::vector<std::string> states;
  std::vector<size_t> ends;  // of the log, after each

  explicit Small(bool sync, uint32_t format = 2) {
    std::unique_ptr<Account> a = *Account::open(env, "/disk/user", {.create = true, .format = format});
    auto note = [&] {
      if (sync) {
        EXPECT_TRUE(a->sync());
      }
      states.push_back(describe(*a));
      ends.push_back(env.bytes(first_segment).size());
    };
    note();
    MailboxKey key = *create_mailbox(*a, "INBOX");
    note();
    append(*a, key, "one\r\n");
    note();
    append(*a, key, noise(300, 1));
    note();
    Batch b = a->begin();
    FlagChange c{FlagsMode::add, {}};
    c.flags.keywords = {"$X"};
    EXPECT_TRUE(b.change_flags(key, UidSet(Uid(1), Uid(2)), c));
    EXPECT_TRUE(b.expunge(key, UidSet(Uid(2))));
    EXPECT_TRUE(a->commit(std::move(b)));
    note();
    append(*a, key, "three\r\n");
    note();
    log = env.bytes(first_segment);
  }

  std::unique_ptr<FaultEnv> with(std::vector<uint8_t> bytes) const {
    auto e = std::make_unique<FaultEnv>();
    e->replace(first_segment, std::move(bytes));
    return e;
  }
};

struct Kind {
  bool synced;
  uint32_t format;
};
const Kind kinds[] = {{false, 2}, {true, 1}, {true, 2}};

TEST(LogDamage, every_truncation_shows_the_last_whole_batch_and_can_go_on) {
  for (auto [synced, format] : kinds) {
    Small small(synced, format);
    for (size_t n = 0; n <= small.log.size(); ++n) {
      std::unique_ptr<FaultEnv> env = small.with({small.log.begin(), small.log.begin() + static_cast<ptrdiff_t>(n)});
      Result<std::unique_ptr<Account>> a = Account::open(*env, "/disk/user", {.create = true, .format = format});
      ASSERT_TRUE(a) << n << ' ' << a.error().describe();
      size_t whole = 0;
      for (size_t i = 0; i < small.ends.size(); ++i) {
        if (small.ends[i] <= n) whole = i;
      }
      ASSERT_EQ(describe(**a), small.states[whole]) << n;
      bool at_end = n == small.ends[whole] && n >= segment_header_size;
      // A cut exactly between batches cannot be told from a log that ended there.
      ASSERT_EQ((*a)->open_report().torn_bytes > 0, !at_end && n > 0) << n;
      ASSERT_TRUE((*a)->open_report().damage.empty()) << n;
      ASSERT_TRUE(create_mailbox(**a, "Next")) << n;
      std::string now = describe(**a);
      a->reset();
      Result<std::unique_ptr<Account>> again = Account::open(*env, "/disk/user", {});
      ASSERT_TRUE(again) << n;
      ASSERT_EQ(describe(**again), now) << n;
    }
  }
}

TEST(LogDamage, every_flipped_byte_is_found_or_harmless) {
  for (auto [synced, format] : kinds) {
    Small small(synced, format);
    for (size_t i = 0; i < small.log.size(); ++i) {
      std::vector<uint8_t> bytes = small.log;
      bytes[i] ^= static_cast<uint8_t>(1u << (i % 8));
      std::unique_ptr<FaultEnv> env = small.with(bytes);
      // doctor sees it first, and writes nothing.
      Result<CheckReport> report = check_store(*env, "/disk/user");
      EXPECT_TRUE(!report || !report->clean() || !report->notes.empty()) << i;
      EXPECT_EQ(env->bytes(first_segment), bytes);
      Result<std::unique_ptr<Account>> a = Account::open(*env, "/disk/user", {});
      if (!a) continue;
      const OpenReport& r = (*a)->open_report();
      EXPECT_TRUE(!r.damage.empty() || r.torn_bytes > 0) << i;
      // Where later frames prove that it was durable, only the frame itself is lost, never what follows.
      if (synced && i >= segment_header_size && i < small.ends[small.ends.size() - 2]) {
        EXPECT_EQ(r.torn_bytes, 0u) << i;
        EXPECT_FALSE(r.damage.empty()) << i;
      }
      std::string now = describe(**a);
      a->reset();
      Result<std::unique_ptr<Account>> again = Account::open(*env, "/disk/user", {});
      ASSERT_TRUE(again) << i;
      EXPECT_EQ(describe(**again), now) << i;
    }
  }
}

TEST(LogDamage, corrupt_frame_costs_itself_and_nothing_after_it) {
  for (uint32_t format : {1u, 2u}) {
    Small small(true, format);
    std::vector<uint8_t> bytes = small.log;
    bytes[small.ends[2] + frame_header_size + 100] ^= 1;  // the body of message 2
    std::unique_ptr<FaultEnv> env = small.with(bytes);
    std::unique_ptr<Account> a = *Account::open(*env, "/disk/user", {});
    ASSERT_EQ(a->open_report().damage.size(), 1u);
    EXPECT_EQ(a->open_report().damage[0].lsn, Lsn(format == 1 ? 4 : 3));
    MailboxSnapshotPtr s = a->snapshot(a->tree()->find("INBOX")->key);
    EXPECT_EQ(s->uids().to_string(), "1,3");
    EXPECT_EQ(s->info().uid_next, Uid(4));
    EXPECT_EQ(describe(*a), small.states.back());
  }
}

TEST(LogDamage, damaged_segment_header_costs_no_mail) {
  Small small(true);
  std::vector<uint8_t> bytes = small.log;
  for (size_t i = 0; i < segment_header_size; ++i) bytes[i] = 0;
  std::unique_ptr<FaultEnv> env = small.with(bytes);
  std::unique_ptr<Account> a = *Account::open(*env, "/disk/user", {});
  EXPECT_EQ(describe(*a), small.states.back());
  ASSERT_EQ(a->open_report().damage.size(), 1u);
  ASSERT_TRUE(create_mailbox(*a, "Next"));
  std::string now = describe(*a);
  a.reset();
  a = *Account::open(*env, "/disk/user", {});
  EXPECT_EQ(describe(*a), now);
}

TEST(LogDamage, missing_segment_is_named) {
  FaultEnv env;
  std::unique_ptr<Account> a = *Account::open(env, "/disk/user", {.create = true, .segment_bytes = 600});
  MailboxKey key = *create_mailbox(*a, "INBOX");
  for (uint32_t i = 0; i < 10; ++i) {
    append(*a, key, noise(200, i));
    ASSERT_TRUE(a->sync());
  }
  a.reset();
  std::vector<std::string> names = *env.list("/disk/user/log");
  ASSERT_GT(names.size(), 3u);
  env.forget("/disk/user/log/" + names[1]);
  a = *Account::open(env, "/disk/user", {});
  ASSERT_FALSE(a->open_report().damage.empty());
  EXPECT_NE(a->open_report().damage[0].what.find("missing"), std::string::npos);
  EXPECT_EQ(a->open_report().torn_bytes, 0u);
  EXPECT_FALSE(check_store(env, "/disk/user")->clean());
  EXPECT_EQ(a->snapshot(key)->info().uid_next, Uid(11));
}

TEST(LogDamage, later_incompatible_log_is_refused_and_left_untouched) {
  Small small(true);
  SegmentHeader h = *SegmentHeader::decode(small.log);
  h.incompatible |= 2;  // of a format that nobody has yet
  std::vector<uint8_t> bytes = small.log;
  auto header = h.encode();
  std::copy(header.begin(), header.end(), bytes.begin());
  bytes.resize(bytes.size() - 3);  // torn, too: it must not be cut
  std::unique_ptr<FaultEnv> env = small.with(bytes);
  Result<std::unique_ptr<Account>> a = Account::open(*env, "/disk/user", {.create = true});
  ASSERT_FALSE(a);
  EXPECT_EQ(a.error().code, Errc::unsupported);
  EXPECT_EQ(env->bytes(first_segment), bytes);
  h.incompatible &= ~uint64_t{2};
  h.compatible = 1;  // may be ignored
  header = h.encode();
  std::copy(header.begin(), header.end(), bytes.begin());
  env = small.with(bytes);
  EXPECT_TRUE(Account::open(*env, "/disk/user", {}));
  h.compatible = 0;
  h.read_compatible = 1;  // may be read, not written
  header = h.encode();
  std::copy(header.begin(), header.end(), bytes.begin());
  env = small.with(bytes);
  EXPECT_EQ(Account::open(*env, "/disk/user", {}).error().code, Errc::unsupported);
  EXPECT_EQ(env->bytes(first_segment), bytes);
  EXPECT_TRUE(Account::open(*env, "/disk/user", {.read_only = true}));
}

TEST(LogDamage, reading_only_writes_nothing) {
  Small small(true);
  std::vector<uint8_t> bytes = small.log;
  bytes.resize(bytes.size() - 3);
  std::unique_ptr<FaultEnv> env = small.with(bytes);
  std::unique_ptr<Account> a = *Account::open(*env, "/disk/user", {.read_only = true});
  EXPECT_GT(a->open_report().torn_bytes, 0u);
  EXPECT_EQ(describe(*a), small.states[small.states.size() - 2]);
  EXPECT_FALSE(create_mailbox(*a, "A"));
  EXPECT_FALSE(a->checkpoint());
  EXPECT_EQ(env->bytes(first_segment), bytes);
  EXPECT_EQ(env->paths().size(), 1u);
}

TEST(Check, counts_what_a_rewrite_would_free) {
  FaultEnv env;
  std::unique_ptr<Account> a = *Account::open(env, "/disk/user", {.create = true});
  MailboxKey key = *create_mailbox(*a, "INBOX");
  append(*a, key, noise(1000, 1));
  append(*a, key, noise(2000, 2));
  Batch b = a->begin();
  ASSERT_TRUE(b.expunge(key, UidSet(Uid(1))));
  ASSERT_TRUE(a->commit(std::move(b)));
  ASSERT_TRUE(a->close());
  uint64_t told = 0;
  Result<CheckReport> r = check_store(env, "/disk/user", [&](uint64_t done, uint64_t total) {
    told = done;
    return done <= total;
  });
  ASSERT_TRUE(r);
  EXPECT_TRUE(r->clean());
  EXPECT_EQ(r->frames, a->appended().value);
  EXPECT_EQ(r->messages, 1u);
  EXPECT_EQ(r->bodies, 2u);
  EXPECT_EQ(r->orphan_bodies, 1u);
  EXPECT_GT(r->dead_bytes, 1000u);
  EXPECT_LT(r->dead_bytes, 1400u);
  EXPECT_GT(r->live_bytes, 2000u);
  EXPECT_GT(told, 3000u);
  Result<CheckReport> stopped = check_store(env, "/disk/user", [](uint64_t, uint64_t) { return false; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Errc::unavailable);
}

}  // namespace
}  // namespace storage
