#include "storage/letter.h"

#include <gtest/gtest.h>

#include <random>

#include "storage/account.h"
#include "storage/check.h"
#include "storage/crc32c.h"
#include "storage/log_scan.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

const std::string log_path = "/disk/user/log/0000000000000001-open-0000.log";

record::Message message() {
  record::Message m{MailboxKey(7), Uid(42), ModSeq(1234567890123), {}, {}};
  m.flags.system = wire::base::seen | wire::base::draft;
  m.flags.keywords = {"$Forwarded", "NonJunk"};
  m.info.size = 5000;
  m.info.date = {-1, -720};
  m.info.save_date = InternalDate{1700000000, 330};
  m.info.email_id = "M1";
  m.info.uidl = "0000000042";
  m.info.pop3_order = 3;
  m.info.source_uid = Uid(41);
  return m;
}

std::vector<uint8_t> payload_of(Letter l, std::string_view block) {
  Buffer b;
  l.encode(b);
  b.put_bytes(wire::base::as_bytes(block));
  return {b.data(), b.data() + b.size()};
}

FrameHeader header() {
  FrameHeader h;
  h.kind = FrameKind::body;
  h.version = letter_version;
  return h;
}

Letter with_message(Buffer& record) {
  record.put_varint(7);
  record::encode_compact(record, message(), Uid(0), false);
  Letter l;
  l.name = Sha256{1, 2, 3};
  l.size = 5;
  l.raw = true;
  l.part = Letter::Part::message;
  l.record = record.bytes();
  return l;
}

TEST(Letter, gives_back_the_message_that_came_with_it) {
  Buffer record;
  std::vector<uint8_t> payload = payload_of(with_message(record), "hello");
  Result<BodyFrame> f = read_body_frame(header(), payload);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->size, 5u);
  ASSERT_TRUE(f->part);
  const auto& m = std::get<record::Message>(*f->part);
  EXPECT_EQ(m.mailbox, MailboxKey(7));
  EXPECT_EQ(m.uid, Uid(42));
  EXPECT_EQ(m.modseq, message().modseq);
  EXPECT_TRUE(m.flags == message().flags);
  EXPECT_EQ(m.info.body, (Sha256{1, 2, 3}));
  EXPECT_EQ(m.info.date, message().info.date);
  EXPECT_EQ(m.info.save_date, message().info.save_date);
  EXPECT_EQ(m.info.uidl, "0000000042");
  EXPECT_EQ(m.info.pop3_order, 3u);
  EXPECT_EQ(m.info.source_uid, Uid(41));
}

TEST(Letter, gives_back_the_link) {
  for (std::optional<uint64_t> size : {std::optional<uint64_t>(), std::optional<uint64_t>(77)}) {
    Buffer record;
    record::encode_compact(record, record::BodyLink{MailboxKey(3), Uid(4294967294u), {}, size});
    Letter l;
    l.name = Sha256{9};
    l.size = 10;
    l.dictionary = 3;
    l.part = Letter::Part::link;
    l.record = record.bytes();
    Result<BodyFrame> f = read_body_frame(header(), payload_of(l, "stored"));
    ASSERT_TRUE(f);
    EXPECT_EQ(f->dictionary, 3u);
    const auto& link = std::get<record::BodyLink>(*f->part);
    EXPECT_EQ(link.uid, Uid(4294967294u));
    EXPECT_EQ(link.body, Sha256{9});
    EXPECT_EQ(link.size, size);
  }
}

TEST(Letter, every_truncation_and_every_flip_of_its_head_is_an_error) {
  Buffer record;
  std::vector<uint8_t> payload = payload_of(with_message(record), "");
  for (size_t n = 0; n < payload.size(); ++n) {
    std::vector<uint8_t> part(payload.begin(), payload.begin() + static_cast<ptrdiff_t>(n));  // exact block for ASan
    EXPECT_FALSE(Letter::decode(part)) << n;
    std::vector<uint8_t> flipped = payload;
    flipped[n] ^= static_cast<uint8_t>(1u << n % 8);
    EXPECT_FALSE(Letter::decode(flipped)) << n;
  }
}

