#include "tests/script/script.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "gateway/imap/commands.h"

namespace tests::script {
namespace {

std::vector<std::filesystem::path> script_files() {
  std::vector<std::filesystem::path> out;
  for (const auto& entry : std::filesystem::directory_iterator(FAIRLEAD_FIXTURES "/scripts")) {
    if (entry.path().extension() == ".imap") out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

class ScriptTest : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(ScriptTest, goes_as_written) {
  const Script script = load_script(GetParam());
  TestGateway gateway;
  EXPECT_EQ(run_script(script, gateway), "");
}

INSTANTIATE_TEST_SUITE_P(Scripts, ScriptTest, testing::ValuesIn(script_files()), [](const auto& c) {
  std::string name = c.param.stem().string();
  std::replace_if(
      name.begin(), name.end(), [](char x) { return !std::isalnum(static_cast<unsigned char>(x)); }, '_');
  return name;
});

// --- every row of the table has its script, its seed for the fuzzer and its line in the documentation

std::set<std::string> rows() {
  std::set<std::string> out;
  for (const auto& command : gateway::imap::commands()) {
    out.insert(std::string(command.name));
    if (command.uid_form) out.insert("UID-" + std::string(command.name));
  }
  return out;
}

TEST(CompletenessTest, every_command_has_a_script) {
  std::set<std::string> missing = rows();
  for (const auto& file : script_files()) {
    for (const std::string& name : load_script(file).covers) missing.erase(name);
  }
  EXPECT_EQ(missing, std::set<std::string>());
}

TEST(CompletenessTest, every_command_has_a_fuzz_seed) {
  for (const std::string& row : rows()) {
    EXPECT_TRUE(std::filesystem::exists(std::string(FAIRLEAD_FIXTURES "/fuzz/imap_command/") + row)) << row;
  }
}

TEST(CompletenessTest, every_command_has_a_line_in_the_documentation) {
  std::ifstream in(FAIRLEAD_FIXTURES "/../docs/imap-support.md");
  std::stringstream page;
  page << in.rdbuf();
  for (const auto& command : gateway::imap::commands()) {
    EXPECT_NE(page.str().find("| " + std::string(command.name) + " |"), std::string::npos) << command.name;
  }
}

TEST(ScriptGrammarTest, captures_a_word_once_and_compares_it_later) {
  Captures captures;
  EXPECT_TRUE(matches("* $n FETCH (UID $u)", "* 3 FETCH (UID 17)", captures));
  EXPECT_EQ(captures["u"], "17");
  EXPECT_TRUE(matches("* $n EXPUNGE", "* 3 EXPUNGE", captures));
  EXPECT_FALSE(matches("* $n EXPUNGE", "* 4 EXPUNGE", captures));
}

TEST(ScriptGrammarTest, matches_the_whole_line) {
  Captures captures;
  EXPECT_FALSE(matches("* OK", "* OK more", captures));
  EXPECT_FALSE(matches("* OK more", "* OK", captures));
  EXPECT_TRUE(matches("* OK$$", "* OK more", captures));
}

}  // namespace
}  // namespace tests::script
