// What a pass leaves out, what it keeps, and what it does while others use the account. Crashes and failing disks are
// in tests/fault.
#include "storage/rewrite.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "storage/check.h"
#include "storage/checkpoint.h"
#include "storage/segments.h"
#include "storage/space.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

const std::filesystem::path directory = "/disk/user";
const std::filesystem::path log_directory = directory / "log";

class RewriteTest : public testing::Test {
 protected:
  RewriteTest() {
    open(true);
    inbox_ = *create_mailbox(*account_, "INBOX");
  }
  void open(bool create = false) {
    account_.reset();
    Result<std::unique_ptr<Account>> a =
        Account::open(*env_, directory, {.create = create, .epoch = epoch_, .segment_bytes = 4000});
    ASSERT_TRUE(a) << a.error().describe();
    account_ = std::move(*a);
  }
  template <class F>
  void batch(F&& f) {
    Batch b = account_->begin();
    f(b);
    Result<Lsn> r = account_->commit(std::move(b));
    ASSERT_TRUE(r) << r.error().describe();
  }
  Sha256 append(MailboxKey box, const std::string& text, const std::string& keyword = {}) {
    Sha256 name{};
    batch([&](Batch& b) {
      NewMessage m;
      name = *b.add_body(*prepare(*account_, text));
      m.info.body = name;
      m.info.size = text.size();
      if (!keyword.empty()) m.flags.add(keyword);
      ASSERT_TRUE(b.add_message(box, m));
    });
    return name;
  }
  void expunge(MailboxKey box, uint32_t first, uint32_t last) {
    batch([&](Batch& b) { ASSERT_FALSE(b.expunge(box, UidSet(Uid(first), Uid(last)))->empty()); });
  }
  void fill(uint32_t from, uint32_t to) {
    for (uint32_t i = from; i < to; ++i) append(inbox_, noise(600, i));
  }
  uint64_t log_bytes() {
    uint64_t n = 0;
    for (const SegmentName& s : *list_segments(*env_, log_directory)) {
      n += env_->bytes((log_directory / s.text()).string()).size();
    }
    return n;
  }
  void pass(bool expected = true, const std::function<void()>& between = {}) {
    Result<bool> r = rewrite(*account_, eager(), between);
    ASSERT_TRUE(r) << r.error().describe();
    ASSERT_EQ(*r, expected);
  }
  // The same, from index.snap, from the log, and from the log without what is in retired/.
  void expect_replay_equal() {
    std::string now = describe_all(*account_);
    ASSERT_TRUE(account_->sync());
    for (bool retired : {true, false}) {
      std::unique_ptr<FaultEnv> other = env_->image(Survives::synced);
      for (const std::string& p : other->paths()) {
        if (p.find("index.snap") != p.npos) other->forget(p);
        if (!retired && p.find("/retired/") != p.npos) other->forget(p);
      }
      Result<std::unique_ptr<Account>> a = Account::open(*other, directory, {.epoch = epoch_});
      ASSERT_TRUE(a) << a.error().describe();
      ASSERT_TRUE((*a)->open_report().damage.empty()) << (*a)->open_report().damage[0].what;
      ASSERT_EQ(describe_all(**a), now);
      Result<CheckReport> r = check_store(*other, directory);
      ASSERT_TRUE(r);
      ASSERT_TRUE(r->clean()) << r->problems[0].what;
    }
    ASSERT_TRUE(account_->checkpoint());
    open();
    ASSERT_TRUE(account_->open_report().used_snapshot);
    ASSERT_EQ(describe_all(*account_), now);
  }

  std::unique_ptr<FaultEnv> env_ = std::make_unique<FaultEnv>();
  std::unique_ptr<Account> account_;
  MailboxKey inbox_;
  Epoch epoch_;
};

