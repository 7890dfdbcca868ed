// An older copy of a directory that was put back: no number that a client may have seen is given out again.
#include <gtest/gtest.h>

#include "storage/account.h"
#include "storage/check.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

constexpr uint32_t uid_jump = 1u << 20;
constexpr uint64_t modseq_jump = uint64_t{1} << 32;
const std::filesystem::path directory = "/disk/user";

std::unique_ptr<Account> open(FaultEnv& env, bool create = false) {
  Result<std::unique_ptr<Account>> a = Account::open(env, directory, {.create = create, .segment_bytes = 8192});
  EXPECT_TRUE(a) << a.error().describe();
  return a ? std::move(*a) : nullptr;
}

void append(Account& a, MailboxKey key, const std::string& text) {
  Batch b = a.begin();
  NewMessage m;
  if (a.snapshot(key)->info().mode == ModSeqMode::mirror) m.modseq = ModSeq(500);
  m.info.body = *b.add_body(*prepare(a, text));
  m.info.size = text.size();
  ASSERT_TRUE(b.add_message(key, m));
  ASSERT_TRUE(a.commit(std::move(b)));
}

// A store with two mailboxes, one of them a mirror.
struct Older {
  FaultEnv env;
  MailboxKey own, mirror;
  Older() {
    auto a = open(env, true);
    own = *create_mailbox(*a, "INBOX");
    mirror = *create_mailbox(*a, "Mirror", ModSeqMode::mirror);
    for (int i = 0; i < 5; ++i) append(*a, own, noise(900, static_cast<uint32_t>(i)));
    append(*a, mirror, "mirrored");
    Batch b = a->begin();
    EXPECT_TRUE(b.expunge(own, UidSet(Uid(2))));
    EXPECT_TRUE(a->commit(std::move(b)));
    EXPECT_TRUE(a->checkpoint());
    EXPECT_TRUE(a->sync());
  }
};

TEST(Jump, no_number_comes_twice_and_everything_lost_vanishes) {
  Older then;
  std::unique_ptr<FaultEnv> now = then.env.image(Survives::all);
  ModSeq seen;
  {
    auto a = open(*now);
    for (int i = 0; i < 3; ++i) append(*a, then.own, "lost later " + std::to_string(i));
    ASSERT_TRUE(a->sync());
    seen = a->snapshot(then.own)->info().highest_modseq;
  }
  auto a = open(then.env);
  const Lsn end = a->appended();
  const MailboxInfo before = a->snapshot(then.own)->info();
  ASSERT_TRUE(a->jump(Lsn(1'000'000), true));
  EXPECT_EQ(a->durable(), a->appended());
  EXPECT_GT(a->appended(), Lsn(1'000'000));
  EXPECT_TRUE(a->annotation(restored_annotation)->ends_with(" " + std::to_string(end.value) + " 1000000"));

  MailboxSnapshotPtr own = a->snapshot(then.own), mirror = a->snapshot(then.mirror);
  EXPECT_EQ(own->info().uid_next.value, before.uid_next.value + uid_jump);
  EXPECT_EQ(own->info().uid_validity, before.uid_validity);  // no client downloads again
  EXPECT_EQ(own->info().highest_modseq.value, before.highest_modseq.value + modseq_jump);
  EXPECT_EQ(mirror->info().mode, ModSeqMode::own);
  EXPECT_GT(mirror->info().highest_modseq.value, modseq_jump);
  // To whom the future was known: all that was lost is gone, all flags are news, nothing that is here vanishes.
  const UidSet gone = own->vanished_since(seen);
  for (uint32_t lost : {2u, 6u, 7u, 8u}) EXPECT_TRUE(gone.contains(Uid(lost))) << lost;
  EXPECT_EQ(own->changed_since(seen).to_string(), "1,3:5");
  for (uint32_t i = 0; i < own->size(); ++i) EXPECT_FALSE(gone.contains(own->uid(i)));
  // From there on history is exact again.
  EXPECT_TRUE(own->vanished_since(own->info().highest_modseq).empty());

  append(*a, then.own, "new");
  EXPECT_EQ(a->snapshot(then.own)->uid(4).value, before.uid_next.value + uid_jump);
  ASSERT_TRUE(a->sync());
  const std::string shown = describe(*a);
  a.reset();
  EXPECT_EQ(describe(*open(then.env)), shown);
  then.env.forget("/disk/user/index.snap");
  a = open(then.env);
  EXPECT_TRUE(a->open_report().damage.empty());
  EXPECT_EQ(describe(*a), shown);
  ASSERT_TRUE(a->close());
  a.reset();
  EXPECT_EQ(describe(*open(then.env)), shown);
  Result<CheckReport> report = check_store(then.env, directory);
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->clean()) << report->problems[0].what;
}

TEST(Jump, uids_of_an_upstream_stay_its_own) {
  Older then;
  auto a = open(then.env);
  const MailboxInfo own = a->snapshot(then.own)->info(), mirror = a->snapshot(then.mirror)->info();
  ASSERT_TRUE(a->jump(Lsn(0), false));
  EXPECT_EQ(a->snapshot(then.own)->info().uid_next, own.uid_next);
  EXPECT_EQ(a->snapshot(then.own)->info().highest_modseq.value, own.highest_modseq.value + modseq_jump);
  EXPECT_EQ(a->snapshot(then.mirror)->info(), mirror);
}

TEST(Jump, can_be_repeated) {
  Older then;
  auto a = open(then.env);
  ASSERT_TRUE(a->jump(Lsn(0), true));
  const Lsn first = a->appended();
  ASSERT_TRUE(a->jump(Lsn(0), true));
  EXPECT_GT(a->appended(), first);
  const std::string shown = describe(*a);
  a.reset();
  EXPECT_EQ(describe(*open(then.env)), shown);
}

TEST(Jump, happens_wholly_or_not_at_all_at_every_io) {
  Older then;
  std::string before, after;
  {
    auto image = then.env.image(Survives::all);
    auto a = open(*image);
    before = describe(*a);
    ASSERT_TRUE(a->jump(Lsn(5000), true));
    after = describe(*a);
  }
  bool completed = false;
  for (uint64_t n = 1; !completed; ++n) {
    SCOPED_TRACE("I/O " + std::to_string(n));
    ASSERT_LT(n, 200u);
    auto env = then.env.image(Survives::all);
    auto a = open(*env);
    env->heal();
    env->fail(0, Errc::io, true);
    env->die(n);
    const bool done = a->jump(Lsn(5000), true).has_value();
    completed = done && env->operations() < n;
    a.reset();
    for (Survives what : {Survives::synced, Survives::all, Survives::some}) {
      for (uint32_t seed = 0; seed < (what == Survives::some ? 6u : 1u); ++seed) {
        auto boot = env->image(what, seed);
        auto again = open(*boot);
        ASSERT_TRUE(again);
        EXPECT_TRUE(again->open_report().damage.empty());
        const std::string shown = describe(*again);
        if (done) {
          EXPECT_EQ(shown, after);
        } else {
          EXPECT_TRUE(shown == before || shown == after);
        }
        // Whoever finds it half done does it again.
        ASSERT_TRUE(again->jump(Lsn(5000), true));
        append(*again, then.own, "next");
        ASSERT_TRUE(again->sync());
      }
    }
  }
}

}  // namespace
}  // namespace storage
