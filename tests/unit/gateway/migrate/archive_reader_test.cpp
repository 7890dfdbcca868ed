// Mail from elsewhere: Maildir and mbox that no export of ours wrote.

#include "gateway/migrate/archive_reader.h"

#include <gtest/gtest.h>

#include <fstream>

#include "storage/account.h"
#include "storage/env.h"

namespace gateway::migrate {

namespace {

using storage::Errc;

class Reader : public testing::Test {
 protected:
  Reader() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    directory = std::filesystem::path(testing::TempDir()) / (std::string("archive_reader_") + info->name());
    std::filesystem::remove_all(directory);
    std::filesystem::create_directories(directory / "mail" / "cur");
    std::filesystem::create_directories(directory / "mail" / "new");
    storage::OpenOptions options;
    options.create = true;
    auto opened = storage::Account::open(env, directory / "store", options);
    EXPECT_TRUE(opened);
    if (opened) store = std::move(*opened);
  }
  ~Reader() override {
    store.reset();
    std::filesystem::remove_all(directory);
  }
  void put(const std::string& path, const std::string& bytes) {
    std::ofstream(directory / "mail" / path, std::ios::binary) << bytes;
  }
  std::vector<Incoming> read(ArchiveFormat format, const std::string& place = "") {
    ArchiveReader reader(format, directory / "mail" / place, store->new_body());
    auto head = reader.open();
    EXPECT_TRUE(head) << head.error().describe();
    std::vector<Incoming> out;
    for (;;) {
      auto page = reader.page();
      EXPECT_TRUE(page) << page.error().describe();
      if (!page || page->empty()) break;
      for (Incoming& in : *page) out.push_back(std::move(in));
    }
    notes = reader.notes();
    return out;
  }
  static std::string bytes(const Incoming& in) {
    if (!in.body) return "none: " + (in.wrong ? in.wrong->describe() : std::string());
    std::string out(in.body->size(), '\0');
    auto n = in.body->read(0, std::span(reinterpret_cast<uint8_t*>(out.data()), out.size()));
    EXPECT_TRUE(n && *n == out.size());
    return out;
  }
  std::filesystem::path directory;
  storage::PosixEnv env;
  std::unique_ptr<storage::Account> store;
  std::vector<std::string> notes;
};

TEST_F(Reader, TakesAPlainMaildirInTheOrderOfArrival) {
  put("cur/200.b.host,S=12:2,FS", "Subject: b\n\nb\n");
  put("cur/1000.c.host:2,", "Subject: c\r\n\r\nc\r\n");
  put("new/100.a.host", "Subject: a\n\na\n");
  put("cur/.hidden", "no mail");
  put("dovecot-keywords", "0 Word\n");
  const auto got = read(ArchiveFormat::maildir);
  ASSERT_EQ(got.size(), 3u);
  EXPECT_EQ(bytes(got[0]), "Subject: a\r\n\r\na\r\n");
  EXPECT_EQ(got[0].message.flags.system, 0);
  EXPECT_EQ(bytes(got[1]), "Subject: b\r\n\r\nb\r\n");
  EXPECT_EQ(got[1].message.flags.system, wire::base::seen | wire::base::flagged);
  EXPECT_EQ(bytes(got[2]), "Subject: c\r\n\r\nc\r\n");
  EXPECT_EQ(got[2].message.info.size, bytes(got[2]).size());
  EXPECT_EQ(notes.size(), 1u);
}

TEST_F(Reader, TakesAPlainMboxApart) {
  put("box",
      "From anna@example.org Thu Jan  1 00:00:05 1970\nSubject: a\nStatus: RO\nX-Status: F\n\n>From the start\n\n"
      "From bert Thu Jan  1 00:00:09 1970\nSubject: b\n\nnot blank before\nFrom here it goes on\n\n\n"
      "From c\n\n");
  const auto got = read(ArchiveFormat::mbox, "box");
  ASSERT_EQ(got.size(), 3u);
  EXPECT_EQ(bytes(got[0]), "Subject: a\r\nStatus: RO\r\nX-Status: F\r\n\r\nFrom the start\r\n");
  EXPECT_EQ(got[0].message.flags.system, wire::base::seen | wire::base::flagged);
  EXPECT_EQ(got[0].message.info.date.seconds, 5);
  EXPECT_EQ(bytes(got[1]), "Subject: b\r\n\r\nnot blank before\r\nFrom here it goes on\r\n\r\n");
  EXPECT_EQ(got[1].message.info.date.seconds, 9);
  EXPECT_EQ(bytes(got[2]), "");
}

TEST_F(Reader, AMessageLongerThanAPageOfTheFileIsWhole) {
  std::string body;
  for (int i = 0; i < 20000; ++i) body += "line " + std::to_string(i) + "\n";
  put("box",
      "From a Thu Jan  1 00:00:05 1970\nSubject: a\n\n" + body + "\nFrom b Thu Jan  1 00:00:06 1970\nS: b\n\nx\n\n");
  const auto got = read(ArchiveFormat::mbox, "box");
  ASSERT_EQ(got.size(), 2u);
  std::string want = "Subject: a\r\n\r\n";
  for (int i = 0; i < 20000; ++i) want += "line " + std::to_string(i) + "\r\n";
  EXPECT_TRUE(bytes(got[0]) == want);
  EXPECT_EQ(bytes(got[1]), "S: b\r\n\r\nx\r\n");
}

TEST_F(Reader, WhatIsNoMboxIsAnError) {
  put("box", "Subject: a\n\nb\n");
  ArchiveReader reader(ArchiveFormat::mbox, directory / "mail" / "box", store->new_body());
  ASSERT_TRUE(reader.open());
  auto page = reader.page();
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code, Errc::malformed);
}

