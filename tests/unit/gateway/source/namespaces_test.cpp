#include "gateway/source/namespaces.h"

#include <gtest/gtest.h>

namespace gateway::source {
namespace {

using wire::imap::NamespaceData;

struct Case {
  const char* what;
  NamespaceData told;
  std::vector<const char*> personal, foreign;
};

TEST(namespaces, tell_the_users_own_mailboxes_from_those_of_others) {
  const Case cases[] = {
      {"a server without NAMESPACE", {}, {"INBOX", "user.x", "a"}, {}},
      {"Cyrus with INBOX.",
       {{{"INBOX.", '.'}}, {{"user.", '.'}}, {{"", '.'}}},
       {"INBOX", "inbox", "INBOX.a"},
       {"user", "user.bert", "user.bert.a", "announce", "INBOXES"}},
      {"Cyrus with alternative names",
       {{{"", '/'}}, {{"Other Users/", '/'}}, {{"Shared Folders/", '/'}}},
       {"INBOX", "a", "Other", "Other UsersX"},
       {"Other Users", "Other Users/bert", "Shared Folders/x"}},
      {"a shared namespace without a prefix beside a personal one without: one namespace in truth",
       {{{"", '/'}}, {}, {{"", '/'}}},
       {"INBOX", "a"},
       {}},
      {"a personal namespace inside a foreign one",
       {{{"user/anna/", '/'}}, {{"user/", '/'}}, {}},
       {"INBOX", "user/anna/a", "user/anna"},
       {"user/bert/a", "user"}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const Namespaces n = c.told == NamespaceData() ? Namespaces() : Namespaces(c.told);
    for (const char* name : c.personal) EXPECT_TRUE(n.personal(name)) << name;
    for (const char* name : c.foreign) EXPECT_FALSE(n.personal(name)) << name;
  }
}

TEST(namespaces, an_annotation_gives_the_entries_back) {
  const std::vector<wire::imap::NamespaceEntry> entries = {{"user.", '.'}, {"", '/'}, {"flat", '\0'}};
  EXPECT_EQ(from_annotation(to_annotation(entries)), entries);
  EXPECT_EQ(to_annotation({}), "");
  EXPECT_TRUE(from_annotation("").empty());
}

}  // namespace
}  // namespace gateway::source
