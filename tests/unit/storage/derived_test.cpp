// derived.data: what goes in comes out, whatever the order, and no damage ever becomes an answer.
#include "storage/derived.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/fault/fault_env.h"

namespace storage {
namespace {

const std::filesystem::path file_path = "/disk/user/derived.data";
const DerivedData::Kind kind{.account = {1, 2, 3}, .content = 7, .columns = 3};

Sha256 name_of(uint32_t n) {
  Sha256 h{};
  uint64_t v = n * 0x9e3779b97f4a7c15u + 1;
  for (uint8_t& b : h) {
    v = v * 6364136223846793005u + 1442695040888963407u;
    b = static_cast<uint8_t>(v >> 56);
  }
  return h;
}

// Blobs that compress, each a function of its number; every 50th is longer than a block.
std::string blob_of(uint32_t n, size_t column) {
  std::string s;
  const size_t length = column == 0 ? 40 + n % 20 : column == 1 ? n % 3 : n % 50 == 7 ? 150'000 : 300 + n % 400;
  while (s.size() < length) s += "entry " + std::to_string(n) + " column " + std::to_string(column) + "; ";
  s.resize(length);
  return s;
}

void add(DerivedGroup& g, uint32_t n) {
  const std::string a = blob_of(n, 0), b = blob_of(n, 1), c = blob_of(n, 2);
  const std::string_view blobs[] = {a, b, c};
  g.add(derived_key(name_of(n)), static_cast<uint8_t>(n), blobs);
}

Result<void> append(DerivedData& data, uint32_t from, uint32_t to) {
  DerivedGroup g(kind.columns);
  for (uint32_t n = from; n < to; ++n) add(g, n);
  return data.append(g);
}

// How many of [from, to) can be read, each of which must be right.
uint32_t readable(const DerivedData& data, uint32_t from, uint32_t to) {
  DerivedReader r = data.reader();
  uint32_t found = 0;
  for (uint32_t n = from; n < to; ++n) {
    const auto marks = r.seek(name_of(n));
    if (!marks) continue;
    EXPECT_EQ(*marks, static_cast<uint8_t>(n));
    bool whole = true;
    for (size_t c = 0; c < kind.columns && whole; ++c) {
      const auto blob = r.column(c);
      whole = blob.has_value();
      if (!whole) continue;
      EXPECT_EQ(*blob, blob_of(n, c)) << n << " " << c;
    }
    if (whole) ++found;
  }
  return found;
}

class Derived : public testing::Test {
 protected:
  Derived() { EXPECT_TRUE(env.make_directory(file_path.parent_path())); }
  std::shared_ptr<DerivedData> open(DerivedData::Kind k = kind) { return DerivedData::open(env, file_path, k); }
  FaultEnv env;
};

TEST_F(Derived, makes_no_file_until_there_is_something_to_keep) {
  auto data = open();
  EXPECT_FALSE(data->has(name_of(1)));
  EXPECT_TRUE(append(*data, 0, 0));
  EXPECT_TRUE(env.paths().empty());
}

TEST_F(Derived, gives_back_every_blob_at_once_and_after_reopening) {
  auto data = open();
  ASSERT_TRUE(append(*data, 0, 200));
  ASSERT_TRUE(append(*data, 200, 260));
  EXPECT_EQ(readable(*data, 0, 260), 260u);
  EXPECT_FALSE(data->has(name_of(260)));
  data = open();
  EXPECT_EQ(readable(*data, 0, 300), 260u);
  EXPECT_EQ(data->stats().entries, 260u);
  EXPECT_EQ(data->stats().groups, 2u);
}

TEST_F(Derived, reads_in_any_order) {
  auto data = open();
  ASSERT_TRUE(append(*data, 0, 100));
  ASSERT_TRUE(append(*data, 100, 200));
  DerivedReader r = data->reader();
  for (uint32_t i = 0; i < 400; ++i) {
    const uint32_t n = i * 77 % 200;
    ASSERT_TRUE(r.seek(name_of(n)));
    const size_t c = i % 3;
    const auto blob = r.column(c);
    ASSERT_TRUE(blob);
    EXPECT_EQ(*blob, blob_of(n, c));
  }
}

TEST_F(Derived, reader_sees_what_is_appended_after_it_was_made) {
  auto data = open();
  ASSERT_TRUE(append(*data, 0, 10));
  DerivedReader r = data->reader();
  ASSERT_TRUE(r.seek(name_of(3)));
  ASSERT_TRUE(append(*data, 10, 20));
  EXPECT_TRUE(r.seek(name_of(15)));
}

TEST_F(Derived, ignores_a_file_of_another_account_content_or_shape) {
  ASSERT_TRUE(append(*open(), 0, 10));
  DerivedData::Kind other = kind;
  other.account[0] = 9;
  EXPECT_EQ(open(other)->stats().entries, 0u);
  other = kind;
  other.content = 8;
  EXPECT_EQ(open(other)->stats().entries, 0u);
  other = kind;
  other.columns = 4;
  EXPECT_EQ(open(other)->stats().entries, 0u);
  EXPECT_EQ(open()->stats().entries, 10u);
  other = kind;
  other.content = 8;
  auto newer = open(other);
  DerivedGroup g(kind.columns);
  add(g, 1);
  ASSERT_TRUE(newer->append(g));
  EXPECT_EQ(open()->stats().entries, 0u);
  EXPECT_EQ(open(other)->stats().entries, 1u);
}

TEST_F(Derived, takes_the_last_of_two_entries_of_one_body) {
  auto data = open();
  ASSERT_TRUE(append(*data, 0, 10));
  ASSERT_TRUE(append(*data, 5, 15));
  EXPECT_EQ(data->stats().entries, 15u);
  EXPECT_EQ(readable(*data, 0, 15), 15u);
}

TEST_F(Derived, takes_a_body_whose_name_begins_alike_for_another) {
  auto data = open();
  ASSERT_TRUE(append(*data, 0, 10));
  Sha256 alike = name_of(4);
  alike[12] ^= 1;  // beyond what the index compares
  DerivedReader r = data->reader();
  EXPECT_FALSE(r.seek(alike));
  EXPECT_TRUE(r.seek(name_of(4)));
}

TEST_F(Derived, rewriting_drops_the_dead_and_orders_the_rest) {
  auto data = open();
  for (uint32_t n = 0; n < 120; n += 10) ASSERT_TRUE(append(*data, n, n + 10));
  EXPECT_EQ(data->stats().small, 12u);
  DerivedReader before = data->reader();
  ASSERT_TRUE(before.seek(name_of(1)));
  std::vector<Sha256> keep;
  for (uint32_t n = 119; n >= 60; --n) keep.push_back(name_of(n));
  keep.push_back(name_of(70));   // twice
  keep.push_back(name_of(500));  // never had an entry
  const std::atomic<bool> cancelled{false};
  ASSERT_TRUE(data->rewrite(keep, cancelled));
  EXPECT_EQ(data->stats().entries, 60u);
  EXPECT_EQ(data->stats().groups, 1u);
  EXPECT_EQ(readable(*data, 0, 120), 60u);
  EXPECT_FALSE(data->has(name_of(59)));
  const auto old = before.column(2);  // its file has no name any more and is still there
  ASSERT_TRUE(old);
  EXPECT_EQ(*old, blob_of(1, 2));
  ASSERT_TRUE(append(*data, 200, 210));
  EXPECT_EQ(readable(*open(), 0, 210), 70u);
}

TEST_F(Derived, cancelled_rewriting_changes_nothing) {
  auto data = open();
  ASSERT_TRUE(append(*data, 0, 10));
  const std::vector<Sha256> keep{name_of(1)};
  const std::atomic<bool> cancelled{true};
  EXPECT_FALSE(data->rewrite(keep, cancelled));
  EXPECT_EQ(data->stats().entries, 10u);
  EXPECT_EQ(env.paths(), std::vector<std::string>{file_path.string()});
}

// --- damage

TEST_F(Derived, every_flipped_bit_costs_entries_and_never_gives_a_wrong_one) {
  ASSERT_TRUE(append(*open(), 0, 6));
  ASSERT_TRUE(append(*open(), 6, 12));
  const std::vector<uint8_t> good = env.bytes(file_path);
  // Every byte of the headers, and a sample of what follows.
  for (size_t at = 0; at < good.size(); at += at < 150 ? 1 : 29) {
    std::vector<uint8_t> bad = good;
    bad[at] ^= static_cast<uint8_t>(1u << at % 8);
    env.replace(file_path, bad);
    auto data = open();
    readable(*data, 0, 12);
    ASSERT_FALSE(HasFailure()) << "byte " << at;
    // What is damaged is not had any more, so that it is made again.
    for (uint32_t n = 0; n < 12; ++n) {
      if (data->has(name_of(n))) continue;
      ASSERT_TRUE(append(*data, n, n + 1));
    }
    ASSERT_EQ(readable(*data, 0, 12), 12u) << "byte " << at;
    ASSERT_EQ(readable(*open(), 0, 12), 12u) << "byte " << at;
  }
}

TEST_F(Derived, truncated_anywhere_keeps_whole_groups_only) {
  ASSERT_TRUE(append(*open(), 0, 6));
  const size_t first = env.bytes(file_path).size();
  ASSERT_TRUE(append(*open(), 6, 12));
  const std::vector<uint8_t> good = env.bytes(file_path);
  for (size_t size = 0; size < good.size(); ++size) {
    env.replace(file_path, std::vector<uint8_t>(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)));
    auto data = open();
    ASSERT_EQ(readable(*data, 0, 12), size >= first ? 6u : 0u) << size;
    ASSERT_TRUE(append(*data, 20, 22));
    ASSERT_EQ(readable(*open(), 0, 30), size >= first ? 8u : 2u) << size;
  }
}

TEST_F(Derived, cut_short_or_emptied_while_it_is_read_gives_no_entry) {
  auto data = open();
  ASSERT_TRUE(append(*data, 0, 60));
  DerivedReader r = data->reader();
  ASSERT_TRUE(r.seek(name_of(0)));
  auto file = env.open(file_path, Env::Mode::write);
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->truncate(100));
  EXPECT_FALSE(r.column(2));
  EXPECT_EQ(readable(*data, 0, 60), 0u);
}

