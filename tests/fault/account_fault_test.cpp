// Every operation of a store, with every single I/O failing once, and with the machine stopping at every I/O.
#include <gtest/gtest.h>

#include <functional>

#include "storage/account.h"
#include "storage/check.h"
#include "storage/letter.h"
#include "storage/log_scan.h"
#include "storage/segments.h"
#include "storage/space.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

const std::filesystem::path directory = "/disk/user";
constexpr uint32_t finalised = 12;  // begun as 1, format 2 from the middle on: what finalize-format does

OpenOptions with(uint32_t format) {
  return {.create = true, .segment_bytes = 4096, .format = format == finalised ? 1 : format};
}

// Steps either happen or do not. Each is tried again after a failure that left the store usable.
struct Step {
  std::string name;
  std::function<Result<void>(Account&)> run;
};

MailboxKey key_of(Account& a, const std::string& name) {
  const MailboxInfo* m = a.tree()->find(name);
  return m ? m->key : MailboxKey(0);
}

Result<void> append(Account& a, const std::string& box, const std::string& text) {
  Result<PreparedBody> body = prepare(a, text);
  if (!body) return body.error();
  Batch b = a.begin();
  NewMessage m;
  m.info.size = text.size();
  m.info.uidl = "u" + std::to_string(text.size());
  m.flags.add("$Fresh");
  Result<Sha256> name = b.add_body(std::move(*body));
  if (!name) return name.error();
  m.info.body = *name;
  if (Result<MessageIds> ids = b.add_message(key_of(a, box), m); !ids) return ids.error();
  if (Result<Lsn> r = a.commit(std::move(b)); !r) return r.error();
  return {};
}

template <class F>
Result<void> batch(Account& a, F&& f) {
  Batch b = a.begin();
  if (Result<void> r = f(b); !r) return r;
  if (Result<Lsn> r = a.commit(std::move(b)); !r) return r.error();
  return {};
}

Result<void> flags(Account& a, const UidSet& uids, const std::string& keyword) {
  return batch(a, [&](Batch& b) -> Result<void> {
    FlagChange c{FlagsMode::add, {}};
    c.flags.system = wire::base::seen;
    c.flags.add(keyword);
    Result<UidSet> r = b.change_flags(key_of(a, "INBOX"), uids, c);
    return r ? Result<void>() : Result<void>(r.error());
  });
}

Result<void> sync(Account& a) {
  Result<Lsn> r = a.sync();
  return r ? Result<void>() : Result<void>(r.error());
}

Result<void> rewrite_once(Account& a) {
  Result<bool> r = rewrite(a, eager());
  return r ? Result<void>() : Result<void>(r.error());
}

Result<void> retire(Account& a, int64_t linger, int64_t keep) {
  Result<uint64_t> r = Space(a).retire({linger, keep});
  return r ? Result<void>() : Result<void>(r.error());
}

std::vector<Step> scenario() {
  return {
      {"create INBOX",
       [](Account& a) -> Result<void> {
         Result<MailboxKey> k = create_mailbox(a, "INBOX");
         return k ? Result<void>() : Result<void>(k.error());
       }},
      {"sync", sync},
      {"create Trash",
       [](Account& a) -> Result<void> {
         Result<MailboxKey> k = create_mailbox(a, "Trash");
         return k ? Result<void>() : Result<void>(k.error());
       }},
      {"append", [](Account& a) { return append(a, "INBOX", "one\r\n"); }},
      {"append noise", [](Account& a) { return append(a, "INBOX", noise(700, 2)); }},
      {"sync", sync},
      {"flags", [](Account& a) { return flags(a, UidSet(Uid(1), Uid(9)), "$A"); }},
      {"append the same again", [](Account& a) { return append(a, "INBOX", "one\r\n"); }},
      {"move",
       [](Account& a) {
         return batch(a, [&](Batch& b) -> Result<void> {
           MailboxSnapshotPtr s = a.snapshot(key_of(a, "INBOX"));
           for (uint32_t i = 0; i < 2; ++i) {
             NewMessage m;
             m.flags = s->flags(i);
             m.info = s->message(i);
             if (Result<MessageIds> r = b.add_message(key_of(a, "Trash"), m); !r) return r.error();
           }
           Result<UidSet> r = b.expunge(key_of(a, "INBOX"), UidSet(Uid(1), Uid(2)));
           return r ? Result<void>() : Result<void>(r.error());
         });
       }},
      {"sync", sync},
      {"big body",
       [](Account& a) { return append(a, "INBOX", noise(1500000, 3)); }},  // spooled, and the segment is full
      {"append after the roll", [](Account& a) { return append(a, "INBOX", "three\r\n"); }},
      {"sync", sync},
      {"checkpoint", [](Account& a) { return a.checkpoint(); }},
      {"rename and subscribe",
       [](Account& a) {
         return batch(a, [&](Batch& b) -> Result<void> {
           b.subscribe("Bin", true);
           MailboxChange c;
           c.name = "Bin";
           return b.change_mailbox(key_of(a, "Trash"), c);
         });
       }},
      {"cursor",
       [](Account& a) {
         return batch(a, [&](Batch& b) -> Result<void> {
           SyncCursor c;
           c.uid_next = Uid(7);
           c.complete = true;
           b.set_cursor(key_of(a, "INBOX"), c);
           return {};
         });
       }},
      {"sync", sync},
      {"remove", [](Account& a) { return batch(a, [&](Batch& b) { return b.remove_mailbox(key_of(a, "Bin")); }); }},
      {"raise epoch", [](Account& a) { return a.raise_epoch(Epoch(a.epoch().value + 1)); }},
      {"close", [](Account& a) { return a.close(); }},
  };
}

