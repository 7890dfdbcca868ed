#include "gateway/imap/message_bytes.h"

#include <gtest/gtest.h>

#include "tests/unit/gateway/imap/snapshots.h"

namespace gateway::imap {
namespace {

class MessageBytesTest : public testing::Test {
 protected:
  storage::BodyReader stored(const std::string& bytes) { return box_.add_body(bytes); }
  std::string header_of(const std::string& message) {
    auto reader = stored(message);
    auto header = MessageBytes::load_header(reader);
    EXPECT_TRUE(header);
    return *header ? std::string((*header)->view()) : "(too long)";
  }
  tests::Box box_;
};

TEST_F(MessageBytesTest, a_header_ends_with_its_empty_line) {
  EXPECT_EQ(header_of("A: b\r\n\r\nbody"), "A: b\r\n\r\n");
  EXPECT_EQ(header_of("A: b\n\nbody"), "A: b\n\n");
  EXPECT_EQ(header_of("A: b\r\n\nbody"), "A: b\r\n\n");
  EXPECT_EQ(header_of("\r\nbody"), "\r\n");
  EXPECT_EQ(header_of("\nbody"), "\n");
}

TEST_F(MessageBytesTest, a_message_without_an_empty_line_is_all_header) {
  EXPECT_EQ(header_of("A: b\r\n"), "A: b\r\n");
  EXPECT_EQ(header_of("A: b"), "A: b");
}

TEST_F(MessageBytesTest, a_header_that_ends_at_any_place_near_a_piece_is_found) {
  for (size_t length = 16 * 1024 - 6; length <= 16 * 1024 + 6; ++length) {
    const std::string header = "A: " + std::string(length, 'x') + "\r\n\r\n";
    EXPECT_EQ(header_of(header + "body").size(), header.size()) << length;
  }
}

TEST_F(MessageBytesTest, a_header_above_the_limit_is_left_to_the_scan) {
  EXPECT_EQ(header_of("A: " + std::string(1 << 20, 'x') + "\r\n\r\nbody"), "(too long)");
}

TEST_F(MessageBytesTest, small_and_big_messages_are_the_same_bytes) {
  for (const size_t size : {size_t{1}, size_t{MessageBytes::in_memory}, size_t{MessageBytes::in_memory + 1}}) {
    std::string message(size, 'x');
    for (size_t i = 0; i < size; i += 77) message[i] = static_cast<char>(1 + i % 251);
    auto reader = stored(message);
    auto bytes = MessageBytes::load(reader, std::filesystem::temp_directory_path());
    ASSERT_TRUE(bytes);
    MessageBytes moved = std::move(*bytes);
    EXPECT_TRUE(moved.view() == message) << size;
  }
}

TEST_F(MessageBytesTest, a_spool_that_is_not_there_is_a_failure) {
  auto reader = stored(std::string(MessageBytes::in_memory + 1, 'x'));
  EXPECT_FALSE(MessageBytes::load(reader, "/nonexistent"));
}

}  // namespace
}  // namespace gateway::imap
