#include "storage/mailbox.h"

#include <gtest/gtest.h>

#include <random>

#include "storage/mailbox_state.h"

namespace storage {
namespace {

MailboxInfo own() {
  MailboxInfo i;
  i.key = MailboxKey(1);
  i.name = "A";
  return i;
}

void add(MailboxState& m, uint64_t token, uint32_t uid, uint64_t modseq = 2) {
  record::Message message;
  message.uid = Uid(uid);
  message.modseq = ModSeq(modseq);
  message.info.size = uid * 10;
  ASSERT_TRUE(m.add(token, std::move(message))) << uid;
}

void flag(MailboxState& m, uint64_t token, const UidSet& uids, uint64_t modseq) {
  record::FlagUpdate u{MailboxKey(1), ModSeq(modseq), {FlagsMode::add, {}}, uids};
  u.change.flags.system = wire::base::seen;
  m.change_flags(token, u);
}

TEST(Mailbox, hot_part_of_a_message_is_24_bytes) {
  MessageChunk c;
  EXPECT_EQ(sizeof(c.uid[0]) + sizeof(c.modseq[0]) + sizeof(c.flags[0]) + sizeof(c.cold_index[0]), 24u);
}

TEST(Mailbox, snapshot_does_not_change_with_the_mailbox) {
  MailboxState m(own());
  for (uint32_t u = 1; u <= 3000; ++u) add(m, 1, u);
  MailboxSnapshotPtr before = m.snapshot();
  MailboxState next = m;
  flag(next, 2, UidSet(Uid(1500)), 3);
  next.expunge(2, {MailboxKey(1), ModSeq(3), UidSet(Uid(2), Uid(2000))});
  add(next, 2, 5000);
  MailboxSnapshotPtr after = next.snapshot();
  EXPECT_EQ(before->size(), 3000u);
  EXPECT_EQ(before->system_flags(1499), 0);
  EXPECT_EQ(before->uids().to_string(), "1:3000");
  EXPECT_EQ(after->size(), 1002u);
  EXPECT_EQ(after->uids().to_string(), "1,2001:3000,5000");
  EXPECT_EQ(after->message(1001).size, 50000u);
}

TEST(Mailbox, finds_by_uid_and_by_number_over_chunks) {
  MailboxState m(own());
  for (uint32_t u = 2; u <= 10000; u += 2) add(m, 1, u);
  MailboxSnapshotPtr s = m.snapshot();
  ASSERT_EQ(s->size(), 5000u);
  for (uint32_t i = 0; i < 5000; i += 7) {
    EXPECT_EQ(s->uid(i), Uid(2 * i + 2));
    EXPECT_EQ(s->find(Uid(2 * i + 2)), i);
    EXPECT_EQ(s->find(Uid(2 * i + 1)), std::nullopt);
    EXPECT_EQ(s->lower_bound(Uid(2 * i + 1)), i);
    EXPECT_EQ(s->message(i).size, (2 * i + 2) * 10u);
  }
  EXPECT_EQ(s->lower_bound(Uid(20000)), 5000u);
}

TEST(Mailbox, diff_names_what_a_client_must_be_told) {
  MailboxState m(own());
  for (uint32_t u = 1; u <= 2500; ++u) add(m, 1, u * 2);
  MailboxSnapshotPtr from = m.snapshot();
  MailboxState next = m;
  next.expunge(2, {MailboxKey(1), ModSeq(3), UidSet(Uid(4))});
  flag(next, 2, UidSet(Uid(2)), 3);
  flag(next, 2, UidSet(Uid(4400)), 3);
  add(next, 2, 6000);
  add(next, 2, 6001);
  SnapshotDiff d = SnapshotDiff::between(*from, *next.snapshot());
  EXPECT_EQ(d.expunged, (std::vector<uint32_t>{1}));
  EXPECT_EQ(d.changed, (std::vector<uint32_t>{0, 2198}));
  EXPECT_EQ(d.added, 2u);
  EXPECT_TRUE(d.inserted.empty());
  EXPECT_TRUE(SnapshotDiff::between(*from, *from).empty());
  MailboxState late = m;
  add(late, 3, 1001);
  d = SnapshotDiff::between(*from, *late.snapshot());
  EXPECT_EQ(d.inserted, (std::vector<uint32_t>{500}));
  EXPECT_EQ(d.added, 0u);
}

TEST(Mailbox, diff_of_random_states_equals_a_plain_comparison) {
  std::mt19937 random(7);
  for (int round = 0; round < 30; ++round) {
    MailboxState m(own());
    for (uint32_t u = 1; u <= 3000; ++u) {
      if (random() % 3 != 0) add(m, 1, u);
    }
    MailboxSnapshotPtr from = m.snapshot();
    MailboxState next = m;
    for (int k = 0; k < 20; ++k) {
      Uid u(random() % 3000 + 1);
      if (random() % 2 == 0) {
        next.expunge(2, {MailboxKey(1), ModSeq(3), next.present(UidSet(u, Uid(u.value + random() % 50)))});
      } else {
        flag(next, 2, UidSet(u, Uid(u.value + random() % 50)), 4 + static_cast<uint64_t>(k));
      }
    }
    for (uint32_t u = 3001; u < 3001 + random() % 2000; ++u) add(next, 2, u);
    MailboxSnapshotPtr to = next.snapshot();
    SnapshotDiff d = SnapshotDiff::between(*from, *to);
    std::vector<uint32_t> expunged, changed;
    uint32_t added = 0;
    for (uint32_t i = 0; i < from->size(); ++i) {
      if (!to->find(from->uid(i))) expunged.push_back(i);
    }
    for (uint32_t i = 0; i < to->size(); ++i) {
      std::optional<uint32_t> was = from->find(to->uid(i));
      if (!was) {
        ++added;
      } else if (from->modseq(*was) != to->modseq(i) || from->flag_bits(*was) != to->flag_bits(i)) {
        changed.push_back(i);
      }
    }
    EXPECT_EQ(d.expunged, expunged);
    EXPECT_EQ(d.changed, changed);
    EXPECT_EQ(d.added, added);
  }
}

TEST(Mailbox, messages_may_be_inserted_anywhere_while_chunks_split_and_join) {
  std::vector<uint32_t> uids(5000);
  for (uint32_t i = 0; i < 5000; ++i) uids[i] = i + 1;
  std::shuffle(uids.begin(), uids.end(), std::mt19937(3));
  MailboxState m(own());
  uint64_t token = 1;
  for (uint32_t u : uids) add(m, u % 100 == 0 ? ++token : token, u);
  EXPECT_EQ(m.snapshot()->uids().to_string(), "1:5000");
  for (uint32_t i = 0; i < 5000; i += 331) EXPECT_EQ(m.snapshot()->message(i).size, (i + 1) * 10u);
  UidSet gone;
  for (uint32_t u = 1; u <= 5000; ++u) {
    if (u % 50 != 0) gone.add(Uid(u));
  }
  m.expunge(++token, {MailboxKey(1), ModSeq(3), gone});
  MailboxSnapshotPtr s = m.snapshot();
  ASSERT_EQ(s->size(), 100u);
  for (uint32_t i = 0; i < 100; ++i) EXPECT_EQ(s->message(i).size, (i + 1) * 500u);
}

TEST(Mailbox, cold_parts_outlive_many_replacements) {
  MailboxState m(own());
  for (uint32_t u = 1; u <= 20; ++u) add(m, 1, u);
  MailboxSnapshotPtr old = m.snapshot();
  for (uint32_t k = 0; k < 6000; ++k) {
    m.link(2 + k % 3, {MailboxKey(1), Uid(1 + k % 20), Sha256{static_cast<uint8_t>(k)}, k});
  }
  MailboxSnapshotPtr s = m.snapshot();
  EXPECT_EQ(s->message(19).size, 5999u);
  EXPECT_EQ(old->message(19).size, 200u);
  EXPECT_FALSE(old->message(19).body);
}

TEST(Mailbox, vanished_is_the_safe_superset_beyond_the_horizon) {
  MailboxState m(own());
  constexpr uint32_t horizon = 1000;
  for (uint32_t k = 0; k < 2 * horizon; ++k) {
    uint32_t u = 1 + 2 * k;
    add(m, 1 + k / 100, u, 2 + k);
    m.expunge(1 + k / 100, {MailboxKey(1), ModSeq(2 + k), UidSet(Uid(u))});
    m.forget_tombstones(1 + k / 100, horizon);
  }
  add(m, 1, 1000000, 1000000);
  MailboxSnapshotPtr s = m.snapshot();
  EXPECT_EQ(s->vanished_since(ModSeq(1)).to_string(), "1:999999");
  uint64_t last = 1 + 2 * horizon;
  EXPECT_EQ(s->vanished_since(ModSeq(last - 1)).to_string(), std::to_string(4 * horizon - 1));
  record::Message again;
  again.uid = Uid(1);
  EXPECT_FALSE(m.add(9, std::move(again)));  // never again, however long ago
}

}  // namespace
}  // namespace storage