// Segments are full after a few messages here; nothing is big, since every step is done hundreds of times.
std::vector<Step> rewriting_scenario() {
  std::vector<Step> steps{{"create INBOX", [](Account& a) -> Result<void> {
                             Result<MailboxKey> k = create_mailbox(a, "INBOX");
                             return k ? Result<void>() : Result<void>(k.error());
                           }}};
  for (uint32_t i = 0; i < 8; ++i) {
    steps.push_back({"append", [i](Account& a) { return append(a, "INBOX", noise(1100, i)); }});
  }
  std::vector<Step> rest{
      {"sync", sync},
      {"expunge",
       [](Account& a) {
         return batch(a, [&](Batch& b) -> Result<void> {
           Result<UidSet> r = b.expunge(key_of(a, "INBOX"), UidSet(Uid(2), Uid(5)));
           return r ? Result<void>() : Result<void>(r.error());
         });
       }},
      {"rewrite", [](Account& a) { return rewrite_once(a); }},
      {"checkpoint in steps", [](Account& a) { return checkpoint_in_steps(a); }},
      {"append what went", [](Account& a) { return append(a, "INBOX", noise(1100, 2)); }},
      {"retire", [](Account& a) { return retire(a, 0, 1000); }},
      {"sync", sync},
      {"purge", [](Account& a) { return retire(a, 0, 0); }},
      {"close", [](Account& a) { return a.close(); }},
  };
  steps.insert(steps.end(), rest.begin(), rest.end());
  return steps;
}

// What is done, to which store.
enum class Work : uint8_t { everything, rewriting, converting };

// Small mail of format 1, in an account that goes on in format 2: rewriting makes letters of it.
constexpr uint32_t old_messages = 24;
std::unique_ptr<FaultEnv> disk_of_format_1() {
  FaultEnv env;
  Result<std::unique_ptr<Account>> a = Account::open(env, directory, with(1));
  EXPECT_TRUE(a);
  EXPECT_TRUE(create_mailbox(**a, "INBOX"));
  for (uint32_t i = 0; i < old_messages; ++i) EXPECT_TRUE(append(**a, "INBOX", letter_text(i)));
  EXPECT_TRUE((*a)->close());
  return env.image(Survives::all);
}

std::unique_ptr<FaultEnv> disk_for(Work work) {
  if (work != Work::converting) return std::make_unique<FaultEnv>();
  static const std::unique_ptr<FaultEnv> made = disk_of_format_1();
  return made->image(Survives::all);
}

std::vector<Step> converting_scenario() {
  return {
      {"append", [](Account& a) { return append(a, "INBOX", letter_text(100)); }},
      {"expunge",
       [](Account& a) {
         return batch(a, [&](Batch& b) -> Result<void> {
           Result<UidSet> r = b.expunge(key_of(a, "INBOX"), UidSet(Uid(2), Uid(5)));
           return r ? Result<void>() : Result<void>(r.error());
         });
       }},
      {"sync", sync},
      // Of an index.snap of format 1 nobody knows whether a dictionary would be worth it.
      {"look for what a dictionary is made of",
       [](Account& a) { return a.wants_dictionary() ? a.train_dictionary() : Result<void>(); }},
      {"rewrite", [](Account& a) { return rewrite_once(a); }},
      {"flags", [](Account& a) { return flags(a, UidSet(Uid(1), Uid(9)), "$A"); }},
      {"append what went", [](Account& a) { return append(a, "INBOX", letter_text(2)); }},
      {"retire", [](Account& a) { return retire(a, 0, 0); }},
      {"close", [](Account& a) { return a.close(); }},
  };
}

