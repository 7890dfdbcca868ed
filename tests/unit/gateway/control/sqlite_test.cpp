#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "gateway/control/control.h"
#include "gateway/control/database.h"

namespace gateway::control {
namespace {

namespace fs = std::filesystem;
using wire::base::Errc;

class ControlTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "fairlead-control-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
    options_ = {dir_ / "control.db", dir_ / "secret.key"};
    control_ = open();
  }
  void TearDown() override {
    control_.reset();
    fs::remove_all(dir_);
  }

  std::unique_ptr<Control> open() {
    auto c = open_sqlite(options_);
    EXPECT_TRUE(c) << c.error().describe();
    return c ? std::move(*c) : nullptr;
  }
  static User user(const std::string& name, std::vector<std::string> aliases = {}) {
    User u;
    u.name = name;
    u.aliases = std::move(aliases);
    u.upstream = "old";
    u.placement.epoch = Epoch(1);
    return u;
  }
  static Control::Transition step(State from, uint64_t from_epoch, State to, uint64_t epoch,
                                  Owner owner = Owner::upstream) {
    Control::Transition t;
    t.user = "anna";
    t.from = from;
    t.from_epoch = Epoch(from_epoch);
    t.to = to;
    t.placement.owner = owner;
    t.placement.epoch = Epoch(epoch);
    t.actor = "tester";
    t.reason = "because";
    t.evidence = "{\"n\":1}";
    return t;
  }
  static unsigned mode(const fs::path& p) {
    struct stat st {};
    return ::stat(p.c_str(), &st) == 0 ? st.st_mode & 0777 : 0;
  }
  std::string bytes_on_disk() const {
    std::string all;
    for (const auto& entry : fs::directory_iterator(dir_)) {
      std::ostringstream text;
      text << std::ifstream(entry.path(), std::ios::binary).rdbuf();
      all += text.str();
    }
    return all;
  }

  fs::path dir_;
  ControlOptions options_;
  std::unique_ptr<Control> control_;
};

TEST_F(ControlTest, a_user_is_found_by_name_and_by_alias_after_a_restart) {
  ASSERT_TRUE(control_->add_user(user("anna", {"a.smith", "info"})));
  control_ = open();
  for (const char* name : {"anna", "a.smith", "info"}) {
    const auto found = control_->find_user(name);
    ASSERT_TRUE(found && *found) << name;
    EXPECT_EQ((*found)->name, "anna");
    EXPECT_EQ((*found)->aliases, (std::vector<std::string>{"a.smith", "info"}));
    EXPECT_EQ((*found)->upstream, "old");
    EXPECT_EQ((*found)->placement.owner, Owner::upstream);
    EXPECT_EQ((*found)->state, State::added);
  }
  const auto none = control_->find_user("Anna");
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
}

TEST_F(ControlTest, a_name_is_one_user_or_one_alias) {
  ASSERT_TRUE(control_->add_user(user("anna", {"info"})));
  for (const User& u : {user("anna"), user("info"), user("bert", {"anna"}), user("bert", {"info"})}) {
    const auto r = control_->add_user(u);
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().code, Errc::exists);
  }
  EXPECT_EQ(control_->add_user(user("bert", {"x", "x"})).error().code, Errc::usage);
  EXPECT_EQ(control_->users()->size(), 1u);
}

TEST_F(ControlTest, a_removed_user_leaves_tombstones_also_for_aliases_and_comes_back_in_a_higher_epoch) {
  User u = user("anna", {"info"});
  u.placement.epoch = Epoch(7);
  ASSERT_TRUE(control_->add_user(u));
  EXPECT_FALSE(*control_->removed("anna"));
  ASSERT_TRUE(control_->remove_user("anna"));
  EXPECT_TRUE(*control_->removed("anna"));
  EXPECT_TRUE(*control_->removed("info"));
  EXPECT_FALSE(*control_->find_user("info"));
  EXPECT_EQ(control_->remove_user("anna").error().code, Errc::not_found);
  ASSERT_TRUE(control_->add_user(user("anna")));
  EXPECT_FALSE(*control_->removed("anna"));
  EXPECT_TRUE(*control_->removed("info"));
  EXPECT_EQ((*control_->find_user("anna"))->placement.epoch, Epoch(8));
}

