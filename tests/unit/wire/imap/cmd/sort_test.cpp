#include "wire/imap/cmd/sort.h"

#include "tests/unit/wire/imap/support.h"

namespace wire::imap::cmd {
namespace {

using base::Errc;
using test::command_args;
using test::expect_command_round_trip;
using By = SortCriterion::By;

TEST(Sort, criteria_in_their_order) {
  const auto s = command_args<Sort>("a UID SORT (REVERSE DATE SUBJECT reverse size) utf-8 UNDELETED FROM x");
  ASSERT_TRUE(s.has_value()) << s.error().note;
  EXPECT_TRUE(s->uid);
  EXPECT_EQ(s->by, (std::vector<SortCriterion>{{By::date, true}, {By::subject, false}, {By::size, true}}));
  EXPECT_EQ(s->search.charset, "UTF-8");
  EXPECT_EQ(s->search.keys.size(), 3u);
  expect_command_round_trip(*s);
  for (const std::string line :
       {"SORT (ARRIVAL CC DATE FROM SIZE SUBJECT TO) UTF-8 ALL", "SORT (SUBJECT) US-ASCII (OR SEEN 1:*)"}) {
    const auto one = command_args<Sort>("a " + line);
    ASSERT_TRUE(one.has_value()) << line;
    expect_command_round_trip(*one, line);
  }
}

TEST(Sort, refuses_what_is_none) {
  for (std::string_view line :
       {"", " ", " ()", " () UTF-8 ALL", " (SUBJECT)", " (SUBJECT) UTF-8", " (SUBJECT) UTF-8 ", " SUBJECT UTF-8 ALL",
        " (REVERSE) UTF-8 ALL", " (REVERSE REVERSE DATE) UTF-8 ALL", " (NAME) UTF-8 ALL", " (SUBJECT)UTF-8 ALL",
        " (SUBJECT) \"\" ALL", " (DISPLAYFROM) UTF-8 ALL"}) {
    EXPECT_FALSE(command_args<Sort>("a SORT" + std::string(line)).has_value()) << line;
  }
  std::string many = "a SORT (SIZE";
  for (size_t i = 0; i < max_sort_criteria; ++i) many += " SIZE";
  EXPECT_EQ(command_args<Sort>(many + ") UTF-8 ALL").error().code, Errc::limit);
}

TEST(Thread, algorithms) {
  const auto t = command_args<Thread>("a UID THREAD orderedsubject us-ascii SINCE 5-Mar-2000");
  ASSERT_TRUE(t.has_value()) << t.error().note;
  EXPECT_EQ(t->algorithm, Thread::Algorithm::ordered_subject);
  expect_command_round_trip(*t);
  const auto r = command_args<Thread>("a THREAD REFERENCES UTF-8 ALL");
  ASSERT_TRUE(r.has_value());
  expect_command_round_trip(*r, "THREAD REFERENCES UTF-8 ALL");
  EXPECT_EQ(command_args<Thread>("a THREAD REFS UTF-8 ALL").error().code, Errc::unsupported);
  for (std::string_view line :
       {"", " ", " REFERENCES", " REFERENCES UTF-8", " REFERENCES UTF-8 ", " (REFERENCES) UTF-8 ALL"}) {
    EXPECT_FALSE(command_args<Thread>("a THREAD" + std::string(line)).has_value()) << line;
  }
}

}  // namespace
}  // namespace wire::imap::cmd
