#include "gateway/imap/resync.h"

#include <gtest/gtest.h>

#include "tests/unit/gateway/imap/snapshots.h"

namespace gateway::imap {
namespace {

using storage::ModSeq;
using storage::Uid;
using storage::UidSet;
using tests::Box;
using wire::base::SeqNo;
using wire::base::SeqSet;
using wire::imap::cmd::Qresync;

Qresync since(ModSeq modseq) {
  Qresync q;
  q.modseq = modseq;
  return q;
}

TEST(ResyncTest, tells_what_vanished_and_what_changed) {
  Box box(5);
  const ModSeq known = box.now()->info().highest_modseq;
  box.expunge(2);
  box.add_flags(4, wire::base::seen);
  const Resync r = plan_resync(*box.now(), since(known));
  EXPECT_EQ(r.vanished.to_string(), "2");
  EXPECT_EQ(r.changed, std::vector<uint32_t>{2});
}

TEST(ResyncTest, nothing_is_told_to_who_knows_all) {
  Box box(3);
  box.expunge(1);
  const Resync r = plan_resync(*box.now(), since(box.now()->info().highest_modseq));
  EXPECT_TRUE(r.vanished.empty());
  EXPECT_TRUE(r.changed.empty());
}

TEST(ResyncTest, only_known_uids_are_told_of) {
  Box box(6);
  const ModSeq known = box.now()->info().highest_modseq;
  box.expunge(2);
  box.expunge(5);
  box.add_flags(1, wire::base::seen);
  box.add_flags(6, wire::base::seen);
  Qresync q = since(known);
  q.known_uids = UidSet(Uid(1), Uid(3));
  const Resync r = plan_resync(*box.now(), q);
  EXPECT_EQ(r.vanished.to_string(), "2");
  EXPECT_EQ(r.changed, std::vector<uint32_t>{0});
}

TEST(ResyncTest, without_known_uids_all_below_uidnext_are_meant) {
  Box box(2);
  const ModSeq known = box.now()->info().highest_modseq;
  box.add();
  const Resync r = plan_resync(*box.now(), since(known));
  EXPECT_EQ(r.changed, std::vector<uint32_t>{2});
}

struct Match {
  const char* name;
  SeqSet seqs;
  UidSet uids;
  const char* vanished;
};

class MatchData : public testing::TestWithParam<Match> {};

// UIDs 1,3,5,6 are left of 1..6.
TEST_P(MatchData, narrows_what_vanished) {
  Box box(6);
  const ModSeq known = box.now()->info().highest_modseq;
  box.expunge(2);
  box.expunge(4);
  Qresync q = since(known);
  q.match_seqs = GetParam().seqs;
  q.match_uids = GetParam().uids;
  EXPECT_EQ(plan_resync(*box.now(), q).vanished.to_string(), GetParam().vanished);
}

SeqSet seqs(std::initializer_list<uint32_t> numbers) {
  SeqSet out;
  for (uint32_t n : numbers) out.add(SeqNo(n));
  return out;
}
UidSet uids(std::initializer_list<uint32_t> numbers) {
  UidSet out;
  for (uint32_t n : numbers) out.add(Uid(n));
  return out;
}

INSTANTIATE_TEST_SUITE_P(Cases, MatchData,
                         testing::Values(Match{"no_match_narrows_nothing", seqs({2}), uids({2}), "2,4"},
                                         Match{"a_match_clears_all_below", seqs({2}), uids({3}), "4"},
                                         Match{"the_last_match_counts", seqs({1, 3}), uids({1, 5}), ""},
                                         Match{"a_later_mismatch_spoils_nothing", seqs({1, 4}), uids({1, 7}), "2,4"},
                                         Match{"numbers_beyond_the_mailbox_match_nothing", seqs({9}), uids({9}), "2,4"},
                                         Match{"more_numbers_than_uids", seqs({1, 2, 3}), uids({1}), "2,4"},
                                         Match{"more_uids_than_numbers", seqs({1}), uids({1, 2, 3}), "2,4"},
                                         Match{"huge_ranges_end", SeqSet(SeqNo(1), SeqNo(UINT32_MAX)),
                                               UidSet(Uid(1), Uid(UINT32_MAX)), "2,4"}),
                         [](const auto& c) { return std::string(c.param.name); });

TEST(LostOnlyTest, is_true_of_ones_own_expunge_and_of_nothing_else) {
  Box box(4);
  const auto shown = box.now();
  box.expunge(uids({2, 3}));
  EXPECT_TRUE(lost_only(*shown, *box.now(), uids({2, 3})));
  EXPECT_FALSE(lost_only(*shown, *box.now(), uids({2}))) << "another one went too";
  EXPECT_FALSE(lost_only(*shown, *box.now(), uids({2, 3, 4}))) << "one is still there";
  const auto after = box.now();
  box.add_flags(1, wire::base::seen);
  EXPECT_FALSE(lost_only(*shown, *box.now(), uids({2, 3}))) << "flags";
  box.add();
  EXPECT_FALSE(lost_only(*shown, *box.now(), uids({2, 3}))) << "a new message";
  EXPECT_TRUE(lost_only(*after, *after, UidSet()));
}

TEST(IntersectTest, keeps_what_is_in_both) {
  UidSet a(Uid(1), Uid(10));
  a.add(Uid(20), Uid(30));
  UidSet b(Uid(5), Uid(22));
  b.add(Uid(30), Uid(40));
  EXPECT_EQ(intersect(a, b).to_string(), "5:10,20:22,30");
  EXPECT_EQ(intersect(b, a).to_string(), "5:10,20:22,30");
  EXPECT_TRUE(intersect(a, UidSet()).empty());
}

}  // namespace
}  // namespace gateway::imap