std::vector<Step> steps_of(Work work) {
  return work == Work::everything ? scenario() : work == Work::rewriting ? rewriting_scenario() : converting_scenario();
}

size_t letters_in(Env& env) {
  size_t letters = 0;
  const std::filesystem::path log = directory / "log";
  LogScan scan(env, log, *list_segments(env, log), false);
  const LogScan::OnBatch count = [&](std::span<const LogFrame> frames) -> Result<void> {
    for (const LogFrame& f : frames) letters += f.header.kind == FrameKind::body && f.header.version == letter_version;
    return {};
  };
  EXPECT_TRUE(scan.run({}, Lsn(1), Lsn(0), count));
  return letters;
}

// What the store shows after each step when nothing goes wrong; [0] is the store before.
std::vector<std::string> expected(const std::vector<Step>& steps, Work work) {
  const std::unique_ptr<FaultEnv> disk = disk_for(work);
  FaultEnv& env = *disk;
  Result<std::unique_ptr<Account>> a = Account::open(env, directory, with(2));
  EXPECT_TRUE(a);
  std::vector<std::string> states{describe(**a)};
  for (const Step& s : steps) {
    Result<void> r = s.run(**a);
    EXPECT_TRUE(r) << s.name << ": " << r.error().describe();
    states.push_back(describe(**a));
    if (s.name == "rewrite") {
      EXPECT_GT(list_segments(env, directory / "log")->front().generation, 0u) << "nothing was rewritten";
    }
    if (s.name == "rewrite" && work == Work::converting) {
      EXPECT_GT(letters_in(env), old_messages / 2) << "no letters were made";
    }
    if (s.name == "retire" && work == Work::rewriting) {
      EXPECT_FALSE(list_log(env, directory / "log")->retired.empty());
    }
  }
  return states;
}

OpenOptions later(uint32_t format = 2) {
  OpenOptions o = with(format);
  o.create = false;
  o.epoch = Epoch(9);
  if (format == finalised) o.format = 2;
  return o;
}

struct FailureCase {
  const char* name;
  Errc code;
  bool partly;
  Work work;
  uint32_t format;
};

class FailEveryIo : public testing::TestWithParam<FailureCase> {};

TEST_P(FailEveryIo, leaves_the_state_before_or_after) {
  const std::vector<Step> steps = steps_of(GetParam().work);
  const std::vector<std::string> states = expected(steps, GetParam().work);
  bool completed = false;
  for (uint64_t n = 1; !completed; ++n) {
    ASSERT_LT(n, 2000u);
    SCOPED_TRACE("I/O " + std::to_string(n));
    const std::unique_ptr<FaultEnv> disk = disk_for(GetParam().work);
    FaultEnv& env = *disk;
    env.fail(n, GetParam().code, GetParam().partly);
    const OpenOptions options = with(GetParam().format);
    Result<std::unique_ptr<Account>> a = Account::open(env, directory, options);
    if (!a) a = Account::open(env, directory, options);  // fails once only
    ASSERT_TRUE(a) << a.error().describe();
    auto look = [&] {
      env.pause(true);
      std::string text = describe(**a);
      env.pause(false);
      return text;
    };
    size_t acknowledged = 0, done = 0;
    for (; done < steps.size(); ++done) {
      Result<void> r = steps[done].run(**a);
      if (!r) {
        // Nothing of it is seen; a raised epoch and a checkpoint's own frame change nothing that can be.
        EXPECT_EQ(look(), states[done]) << steps[done].name;
        if ((*a)->failed()) break;
        r = steps[done].run(**a);
        ASSERT_TRUE(r) << steps[done].name << ": " << r.error().describe();
      }
      EXPECT_EQ(look(), states[done + 1]) << steps[done].name;
      if ((*a)->durable() == (*a)->appended()) acknowledged = done + 1;
    }
    completed = env.operations() < n;
    if ((*a)->failed()) {
      EXPECT_FALSE(create_mailbox(**a, "Refused"));
    }
    a->reset();
    env.heal();
    env.fail(0);
    Result<std::unique_ptr<Account>> again = Account::open(env, directory, later(GetParam().format));
    ASSERT_TRUE(again) << again.error().describe();
    EXPECT_TRUE((*again)->open_report().damage.empty()) << (*again)->open_report().damage[0].what;
    std::string now = describe(**again);
    bool found = false;
    for (size_t i = acknowledged; i <= std::min(done + 1, steps.size()); ++i) found = found || now == states[i];
    EXPECT_TRUE(found) << "after step " << done << " acknowledged " << acknowledged << "\n" << now;
    ASSERT_FALSE(testing::Test::HasFailure());
  }
}

