#include "storage/account.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace storage {
namespace {

class AccountTest : public testing::Test {
 protected:
  AccountTest() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    directory_ = std::filesystem::path(testing::TempDir()) / (std::string("account_") + info->name());
    std::filesystem::remove_all(directory_);
  }
  ~AccountTest() override {
    account_.reset();
    std::filesystem::remove_all(directory_);
  }

  void open(OpenOptions options = {.create = true}) {
    account_.reset();
    Result<std::unique_ptr<Account>> a = Account::open(env_, directory_, options);
    ASSERT_TRUE(a) << a.error().describe();
    account_ = std::move(*a);
  }
  MailboxKey make(const std::string& name, ModSeqMode mode = ModSeqMode::own) {
    Batch b = account_->begin();
    MailboxInfo info;
    info.name = name;
    info.mode = mode;
    info.uid_validity = UidValidity(77);
    Result<MailboxKey> key = b.create_mailbox(info);
    EXPECT_TRUE(key);
    EXPECT_TRUE(account_->commit(std::move(b)));
    return *key;
  }
  PreparedBody body(std::string_view text) {
    BodyWriter w = account_->new_body();
    EXPECT_TRUE(w.write(wire::base::as_bytes(text)));
    Result<PreparedBody> p = w.finish();
    EXPECT_TRUE(p);
    return std::move(*p);
  }
  Uid add(MailboxKey key, std::string_view text, Flags flags = {}) {
    Batch b = account_->begin();
    NewMessage m;
    m.info.size = text.size();
    m.info.date = {1700000000, 60};
    m.flags = flags;
    m.info.body = *b.add_body(body(text));
    Result<MessageIds> ids = b.add_message(key, m);
    EXPECT_TRUE(ids);
    EXPECT_TRUE(account_->commit(std::move(b)));
    return ids->uid;
  }

  PosixEnv env_;
  std::filesystem::path directory_;
  std::unique_ptr<Account> account_;
};

TEST_F(AccountTest, is_not_found_unless_it_may_be_made) {
  Result<std::unique_ptr<Account>> a = Account::open(env_, directory_, {});
  ASSERT_FALSE(a);
  EXPECT_EQ(a.error().code, Errc::not_found);
}

TEST_F(AccountTest, keeps_messages_flags_and_bodies_over_a_reopening) {
  open();
  MailboxKey inbox = make("INBOX");
  Flags flags;
  flags.system = wire::base::seen;
  flags.add("$Label1");
  EXPECT_EQ(add(inbox, "first\r\n", flags), Uid(1));
  EXPECT_EQ(add(inbox, "second\r\n"), Uid(2));
  EXPECT_EQ(account_->durable(), Lsn(0));
  ASSERT_TRUE(account_->sync());
  EXPECT_EQ(account_->durable(), account_->appended());
  for (int round = 0; round < 2; ++round) {
    open({});
    EXPECT_TRUE(account_->open_report().damage.empty());
    MailboxSnapshotPtr s = account_->snapshot(inbox);
    ASSERT_TRUE(s);
    ASSERT_EQ(s->size(), 2u);
    EXPECT_EQ(s->flags(0), flags);
    EXPECT_EQ(s->info().uid_validity, UidValidity(77));
    EXPECT_EQ(s->info().uid_next, Uid(3));
    EXPECT_EQ(s->message(0).date, (InternalDate{1700000000, 60}));
    Result<BodyReader> r = account_->open_body(*s->message(1).body);
    ASSERT_TRUE(r);
    EXPECT_EQ(*r->read_all(100), "second\r\n");
    ASSERT_TRUE(account_->close());
  }
}

}  // namespace
}  // namespace storage
