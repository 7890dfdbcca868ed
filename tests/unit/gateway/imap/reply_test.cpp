#include "gateway/imap/reply.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>

namespace gateway::imap {
namespace {

const Asker asker{"alice", "192.0.2.1", "SELECT"};

struct Case {
  Errc code;
  Condition condition;
  Code said;
};

class ReplyTest : public testing::TestWithParam<Case> {};

TEST_P(ReplyTest, maps) {
  const Reply reply = reply_to(Failure(GetParam().code, "the note", "the peer's words"), asker);
  EXPECT_EQ(reply.condition, GetParam().condition);
  EXPECT_EQ(reply.code.code, GetParam().said);
  EXPECT_EQ(reply.text, "the note");
}

INSTANTIATE_TEST_SUITE_P(Foreseen, ReplyTest,
                         testing::Values(Case{Errc::malformed, Condition::bad, Code::none},
                                         Case{Errc::limit, Condition::no, Code::limit},
                                         Case{Errc::not_found, Condition::no, Code::nonexistent},
                                         Case{Errc::exists, Condition::no, Code::already_exists},
                                         Case{Errc::refused, Condition::no, Code::cannot},
                                         Case{Errc::unsupported, Condition::no, Code::cannot},
                                         Case{Errc::auth, Condition::no, Code::authentication_failed},
                                         Case{Errc::conflict, Condition::no, Code::in_use},
                                         Case{Errc::unavailable, Condition::no, Code::unavailable},
                                         Case{Errc::timeout, Condition::no, Code::unavailable},
                                         Case{Errc::closed, Condition::no, Code::unavailable}));

class UnforeseenTest : public testing::TestWithParam<Errc> {
 protected:
  void SetUp() override {
    before_ = spdlog::default_logger();
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_)));
  }
  void TearDown() override { spdlog::set_default_logger(before_); }
  std::ostringstream log_;
  std::shared_ptr<spdlog::logger> before_;
};

TEST_P(UnforeseenTest, says_an_incident_that_is_found_in_the_log) {
  const Reply reply = reply_to(Failure(GetParam(), "secret/path: broken", "words"), asker);
  EXPECT_EQ(reply.condition, Condition::no);
  EXPECT_EQ(reply.text.find("secret/path"), std::string::npos) << "the client hears no detail";
  const size_t at = reply.text.find("incident ");
  ASSERT_NE(at, std::string::npos);
  const std::string id = reply.text.substr(at + 9);
  EXPECT_NE(log_.str().find("incident " + id + " "), std::string::npos) << log_.str();
  EXPECT_NE(log_.str().find("secret/path: broken"), std::string::npos);
  EXPECT_NE(log_.str().find("user=alice"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(All, UnforeseenTest,
                         testing::Values(Errc::io, Errc::corrupt, Errc::internal, Errc::usage, Errc::no_space));

TEST(ReplyTest, a_destination_that_is_missing_may_be_created) {
  EXPECT_EQ(reply_to(Failure(Errc::not_found, "x"), asker, Code::try_create).code.code, Code::try_create);
}

}  // namespace
}  // namespace gateway::imap