INSTANTIATE_TEST_SUITE_P(Faults, FailEveryIo,
                         testing::Values(FailureCase{"io", Errc::io, false, Work::everything, 2},
                                         FailureCase{"short_write", Errc::io, true, Work::everything, finalised},
                                         FailureCase{"no_space", Errc::no_space, true, Work::everything, 2},
                                         FailureCase{"no_space_format_1", Errc::no_space, true, Work::everything, 1},
                                         FailureCase{"io_rewriting", Errc::io, false, Work::rewriting, 1},
                                         FailureCase{"io_rewriting_format_2", Errc::io, false, Work::rewriting, 2},
                                         FailureCase{"no_space_rewriting", Errc::no_space, true, Work::rewriting, 2},
                                         FailureCase{"io_making_letters", Errc::io, false, Work::converting, 2},
                                         FailureCase{"no_space_making_letters", Errc::no_space, true, Work::converting,
                                                     2}),
                         [](const auto& i) { return i.param.name; });

TEST(FailEveryIoOfOpening, fails_or_shows_everything) {
  FaultEnv env;
  std::string expected_state;
  {
    Result<std::unique_ptr<Account>> a = Account::open(env, directory, with(2));
    ASSERT_TRUE(a);
    std::vector<Step> steps = scenario();
    for (size_t i = 0; i + 1 < steps.size(); ++i) ASSERT_TRUE(steps[i].run(**a));  // all but close
    expected_state = describe(**a);
    ASSERT_TRUE((*a)->sync());
    // Half of a write that was never acknowledged.
    env.fail(env.operations() + 1, Errc::io, true);
    env.die(env.operations() + 1);
    ASSERT_FALSE(create_mailbox(**a, "Torn"));
  }
  bool completed = false;
  for (uint64_t n = 1; !completed; ++n) {
    SCOPED_TRACE("I/O " + std::to_string(n));
    ASSERT_LT(n, 500u);
    std::unique_ptr<FaultEnv> boot = env.image(Survives::all);
    boot->fail(n);
    Result<std::unique_ptr<Account>> a = Account::open(*boot, directory, later());
    if (!a) {
      EXPECT_EQ(a.error().code, Errc::io);
      a = Account::open(*boot, directory, later());
    }
    ASSERT_TRUE(a) << a.error().describe();
    EXPECT_TRUE((*a)->open_report().damage.empty());
    (void)describe(**a);  // a body may fail to be read, once
    completed = boot->operations() < n;
    boot->pause(true);
    EXPECT_EQ(describe(**a), expected_state);
    ASSERT_TRUE(create_mailbox(**a, "Next"));
    ASSERT_TRUE((*a)->close());
  }
}

struct CrashCase {
  const char* name;
  Survives survives;
  uint32_t seeds;
  Work work;
  uint32_t format;
};

class CrashAtEveryIo : public testing::TestWithParam<CrashCase> {};

