// Where bodies lie: that every one is found and no other, from index.snap a block at a time; what it takes in memory;
// that what changed since goes into the next index.snap; that damage to it costs time and nothing else.
#include "storage/body_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <random>
#include <thread>

#include "storage/account.h"
#include "storage/check.h"
#include "storage/snapshot_file.h"
#include "storage/snapshot_places.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

Sha256 name_of(uint64_t i) {
  std::mt19937_64 next(i * 2 + 1);
  Sha256 name;
  for (uint8_t& b : name) b = static_cast<uint8_t>(next());
  return name;
}

BodyPlace place_of(uint64_t i) {
  return {name_of(i), Lsn(1 + i % 3), static_cast<uint32_t>(i % 2), 128 + 900 * i, 800};
}

std::vector<BodyPlace> sorted_places(size_t n) {
  std::vector<BodyPlace> places;
  for (size_t i = 0; i < n; ++i) places.push_back(place_of(i));
  std::sort(places.begin(), places.end(), [](const BodyPlace& a, const BodyPlace& b) { return a.name < b.name; });
  return places;
}

bool same(const BodyPlace& a, const BodyPlace& b) {
  return a.name == b.name && same_place(a, b) && a.length == b.length;
}

TEST(BodyTable, is_a_map_of_less_than_sixty_bytes_each) {
  BodyTable table;
  for (uint64_t i = 0; i < 20'000; ++i) EXPECT_TRUE(table.add(place_of(i)));
  EXPECT_FALSE(table.add(place_of(7)));
  BodyPlace moved = place_of(7);
  moved.offset = 5;
  moved.segment = Lsn(900);
  table.put(moved);
  EXPECT_EQ(table.size(), 20'000u);
  for (uint64_t i = 0; i < 20'000; ++i) EXPECT_TRUE(same(*table.find(name_of(i)), i == 7 ? moved : place_of(i)));
  EXPECT_FALSE(table.find(name_of(20'000)));
  EXPECT_LT(table.bytes(), 60u * 20'000);
  table.erase_if([](const BodyPlace& p) { return p.segment == Lsn(1); });
  EXPECT_FALSE(table.find(name_of(0)));
  EXPECT_TRUE(same(*table.find(name_of(1)), place_of(1)));
  table.set_generations({{Lsn(2), 9}});
  EXPECT_EQ(table.find(name_of(1))->generation, 9u);
  EXPECT_EQ(table.find(name_of(2))->generation, 0u);
}

class FinderTest : public testing::Test {
 protected:
  Result<std::shared_ptr<const BodyFinder>> write(const std::vector<BodyPlace>& places) {
    file_ = *env_.open("/disk/finder", Env::Mode::truncate);
    FinderWriter w(places);
    EXPECT_TRUE(w.write(*file_, 100));
    head_ = w.head();
    EXPECT_EQ(head_.size(), w.head_size());
    EXPECT_EQ(*file_->size(), places.empty() ? 0 : 100 + w.size());
    return BodyFinder::open(file_, 100, head_.bytes());
  }
  FaultEnv env_;
  std::shared_ptr<File> file_;
  Buffer head_;
};

TEST_F(FinderTest, finds_each_and_no_other) {
  for (size_t n : {0u, 1u, 63u, 64u, 65u, 128u, 129u, 5000u}) {
    const std::vector<BodyPlace> places = sorted_places(n);
    auto finder = write(places);
    ASSERT_TRUE(finder) << n;
    EXPECT_EQ((*finder)->size(), n);
    for (const BodyPlace& p : places) {
      auto found = (*finder)->find(p.name);
      ASSERT_TRUE(found && *found);
      EXPECT_TRUE(same(**found, p));
    }
    for (size_t i = n; i < n + 300; ++i) EXPECT_FALSE(*(*finder)->find(name_of(i)));
    std::vector<BodyPlace> all;
    for (size_t at = 0;;) {
      at = *(*finder)->part(at, 200, all);
      if (at == 0) break;
    }
    ASSERT_EQ(all.size(), n);
    for (size_t i = 0; i < n; ++i) EXPECT_TRUE(same(all[i], places[i]));
  }
}

TEST_F(FinderTest, names_that_begin_alike_may_fill_blocks) {
  std::vector<BodyPlace> places = sorted_places(400);
  for (size_t i = 50; i < 350; ++i) std::copy_n(places[50].name.begin(), 5, places[i].name.begin());
  std::sort(places.begin(), places.end(), [](const BodyPlace& a, const BodyPlace& b) { return a.name < b.name; });
  auto finder = write(places);
  ASSERT_TRUE(finder);
  for (const BodyPlace& p : places) EXPECT_TRUE(same(**(*finder)->find(p.name), p));
  Sha256 none = places[200].name;
  none.back() ^= 1;
  EXPECT_FALSE(*(*finder)->find(none));
}

TEST_F(FinderTest, takes_memory_for_some_blocks_whatever_is_asked_for) {
  constexpr uint32_t bodies = BodyFinder::cached_blocks * BodyFinder::block_bodies * 5 / 4;
  auto finder = write(sorted_places(bodies));
  const size_t before = (*finder)->bytes();
  EXPECT_LT(before, bodies / 2u);
  for (uint32_t i = 0; i < bodies; ++i) ASSERT_TRUE(*(*finder)->find(name_of(i)));
  EXPECT_LT((*finder)->bytes(), before + BodyFinder::cached_blocks * 3000);
}

TEST_F(FinderTest, lets_go_of_what_nobody_asks_for) {
  auto finder = write(sorted_places(1000));
  const size_t before = (*finder)->bytes();
  ASSERT_TRUE(*(*finder)->find(name_of(3)));
  (*finder)->rest();
  EXPECT_GT((*finder)->bytes(), before) << "it was asked";
  (*finder)->rest();
  EXPECT_EQ((*finder)->bytes(), before);
  EXPECT_TRUE(*(*finder)->find(name_of(3)));
}

TEST_F(FinderTest, damage_is_found_and_never_believed) {
  const std::vector<BodyPlace> places = sorted_places(200);
  ASSERT_TRUE(write(places));
  const std::vector<uint8_t> good = env_.bytes("/disk/finder");
  for (size_t at = 100 + head_.size(); at < good.size(); at += 37) {
    std::vector<uint8_t> bad = good;
    bad[at] ^= 0x10;
    env_.replace("/disk/finder", bad);
    file_ = *env_.open("/disk/finder", Env::Mode::read);
    auto finder = BodyFinder::open(file_, 100, head_.bytes());
    ASSERT_TRUE(finder);
    size_t failed = 0;
    for (const BodyPlace& p : places) {
      auto found = (*finder)->find(p.name);
      if (!found) {
        EXPECT_EQ(found.error().code, Errc::corrupt);
        ++failed;
      } else if (*found) {
        EXPECT_TRUE(same(**found, p));
      }
    }
    EXPECT_GT(failed, 0u);
  }
  for (size_t n = 0; n < head_.size(); ++n) EXPECT_FALSE(BodyFinder::open(file_, 100, head_.bytes(0, n)));
}

TEST(BodyEncoder, finds_places_by_any_name) {
  for (size_t n : {0u, 1u, 9u, 1000u}) {
    const std::vector<BodyPlace> places = sorted_places(n);
    Buffer out;
    BodyEncoder encoder(out, places);
    for (size_t i = 0; i < n + 5; ++i) encoder.add(name_of(i));
    encoder.finish();
    BodyDecoder decoder(out.bytes());
    for (size_t i = 0; i < n + 5; ++i) decoder.add(name_of(i));
    Result<BodyTable> table = decoder.finish();
    ASSERT_TRUE(table) << n;
    for (size_t i = 0; i < n; ++i) EXPECT_EQ(table->find(name_of(i))->offset, place_of(i).offset);
    for (size_t i = n; i < n + 5; ++i) EXPECT_FALSE(table->find(name_of(i))->segment);
  }
}

const std::string directory = "/disk/user", snap = directory + "/index.snap";

class BodyIndexTest : public testing::Test {
 protected:
  static constexpr uint32_t messages = 3000;
  BodyIndexTest() {
    open();
    inbox_ = *create_mailbox(*account_, "INBOX");
    for (uint32_t i = 0; i < messages; i += 500) append(i, i + 500);
  }
  void open() {
    account_.reset();
    account_ = *Account::open(env_, directory, {.create = true});
  }
  static std::string text(uint32_t i) { return "Subject: " + std::to_string(i) + "\r\n\r\nbody\r\n"; }
  void append(uint32_t from, uint32_t to) {
    Batch b = account_->begin();
    for (uint32_t i = from; i < to; ++i) {
      NewMessage m;
      m.info.size = text(i).size();
      m.info.body = *b.add_body(*prepare(*account_, text(i)));
      ASSERT_TRUE(b.add_message(inbox_, m));
      names_.push_back(*m.info.body);
    }
    ASSERT_TRUE(account_->commit(std::move(b)));
  }
  void expect_all() {
    for (uint32_t i = 0; i < names_.size(); i += 7) {
      Result<BodyReader> body = account_->open_body(names_[i]);
      ASSERT_TRUE(body) << i;
      EXPECT_EQ(*body->read_all(1000), text(i));
    }
    Sha256 none{};
    EXPECT_FALSE(account_->has_body(none));
  }
  // Turns a byte of the finder: `in_head` or of its last block.
  void damage(bool in_head) {
    Result<SnapshotFile> f = SnapshotFile::open(env_, snap);
    ASSERT_TRUE(f);
    const SectionRef at = f->directory().finder;
    ASSERT_NE(at.length, 0u);
    std::vector<uint8_t> bytes = env_.bytes(snap);
    const size_t head = static_cast<size_t>(f->base() + at.offset);
    bytes[in_head ? head + 10 : bytes.size() - 100] ^= 4;
    env_.replace(snap, bytes);
  }

  FaultEnv env_;
  std::unique_ptr<Account> account_;
  MailboxKey inbox_;
  std::vector<Sha256> names_;
};

TEST_F(BodyIndexTest, one_body_read_costs_a_block_and_all_of_them_a_bounded_number) {
  EXPECT_GT(account_->index_bytes(), messages * 50u);
  ASSERT_TRUE(account_->close());
  open();
  EXPECT_EQ(account_->index_bytes(), 0u);
  ASSERT_TRUE(account_->open_body(names_[5]));
  EXPECT_LT(account_->index_bytes(), 5000u);
  expect_all();
  EXPECT_LT(account_->index_bytes(), messages * 45u);
}

TEST_F(BodyIndexTest, what_came_since_opening_is_in_the_next_index_and_not_in_memory_any_more) {
  for (int round = 0; round < 3; ++round) {
    const uint32_t n = static_cast<uint32_t>(names_.size());
    ASSERT_TRUE(checkpoint_in_steps(*account_, [&] {
      const auto at = static_cast<uint32_t>(names_.size());
      append(at, at + 3);
    }));
    EXPECT_GT(names_.size(), n);
    EXPECT_LT(account_->index_bytes(), messages * 14u) << round;
    expect_all();
  }
  EXPECT_TRUE(check_store(env_, directory)->clean());
}

TEST_F(BodyIndexTest, an_index_that_never_got_its_name_changes_nothing) {
  ASSERT_TRUE(account_->close());
  open();
  uint64_t failed = 0;
  for (uint64_t n = 1; n <= 30; ++n) {
    const auto at = static_cast<uint32_t>(names_.size());
    append(at, at + 3);
    env_.heal();
    env_.fail(n);
    if (!account_->checkpoint()) ++failed;
    env_.heal();
    if (account_->failed()) {
      ASSERT_FALSE(account_->sync());
      open();
    }
    for (uint32_t i = 0; i < names_.size(); i += 131) ASSERT_TRUE(account_->has_body(names_[i])) << n << ' ' << i;
    for (size_t i = names_.size() - 3; i < names_.size(); ++i) ASSERT_TRUE(account_->has_body(names_[i])) << n;
  }
  EXPECT_GT(failed, 5u);
  ASSERT_TRUE(account_->checkpoint());
  ASSERT_TRUE(account_->close());
  open();
  expect_all();
  for (const Sha256& name : names_) ASSERT_TRUE(account_->has_body(name));
}

TEST_F(BodyIndexTest, damage_to_it_costs_time_and_is_mended_by_the_next) {
  for (bool in_head : {true, false}) {
    ASSERT_TRUE(account_->close());
    account_.reset();
    damage(in_head);
    EXPECT_FALSE(check_store(env_, directory)->clean());
    open();
    ASSERT_TRUE(account_->open_report().used_snapshot);
    expect_all();
    for (const Sha256& name : names_) EXPECT_TRUE(account_->has_body(name));
    ASSERT_TRUE(account_->checkpoint());
    EXPECT_LT(account_->index_bytes(), 5000u);
    EXPECT_TRUE(check_store(env_, directory)->clean());
    expect_all();
  }
}

TEST_F(BodyIndexTest, a_rewrite_and_its_index_leave_nothing_in_memory) {
  Batch b = account_->begin();
  ASSERT_TRUE(b.expunge(inbox_, UidSet(Uid(1), Uid(1000))));
  ASSERT_TRUE(account_->commit(std::move(b)));
  RewriteOptions all = eager();
  all.tail_bytes = 1;
  Result<bool> gained = rewrite(*account_, all);
  ASSERT_TRUE(gained && *gained);
  EXPECT_FALSE(account_->has_body(names_[10]));
  ASSERT_TRUE(account_->has_body(names_[2000]));
  ASSERT_TRUE(checkpoint_in_steps(*account_));
  EXPECT_FALSE(account_->has_body(names_[10]));
  for (size_t i = 1000; i < names_.size(); ++i) ASSERT_TRUE(account_->has_body(names_[i])) << i;
  // Those that went, until their file is purged.
  EXPECT_LT(account_->index_bytes(), 1000u * 60 + BodyFinder::cached_blocks * 3000);
  EXPECT_TRUE(check_store(env_, directory)->clean());
}

TEST(BodyIndexThreads, find_all_of_them_while_an_index_takes_the_others_place) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "body_index_test";
  std::filesystem::remove_all(folder);
  PosixEnv env;
  std::unique_ptr<Account> account = *Account::open(env, folder, {.create = true});
  std::vector<Sha256> names;
  auto add = [&](uint32_t n) {
    Batch b = account->begin();
    for (uint32_t i = 0; i < n; ++i) {
      names.push_back(*b.add_body(*prepare(*account, "letter " + std::to_string(names.size()))));
    }
    ASSERT_TRUE(account->commit(std::move(b)));
  };
  add(1000);
  ASSERT_TRUE(account->close());
  account = *Account::open(env, folder, {});
  names.reserve(names.size() + 5);  // read by others
  std::atomic<bool> stop{false};
  std::atomic<uint32_t> found{0}, missed{0};
  std::vector<std::thread> readers;
  for (uint32_t t = 0; t < 3; ++t) {
    readers.emplace_back([&, t] {
      for (uint32_t i = t; !stop; i = (i + 31) % 1000) {
        (account->open_body(names[i]) ? found : missed).fetch_add(1);
      }
    });
  }
  for (uint32_t round = 0; round < 5; ++round) {
    add(1);
    ASSERT_TRUE(checkpoint_in_steps(*account));
    const uint32_t now = found;
    while (found < now + 100 && missed == 0) std::this_thread::yield();
  }
  stop = true;
  for (std::thread& t : readers) t.join();
  EXPECT_EQ(missed, 0u);
  account.reset();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace storage