// Heads and records of any content, their checksums right: bounded memory, no read outside, an error or a value.
TEST(Letter, hostile_heads_and_records_end_in_an_error_or_a_value) {
  std::mt19937 random(11);
  uint32_t values = 0;
  for (int round = 0; round < 20000; ++round) {
    Buffer record;
    std::vector<uint8_t> payload = payload_of(with_message(record), "");
    payload.resize(payload.size() - 4);
    for (uint32_t n = random() % 4 + 1; n > 0; --n) payload[random() % payload.size()] = static_cast<uint8_t>(random());
    payload.resize(payload.size() - random() % 8);
    uint32_t crc = crc32c(payload);
    for (int i = 0; i < 4; ++i) payload.push_back(static_cast<uint8_t>(crc >> 8 * i));
    payload.shrink_to_fit();
    Result<BodyFrame> f = read_body_frame(header(), payload);
    if (f) {
      ++values;
    } else {
      EXPECT_TRUE(f.error().code == Errc::corrupt || f.error().code == Errc::unsupported);
    }
    // As a block for zstd, too.
    Letter l;
    l.size = random() % 4000;
    std::vector<uint8_t> whole = payload_of(l, std::string(payload.begin(), payload.end()));
    Result<Letter> head = Letter::decode(whole);
    ASSERT_TRUE(head);
    std::vector<uint8_t> out(head->size);
    Result<void> r = decompress_letter(*head, whole, nullptr, out);
    if (!r) {
      EXPECT_EQ(r.error().code, Errc::corrupt);
    }
  }
  EXPECT_GT(values, 100u);
}

TEST(Letter, run_of_messages_in_one_frame_is_read_back_and_truncations_are_errors) {
  Buffer payload;
  payload.put_varint(7);
  Uid after;
  for (uint32_t i = 0; i < 5; ++i) {
    record::Message m = message();
    m.uid = Uid(10 * i + 1);
    if (i % 2 == 0) m.info.body = Sha256{static_cast<uint8_t>(i + 1)};
    Buffer one;
    record::encode_compact(one, m, after, true);
    payload.put_text(wire::base::as_text(one.bytes()));
    after = m.uid;
  }
  FrameHeader h;
  h.kind = FrameKind::messages;
  Result<std::vector<record::Op>> ops = record::decode_all(h, payload.bytes());
  ASSERT_TRUE(ops);
  ASSERT_EQ(ops->size(), 5u);
  EXPECT_EQ(std::get<record::Message>((*ops)[4]).uid, Uid(41));
  EXPECT_EQ(std::get<record::Message>((*ops)[4]).info.body, Sha256{5});
  EXPECT_FALSE(std::get<record::Message>((*ops)[3]).info.body);
  size_t whole = 0;
  for (size_t n = 1; n < payload.size(); ++n) {
    std::vector<uint8_t> part(payload.data(), payload.data() + n);
    Result<std::vector<record::Op>> r = record::decode_all(h, part);
    if (r) whole = std::max(whole, r->size());
  }
  EXPECT_EQ(whole, 4u);
}

class LetterStore : public testing::Test {
 protected:
  LetterStore() { open(); }
  void open() { account_ = *Account::open(env_, "/disk/user", {.create = true}); }
  std::vector<FrameHeader> frames() {
    std::vector<FrameHeader> all;
    LogScan scan(env_, "/disk/user/log", *list_segments(env_, "/disk/user/log"), false);
    LogScan::OnBatch note = [&](std::span<const LogFrame> batch) -> Result<void> {
      for (const LogFrame& f : batch) all.push_back(f.header);
      return {};
    };
    EXPECT_TRUE(scan.run({}, Lsn(1), Lsn(0), note));
    return all;
  }
  NewMessage listed(std::optional<Sha256> body, uint64_t size) {
    NewMessage m;
    m.info.size = size;
    m.info.body = body;
    return m;
  }
  FaultEnv env_;
  std::unique_ptr<Account> account_;
};

TEST_F(LetterStore, message_and_body_of_one_batch_are_one_frame) {
  MailboxKey key = *create_mailbox(*account_, "INBOX");
  Batch b = account_->begin();
  for (const char* text : {"one", "two", "two"}) {
    Sha256 name = *b.add_body(*prepare(*account_, text));
    ASSERT_TRUE(b.add_message(key, listed(name, 3)));
  }
  EXPECT_FALSE(b.empty());
  ASSERT_TRUE(account_->commit(std::move(b)));
  std::vector<FrameHeader> f = frames();
  ASSERT_EQ(f.size(), 4u);  // the mailbox, two letters, the third message alone
  EXPECT_EQ(f[1].kind, FrameKind::body);
  EXPECT_EQ(f[2].kind, FrameKind::body);
  EXPECT_EQ(f[3].kind, FrameKind::messages);
  std::string now = describe(*account_);
  account_.reset();
  open();
  EXPECT_EQ(describe(*account_), now);
  EXPECT_EQ(account_->snapshot(key)->size(), 3u);
  EXPECT_TRUE(check_store(env_, "/disk/user")->clean());
}

