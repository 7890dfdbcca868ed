#include "gateway/migrate/archive_record.h"

#include <gtest/gtest.h>

namespace gateway::migrate {

namespace {

using storage::Errc;

ArchivedMessage full_message() {
  ArchivedMessage m;
  m.file = "cur/1700000000.U7V9.fairlead:2,FS";
  m.unix_lines = true;
  m.uid = storage::Uid(7);
  m.modseq = storage::ModSeq(1234567890123);
  m.flags.system = wire::base::seen | wire::base::draft;
  m.flags.add("$Label1");
  m.flags.add("Odd\"\\Word");
  m.info.date = {1700000000, -570};
  m.info.size = 4096;
  storage::Sha256 name{};
  for (size_t i = 0; i < name.size(); ++i) name[i] = static_cast<uint8_t>(i * 9);
  m.info.body = name;
  m.info.save_date = storage::InternalDate{1700000100, 60};
  m.info.email_id = "M1";
  m.info.thread_id = "T1";
  m.info.uidl = "u\xff";
  m.info.pop3_order = 3;
  return m;
}

TEST(ArchivedMessage, ComesBackFromItsLine) {
  const ArchivedMessage m = full_message();
  const std::string line = to_line(m);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  auto back = message_from_line(line);
  ASSERT_TRUE(back) << back.error().note;
  EXPECT_EQ(back->file, m.file);
  EXPECT_EQ(back->unix_lines, m.unix_lines);
  EXPECT_EQ(back->uid, m.uid);
  EXPECT_EQ(back->modseq, m.modseq);
  EXPECT_EQ(back->flags, m.flags);
  EXPECT_EQ(back->info.date, m.info.date);
  EXPECT_EQ(back->info.size, m.info.size);
  EXPECT_EQ(back->info.body, m.info.body);
  EXPECT_EQ(back->info.save_date, m.info.save_date);
  EXPECT_EQ(back->info.email_id, m.info.email_id);
  EXPECT_EQ(back->info.thread_id, m.info.thread_id);
  EXPECT_EQ(back->info.uidl, m.info.uidl);
  EXPECT_EQ(back->info.pop3_order, m.info.pop3_order);
}

TEST(ArchivedMessage, OfAnMboxHasItsPlaceThere) {
  ArchivedMessage m = full_message();
  m.file.clear();
  m.offset = 5'000'000'000;
  m.length = 77;
  m.added = 12;
  auto back = message_from_line(to_line(m));
  ASSERT_TRUE(back) << back.error().note;
  EXPECT_EQ(back->offset, m.offset);
  EXPECT_EQ(back->length, m.length);
  EXPECT_EQ(back->added, m.added);
}

TEST(ArchivedMessage, WhatIsNoneIsRefused) {
  for (const char* line : {"", "{", "[]", "{}", R"({"uid":0})", R"({"uid":-1})", R"({"uid":"7"})",
                           R"({"uid":99999999999})", R"({"uid":7,"sha256":"abc"})", R"({"uid":7,"flags":"\\Seen"})",
                           R"({"uid":7,"internaldate":"yesterday"})", R"({"uid":7,"file":{"hex":"0"}})"}) {
    auto back = message_from_line(line);
    ASSERT_FALSE(back) << line;
    EXPECT_EQ(back.error().code, Errc::malformed);
  }
}

TEST(Manifest, ComesBackFromItsText) {
  Manifest m;
  m.format = ArchiveFormat::mbox;
  m.user = "anna";
  m.prefix = "INBOX.";
  m.subscriptions = {"INBOX.Sent", "gone"};
  Manifest::Place place;
  place.path = "Sent.mbox";
  place.mailbox.info.name = "INBOX.\xe9t\xe9";
  place.mailbox.info.separator = '.';
  place.mailbox.info.attributes = storage::no_inferiors;
  place.mailbox.info.special_use = {"\\Sent"};
  place.mailbox.info.uid_validity = storage::UidValidity(9);
  place.mailbox.info.uid_next = storage::Uid(12);
  place.mailbox.info.highest_modseq = storage::ModSeq(99);
  place.mailbox.info.mailbox_id = "Fabc";
  place.mailbox.messages = 4;
  m.mailboxes.push_back(place);
  auto back = manifest_from_text(to_text(m));
  ASSERT_TRUE(back) << back.error().note;
  EXPECT_EQ(back->format, m.format);
  EXPECT_EQ(back->user, m.user);
  EXPECT_EQ(back->prefix, m.prefix);
  EXPECT_EQ(back->subscriptions, m.subscriptions);
  ASSERT_EQ(back->mailboxes.size(), 1u);
  EXPECT_EQ(back->mailboxes[0].path, place.path);
  EXPECT_EQ(back->mailboxes[0].mailbox.info, place.mailbox.info);
  EXPECT_EQ(back->mailboxes[0].mailbox.messages, 4u);
}

TEST(Manifest, OfAnotherVersionIsRefused) {
  auto back = manifest_from_text(R"({"version":2,"format":"maildir","mailboxes":[]})");
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, Errc::unsupported);
}

}  // namespace

}  // namespace gateway::migrate
