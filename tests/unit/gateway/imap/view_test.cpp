#include "gateway/imap/view.h"

#include <gtest/gtest.h>

#include "tests/unit/gateway/imap/snapshots.h"

namespace gateway::imap {
namespace {

using tests::Box;
constexpr Uid nobody(UINT32_MAX);
constexpr Wording plain{};
constexpr Wording no_expunge{.may_expunge = false};
constexpr Wording qresync{.may_expunge = true, .vanished = true, .modseq = true};

std::string number(uint64_t n) { return std::to_string(n); }

struct Step {
  std::string out;
  bool done;
};

Step advance(View& view, const Box& box, const Wording& how, Uid claimed = nobody) {
  Step step;
  step.done = view.advance(
      box.now(), how, true, [claimed] { return claimed; }, step.out);
  return step;
}

TEST(ViewTest, says_nothing_when_nothing_changed) {
  Box box(3);
  View view(box.now(), nobody);
  const Step step = advance(view, box, plain);
  EXPECT_TRUE(step.done);
  EXPECT_EQ(step.out, "");
}

TEST(ViewTest, rests_on_another_of_the_same_and_on_nothing_else) {
  Box box(3);
  View view(box.now(), nobody);
  std::weak_ptr<const storage::MailboxSnapshot> first = view.shown();
  box.checkpoint();
  const MailboxSnapshotPtr same = box.now();
  ASSERT_NE(same, view.shown());
  view.rest_on(same);
  EXPECT_EQ(view.shown(), same);
  EXPECT_TRUE(first.expired());
  box.add_flags(2, wire::base::seen);
  view.rest_on(box.now());
  EXPECT_EQ(view.shown(), same);
  EXPECT_EQ(advance(view, box, plain).out, "* 2 FETCH (FLAGS (\\Seen))\r\n");
}

TEST(ViewTest, expunges_from_the_end_so_that_numbers_hold) {
  Box box(5);
  View view(box.now(), nobody);
  box.expunge(2);
  box.expunge(4);
  EXPECT_EQ(advance(view, box, plain).out, "* 4 EXPUNGE\r\n* 2 EXPUNGE\r\n");
  EXPECT_EQ(view.exists(), 3u);
}

TEST(ViewTest, says_vanished_with_uids_to_a_qresync_client) {
  Box box(5);
  View view(box.now(), nobody);
  box.expunge(2);
  box.expunge(3);
  box.expunge(5);
  EXPECT_EQ(advance(view, box, qresync).out, "* VANISHED 2:3,5\r\n");
}

TEST(ViewTest, waits_whole_while_an_expunge_may_not_be_said) {
  Box box(3);
  View view(box.now(), nobody);
  box.expunge(1);
  box.add();
  box.add_flags(3, wire::base::seen);
  const Step waits = advance(view, box, no_expunge);
  EXPECT_FALSE(waits.done);
  EXPECT_EQ(waits.out, "");
  EXPECT_EQ(view.exists(), 3u);
  EXPECT_EQ(advance(view, box, plain).out, "* 1 EXPUNGE\r\n* 3 EXISTS\r\n* 0 RECENT\r\n* 2 FETCH (FLAGS (\\Seen))\r\n");
}

TEST(ViewTest, flags_and_new_mail_need_not_wait) {
  Box box(1);
  View view(box.now(), nobody);
  box.add();
  box.add_flags(1, wire::base::flagged);
  EXPECT_EQ(advance(view, box, no_expunge).out, "* 2 EXISTS\r\n* 0 RECENT\r\n* 1 FETCH (FLAGS (\\Flagged))\r\n");
}

TEST(ViewTest, a_message_that_came_and_went_unseen_is_never_mentioned) {
  Box box(1);
  View view(box.now(), nobody);
  box.add();
  box.expunge(2);
  EXPECT_EQ(advance(view, box, plain).out, "");
  box.add();
  EXPECT_EQ(advance(view, box, plain).out, "* 2 EXISTS\r\n* 0 RECENT\r\n");
  EXPECT_EQ(view.shown()->uid(1), Uid(3));
}

TEST(ViewTest, a_condstore_client_hears_uid_and_modseq) {
  Box box(2);
  View view(box.now(), nobody);
  box.add_flags(2, wire::base::answered);
  EXPECT_EQ(advance(view, box, qresync).out,
            "* 2 FETCH (UID 2 MODSEQ (" + number(box.now()->modseq(1).value) + ") FLAGS (\\Answered))\r\n");
}

TEST(ViewTest, what_was_told_is_not_told_again) {
  Box box(2);
  View view(box.now(), nobody);
  box.add_flags(1, wire::base::seen);
  std::string out;
  view.tell_flags(0, box.now(), plain, false, out);
  EXPECT_EQ(out, "* 1 FETCH (FLAGS (\\Seen))\r\n");
  EXPECT_EQ(advance(view, box, plain).out, "");
}

TEST(ViewTest, what_was_told_is_told_again_when_it_changed_since) {
  Box box(2);
  View view(box.now(), nobody);
  box.add_flags(1, wire::base::seen);
  std::string out;
  view.tell_flags(0, box.now(), plain, false, out);
  box.add_flags(1, wire::base::draft);
  EXPECT_EQ(advance(view, box, plain).out, "* 1 FETCH (FLAGS (\\Seen \\Draft))\r\n");
}

TEST(ViewTest, a_run_that_the_client_knows_is_not_told) {
  Box box(4);
  View view(box.now(), nobody);
  for (uint32_t uid = 1; uid <= 4; ++uid) box.add_flags(uid, wire::base::seen);
  view.knows(Uid(1), Uid(3), box.now());
  EXPECT_EQ(advance(view, box, plain).out, "* 4 FETCH (FLAGS (\\Seen))\r\n");
}

TEST(ViewTest, of_two_tellings_the_later_counts) {
  Box box(2);
  View view(box.now(), nobody);
  std::string out;
  box.add_flags(1, wire::base::seen);
  view.tell_flags(0, box.now(), plain, false, out);
  box.add_flags(2, wire::base::seen);
  view.tell_flags(1, box.now(), plain, false, out);
  box.add_flags(1, wire::base::flagged);
  out.clear();
  view.tell_flags(0, box.now(), plain, false, out);
  EXPECT_EQ(advance(view, box, plain).out, "") << "1 as told last, 2 as told before";
}

TEST(ViewTest, tells_the_flags_of_now_while_an_expunge_is_pending) {
  Box box(3);
  View view(box.now(), nobody);
  box.expunge(1);
  box.add_flags(3, wire::base::seen);
  std::string out;
  view.tell_flags(2, box.now(), no_expunge, true, out);
  EXPECT_EQ(out, "* 3 FETCH (UID 3 FLAGS (\\Seen))\r\n");
  EXPECT_FALSE(advance(view, box, no_expunge).done);
  EXPECT_EQ(advance(view, box, plain).out, "* 1 EXPUNGE\r\n");
}

TEST(ViewTest, a_message_that_is_expunged_keeps_what_was_shown) {
  Box box(2);
  View view(box.now(), nobody);
  box.add_flags(2, wire::base::seen);
  box.expunge(2);
  const View::Now now = view.now(1, box.now());
  EXPECT_TRUE(now.expunged);
  EXPECT_EQ(now.in->uid(now.index), Uid(2));
  EXPECT_EQ(now.in->system_flags(now.index), 0);
  std::string out;
  view.tell_flags(1, box.now(), plain, false, out);
  EXPECT_EQ(out, "");
}

TEST(ViewTest, recent_is_what_the_select_claimed_and_what_came_later) {
  Box box(3);
  View view(box.now(), Uid(2));
  EXPECT_EQ(view.recent_count(), 2u);
  EXPECT_EQ(view.flag_text(*view.shown(), 0), "");
  EXPECT_EQ(view.flag_text(*view.shown(), 1), "\\Recent");
  box.add();
  EXPECT_EQ(advance(view, box, plain, Uid(4)).out, "* 4 EXISTS\r\n* 3 RECENT\r\n");
  // Claimed by another session: not recent here.
  box.add();
  EXPECT_EQ(advance(view, box, plain, Uid(6)).out, "* 5 EXISTS\r\n* 3 RECENT\r\n");
  box.expunge(2);
  EXPECT_EQ(advance(view, box, plain).out, "* 2 EXPUNGE\r\n");
  EXPECT_EQ(view.recent_count(), 2u);
}

TEST(ViewTest, recent_is_asked_for_only_when_there_is_new_mail) {
  Box box(1);
  View view(box.now(), nobody);
  box.add_flags(1, wire::base::seen);
  int asked = 0;
  std::string out;
  view.advance(
      box.now(), plain, true, [&asked] { return ++asked, nobody; }, out);
  EXPECT_EQ(asked, 0);
}

TEST(ViewTest, a_new_keyword_is_announced_before_it_is_used) {
  Box box(1);
  View view(box.now(), nobody);
  box.add_flags(1, 0, {"$Label"});
  EXPECT_EQ(advance(view, box, plain).out,
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Label)\r\n"
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Label \\*)] Flags permitted\r\n"
            "* 1 FETCH (FLAGS ($Label))\r\n");
  box.add_flags(1, wire::base::seen);
  EXPECT_EQ(advance(view, box, plain).out, "* 1 FETCH (FLAGS (\\Seen $Label))\r\n");
}