TEST_P(CrashAtEveryIo, keeps_what_was_acknowledged_and_whole_batches_only) {
  const std::vector<Step> steps = steps_of(GetParam().work);
  const std::vector<std::string> states = expected(steps, GetParam().work);
  bool completed = false;
  for (uint64_t n = 1; !completed; ++n) {
    ASSERT_LT(n, 2000u);
    const std::unique_ptr<FaultEnv> disk = disk_for(GetParam().work);
    FaultEnv& env = *disk;
    env.fail(0, Errc::io, true);
    env.die(n);
    size_t acknowledged = 0, done = 0;
    {
      Result<std::unique_ptr<Account>> a = Account::open(env, directory, with(GetParam().format));
      if (a) {
        for (; done < steps.size(); ++done) {
          if (!steps[done].run(**a)) break;
          if ((*a)->durable() == (*a)->appended()) acknowledged = done + 1;
        }
      }
      completed = done == steps.size();
    }
    for (uint32_t seed = 0; seed < GetParam().seeds; ++seed) {
      SCOPED_TRACE("I/O " + std::to_string(n) + " seed " + std::to_string(seed) + " in step " +
                   (done < steps.size() ? steps[done].name : "none"));
      std::unique_ptr<FaultEnv> boot = env.image(GetParam().survives, seed);
      OpenOptions o = later(GetParam().format);
      o.create = true;  // the account itself may never have been acknowledged
      Result<std::unique_ptr<Account>> a = Account::open(*boot, directory, o);
      ASSERT_TRUE(a) << a.error().describe();
      ASSERT_TRUE((*a)->open_report().damage.empty()) << (*a)->open_report().damage[0].what;
      std::string now = describe(**a);
      bool found = false;
      for (size_t i = acknowledged; i <= std::min(done + 1, steps.size()); ++i) found = found || now == states[i];
      ASSERT_TRUE(found) << "acknowledged " << acknowledged << " of " << done << "\n" << now;
      // It goes on from there, and a second crash finds it as it was.
      ASSERT_TRUE(create_mailbox(**a, "Next"));
      ASSERT_TRUE((*a)->sync());
      std::string after = describe(**a);
      a->reset();
      std::unique_ptr<FaultEnv> third = boot->image(Survives::synced);
      Result<std::unique_ptr<Account>> again = Account::open(*third, directory, later());
      ASSERT_TRUE(again) << again.error().describe();
      ASSERT_TRUE((*again)->open_report().damage.empty());
      ASSERT_EQ(describe(**again), after);
      if (seed == 0) {
        Result<CheckReport> report = check_store(*third, directory);
        ASSERT_TRUE(report);
        ASSERT_TRUE(report->clean()) << report->problems[0].what << " " << report->problems[0].where;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Crashes, CrashAtEveryIo,
    testing::Values(CrashCase{"unsynced_is_lost", Survives::synced, 1, Work::everything, 2},
                    CrashCase{"only_the_process_died", Survives::all, 1, Work::everything, finalised},
                    CrashCase{"unsynced_in_any_order", Survives::some, 4, Work::everything, 2},
                    CrashCase{"unsynced_in_any_order_format_1", Survives::some, 2, Work::everything, 1},
                    CrashCase{"unsynced_is_lost_rewriting", Survives::synced, 1, Work::rewriting, 2},
                    CrashCase{"only_the_process_died_rewriting", Survives::all, 1, Work::rewriting, 1},
                    CrashCase{"unsynced_in_any_order_rewriting", Survives::some, 4, Work::rewriting, 2},
                    CrashCase{"any_order_rewriting_format_1", Survives::some, 2, Work::rewriting, 1},
                    CrashCase{"unsynced_is_lost_making_letters", Survives::synced, 1, Work::converting, 2},
                    CrashCase{"any_order_making_letters", Survives::some, 2, Work::converting, 2}),
    [](const auto& i) { return i.param.name; });

TEST(NothingBeforeDurable, durable_never_says_more_than_a_crash_would_keep) {
  FaultEnv env;
  Account* live = nullptr;
  uint64_t looks = 0;
  env.on_operation([&] {
    if (live == nullptr) return;
    // The machine stops now, before this operation has taken effect.
    Lsn durable = live->durable();
    std::unique_ptr<FaultEnv> boot = env.image(Survives::synced);
    OpenOptions o = later();
    o.create = true;
    Result<std::unique_ptr<Account>> a = Account::open(*boot, directory, o);
    ASSERT_TRUE(a) << a.error().describe();
    ASSERT_GE((*a)->appended(), durable);
    ++looks;
  });
  Result<std::unique_ptr<Account>> a = Account::open(env, directory, with(2));
  ASSERT_TRUE(a);
  live = a->get();
  for (const Step& s : scenario()) {
    Lsn before = live->durable();
    ASSERT_TRUE(s.run(*live)) << s.name;
    if (s.name != "sync" && s.name != "checkpoint" && s.name != "close" && s.name != "rewrite") {
      // A second observer, beside the log: no commit makes anything durable by itself.
      EXPECT_EQ(live->durable(), before) << s.name;
    }
  }
  live = nullptr;
  EXPECT_GT(looks, 50u);
}

TEST(NothingBeforeDurable, failed_sync_ends_it_until_it_is_opened_again) {
  FaultEnv env;
  Result<std::unique_ptr<Account>> a = Account::open(env, directory, with(2));
  ASSERT_TRUE(a);
  ASSERT_TRUE(create_mailbox(**a, "INBOX"));
  env.fail(env.operations() + 1);
  ASSERT_FALSE((*a)->sync());
  EXPECT_TRUE((*a)->failed());
  EXPECT_EQ((*a)->durable(), Lsn(0));
  EXPECT_FALSE((*a)->sync());
  EXPECT_FALSE(create_mailbox(**a, "Other"));
  a->reset();
  Result<std::unique_ptr<Account>> again = Account::open(env, directory, later());
  ASSERT_TRUE(again);
  // Opening wrote the frame once more and synced it.
  EXPECT_EQ((*again)->durable(), Lsn(1));
  EXPECT_TRUE((*again)->tree()->find("inbox"));
}

}  // namespace
}  // namespace storage