TEST_F(Reader, ASymbolicLinkLeadsNowhere) {
  std::ofstream(directory / "secret") << "only for the owner of the process\n";
  std::filesystem::create_symlink(directory / "secret", directory / "mail" / "cur" / "1.a:2,");
  const auto got = read(ArchiveFormat::maildir);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_TRUE(got[0].wrong);
  std::filesystem::remove_all(directory / "mail" / "new");
  std::filesystem::create_directory_symlink(directory, directory / "mail" / "new");
  ArchiveReader reader(ArchiveFormat::maildir, directory / "mail", store->new_body());
  auto head = reader.open();
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, Errc::refused);
}

class WithSideFile : public Reader {
 protected:
  ArchivedMessage record(uint32_t uid, const std::string& content, const std::string& file) {
    ArchivedMessage m;
    m.uid = storage::Uid(uid);
    m.modseq = storage::ModSeq(uid + 100);
    m.file = file;
    m.unix_lines = true;
    storage::BodyWriter writer = store->new_body();
    EXPECT_TRUE(writer.write(wire::base::as_bytes(content)));
    auto body = writer.finish();
    EXPECT_TRUE(body);
    m.info.body = body->name();
    m.info.size = content.size();
    return m;
  }
  void side(const std::vector<ArchivedMessage>& messages) {
    ArchivedMailbox head;
    head.info.name = "INBOX";
    head.info.uid_validity = storage::UidValidity(7);
    head.info.uid_next = storage::Uid(50);
    std::string text = to_line(head);
    for (const auto& m : messages) text += to_line(m);
    put(side_file_name, text);
  }
};

TEST_F(WithSideFile, IdentitiesComeBackAndChangedFlagsCount) {
  put("cur/1.U5:2,S", "a\n");
  put("cur/1.U6:2,FT", "b\n");
  put("cur/9.new:2,S", "c\n");
  side({record(5, "a\r\n", "cur/1.U5:2,S"), record(6, "b\r\n", "cur/1.U6:2,")});
  const auto got = read(ArchiveFormat::maildir);
  ASSERT_EQ(got.size(), 3u);
  EXPECT_EQ(got[0].message.uid, storage::Uid(5));
  EXPECT_EQ(got[0].message.modseq, storage::ModSeq(105));
  EXPECT_EQ(bytes(got[0]), "a\r\n");
  EXPECT_EQ(got[1].message.uid, storage::Uid(6));
  EXPECT_EQ(got[1].message.flags.system, wire::base::flagged | wire::base::deleted);
  EXPECT_EQ(got[2].message.uid, storage::Uid());
  EXPECT_EQ(bytes(got[2]), "c\r\n");
}

TEST_F(WithSideFile, OtherBytesThanWereExportedAreRefused) {
  put("cur/1.U5:2,S", "changed\n");
  side({record(5, "a\r\n", "cur/1.U5:2,S"), record(6, "b\r\n", "cur/gone:2,")});
  const auto got = read(ArchiveFormat::maildir);
  ASSERT_EQ(got.size(), 2u);
  ASSERT_TRUE(got[0].wrong);
  EXPECT_EQ(got[0].wrong->code, Errc::conflict);
  ASSERT_TRUE(got[1].wrong);
  EXPECT_EQ(got[1].wrong->code, Errc::not_found);
}

TEST_F(WithSideFile, ARecordReachesNoFileOutside) {
  put("secret", "a\n");
  side({record(5, "a\r\n", "cur/../secret"), record(6, "a\r\n", "../mail/secret"), record(7, "a\r\n", "/etc/passwd")});
  for (const Incoming& in : read(ArchiveFormat::maildir)) EXPECT_TRUE(in.wrong) << bytes(in);
}

}  // namespace

}  // namespace gateway::migrate