TEST_F(ControlTest, a_transition_needs_the_expected_state_and_epoch) {
  ASSERT_TRUE(control_->add_user(user("anna")));
  ASSERT_TRUE(control_->transition(step(State::added, 1, State::seeding, 1)));
  struct Case {
    const char* what;
    Control::Transition t;
  };
  const Case cases[] = {
      {"the state is another", step(State::added, 1, State::seeding, 1)},
      {"the epoch is stale", step(State::seeding, 0, State::tracking, 1)},
      {"the epoch is ahead", step(State::seeding, 2, State::tracking, 2)},
      {"the new epoch goes back", step(State::seeding, 1, State::tracking, 0)},
  };
  for (const Case& c : cases) {
    const auto r = control_->transition(c.t);
    ASSERT_FALSE(r) << c.what;
    EXPECT_EQ(r.error().code, Errc::conflict) << c.what;
  }
  const auto now = control_->find_user("anna");
  EXPECT_EQ((*now)->state, State::seeding);
  EXPECT_EQ(control_->events("anna", 10)->size(), 2u);  // the refused ones left none
}

TEST_F(ControlTest, a_commit_keeps_its_evidence_and_every_step_its_event) {
  ASSERT_TRUE(control_->add_user(user("anna")));
  ASSERT_TRUE(control_->transition(step(State::added, 1, State::freezing, 2, Owner::frozen)));
  ASSERT_TRUE(control_->transition(step(State::freezing, 2, State::committed, 3, Owner::local)));
  const auto u = control_->find_user("anna");
  EXPECT_EQ((*u)->placement.owner, Owner::local);
  EXPECT_EQ((*u)->placement.epoch, Epoch(3));
  EXPECT_EQ((*u)->commit_evidence, "{\"n\":1}");
  const auto events = control_->events("anna", 2);
  ASSERT_EQ(events->size(), 2u);
  EXPECT_EQ((*events)[0].what, "freezing -> committed: because");
  EXPECT_EQ((*events)[0].actor, "tester");
  EXPECT_GT((*events)[0].when, 0);
}