TEST_F(LetterStore, listed_messages_share_frames_and_take_their_bodies_later) {
  MailboxKey key = *create_mailbox(*account_, "INBOX");
  Batch b = account_->begin();
  for (uint32_t i = 0; i < 40; ++i) ASSERT_TRUE(b.add_message(key, listed({}, 3)));
  ASSERT_TRUE(account_->commit(std::move(b)));
  EXPECT_EQ(frames().size(), 4u);
  b = account_->begin();
  for (uint32_t i = 1; i <= 40; ++i) {
    std::string text = "text " + std::to_string(i);
    Sha256 name = *b.add_body(*prepare(*account_, text));
    ASSERT_TRUE(b.attach_body(key, Uid(i), name, text.size()));
  }
  ASSERT_TRUE(account_->commit(std::move(b)));
  EXPECT_EQ(frames().size(), 44u);
  std::string now = describe(*account_);
  EXPECT_NE(now.find("40 m"), std::string::npos);
  account_.reset();
  open();
  EXPECT_EQ(describe(*account_), now);
  ASSERT_TRUE(account_->close());
  account_.reset();
  open();
  EXPECT_TRUE(account_->open_report().used_snapshot);
  EXPECT_EQ(describe(*account_), now);
}

TEST_F(LetterStore, body_that_waits_is_written_whatever_comes_next) {
  MailboxKey key = *create_mailbox(*account_, "INBOX");
  Batch b = account_->begin();
  Sha256 one = *b.add_body(*prepare(*account_, "one"));
  b.subscribe("INBOX", true);
  Sha256 two = *b.add_body(*prepare(*account_, "two"));
  Sha256 big = *b.add_body(*prepare(*account_, noise(body_block_size + 1, 3)));
  Sha256 last = *b.add_body(*prepare(*account_, ""));
  EXPECT_FALSE(b.add_message(MailboxKey(99), listed(last, 0)));
  ASSERT_TRUE(account_->commit(std::move(b)));
  account_.reset();
  open();
  for (const Sha256& name : {one, two, big, last}) EXPECT_TRUE(account_->has_body(name));
  EXPECT_EQ(*account_->open_body(last)->read_all(1), "");
  (void)key;
}

TEST_F(LetterStore, damage_to_the_bytes_costs_the_content_and_not_the_identity) {
  MailboxKey key = *create_mailbox(*account_, "INBOX");
  for (uint32_t i = 0; i < 2; ++i) {
    Batch b = account_->begin();
    Sha256 name = *b.add_body(*prepare(*account_, noise(500, i)));
    ASSERT_TRUE(b.add_message(key, listed(name, 500)));
    ASSERT_TRUE(account_->commit(std::move(b)));
    ASSERT_TRUE(account_->sync());
  }
  Sha256 name = *account_->snapshot(key)->message(0).body;
  account_.reset();
  std::vector<uint8_t> bytes = env_.bytes(log_path);
  std::string first = noise(500, 0);
  auto wanted = wire::base::as_bytes(first);
  auto at = std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end());
  ASSERT_NE(at, bytes.end());
  at[400] ^= 1;
  env_.replace(log_path, bytes);
  open();
  EXPECT_EQ(account_->open_report().damage.size(), 1u);
  ASSERT_EQ(account_->snapshot(key)->size(), 2u);
  EXPECT_EQ(account_->snapshot(key)->message(0).body, name);
  EXPECT_FALSE(account_->has_body(name));
  EXPECT_FALSE(check_store(env_, "/disk/user")->clean());
  // The same bytes, come again, mend it.
  Batch b = account_->begin();
  ASSERT_EQ(*b.add_body(*prepare(*account_, first)), name);
  ASSERT_TRUE(account_->commit(std::move(b)));
  EXPECT_EQ(*account_->open_body(name)->read_all(500), first);
}

}  // namespace
}  // namespace storage
