#include "quirks/rules.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <fstream>

namespace quirks {
namespace {

namespace fs = std::filesystem;

Evidence server(std::string banner, std::vector<std::string> capabilities = {"IMAP4REV1"}) {
  Evidence e;
  e.upstream = "old";
  e.host = "mail.example.org";
  e.banner = std::move(banner);
  e.capabilities = std::move(capabilities);
  return e;
}

bool has(const std::vector<std::string>& list, const std::string& id) {
  return std::find(list.begin(), list.end(), id) != list.end();
}

TEST(BuiltInRules, are_sound_and_each_cites_its_evidence) {
  const LoadedRules loaded = load_rules({});
  for (const RuleProblem& p : loaded.problems) ADD_FAILURE() << p.file << ":" << p.line << ": " << p.what;
  EXPECT_GE(loaded.rules.size(), 9u);
  for (const Rule& r : loaded.rules) {
    EXPECT_GE(r.evidence.size(), 40u) << r.id;
    EXPECT_FALSE(r.group.empty()) << r.id;
    EXPECT_FALSE(r.set.empty()) << r.id;
    EXPECT_TRUE(r.file.starts_with("built-in/")) << r.file;
    EXPECT_GT(r.line, 0u) << r.id;
  }
}

TEST(BuiltInRules, take_an_unknown_server_at_its_word) {
  const LoadedRules loaded = load_rules({});
  const Profile p = profile_for(loaded.rules, server("ready", {"IMAP4REV1", "STARTTLS", "CONDSTORE"}));
  EXPECT_TRUE(p.rules.empty());
  EXPECT_TRUE(p.observed.empty());
}

// One row a built-in rule: what a real server shows, and what comes of it. The greetings are those of Debian 12's
// packages.
struct ServerCase {
  const char* rule;
  Evidence seen;
  bool observed;
  bool (*holds)(const Profile&);
};

Evidence courier(bool changes) {
  Evidence e = server(
      "[CAPABILITY IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=REFERENCES SORT QUOTA IDLE STARTTLS ENABLE "
      "UTF8=ACCEPT] Courier-IMAP ready. Copyright 1998-2021 Double Precision, Inc.",
      {"IMAP4REV1", "UIDPLUS", "STARTTLS"});
  e.examine_uidvalidity_changes = changes;
  return e;
}

Evidence cyrus_by_id() {
  Evidence e = server("mail.example.org server ready");
  e.id["name"] = "Cyrus IMAPD";
  return e;
}

TEST(BuiltInRules, match_the_servers_they_are_about) {
  const Evidence cyrus = server("mail Cyrus IMAP 3.6.1-Debian-3.6.1-4+deb12u3 server ready");
  const Evidence dovecot = server("[CAPABILITY IMAP4rev1] Dovecot (Debian) ready.", {"IMAP4REV1", "COMPRESS=DEFLATE"});
  const ServerCase cases[] = {
      {"courier-examine-no-uidvalidity", courier(true), false,
       [](const Profile& p) { return p.select_instead_of_examine; }},
      {"courier-starttls-broken", courier(false), true, [](const Profile& p) { return !p.no_starttls; }},
      {"courier-command-line-16k", courier(false), false, [](const Profile& p) { return p.max_command_line == 16384; }},
      {"courier-no-exists-after-append", courier(false), false, [](const Profile& p) { return p.noop_after_append; }},
      {"cyrus-delete-selected-bye", cyrus, false, [](const Profile& p) { return p.leave_before_delete; }},
      {"cyrus-id-delete-selected-bye", cyrus_by_id(), false, [](const Profile& p) { return p.leave_before_delete; }},
      {"cyrus-murder-list-status", server("x", {"IMAP4REV1", "MUPDATE"}), false,
       [](const Profile& p) { return p.no_list_status; }},
      {"dovecot-userip-limit", dovecot, false, [](const Profile& p) { return p.max_connections_per_user == 8; }},
      {"dovecot-compress-hang", dovecot, true, [](const Profile& p) { return !p.no_compress; }},
  };
  const LoadedRules loaded = load_rules({});
  EXPECT_EQ(std::size(cases), loaded.rules.size()) << "each built-in rule needs a row here";
  for (const ServerCase& c : cases) {
    const Profile p = profile_for(loaded.rules, c.seen);
    EXPECT_TRUE(has(c.observed ? p.observed : p.rules, c.rule)) << c.rule;
    EXPECT_FALSE(has(c.observed ? p.rules : p.observed, c.rule)) << c.rule;
    EXPECT_TRUE(c.holds(p)) << c.rule;
  }
  EXPECT_FALSE(profile_for(loaded.rules, courier(false)).select_instead_of_examine) << "only where a probe saw it";
}

TEST(Matching, needs_every_condition_and_known_evidence) {
  Match m;
  m.upstream = "old";
  m.banner = "*dovecot*";
  m.capabilities = {"idle"};
  m.without = {"QRESYNC"};
  EXPECT_TRUE(matches(m, server("Dovecot ready.", {"IDLE"})));
  EXPECT_FALSE(matches(m, server("Dovecot ready.", {"IDLE", "QRESYNC"})));
  EXPECT_FALSE(matches(m, server("Dovecot ready.", {"IMAP4REV1"})));
  EXPECT_FALSE(matches(m, server("Dovecot ready.", {})));
  EXPECT_FALSE(matches(m, server("", {"IDLE"})));
  Evidence elsewhere = server("Dovecot ready.", {"IDLE"});
  elsewhere.upstream = "new";
  EXPECT_FALSE(matches(m, elsewhere));
  Match changes;
  changes.examine_uidvalidity_changes = false;
  EXPECT_FALSE(matches(changes, server("x"))) << "not probed is not known";
}

TEST(Globs, match_without_regard_to_case) {
  struct Case {
    const char *pattern, *text;
    bool want;
  };
  const Case cases[] = {{"", "", true},       {"*", "", true},        {"*", "abc", true},      {"a*c", "abbbc", true},
                        {"A?C", "abc", true}, {"a?c", "ac", false},   {"*b*b*", "abab", true}, {"*b", "abc", false},
                        {"abc", "ABC", true}, {"abc", "abcd", false}, {"a**", "a", true},      {"?", "", false}};
  for (const Case& c : cases) EXPECT_EQ(glob(c.pattern, c.text), c.want) << c.pattern << " " << c.text;
  // Hostile greetings must not take exponential time.
  EXPECT_FALSE(glob("*a*a*a*a*a*a*a*a*b", std::string(5000, 'a')));
}

constexpr const char* good = R"(
[[rule]]
id = "x"
summary = "s"
evidence = "e"
[rule.match]
banner = "*X*"
[rule.set]
no_qresync = true
)";

TEST(RuleFiles, say_where_and_what_is_wrong) {
  struct Case {
    const char *name, *text;
    uint32_t line;
    const char* what;
  };
  const Case cases[] = {
      {"syntax", "[[rule]\n", 1, ""},
      {"other_key", "x = 1\n", 1, "does not belong here"},
      {"no_evidence", "[[rule]]\nid = \"a\"\nsummary = \"s\"\nmatch = { host = \"h\" }\n", 1,
       "needs id, summary and evidence"},
      {"no_match", "[[rule]]\nid = \"a\"\nsummary = \"s\"\nevidence = \"e\"\n", 1, "needs a match"},
      {"empty_match", "[[rule]]\nid = \"a\"\nsummary = \"s\"\nevidence = \"e\"\nmatch = {}\n", 5,
       "at least one condition"},
      {"unknown_condition", "[[rule]]\nid = \"a\"\nsummary = \"s\"\nevidence = \"e\"\nmatch = { moon = \"full\" }\n", 5,
       "moon is not a condition"},
      {"unknown_value",
       "[[rule]]\nid = \"a\"\nsummary = \"s\"\nevidence = \"e\"\nmatch = { host = \"h\" }\nset = { no_qresnc = true "
       "}\n",
       6, "no_qresnc is not a value"},
      {"wrong_type",
       "[[rule]]\nid = \"a\"\nsummary = \"s\"\nevidence = \"e\"\nmatch = { host = \"h\" }\nset = { no_qresync = 1 }\n",
       6, "takes true or false"},
      {"negative",
       "[[rule]]\nid = \"a\"\nsummary = \"s\"\nevidence = \"e\"\nmatch = { host = \"h\" }\nset = { max_command_line = "
       "-1 }\n",
       6, "takes a whole number"},
      {"mode", "[[rule]]\nid = \"a\"\nsummary = \"s\"\nevidence = \"e\"\nmode = \"maybe\"\nmatch = { host = \"h\" }\n",
       5, "mode is on, observe or off"},
  };
  for (const Case& c : cases) {
    const LoadedRules r = parse_rules(c.text, "f.toml");
    EXPECT_TRUE(r.rules.empty()) << c.name;
    ASSERT_FALSE(r.problems.empty()) << c.name;
    EXPECT_EQ(r.problems[0].line, c.line) << c.name;
    EXPECT_NE(r.problems[0].what.find(c.what), std::string::npos) << c.name << ": " << r.problems[0].what;
  }
  EXPECT_EQ(parse_rules(good, "f.toml").rules.size(), 1u);
}

class OperatorRules : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "fairlead-rules-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { fs::remove_all(dir_); }
  void write(const std::string& name, const std::string& text) { std::ofstream(dir_ / name) << text; }
  fs::path dir_;
};

