// THREAD of RFC 5256 3, step by step, and on trees that no mail program makes.
#include "gateway/imap/threading.h"

#include <gtest/gtest.h>

#include <random>

namespace gateway::imap {
namespace {

// Messages by their place: number 1, 2, …; sent in that order unless said otherwise.
class Mailbox {
 public:
  // `subject`: base subject; "Re: x" is a reply to "x".
  Mailbox& add(std::string_view id, std::vector<std::string_view> references, std::string_view subject = "",
               int64_t sent = -1) {
    ThreadMessage m;
    m.number = static_cast<uint32_t>(messages.size() + 1);
    m.sent = sent < 0 ? m.number : sent;
    m.id = names.of(id);
    for (const std::string_view r : references) m.references.push_back(names.of(r));
    m.reply = subject.starts_with("Re: ");
    m.subject = names.of(m.reply ? subject.substr(4) : subject);
    messages.push_back(std::move(m));
    return *this;
  }
  std::string references() const {
    const std::atomic<bool> cancelled{false};
    return thread_by_references(messages, names, cancelled);
  }
  std::string subjects() const { return thread_by_subject(messages, names); }

  std::vector<ThreadMessage> messages;
  Names names;
};

TEST(ThreadReferences, of_nothing_is_nothing) {
  EXPECT_EQ(Mailbox().references(), "");
  EXPECT_EQ(Mailbox().subjects(), "");
}

TEST(ThreadReferences, make_chains_and_branches) {
  EXPECT_EQ(Mailbox().add("a", {}).add("b", {}).references(), "(1)(2)");
  EXPECT_EQ(Mailbox().add("a", {}).add("b", {"a"}).add("c", {"a", "b"}).references(), "(1 2 3)");
  EXPECT_EQ(Mailbox().add("a", {}).add("b", {"a"}).add("c", {"a"}).references(), "(1 (2)(3))");
  EXPECT_EQ(Mailbox().add("a", {}).add("b", {"a"}).add("c", {"a"}).add("d", {"a", "c"}).references(), "(1 (2)(3 4))");
  // As in the example of RFC 5256 4: "(2)(3 6 (4 23)(44 7 96))".
  EXPECT_EQ(Mailbox()
                .add("2", {})
                .add("3", {})
                .add("6", {"3"})
                .add("4", {"6"})
                .add("44", {"6"}, "", 9)
                .add("23", {"4"})
                .add("7", {"44"})
                .references(),
            "(1)(2 3 (4 6)(5 7))");
}

TEST(ThreadReferences, an_answer_that_came_before_is_below) {
  EXPECT_EQ(Mailbox().add("b", {"a"}).add("a", {}, "", 0).references(), "(2 1)");
  EXPECT_EQ(Mailbox().add("c", {"a", "b"}).add("b", {"a"}).add("a", {}).references(), "(3 2 1)");
}

TEST(ThreadReferences, what_is_not_there_holds_its_answers_together) {
  EXPECT_EQ(Mailbox().add("b", {"gone"}).add("c", {"gone"}).references(), "((1)(2))");
  EXPECT_EQ(Mailbox().add("b", {"gone"}).references(), "(1)") << "one child takes its place";
  EXPECT_EQ(Mailbox().add("a", {}).add("c", {"a", "gone"}).add("d", {"a", "gone"}).references(), "(1 (2)(3))")
      << "below a message they are its children";
  EXPECT_EQ(Mailbox().add("c", {"x", "y", "z"}).add("d", {"x", "y", "z"}).add("e", {"x"}).references(), "((1)(2)(3))");
}

TEST(ThreadReferences, the_last_reference_is_the_parent) {
  // The second says that 1 and 3 follow each other; the third itself says otherwise.
  EXPECT_EQ(Mailbox().add("a", {}).add("x", {"a", "c"}).add("c", {"b"}).add("b", {}).references(), "(1)(4 3 2)");
  EXPECT_EQ(Mailbox().add("a", {}).add("x", {"a", "c"}).add("c", {}).references(), "(1)(3 2)")
      << "a message without references has no parent";
}

TEST(ThreadReferences, loops_are_not_closed) {
  EXPECT_EQ(Mailbox().add("a", {"b"}).add("b", {"a"}).references(), "(2 1)");
  EXPECT_EQ(Mailbox().add("a", {"a"}).references(), "(1)");
  EXPECT_EQ(Mailbox().add("a", {"b", "c", "b"}).add("b", {"c"}).add("c", {"b"}).references(), "(2 (1)(3))");
}

TEST(ThreadReferences, the_first_with_an_id_has_it) {
  EXPECT_EQ(Mailbox().add("a", {}).add("a", {}).add("b", {"a"}).references(), "(1 3)(2)");
}

TEST(ThreadReferences, siblings_stand_by_date_then_by_number) {
  EXPECT_EQ(Mailbox().add("a", {}, "", 5).add("b", {}, "", 3).add("c", {}, "", 5).references(), "(2)(1)(3)");
  EXPECT_EQ(Mailbox().add("a", {}).add("b", {"a"}, "", 30).add("c", {"a"}, "", 20).references(), "(1 (3)(2))");
  EXPECT_EQ(Mailbox().add("b", {"gone"}, "", 9).add("c", {"gone"}, "", 4).add("d", {}, "", 6).references(),
            "((2)(1))(3)");
}

TEST(ThreadReferences, of_one_subject_are_one) {
  EXPECT_EQ(Mailbox().add("a", {}, "x").add("b", {}, "Re: x").references(), "(1 2)");
  EXPECT_EQ(Mailbox().add("a", {}, "Re: x").add("b", {}, "x").references(), "(2 1)") << "whichever came first";
  EXPECT_EQ(Mailbox().add("a", {}, "x").add("b", {}, "x").references(), "((1)(2))");
  EXPECT_EQ(Mailbox().add("a", {}, "Re: x").add("b", {}, "Re: x").references(), "((1)(2))");
  EXPECT_EQ(Mailbox().add("a", {}, "").add("b", {}, "").references(), "(1)(2)") << "but not without one";
  EXPECT_EQ(Mailbox().add("a", {}, "x").add("b", {}, "x").add("c", {}, "x").references(), "((1)(2)(3))");
  EXPECT_EQ(Mailbox().add("a", {}, "x").add("b", {}, "Re: x").add("c", {}, "x").references(), "((1 2)(3))");
  EXPECT_EQ(Mailbox().add("b", {"gone"}, "Re: x").add("c", {"gone"}, "Re: x").add("d", {}, "x").references(),
            "((1)(2)(3))")
      << "it joins those that wait for what is gone";
  EXPECT_EQ(Mailbox()
                .add("b", {"gone"}, "x")
                .add("c", {"gone"}, "x")
                .add("d", {"lost"}, "x")
                .add("e", {"lost"}, "x")
                .references(),
            "((1)(2)(3)(4))");
}

TEST(ThreadBySubject, makes_children_of_all_but_the_first) {
  EXPECT_EQ(Mailbox().add("", {}, "b").add("", {}, "a").add("", {}, "Re: b").subjects(), "(1 3)(2)");
  EXPECT_EQ(Mailbox().add("", {}, "b", 9).add("", {}, "a", 5).add("", {}, "b", 7).add("", {}, "b", 8).subjects(),
            "(2)(3 (4)(1))");
}

// Numbers in the text, and whether its parentheses match. Without recursion: the trees are deep.
std::vector<uint32_t> numbers_in(const std::string& text) {
  std::vector<uint32_t> out;
  int open = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(') ++open;
    if (text[i] == ')') --open;
    EXPECT_GE(open, 0);
    if (isdigit(text[i])) {
      size_t used = 0;
      out.push_back(static_cast<uint32_t>(std::stoul(text.substr(i, 10), &used)));
      i += used - 1;
    }
  }
  EXPECT_EQ(open, 0);
  std::sort(out.begin(), out.end());
  return out;
}

TEST(ThreadReferences, lose_and_double_no_message_whatever_is_referred_to) {
  std::mt19937 random(5);
  for (int round = 0; round < 3000; ++round) {
    Mailbox box;
    const uint32_t count = 1 + random() % 12, ids = 1 + random() % 12;
    const auto id = [&] { return std::string(1, static_cast<char>('a' + random() % ids)); };
    for (uint32_t i = 0; i < count; ++i) {
      std::vector<std::string> references;
      for (uint32_t n = random() % 4; n > 0; --n) references.push_back(id());
      const std::string subjects[] = {"", "x", "Re: x", "y"};
      box.add(random() % 5 ? id() : "", {references.begin(), references.end()}, subjects[random() % 4],
              static_cast<int64_t>(random() % 4));
    }
    std::vector<uint32_t> expected(count);
    for (uint32_t i = 0; i < count; ++i) expected[i] = i + 1;
    ASSERT_EQ(numbers_in(box.references()), expected) << box.references();
    ASSERT_EQ(numbers_in(box.subjects()), expected) << box.subjects();
  }
}

TEST(ThreadReferences, may_be_as_deep_as_the_mailbox) {
  constexpr uint32_t count = 30'000;
  for (const bool backwards : {false, true}) {
    Mailbox box;
    for (uint32_t i = 0; i < count; ++i) {
      const std::string own = std::to_string(i), other = std::to_string(backwards ? i + 1 : i - 1);
      box.add(own, {other});
    }
    EXPECT_EQ(numbers_in(box.references()).size(), count);
  }
}

TEST(ThreadReferences, to_much_that_is_not_there_cost_no_more_than_they_are) {
  // A chain of half a million that nobody has, with a message at each 255th.
  Mailbox chain;
  constexpr uint32_t count = 2000;
  for (uint32_t i = 0; i < count; ++i) {
    std::vector<std::string> ids;
    for (uint32_t k = 0; k < 256; ++k) ids.push_back("r" + std::to_string(255 * i + k));
    chain.add("", {ids.begin(), ids.end()});
  }
  EXPECT_EQ(numbers_in(chain.references()).size(), count);
  // The ends of a long chain, again and again: each pair would be a walk over all of it.
  Mailbox walks;
  for (uint32_t i = 0; i < 10'000; ++i) walks.add("c" + std::to_string(i), {"c" + std::to_string(i - 1)});
  std::vector<std::string_view> ends;
  for (int k = 0; k < 128; ++k) ends.insert(ends.end(), {"c9999", "c4294967295"});
  for (int i = 0; i < 3000; ++i) walks.add("", ends);
  EXPECT_EQ(numbers_in(walks.references()).size(), 13'000u);
}

TEST(ThreadReferences, end_when_nobody_waits) {
  Mailbox box;
  box.add("a", {}).add("b", {"a"});
  const std::atomic<bool> cancelled{true};
  EXPECT_EQ(thread_by_references(box.messages, box.names, cancelled), "");
}

}  // namespace
}  // namespace gateway::imap