TEST_F(ControlTest, of_two_connections_only_one_wins_a_transition) {
  ASSERT_TRUE(control_->add_user(user("anna")));
  int won = 0;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto mine = open();
      const auto r = mine->transition(step(State::added, 1, State::seeding, 2));
      const std::lock_guard lock(mutex);
      if (r) {
        ++won;
      } else {
        EXPECT_EQ(r.error().code, Errc::conflict) << r.error().describe();
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(won, 1);
}

// The child reports each step it was told is done, then is killed at once: what it reported must be there.
TEST_F(ControlTest, what_a_killed_process_was_told_is_done_is_done) {
  ASSERT_TRUE(control_->add_user(user("anna")));
  control_.reset();
  int pipes[2];
  ASSERT_EQ(::pipe(pipes), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipes[0]);
    auto mine = open_sqlite(options_);
    for (uint64_t e = 1; mine; ++e) {
      if (!(*mine)->transition(step(e == 1 ? State::added : State::seeding, e, State::seeding, e + 1))) break;
      if (::write(pipes[1], &e, sizeof e) != sizeof e) break;
    }
    ::_exit(1);
  }
  ::close(pipes[1]);
  uint64_t told = 0;
  for (int i = 0; i < 20; ++i) ASSERT_EQ(::read(pipes[0], &told, sizeof told), static_cast<ssize_t>(sizeof told));
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  for (uint64_t e = 0; ::read(pipes[0], &e, sizeof e) == static_cast<ssize_t>(sizeof e);) told = e;
  ::close(pipes[0]);
  control_ = open();
  const auto u = control_->find_user("anna");
  ASSERT_TRUE(u && *u);
  EXPECT_GE((*u)->placement.epoch, Epoch(told + 1));
  EXPECT_LE((*u)->placement.epoch, Epoch(told + 2));
  // One event a step, and the one of the addition: a step and its event are one.
  EXPECT_EQ(control_->events("anna", 10'000)->size(), (*u)->placement.epoch.value);
  EXPECT_EQ(control_->transition(step(State::seeding, 1, State::failed, 9)).error().code, Errc::conflict);
}

TEST_F(ControlTest, source_passwords_come_back_and_are_nowhere_plain) {
  ASSERT_TRUE(control_->add_user(user("anna")));
  EXPECT_FALSE(control_->source_password("anna")->has_value());
  const std::string password("top \xc3\xa9 secret\0 word", 19);
  ASSERT_TRUE(control_->set_source_password("anna", password));
  EXPECT_EQ(bytes_on_disk().find("top \xc3\xa9 secret"), std::string::npos);
  control_ = open();
  const auto got = control_->source_password("anna");
  ASSERT_TRUE(got && *got) << got.error().describe();
  EXPECT_EQ(**got, password);
  EXPECT_TRUE((*control_->find_user("anna"))->has_source_password);
  EXPECT_EQ(control_->set_source_password("none", "x").error().code, Errc::not_found);
  EXPECT_EQ(control_->source_password("none").error().code, Errc::not_found);
}

TEST_F(ControlTest, a_sealed_password_does_not_open_in_another_row) {
  ASSERT_TRUE(control_->add_user(user("anna")));
  ASSERT_TRUE(control_->add_user(user("bert")));
  ASSERT_TRUE(control_->set_source_password("anna", "hers"));
  auto db = Database::open(options_.database);
  ASSERT_TRUE(db->execute("UPDATE users SET source_secret = (SELECT source_secret FROM users WHERE name = 'anna')"));
  EXPECT_EQ(control_->source_password("bert").error().code, Errc::corrupt);
  EXPECT_EQ(**control_->source_password("anna"), "hers");
}

TEST_F(ControlTest, files_are_for_the_owner_only) {
  ASSERT_TRUE(control_->add_user(user("anna")));
  ASSERT_TRUE(control_->set_source_password("anna", "x"));
  for (const auto& entry : fs::directory_iterator(dir_)) EXPECT_EQ(mode(entry.path()), 0600u) << entry.path();
  EXPECT_TRUE(fs::exists(options_.seal_key_file));
}

TEST_F(ControlTest, a_loose_missing_or_foreign_key_is_refused_and_named) {
  ASSERT_TRUE(control_->add_user(user("anna")));
  ASSERT_TRUE(control_->set_source_password("anna", "x"));
  ::chmod(options_.seal_key_file.c_str(), 0640);
  auto r = control_->source_password("anna");
  EXPECT_EQ(r.error().code, Errc::usage);
  EXPECT_NE(r.error().note.find("mode 0640"), std::string::npos) << r.error().note;
  ::chmod(options_.seal_key_file.c_str(), 0600);
  EXPECT_TRUE(control_->source_password("anna"));

  fs::rename(options_.seal_key_file, dir_ / "aside");
  EXPECT_EQ(control_->source_password("anna").error().code, Errc::not_found);
  EXPECT_EQ(control_->set_source_password("anna", "y").error().code, Errc::not_found);
  EXPECT_FALSE(fs::exists(options_.seal_key_file));  // no second key was made

  std::ofstream(options_.seal_key_file) << std::string(64, 'a') << "\n";
  ::chmod(options_.seal_key_file.c_str(), 0600);
  EXPECT_EQ(control_->source_password("anna").error().code, Errc::conflict);
  std::ofstream(options_.seal_key_file) << "short\n";
  EXPECT_EQ(control_->source_password("anna").error().code, Errc::corrupt);
  fs::rename(dir_ / "aside", options_.seal_key_file);
  EXPECT_EQ(**control_->source_password("anna"), "x");
}

TEST_F(ControlTest, makers_of_the_first_key_agree_on_one) {
  for (const char* name : {"a", "b", "c", "d"}) ASSERT_TRUE(control_->add_user(user(name)));
  std::vector<std::thread> threads;
  for (const char* name : {"a", "b", "c", "d"}) {
    threads.emplace_back([this, name] {
      const auto mine = open();
      EXPECT_TRUE(mine->set_source_password(name, name));
    });
  }
  for (std::thread& t : threads) t.join();
  for (const char* name : {"a", "b", "c", "d"}) EXPECT_EQ(**control_->source_password(name), name);
}

TEST_F(ControlTest, own_passwords_are_hashed_and_checked) {
  ASSERT_TRUE(control_->add_user(user("anna")));
  EXPECT_FALSE(control_->check_own_password("anna", "right")->has_value());
  ASSERT_TRUE(control_->set_own_password("anna", "right"));
  EXPECT_TRUE((*control_->find_user("anna"))->has_own_password);
  struct Case {
    std::string password;
    bool want;
  };
  const Case cases[] = {{"right", true},
                        {"wrong", false},
                        {"", false},
                        {std::string("right\0", 6), false},
                        {std::string(600, 'x'), false}};
  for (const Case& c : cases) EXPECT_EQ(**control_->check_own_password("anna", c.password), c.want) << c.password;
  EXPECT_EQ(control_->set_own_password("anna", std::string("a\0b", 3)).error().code, Errc::malformed);
  EXPECT_EQ(control_->set_own_password("anna", std::string(512, 'x')).error().code, Errc::limit);
  EXPECT_EQ(bytes_on_disk().find("right"), std::string::npos);
}

TEST_F(ControlTest, errors_and_sync_times_are_kept) {
  ASSERT_TRUE(control_->add_user(user("anna")));
  ASSERT_TRUE(control_->set_error("anna", "the upstream is down: start it"));
  ASSERT_TRUE(control_->set_synced("anna", 1'700'000'000));
  const auto u = control_->find_user("anna");
  EXPECT_EQ((*u)->error, "the upstream is down: start it");
  EXPECT_EQ((*u)->last_sync, 1'700'000'000);
  EXPECT_EQ(control_->set_error("none", "x").error().code, Errc::not_found);
}

TEST_F(ControlTest, accounts_are_due_for_a_visit_when_their_logs_have_grown_or_their_time_has_come) {
  for (const char* name : {"anna", "bert", "carl"}) ASSERT_TRUE(control_->add_user(user(name)));
  const auto due = [&](int64_t now) { return *control_->due_for_visit(now, 100, 10); };
  using Names = std::vector<std::string>;
  EXPECT_EQ(due(1'000), Names());  // nobody has a log
  ASSERT_TRUE(control_->set_log_lease("anna", {wire::base::Lsn(5), wire::base::Lsn(5), "f"}));
  ASSERT_TRUE(control_->set_log_lease("bert", {wire::base::Lsn(9), wire::base::Lsn(9), "f"}));
  ASSERT_TRUE(control_->set_log_lease("carl", {wire::base::Lsn(0), wire::base::Lsn(9), "f"}));
  EXPECT_EQ(due(1'000), (Names{"anna", "bert"}));
  ASSERT_TRUE(control_->note_visit("anna", {wire::base::Lsn(5), 1'000, 0}));
  ASSERT_TRUE(control_->note_visit("bert", {wire::base::Lsn(8), 1'000, 0}));
  EXPECT_EQ(due(1'099), Names());
  EXPECT_EQ(due(1'100), Names{"bert"});
  ASSERT_TRUE(control_->note_visit("anna", {wire::base::Lsn(5), 900, 1'050}));
  EXPECT_EQ(due(1'049), Names());
  EXPECT_EQ(due(1'100), (Names{"anna", "bert"}));
  ASSERT_TRUE(control_->remove_user("anna"));
  EXPECT_EQ(due(1'100), Names{"bert"});
}

TEST_F(ControlTest, a_database_of_another_kind_or_version_is_refused) {
  control_.reset();
  {
    auto db = Database::open(options_.database);
    ASSERT_TRUE(db->execute("PRAGMA user_version = 99"));
  }
  EXPECT_EQ(open_sqlite(options_).error().code, Errc::unsupported);
  {
    auto db = Database::open(options_.database);
    ASSERT_TRUE(db->execute("PRAGMA user_version = 1; PRAGMA application_id = 5"));
  }
  EXPECT_EQ(open_sqlite(options_).error().code, Errc::corrupt);
  fs::remove(options_.database);
  std::ofstream(options_.database) << "this is a text and not a database at all, long enough for a header of one\n";
  EXPECT_EQ(open_sqlite(options_).error().code, Errc::corrupt);
}

TEST_F(ControlTest, a_placement_that_cannot_be_understood_is_an_error_and_not_a_default) {
  ASSERT_TRUE(control_->add_user(user("anna")));
  auto db = Database::open(options_.database);
  ASSERT_TRUE(db->execute("UPDATE users SET owner = 9"));
  EXPECT_EQ(control_->find_user("anna").error().code, Errc::corrupt);
  ASSERT_TRUE(db->execute("UPDATE users SET owner = 1, state = 'dreaming'"));
  EXPECT_EQ(control_->find_user("anna").error().code, Errc::corrupt);
}

}  // namespace
}  // namespace gateway::control
