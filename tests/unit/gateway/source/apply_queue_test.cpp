#include "gateway/source/apply_queue.h"

#include <gtest/gtest.h>

#include <optional>

namespace gateway::source {
namespace {

using wire::base::MailboxKey;
using wire::base::Uid;
using wire::base::UidSet;

const MailboxKey box(1), other_box(2);

TEST(apply_queue, a_write_closed_before_the_question_does_not_matter) {
  ApplyQueue q;
  { ApplyQueue::Ticket t(q, box, UidSet(Uid(5))); }
  ApplyQueue::Observation o(q);
  EXPECT_FALSE(o.untouchable(box, Uid(5)));
}

TEST(apply_queue, a_write_open_when_asked_protects_its_messages_only) {
  ApplyQueue q;
  ApplyQueue::Ticket t(q, box, UidSet(Uid(5)));
  ApplyQueue::Observation o(q);
  EXPECT_TRUE(o.untouchable(box, Uid(5)));
  EXPECT_FALSE(o.untouchable(box, Uid(6)));
  EXPECT_FALSE(o.untouchable(other_box, Uid(5)));
}

TEST(apply_queue, a_write_sent_and_applied_while_the_question_was_under_way_protects) {
  ApplyQueue q;
  ApplyQueue::Observation o(q);
  { ApplyQueue::Ticket t(q, box, UidSet(Uid(1), Uid(9))); }
  EXPECT_TRUE(o.untouchable(box, Uid(5)));
  EXPECT_EQ(o.untouchable(box).to_string(), "1:9");
}

TEST(apply_queue, a_write_that_closes_after_the_question_still_protects) {
  ApplyQueue q;
  std::optional<ApplyQueue::Ticket> t;
  t.emplace(q, box, UidSet(Uid(5)));
  ApplyQueue::Observation o(q);
  t.reset();
  EXPECT_TRUE(o.untouchable(box, Uid(5)));
}

TEST(apply_queue, a_question_asked_behind_an_own_write_may_speak_of_it) {
  ApplyQueue q;
  ApplyQueue::Ticket mine(q, box, UidSet(Uid(5))), other(q, box, UidSet(Uid(6)));
  ApplyQueue::Observation o(q, mine);
  EXPECT_FALSE(o.untouchable(box, Uid(5)));
  EXPECT_TRUE(o.untouchable(box, Uid(6)));
}

TEST(apply_queue, forgets_what_no_question_can_ask_about) {
  ApplyQueue q;
  {
    ApplyQueue::Observation o(q);
    for (int i = 0; i < 100; ++i) ApplyQueue::Ticket t(q, box, UidSet(Uid(5)));
    EXPECT_EQ(q.remembered(), 100u);
  }
  EXPECT_EQ(q.remembered(), 0u);
  EXPECT_EQ(q.open_tickets(), 0u);
}

}  // namespace
}  // namespace gateway::source