TEST(ViewTest, many_keywords_are_all_said) {
  Box box(1);
  std::vector<std::string> keywords;
  for (int i = 0; i < 80; ++i) keywords.push_back("k" + number(static_cast<uint64_t>(i)));
  box.add_flags(1, 0, keywords);
  View view(box.now(), nobody);
  const std::string text = view.flag_text(*view.shown(), 0);
  for (const auto& keyword : keywords) EXPECT_NE((" " + text + " ").find(" " + keyword + " "), text.npos) << keyword;
}

TEST(ViewTest, tells_modseq_alone_for_a_silent_store) {
  Box box(1);
  View view(box.now(), nobody);
  box.add_flags(1, wire::base::seen);
  std::string out;
  view.tell_modseq(0, box.now(), true, out);
  EXPECT_EQ(out, "* 1 FETCH (UID 1 MODSEQ (" + number(box.now()->modseq(0).value) + "))\r\n");
  EXPECT_EQ(advance(view, box, qresync).out, "");
}

// Whatever happens to the mailbox, a client that follows what it is told knows the truth.
TEST(ViewTest, a_client_that_follows_knows_the_truth) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    uint32_t random = seed;
    const auto next = [&random](uint32_t below) {
      random = random * 1664525u + 1013904223u;
      return (random >> 8) % below;
    };
    Box box(8);
    View view(box.now(), nobody);
    uint32_t client_exists = view.exists();
    for (int round = 0; round < 15; ++round) {
      for (uint32_t changes = next(4); changes > 0; --changes) {
        const auto now = box.now();
        const uint32_t kind = next(3);
        if (kind == 0) box.add();
        if (now->size() == 0) continue;
        const uint32_t uid = now->uid(next(now->size())).value;
        if (kind == 1) box.expunge(uid);
        if (kind == 2) box.add_flags(uid, static_cast<uint8_t>(1u << next(5)));
      }
      std::string out;
      const bool done = view.advance(
          box.now(), next(2) ? plain : no_expunge, true, [] { return nobody; }, out);
      for (size_t at = out.find(" EXPUNGE\r\n"); at != out.npos; at = out.find(" EXPUNGE\r\n", at + 1)) --client_exists;
      if (const size_t at = out.find(" EXISTS\r\n"); at != out.npos) {
        const size_t from = out.rfind("* ", at) + 2;
        client_exists = static_cast<uint32_t>(std::stoul(out.substr(from, at - from)));
      }
      EXPECT_EQ(client_exists, view.exists()) << "seed " << seed;
      if (done) {
        EXPECT_EQ(view.shown(), box.now());
      }
    }
  }
}

}  // namespace
}  // namespace gateway::imap