TEST_F(Derived, groups_of_another_place_are_none) {
  ASSERT_TRUE(append(*open(), 0, 6));
  const std::vector<uint8_t> one = env.bytes(file_path);
  std::vector<uint8_t> twice = one;
  twice.insert(twice.end(), one.begin() + DerivedHeader::size, one.end());
  env.replace(file_path, twice);
  EXPECT_EQ(open()->stats().groups, 1u);
}

// --- faults: whatever fails, what can be read is right, and the file can be used again after reopening

Result<void> scenario(DerivedData& data) {
  if (Result<void> r = append(data, 0, 5); !r) return r;
  if (Result<void> r = append(data, 5, 10); !r) return r;
  std::vector<Sha256> keep;
  for (uint32_t n = 3; n < 10; ++n) keep.push_back(name_of(n));
  const std::atomic<bool> cancelled{false};
  if (Result<void> r = data.rewrite(keep, cancelled); !r) return r;
  return append(data, 10, 15);
}

TEST(DerivedFaults, every_failing_operation_leaves_right_entries) {
  for (const bool partly : {false, true}) {
    for (uint64_t operation = 1;; ++operation) {
      FaultEnv env;
      ASSERT_TRUE(env.make_directory(file_path.parent_path()));
      env.heal();
      env.fail(operation, partly ? Errc::no_space : Errc::io, partly);
      auto data = DerivedData::open(env, file_path, kind);
      const bool done = scenario(*data).has_value();
      const bool over = env.operations() < operation;
      readable(*data, 0, 20);
      env.heal();
      data = DerivedData::open(env, file_path, kind);
      readable(*data, 0, 20);
      ASSERT_TRUE(append(*data, 30, 35)) << operation;
      ASSERT_EQ(readable(*DerivedData::open(env, file_path, kind), 30, 35), 5u) << operation;
      ASSERT_FALSE(testing::Test::HasFailure()) << operation;
      if (over) {
        EXPECT_TRUE(done);
        break;
      }
    }
  }
}

TEST(DerivedFaults, every_crash_leaves_right_entries) {
  for (const Survives what : {Survives::synced, Survives::all, Survives::some}) {
    for (uint64_t operation = 1;; ++operation) {
      FaultEnv env;
      ASSERT_TRUE(env.make_directory(file_path.parent_path()));
      ASSERT_TRUE(env.sync_directory("/disk"));
      env.heal();
      env.die(operation);
      auto data = DerivedData::open(env, file_path, kind);
      (void)scenario(*data);
      const bool over = env.operations() < operation;
      for (uint32_t seed = 0; seed < (what == Survives::some ? 20u : 1u); ++seed) {
        auto next = env.image(what, seed);
        (void)next->make_directory(file_path.parent_path());
        auto reopened = DerivedData::open(*next, file_path, kind);
        readable(*reopened, 0, 20);
        ASSERT_TRUE(append(*reopened, 30, 35));
        ASSERT_EQ(readable(*DerivedData::open(*next, file_path, kind), 30, 35), 5u);
        ASSERT_FALSE(testing::Test::HasFailure()) << operation << " seed " << seed;
      }
      if (over) break;
    }
  }
}

}  // namespace
}  // namespace storage