TEST_F(RewriteTest, frees_what_nothing_uses_and_changes_nothing_that_is_seen) {
  fill(0, 60);
  expunge(inbox_, 3, 50);
  fill(60, 70);
  uint64_t before = log_bytes();
  std::string seen = describe_all(*account_);
  pass();
  EXPECT_EQ(describe_all(*account_), seen);
  EXPECT_LT(log_bytes(), before - 40 * 600);
  expect_replay_equal();
  pass(false);  // and then there is nothing left to gain
}

TEST_F(RewriteTest, tombstones_uidnext_and_highestmodseq_come_from_the_expunge_alone) {
  fill(0, 20);
  expunge(inbox_, 5, 20);
  fill(20, 26);
  expunge(inbox_, 26, 26);  // the highest UID there was
  append(*create_mailbox(*account_, "Other"), noise(5000, 99));
  pass();
  MailboxSnapshotPtr s = account_->snapshot(inbox_);
  EXPECT_EQ(s->info().uid_next, Uid(27));
  expect_replay_equal();
  EXPECT_EQ(account_->snapshot(inbox_)->info().uid_next, Uid(27));
  EXPECT_TRUE(account_->snapshot(inbox_)->vanished_since(ModSeq(2)).contains(Uid(26)));
}

TEST_F(RewriteTest, keywords_keep_their_order_and_first_spelling) {
  append(inbox_, noise(900, 1), "$Zulu");
  append(inbox_, noise(900, 2), "$alpha");
  append(inbox_, noise(900, 3), "$ZULU");
  batch([&](Batch& b) {
    FlagChange c{FlagsMode::add, {}};
    c.flags.add("$Mike");
    ASSERT_FALSE(b.change_flags(inbox_, UidSet(Uid(1), Uid(2)), c)->empty());
  });
  fill(0, 10);
  expunge(inbox_, 1, 2);
  std::vector<std::string> before = account_->snapshot(inbox_)->keywords();
  EXPECT_EQ(before, (std::vector<std::string>{"$Zulu", "$alpha", "$Mike"}));
  pass();
  expect_replay_equal();
  EXPECT_EQ(account_->snapshot(inbox_)->keywords(), before);
}

TEST_F(RewriteTest, mirrors_keep_the_first_listing_and_the_present_cursor) {
  MailboxKey mirror = *create_mailbox(*account_, "Mirror", ModSeqMode::mirror);
  for (uint32_t i = 1; i <= 30; ++i) {
    batch([&](Batch& b) {
      NewMessage m;
      m.uid = Uid(i);
      m.modseq = ModSeq(1000 + i);
      m.info.body = *b.add_body(*prepare(*account_, noise(500, i)));
      ASSERT_TRUE(b.add_message(mirror, m));
      b.set_cursor(mirror, {UidValidity(1), Uid(i + 1), ModSeq(1000 + i), i, {}, i >= 10});
    });
    if (i % 7 == 0) {
      batch([&](Batch& b) { ASSERT_FALSE(b.expunge(mirror, UidSet(Uid(i - 3)))->empty()); });
    }
  }
  pass();
  EXPECT_EQ(account_->cursor(mirror)->highest_modseq, ModSeq(1030));
  expect_replay_equal();
  // Its own from here on: the number that it leaves with may be that of a message that goes.
  batch([&](Batch& b) {
    NewMessage m;
    m.uid = Uid(31);
    m.modseq = ModSeq(5000);
    m.info.body = *b.add_body(*prepare(*account_, noise(500, 31)));
    ASSERT_TRUE(b.add_message(mirror, m));
    MailboxChange c;
    c.mode = ModSeqMode::own;
    ASSERT_TRUE(b.change_mailbox(mirror, c));
  });
  expunge(mirror, 31, 31);
  fill(0, 10);
  pass();
  expect_replay_equal();
}