TEST_F(OperatorRules, replace_built_in_ones_by_id_and_come_later) {
  write("10.toml",
        "[[rule]]\nid = \"dovecot-userip-limit\"\nsummary = \"s\"\nevidence = \"ours allows more\"\nmode = \"off\"\n"
        "match = { banner = \"*Dovecot*\" }\n");
  write("20.toml", good);
  write("ignored.txt", "not a rule file");
  const std::vector<fs::path> files{dir_};
  const LoadedRules loaded = load_rules(files);
  EXPECT_TRUE(loaded.problems.empty());
  EXPECT_EQ(loaded.rules.size(), load_rules({}).rules.size() + 1);
  const Profile p = profile_for(loaded.rules, server("Dovecot X ready."));
  EXPECT_EQ(p.max_connections_per_user, 0u);
  EXPECT_TRUE(p.no_qresync);
  EXPECT_EQ(p.rules.back(), "x");
}

TEST_F(OperatorRules, that_are_missing_are_a_problem) {
  const std::vector<fs::path> files{dir_ / "none.toml"};
  const LoadedRules loaded = load_rules(files);
  ASSERT_EQ(loaded.problems.size(), 1u);
  EXPECT_EQ(loaded.problems[0].file, (dir_ / "none.toml").string());
}

}  // namespace
}  // namespace quirks
