#include "storage/record.h"

#include <gtest/gtest.h>

namespace storage {
namespace {

using namespace record;

Message message() {
  Message m{MailboxKey(7), Uid(42), ModSeq(1234567890123), {}, {}};
  m.flags.system = wire::base::seen | wire::base::draft;
  m.flags.keywords = {"$Forwarded", "NonJunk"};
  m.info.size = 5000;
  m.info.date = {-1, -720};
  m.info.body = Sha256{1, 2, 3};
  m.info.save_date = InternalDate{1700000000, 330};
  m.info.email_id = "M1";
  m.info.thread_id = "T1";
  m.info.uidl = "0000000042";
  m.info.pop3_order = 3;
  m.info.source_uid_validity = UidValidity(9);
  m.info.source_uid = Uid(41);
  return m;
}

Mailbox mailbox(MailboxAction action) {
  Mailbox m{action, MailboxKey(3), {}, {}};
  m.info.key = m.key;
  m.info.name = "INBOX.caf\xc3\xa9";
  m.info.separator = '\0';
  m.info.attributes = no_select;
  m.info.special_use = {"\\Sent", "\\Important"};
  m.info.uid_validity = UidValidity(5);
  m.info.uid_next = Uid(10);
  m.info.highest_modseq = ModSeq(77);
  m.info.mode = ModSeqMode::mirror;
  m.info.first_recent = Uid(4);
  m.info.mailbox_id = "F1";
  return m;
}

std::vector<Op> all() {
  FlagUpdate f{MailboxKey(1), ModSeq(9), {FlagsMode::remove, {}}, {}};
  f.change.flags.keywords = {"a"};
  f.uids.add(Uid(1), Uid(3));
  f.uids.add(Uid(4294967295u));
  Mailbox change{MailboxAction::change, MailboxKey(3), {}, {}};
  change.info.key = change.key;
  change.change.special_use = std::vector<std::string>{};
  change.change.mode = ModSeqMode::own;
  SyncCursor c{UidValidity(1), Uid(2), ModSeq(3), 4, Sha256{5}, true};
  return {message(),
          BodyLink{MailboxKey(1), Uid(2), Sha256{3}, 4},
          f,
          Expunge{MailboxKey(1), ModSeq(2), UidSet(Uid(5), Uid(6))},
          mailbox(MailboxAction::create),
          change,
          Subscription{"Sent", true},
          Annotation{MailboxKey(0), "namespace-prefix", "INBOX."},
          Annotation{MailboxKey(7), "/private/comment", ""},
          Cursor{MailboxKey(1), c},
          EpochRaised{Epoch(4)},
          Checkpoint{Lsn(9)}};
}

FrameHeader header(const Op& op) {
  FrameHeader h;
  h.kind = kind_of(op);
  return h;
}

std::string bytes_of(const Op& op) {
  Buffer b;
  encode(b, op);
  return std::string(wire::base::as_text(b.bytes()));
}

TEST(Record, reads_back_what_it_wrote) {
  for (const Op& op : all()) {
    std::string bytes = bytes_of(op);
    Result<Op> again = decode(header(op), wire::base::as_bytes(bytes));
    ASSERT_TRUE(again) << op.index();
    EXPECT_EQ(again->index(), op.index());
    EXPECT_EQ(bytes_of(*again), bytes);
  }
  std::string bytes = bytes_of(message());
  Result<Op> again = decode(header(message()), wire::base::as_bytes(bytes));
  const Message& m = std::get<Message>(*again);
  EXPECT_EQ(m.info.date, message().info.date);
  EXPECT_EQ(m.info.save_date, message().info.save_date);
  EXPECT_EQ(m.info.uidl, "0000000042");
  EXPECT_EQ(m.info.source_uid, Uid(41));
  EXPECT_TRUE(m.flags == message().flags);
  bytes = bytes_of(mailbox(MailboxAction::create));
  again = decode(header(mailbox(MailboxAction::create)), wire::base::as_bytes(bytes));
  EXPECT_EQ(std::get<Mailbox>(*again).info, mailbox(MailboxAction::create).info);
}

TEST(Record, every_truncation_is_an_error_or_a_shorter_value) {
  for (const Op& op : all()) {
    std::string bytes = bytes_of(op);
    for (size_t n = 0; n < bytes.size(); ++n) {
      std::vector<uint8_t> part(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(n));  // exact heap block for ASan
      Result<Op> r = decode(header(op), part);
      if (r) {
        EXPECT_NE(bytes_of(*r), bytes);
      } else {
        EXPECT_EQ(r.error().code, Errc::corrupt);
      }
    }
  }
}

TEST(Record, skips_optional_fields_of_later_versions) {
  Buffer b;
  encode(b, Op(message()));
  b.put_field(200, std::string_view("from the future"));
  Result<Op> r = decode(header(message()), b.bytes());
  ASSERT_TRUE(r);
  EXPECT_EQ(std::get<Message>(*r).info.uidl, "0000000042");
}

TEST(Record, refuses_what_it_does_not_know_unless_it_may_be_skipped) {
  FrameHeader h;
  h.kind = static_cast<FrameKind>(99);
  EXPECT_EQ(decode(h, {}).error().code, Errc::unsupported);
  h.flags = ignorable;
  EXPECT_TRUE(decode(h, {}));
  h.kind = FrameKind::message;
  h.flags = 0;
  h.version = 2;
  EXPECT_EQ(decode(h, {}).error().code, Errc::unsupported);
}

TEST(SegmentName, round_trips_and_refuses_others) {
  for (const char* text : {"0000000000000001-open-0000.log", "0000000000000001-00000000000000ff-0002.log"}) {
    std::optional<SegmentName> n = SegmentName::parse(text);
    ASSERT_TRUE(n) << text;
    EXPECT_EQ(n->text(), text);
  }
  for (const char* text :
       {"", ".log", "1-open-0000.log", "0000000000000000-open-0000.log", "0000000000000001-open-0000.tmp",
        "0000000000000002-0000000000000001-0000.log", "000000000000000A-open-0000.log"}) {
    EXPECT_FALSE(SegmentName::parse(text)) << text;
  }
}

}  // namespace
}  // namespace storage
