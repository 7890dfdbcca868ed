#include "gateway/imap/listing.h"

#include <gtest/gtest.h>

#include "wire/imap/response.h"

namespace gateway::imap {
namespace {

using storage::MailboxInfo;
using storage::MailboxTree;
using wire::imap::cmd::List;
using wire::imap::cmd::Lsub;

MailboxInfo box(std::string name, uint32_t attributes = 0, std::vector<std::string> use = {}) {
  MailboxInfo info;
  info.name = std::move(name);
  info.separator = '/';
  info.attributes = attributes;
  info.special_use = std::move(use);
  return info;
}

MailboxTree tree() {
  MailboxTree t;
  t.mailboxes = {box("INBOX"),
                 box("a", storage::no_select),
                 box("a/b"),
                 box("a/b/c"),
                 box("x/y"),
                 box("flat", storage::no_inferiors),
                 box("sent", 0, {"\\Sent"})};
  t.subscriptions = {"a/b", "gone/deep", "sent"};
  return t;
}

std::string text(const std::vector<wire::imap::ListData>& answer) {
  std::string out;
  for (const auto& data : answer) {
    wire::imap::Writer w(out);
    write_line(w, data);
  }
  return out;
}

List query(std::vector<std::string> patterns, std::string reference = {}) {
  List q;
  q.reference = std::move(reference);
  q.patterns = std::move(patterns);
  return q;
}

TEST(ListingTest, star_shows_what_the_owner_lists_and_nothing_else) {
  EXPECT_EQ(text(list(tree(), '/', query({"*"}))),
            "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
            "* LIST (\\Noselect \\HasChildren) \"/\" a\r\n"
            "* LIST (\\HasChildren) \"/\" a/b\r\n"
            "* LIST (\\HasNoChildren) \"/\" a/b/c\r\n"
            "* LIST (\\HasNoChildren) \"/\" x/y\r\n"
            "* LIST (\\Noinferiors) \"/\" flat\r\n"
            "* LIST (\\HasNoChildren \\Sent) \"/\" sent\r\n");
}

TEST(ListingTest, percent_shows_parents_that_nobody_made) {
  EXPECT_EQ(text(list(tree(), '/', query({"x%"}))), "* LIST (\\Noselect \\HasChildren) \"/\" x\r\n");
  EXPECT_EQ(text(list(tree(), '/', query({"x*"}))), "* LIST (\\HasNoChildren) \"/\" x/y\r\n");
}

TEST(ListingTest, inbox_in_another_case_is_no_parent_that_is_missing) {
  MailboxTree t;
  t.mailboxes = {box("INBOX"), box("Inbox/x"), box("inbox/y/z")};
  t.subscriptions = {"Inbox/x"};
  EXPECT_EQ(text(list(t, '/', query({"%"}))), "* LIST (\\HasNoChildren) \"/\" INBOX\r\n");
  EXPECT_EQ(text(list(t, '/', query({"inbox/%"}))), "* LIST (\\Noselect \\HasChildren) \"/\" inbox/y\r\n");
  EXPECT_EQ(text(lsub(t, '/', Lsub{"", "%"})), "");
}

TEST(ListingTest, the_reference_stands_before_the_pattern) {
  EXPECT_EQ(text(list(tree(), '/', query({"%"}, "a/"))), "* LIST (\\HasChildren) \"/\" a/b\r\n");
}

TEST(ListingTest, an_empty_pattern_asks_for_the_separator) {
  EXPECT_EQ(text(list(tree(), '.', query({""}))), "* LIST (\\Noselect) \".\" \"\"\r\n");
}

TEST(ListingTest, inbox_is_found_in_any_case) {
  EXPECT_EQ(text(list(tree(), '/', query({"inbox"}))), "* LIST (\\HasNoChildren) \"/\" INBOX\r\n");
}

TEST(ListingTest, a_flat_name_space_has_no_children) {
  MailboxTree t;
  for (MailboxInfo flat : {box("INBOX"), box("a/b")}) {
    flat.separator = '\0';
    t.mailboxes.push_back(flat);
  }
  EXPECT_EQ(text(list(t, '\0', query({"%"}))),
            "* LIST (\\HasNoChildren) NIL INBOX\r\n* LIST (\\HasNoChildren) NIL a/b\r\n");
}

TEST(ListingTest, subscribed_selects_also_what_does_not_exist) {
  List q = query({"*"});
  q.extended = q.select_subscribed = true;
  EXPECT_EQ(text(list(tree(), '/', q)),
            "* LIST (\\HasChildren \\Subscribed) \"/\" a/b\r\n"
            "* LIST (\\HasNoChildren \\Subscribed \\Sent) \"/\" sent\r\n"
            "* LIST (\\NonExistent \\HasNoChildren \\Subscribed) \"/\" gone/deep\r\n");
}

TEST(ListingTest, recursivematch_shows_parents_of_what_is_selected) {
  List q = query({"%"});
  q.extended = q.select_subscribed = q.select_recursive_match = true;
  EXPECT_EQ(text(list(tree(), '/', q)),
            "* LIST (\\Noselect \\HasChildren) \"/\" a (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
            "* LIST (\\HasNoChildren \\Subscribed \\Sent) \"/\" sent\r\n"
            "* LIST (\\NonExistent \\HasNoChildren) \"/\" gone (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n");
}

TEST(ListingTest, special_use_selects) {
  List q = query({"*"});
  q.extended = q.select_special_use = true;
  EXPECT_EQ(text(list(tree(), '/', q)), "* LIST (\\HasNoChildren \\Sent) \"/\" sent\r\n");
}

TEST(ListingTest, return_subscribed_marks_without_selecting) {
  List q = query({"a/b", "x/y"});
  q.extended = q.return_subscribed = true;
  EXPECT_EQ(text(list(tree(), '/', q)),
            "* LIST (\\HasChildren \\Subscribed) \"/\" a/b\r\n* LIST (\\HasNoChildren) \"/\" x/y\r\n");
}

TEST(ListingTest, a_name_that_several_patterns_match_is_shown_once) {
  List q = query({"INBOX", "*BOX", "IN%"});
  q.extended = true;
  EXPECT_EQ(text(list(tree(), '/', q)), "* LIST (\\HasNoChildren) \"/\" INBOX\r\n");
}

TEST(LsubTest, shows_subscriptions_whether_they_exist_or_not) {
  EXPECT_EQ(text(lsub(tree(), '/', Lsub{"", "*"})),
            "* LSUB () \"/\" a/b\r\n* LSUB () \"/\" sent\r\n* LSUB () \"/\" gone/deep\r\n");
}

TEST(LsubTest, percent_shows_parents_of_subscriptions) {
  EXPECT_EQ(text(lsub(tree(), '/', Lsub{"", "%"})),
            "* LSUB (\\Noselect) \"/\" a\r\n* LSUB () \"/\" sent\r\n* LSUB (\\Noselect) \"/\" gone\r\n");
}

// A tree as a store makes it: mailboxes are found by name.
MailboxTree by_name(MailboxTree t) {
  std::vector<MailboxTree::Named> names;
  storage::MailboxList keyed;
  uint64_t key = 0;
  for (MailboxInfo info : t.mailboxes) {
    info.key = wire::base::MailboxKey(++key);
    names.push_back({info.name, info.key});
    keyed.push_back(info);
  }
  std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  t.mailboxes = keyed;
  t.names = decltype(t.names)(std::move(names));
  return t;
}

TEST(ListingTest, looks_at_subscribed_ones_alone_and_says_the_same) {
  MailboxTree plain = tree();
  plain.mailboxes.push_back(box("x/y/lost", storage::non_existent));
  plain.mailboxes.push_back(box("INBOX/under"));
  plain.subscriptions = {"INBOX", "a", "a/b", "a/b/c", "flat", "gone/deep", "sent", "x/y", "zz"};
  const MailboxTree indexed = by_name(plain);
  for (const char* pattern : {"*", "%", "a/%", "a/b*", "inbox", "x/*"}) {
    for (bool special : {false, true}) {
      for (bool recursive : {false, true}) {
        List q = query({pattern});
        q.extended = q.select_subscribed = true;
        q.select_special_use = special;
        q.select_recursive_match = recursive;
        EXPECT_EQ(text(list(indexed, '/', q)), text(list(plain, '/', q))) << pattern;
      }
    }
    EXPECT_EQ(text(lsub(indexed, '/', Lsub{"", pattern})), text(lsub(plain, '/', Lsub{"", pattern}))) << pattern;
  }
}

TEST(affordable, refuses_patterns_that_would_hold_a_core_and_nothing_that_clients_send) {
  storage::MailboxTree tree;
  for (int i = 0; i < 5000; ++i) {
    storage::MailboxInfo box;
    box.name = "Archive/Projects/Customer " + std::to_string(i);
    box.separator = '/';
    tree.mailboxes.push_back(box);
  }
  EXPECT_TRUE(affordable(tree, "", {"*", "%", "Archive/%", "Archive/*/Customer 1%"}));
  std::string hostile;
  for (int i = 0; i < 240; ++i) hostile += "d%/";
  const auto refused = affordable(tree, "", std::vector<std::string>(60, hostile));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, storage::Errc::limit);
  // Where no name is subscribed, none is looked at; but for a tree that is not made by names.
  EXPECT_FALSE(affordable(tree, "", std::vector<std::string>(60, hostile), true));
  EXPECT_TRUE(affordable(by_name(tree), "", std::vector<std::string>(60, hostile), true));
}

}  // namespace
}  // namespace gateway::imap
