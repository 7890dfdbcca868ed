#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "storage/env.h"

namespace storage {
namespace {

// One that is mapped and one that is read, by their size.
class FileView : public testing::TestWithParam<size_t> {
 protected:
  FileView() {
    std::string pattern = testing::TempDir() + "file-view-XXXXXX";
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    for (size_t i = 0; i < GetParam(); ++i) content_.push_back(static_cast<uint8_t>(i * 31 + i / 251));
    Result<std::unique_ptr<File>> file = env_.open(root_ / "f", Env::Mode::create);
    EXPECT_TRUE(file);
    EXPECT_TRUE((*file)->write_at(0, content_));
  }
  ~FileView() override { std::filesystem::remove_all(root_); }
  std::vector<uint8_t> part(size_t from, size_t length) const {
    const auto at = content_.begin() + static_cast<ptrdiff_t>(from);
    return {at, at + static_cast<ptrdiff_t>(length)};
  }

  PosixEnv env_;
  std::filesystem::path root_;
  std::vector<uint8_t> content_;
};

std::vector<uint8_t> bytes_of(const Buffer& b) { return {b.data(), b.data() + b.size()}; }

TEST_P(FileView, is_what_the_file_has_from_any_offset) {
  auto file = *env_.open(root_ / "f", Env::Mode::read);
  for (size_t from : {size_t{0}, size_t{1}, size_t{4095}, size_t{4096}, GetParam() / 2}) {
    Result<Buffer> b = file->view(from, GetParam() - from);
    ASSERT_TRUE(b);
    EXPECT_EQ(bytes_of(*b), part(from, GetParam() - from));
  }
}

TEST_P(FileView, outlives_the_file_and_its_directory_entry) {
  Buffer kept;
  {
    auto file = *env_.open(root_ / "f", Env::Mode::read);
    Result<Buffer> b = file->view(7, GetParam() - 7);
    ASSERT_TRUE(b);
    kept = std::move(*b);
  }
  ASSERT_TRUE(env_.remove(root_ / "f"));
  const Buffer moved = std::move(kept);
  EXPECT_EQ(bytes_of(moved), part(7, GetParam() - 7));
}

TEST_P(FileView, ends_where_the_file_ends) {
  auto file = *env_.open(root_ / "f", Env::Mode::read);
  Result<Buffer> b = file->view(10, GetParam());
  ASSERT_TRUE(b);
  EXPECT_EQ(bytes_of(*b), part(10, GetParam() - 10));
  b = file->view(GetParam() + 5000, 10);
  ASSERT_TRUE(b);
  EXPECT_EQ(b->size(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Sizes, FileView, testing::Values(10'000, 1'000'003));

}  // namespace
}  // namespace storage
