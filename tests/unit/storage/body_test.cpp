#include "storage/body.h"

#include <gtest/gtest.h>

#include "storage/account.h"
#include "storage/body_codec.h"
#include "storage/frame.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

class BodyTest : public testing::Test {
 protected:
  BodyTest() { account_ = *Account::open(env_, "/disk/user", {.create = true}); }
  Sha256 store(std::string_view text) {
    Result<PreparedBody> p = prepare(*account_, text);
    EXPECT_TRUE(p);
    Batch b = account_->begin();
    Result<Sha256> name = b.add_body(std::move(*p));
    EXPECT_TRUE(name);
    EXPECT_TRUE(account_->commit(std::move(b)));
    return *name;
  }
  std::string log_path() const { return "/disk/user/log/0000000000000001-open-0000.log"; }

  FaultEnv env_;
  std::unique_ptr<Account> account_;
};

// Text that shrinks and text that does not, around the edges of blocks and of the spool.
TEST_F(BodyTest, any_length_is_read_back_as_a_whole_and_from_any_offset) {
  for (size_t n : {size_t{0}, size_t{1}, size_t{5000}, body_block_size - 1, body_block_size, body_block_size + 1,
                   3 * body_block_size, 12 * body_block_size + 77}) {
    for (bool shrinks : {true, false}) {
      std::string text = shrinks ? std::string(n, 'x') : noise(n, static_cast<uint32_t>(n) + 1);
      Result<PreparedBody> p = prepare(*account_, text);
      ASSERT_TRUE(p);
      EXPECT_EQ(p->size(), n);
      std::string part(300, '\0');
      std::span<uint8_t> out(reinterpret_cast<uint8_t*>(part.data()), part.size());
      for (size_t at : {size_t{0}, n / 2, n - std::min<size_t>(n, 100)}) {
        Result<size_t> got = p->read(at, out);
        ASSERT_TRUE(got);
        EXPECT_EQ(part.substr(0, *got), text.substr(at, 300));
      }
      Batch b = account_->begin();
      Result<Sha256> name = b.add_body(std::move(*p));
      ASSERT_TRUE(name);
      ASSERT_TRUE(account_->commit(std::move(b)));
      Result<BodyReader> r = account_->open_body(*name);
      ASSERT_TRUE(r) << r.error().describe();
      EXPECT_EQ(r->size(), n);
      EXPECT_TRUE(*r->read_all(n) == text) << n;
      if (n > 0) {
        EXPECT_EQ(r->read_all(n - 1).error().code, Errc::limit);
      }
      for (size_t at : {n / 3, size_t{0}, n - std::min<size_t>(n, 100), n}) {
        Result<size_t> got = r->read(at, out);
        ASSERT_TRUE(got);
        EXPECT_EQ(part.substr(0, *got), text.substr(at, 300));
      }
    }
  }
  // All of it survives a replay.
  account_.reset();
  Result<std::unique_ptr<Account>> again = Account::open(env_, "/disk/user", {});
  ASSERT_TRUE(again);
  EXPECT_TRUE((*again)->open_report().damage.empty());
}

TEST_F(BodyTest, writer_is_reusable_after_finish_and_discard) {
  BodyWriter w = account_->new_body();
  ASSERT_TRUE(w.write(wire::base::as_bytes("abandoned")));
  w.discard();
  for (const char* text : {"one", "two", "three"}) {
    ASSERT_TRUE(w.write(wire::base::as_bytes(text)));
    Result<PreparedBody> p = w.finish();
    ASSERT_TRUE(p);
    EXPECT_EQ(p->size(), std::string_view(text).size());
    uint8_t out[10];
    EXPECT_EQ(wire::base::as_text({out, *p->read(0, out)}), text);
  }
}

TEST_F(BodyTest, is_named_by_its_sha256) {
  EXPECT_EQ(to_hex(store("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(BodyTest, spool_leaves_no_file) {
  store(noise(3 << 20, 1));
  Result<std::vector<std::string>> names = env_.list("/disk/user/spool");
  ASSERT_TRUE(names);
  EXPECT_TRUE(names->empty());
}

TEST_F(BodyTest, unknown_name_is_not_found) { EXPECT_EQ(account_->open_body(Sha256{9}).error().code, Errc::not_found); }

TEST_F(BodyTest, body_that_carries_frames_of_another_log_is_only_a_body) {
  store("first");
  std::vector<uint8_t> log = env_.bytes(log_path());
  // The log itself as a message, twice: stored raw, and with its own segment's magic inside.
  std::string mail(log.begin(), log.end());
  Sha256 name = store(mail + noise(2000, 5) + mail);
  uint64_t frames = account_->appended().value;
  account_.reset();
  Result<std::unique_ptr<Account>> again = Account::open(env_, "/disk/user", {});
  ASSERT_TRUE(again);
  EXPECT_TRUE((*again)->open_report().damage.empty());
  EXPECT_EQ((*again)->open_report().frames, frames);
  EXPECT_EQ((*again)->open_body(name)->size(), 2 * mail.size() + 2000);
}

TEST_F(BodyTest, damaged_block_is_not_given_out_and_the_bytes_can_be_added_again) {
  std::string text = noise(2 * body_block_size, 8);
  Sha256 name = store(text);
  // index.snap knows the body, so that opening does not read it.
  ASSERT_TRUE(account_->close());
  std::vector<uint8_t> damaged = env_.bytes(log_path());
  damaged[damaged.size() - 1000] ^= 1;
  account_.reset();
  env_.replace(log_path(), damaged);
  account_ = *Account::open(env_, "/disk/user", {});
  ASSERT_TRUE(account_->open_report().used_snapshot);
  Result<BodyReader> r = account_->open_body(name);
  ASSERT_TRUE(r);
  uint8_t out[100];
  EXPECT_TRUE(r->read(0, out));  // the first block is good
  EXPECT_EQ(r->read(body_block_size, out).error().code, Errc::corrupt);
  EXPECT_FALSE(account_->has_body(name));
  EXPECT_EQ(store(text), name);
  EXPECT_TRUE(*account_->open_body(name)->read_all(1 << 20) == text);
}

TEST_F(BodyTest, failed_spool_fails_the_body_and_not_the_store) {
  BodyWriter w = account_->new_body();
  std::string text = noise(3 << 20, 4);
  env_.fail(env_.operations() + 1, Errc::no_space);
  Result<void> r = w.write(wire::base::as_bytes(text));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::no_space);
  EXPECT_FALSE(w.finish());
  ASSERT_TRUE(w.write(wire::base::as_bytes("small")));
  EXPECT_TRUE(w.finish());
  EXPECT_FALSE(account_->failed());
}

}  // namespace
}  // namespace storage