TEST_F(RewriteTest, removed_and_reset_mailboxes_subscriptions_annotations_and_epochs) {
  MailboxKey gone = *create_mailbox(*account_, "Gone"), reset = *create_mailbox(*account_, "Reset");
  for (uint32_t i = 0; i < 8; ++i) {
    append(gone, noise(400, i));
    append(reset, noise(400, 100 + i));
    batch([&](Batch& b) {
      b.subscribe("A", i % 2 == 0);
      b.subscribe("B", i % 2 == 1);
      b.annotate("namespace-prefix", i % 2 == 0 ? "INBOX." : "");
    });
  }
  ASSERT_TRUE(account_->raise_epoch(Epoch(5)));
  batch([&](Batch& b) {
    ASSERT_TRUE(b.remove_mailbox(gone));
    ASSERT_TRUE(b.reset_mailbox(reset, UidValidity(2'000'000'000), Uid(3), ModSeq(9), ModSeqMode::own));
  });
  fill(0, 12);
  epoch_ = Epoch(6);
  ASSERT_TRUE(account_->raise_epoch(epoch_));
  append(reset, noise(400, 300));
  fill(12, 20);
  pass();
  expect_replay_equal();
  EXPECT_EQ(account_->epoch(), Epoch(6));
  // Also where the only frame of the last epoch is in what was rewritten.
  EXPECT_EQ(account_->highest_uid_validity("Reset"), UidValidity(2'000'000'000));
}

TEST_F(RewriteTest, body_that_comes_back_is_written_again) {
  Sha256 name = append(inbox_, noise(900, 1));
  fill(0, 12);
  expunge(inbox_, 1, 1);
  pass();
  EXPECT_FALSE(account_->has_body(name));
  EXPECT_TRUE(account_->open_body(name));  // for who still shows the state before
  EXPECT_EQ(append(inbox_, noise(900, 1)), name);
  EXPECT_TRUE(account_->has_body(name));
  expect_replay_equal();
  EXPECT_TRUE(*account_->open_body(name)->read_all(2000) == noise(900, 1));
}

TEST_F(RewriteTest, message_that_takes_up_a_dead_body_between_any_two_steps_keeps_it) {
  std::string text = noise(900, 1);
  bool went_on = false, went_void = false;
  for (int at = 0; !went_on || !went_void; ++at) {
    ASSERT_LT(at, 200);
    account_.reset();
    env_ = std::make_unique<FaultEnv>();
    open(true);
    inbox_ = *create_mailbox(*account_, "INBOX");
    append(inbox_, text);
    fill(0, 12);
    expunge(inbox_, 1, 1);
    // Begun before the pass: it sees the body in the index and does not write it.
    std::optional<Batch> early = account_->begin();
    NewMessage m;
    m.info.body = *early->add_body(*prepare(*account_, text));
    ASSERT_TRUE(early->add_message(inbox_, m));
    int step = 0;
    bool conflict = false;
    Result<bool> r = rewrite(*account_, eager(), [&] {
      if (step++ != at) return;
      Result<Lsn> done = account_->commit(std::move(*early));
      early.reset();
      conflict = !done && done.error().code == Errc::conflict;
      ASSERT_TRUE(done || conflict);
    });
    bool committed = !early && !conflict;
    if (early) break;  // the pass has no more steps
    went_on = went_on || r;
    went_void = went_void || !r;
    if (!r) {
      EXPECT_EQ(r.error().code, Errc::unavailable);
    }
    EXPECT_EQ(account_->snapshot(inbox_)->find(Uid(14)).has_value(), committed);
    expect_replay_equal();
    if (committed) {
      Result<BodyReader> body = account_->open_body(*m.info.body);
      ASSERT_TRUE(body) << at;
      EXPECT_TRUE(*body->read_all(2000) == text);
    }
  }
  EXPECT_TRUE(went_void);
}

// Listed first and fetched later, as a copy does: the message goes with its segment, what linked its body stays.
TEST_F(RewriteTest, links_to_messages_that_went_with_their_segment_are_no_damage) {
  batch([&](Batch& b) {
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(b.add_message(inbox_, {}));
  });
  MailboxKey other = *create_mailbox(*account_, "Other");
  for (uint32_t i = 0; i < 12; ++i) append(other, noise(600, i));
  batch([&](Batch& b) { ASSERT_FALSE(b.expunge(other, UidSet(Uid(1), Uid(12)))->empty()); });
  for (uint32_t uid = 1; uid <= 6; ++uid) {
    batch([&](Batch& b) {
      const Sha256 name = *b.add_body(*prepare(*account_, noise(500, 100 + uid)));
      ASSERT_TRUE(b.attach_body(inbox_, Uid(uid), name, 500));
    });
  }
  expunge(inbox_, 2, 6);
  const std::vector<SegmentName> before = *list_segments(*env_, log_directory);
  ASSERT_GT(before.size(), 2u);
  // Only the first segments: the links lie in the last, to which frames are appended.
  pass();
  expect_replay_equal();
}

// index.snap is written in the middle of a pass that a message then takes back.
TEST_F(RewriteTest, checkpoint_within_a_pass_forgets_no_body_that_comes_back) {
  fill(0, 20);
  expunge(inbox_, 3, 16);
  fill(20, 30);
  const std::string text = noise(600, 5);  // of UID 6
  Batch b = account_->begin();
  NewMessage m;
  m.info.body = *b.add_body(*prepare(*account_, text));
  m.info.size = text.size();
  ASSERT_TRUE(b.add_message(inbox_, m));
  Result<std::unique_ptr<Rewrite>> pass = Space(*account_).begin(eager());
  ASSERT_TRUE(pass && *pass);
  while (*(*pass)->survey(1u << 20) == Rewrite::Step::more) {
  }
  while (!*(*pass)->condemn(100)) {
  }
  const Lsn before = account_->appended();
  Result<std::unique_ptr<Checkpoint>> draft = Checkpoint::begin(*account_);
  ASSERT_TRUE(draft && *draft);
  ASSERT_TRUE((*draft)->write());
  ASSERT_TRUE((*draft)->name());
  ASSERT_TRUE((*draft)->settle());
  draft->reset();
  ASSERT_EQ(account_->appended(), before);
  ASSERT_TRUE(account_->commit(std::move(b)));  // begun before the body went: the pass is void
  EXPECT_FALSE((*pass)->copy(1u << 20));
  ASSERT_TRUE((*pass)->cancel());
  pass->reset();
  ASSERT_TRUE(account_->sync());
  env_ = env_->image(Survives::synced);
  open();
  EXPECT_TRUE(account_->open_report().used_snapshot);
  MailboxSnapshotPtr s = account_->snapshot(inbox_);
  Result<BodyReader> body = account_->open_body(*s->message(s->size() - 1).body);
  ASSERT_TRUE(body) << body.error().describe();
  EXPECT_EQ(*body->read_all(1000), text);
}

TEST_F(RewriteTest, readers_of_the_old_files_go_on_until_they_are_purged) {
  Sha256 dead = append(inbox_, noise(900, 1)), live = append(inbox_, noise(900, 2));
  fill(0, 12);
  expunge(inbox_, 1, 1);
  BodyReader old = *account_->open_body(live);
  pass();
  EXPECT_TRUE(*old.read_all(2000) == noise(900, 2));
  env_->set_time(env_->now() + 3599);
  EXPECT_EQ(*Space(*account_).retire(), 0u);
  env_->set_time(env_->now() + 1);
  EXPECT_GT(*Space(*account_).retire(), 0u);
  EXPECT_TRUE(*account_->open_body(dead)->read_all(2000) == noise(900, 1));
  LogListing listing = *list_log(*env_, log_directory);
  EXPECT_TRUE(listing.superseded.empty());
  EXPECT_FALSE(listing.retired.empty());
  expect_replay_equal();
  env_->set_time(env_->now() + 24 * 3600);
  EXPECT_GT(*Space(*account_).retire(), 0u);
  EXPECT_TRUE(list_log(*env_, log_directory)->retired.empty());
  EXPECT_EQ(account_->open_body(dead).error().code, Errc::not_found);
  EXPECT_TRUE(*account_->open_body(live)->read_all(2000) == noise(900, 2));
  expect_replay_equal();
}

TEST_F(RewriteTest, pins_hold_what_is_above_them_and_survive_a_restart) {
  fill(0, 12);
  expunge(inbox_, 1, 8);
  ASSERT_TRUE(account_->sync());
  ASSERT_TRUE(Space(*account_).pin("nightly", PinKind::backup, account_->durable(), "cp -a"));
  pass(false);
  open();
  pass(false);
  ASSERT_EQ(Space(*account_).pins()->size(), 1u);
  EXPECT_EQ(Space(*account_).pins()->front().reason, "cp -a");
  EXPECT_EQ(check_store(*env_, directory)->pins.size(), 1u);
  ASSERT_TRUE(Space(*account_).unpin("nightly"));
  EXPECT_EQ(Space(*account_).unpin("nightly").error().code, Errc::not_found);
  // A pin that comes while the pass copies ends it; one at an LSN leaves what is below it free.
  int step = 0;
  Result<bool> r = rewrite(*account_, eager(), [&] {
    if (++step == 6) {
      ASSERT_TRUE(Space(*account_).pin("journal", PinKind::journal, Lsn(1), "rollback"));
    }
  });
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::unavailable);
  pass(false);
  std::vector<SegmentName> names = *list_segments(*env_, log_directory);
  ASSERT_TRUE(Space(*account_).pin("journal", PinKind::journal, Lsn(names[1].first.value - 1), "rollback"));
  pass();
  EXPECT_EQ(list_segments(*env_, log_directory)->at(0).last, Lsn(names[1].first.value - 1));
  EXPECT_EQ(list_segments(*env_, log_directory)->at(1), names[1]);
  // What was retired below it may go, nothing above.
  EXPECT_EQ(*Space(*account_).retire({0, 0}), 2u);
  // A damaged file of pins forbids everything.
  std::vector<uint8_t> bytes = env_->bytes((directory / "pins").string());
  bytes[9] ^= 1;
  env_->replace((directory / "pins").string(), bytes);
  pass(false);
  EXPECT_FALSE(Space(*account_).retire({0, 0}));
  EXPECT_FALSE(check_store(*env_, directory)->clean());
}

TEST_F(RewriteTest, leaves_a_damaged_segment_alone) {
  fill(0, 12);
  ASSERT_TRUE(account_->sync());
  expunge(inbox_, 1, 3);
  ASSERT_TRUE(account_->sync());
  std::vector<SegmentName> names = *list_segments(*env_, log_directory);
  std::string path = (log_directory / names[0].text()).string();
  std::vector<uint8_t> bytes = env_->bytes(path);
  bytes[bytes.size() - 700] ^= 1;
  env_->replace(path, bytes);
  open();
  Result<bool> r = rewrite(*account_, eager());
  for (int i = 0; i < 9 && !(r && !*r); ++i) r = rewrite(*account_, eager());
  ASSERT_TRUE(r);
  EXPECT_EQ(list_segments(*env_, log_directory)->front(), names[0]);
  EXPECT_EQ(env_->bytes(path), bytes);
}

TEST_F(RewriteTest, doctor_counts_live_dead_shared_and_retired) {
  Sha256 twice = append(inbox_, noise(900, 1));
  append(inbox_, noise(900, 1));
  fill(0, 12);
  expunge(inbox_, 5, 10);
  ASSERT_TRUE(account_->sync());
  CheckReport before = *check_store(*env_, directory);
  EXPECT_GT(before.dead_bytes, 6u * 600);
  EXPECT_GT(before.shared_bytes, 900u);
  EXPECT_LT(before.shared_bytes, 1100u);
  EXPECT_EQ(before.retired_bytes, 0u);
  pass();
  CheckReport after = *check_store(*env_, directory);
  EXPECT_LT(after.dead_bytes, before.dead_bytes / 2);
  EXPECT_GT(after.retired_bytes, before.dead_bytes);
  EXPECT_EQ(after.shared_bytes, before.shared_bytes);
  EXPECT_TRUE(account_->has_body(twice));
}

// Files copied one after another in any order, each at another moment of a pass, into a directory that is then opened.
TEST_F(RewriteTest, plain_copy_in_any_order_is_whole_or_says_what_is_missing) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    account_.reset();
    env_ = std::make_unique<FaultEnv>();
    open(true);
    inbox_ = *create_mailbox(*account_, "INBOX");
    fill(0, 20);
    expunge(inbox_, 2, 12);
    ASSERT_TRUE(account_->checkpoint());
    const bool linger = seed % 2 == 0;  // as it is, and without the hour that files stay
    FaultEnv target;
    std::vector<std::string> todo;
    std::set<std::string> listed;
    auto list = [&] {
      for (const char* d : {"/disk/user", "/disk/user/log", "/disk/user/retired"}) {
        if (listed.count(d) || random() % 2 == 0) continue;
        listed.insert(d);  // a directory is listed at once, its files are read later
        Result<std::vector<std::string>> names = env_->list(d);
        if (!names) continue;
        for (const std::string& n : *names) {
          if (n != "log" && n != "retired") todo.push_back(std::string(d) + "/" + n);
        }
      }
      std::shuffle(todo.begin(), todo.end(), random);
    };
    auto copy_some = [&](size_t n) {
      for (; n > 0 && !todo.empty(); --n, todo.pop_back()) {
        std::vector<std::string> there = env_->paths();
        if (std::find(there.begin(), there.end(), todo.back()) == there.end()) continue;  // "file vanished"
        target.replace(todo.back(), env_->bytes(todo.back()));
      }
    };
    uint32_t next = 100;
    auto between = [&] {
      if (random() % 3 == 0) list();
      copy_some(random() % 2);
      if (random() % 4 == 0) append(inbox_, noise(300, next++));
      if (random() % 6 == 0 && account_->snapshot(inbox_)->size() > 3) {
        expunge(inbox_, account_->snapshot(inbox_)->uid(2).value, account_->snapshot(inbox_)->uid(2).value);
        ASSERT_TRUE(account_->sync());
      }
    };
    for (int passes = 0; passes < 2; ++passes) {
      Result<bool> r = rewrite(*account_, eager(), between);
      ASSERT_TRUE(r);
      between();
      if (!linger) {
        ASSERT_TRUE(Space(*account_).retire({0, 1000}));
      }
      between();
    }
    ASSERT_TRUE(account_->sync());
    std::string finally = describe_all(*account_);
    while (listed.size() < 3) list();
    copy_some(1000);
    Result<std::unique_ptr<Account>> a = Account::open(target, directory, {});
    if (linger) {
      ASSERT_TRUE(a) << a.error().describe();
    }
    if (!a) continue;  // nothing of its log was there
    bool clean = (*a)->open_report().damage.empty();
    if (linger) {
      ASSERT_TRUE(clean) << (*a)->open_report().damage[0].what;
    }
    if (!clean) {
      EXPECT_NE((*a)->open_report().damage[0].what.find("LSN"), std::string::npos)
          << (*a)->open_report().damage[0].what;
      continue;
    }
    // Clean: every message that it shows has its bytes.
    EXPECT_EQ(describe_all(**a).find("NO BODY"), std::string::npos);
    ASSERT_TRUE((*a)->close());
    Result<CheckReport> report = check_store(target, directory);
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->clean()) << report->problems[0].what;
  }
}

}  // namespace
}  // namespace storage
