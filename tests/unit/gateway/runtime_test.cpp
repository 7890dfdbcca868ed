#include "gateway/runtime.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gateway {
namespace {

namespace fs = std::filesystem;

class Lock : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "fairlead-lock-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { fs::remove_all(dir_); }
  fs::path dir_;
};

TEST_F(Lock, makes_the_directory_for_its_owner_alone) {
  const auto lock = DataLock::take(dir_ / "data");
  ASSERT_TRUE(lock) << lock.error().describe();
  struct stat st {};
  ASSERT_EQ(::stat((dir_ / "data").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0700u);
  ASSERT_EQ(::stat((dir_ / "data" / "lock").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
}

TEST_F(Lock, is_held_by_one_and_names_it) {
  {
    const auto first = DataLock::take(dir_);
    ASSERT_TRUE(first);
    const auto second = DataLock::take(dir_);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::unavailable);
    EXPECT_NE(second.error().note.find("process " + std::to_string(::getpid())), std::string::npos)
        << second.error().note;
  }
  EXPECT_TRUE(DataLock::take(dir_));
}

TEST_F(Lock, ends_with_a_killed_process) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto mine = DataLock::take(dir_);
    const char c = mine ? 'y' : 'n';
    if (::write(ready[1], &c, 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  char c = 0;
  ASSERT_EQ(::read(ready[0], &c, 1), 1);
  EXPECT_EQ(c, 'y');
  EXPECT_FALSE(DataLock::take(dir_));
  ::kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(DataLock::take(dir_));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(Lock, a_directory_that_cannot_be_made_is_an_error) {
  const auto lock = DataLock::take("/proc/fairlead-no-such-place");
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().code, Errc::io);
}

awaitable<int> answer() { co_return 42; }

TEST_F(Lock, a_runtime_runs_tasks_and_ends) {
  auto config = std::make_shared<config::Config>();
  config->data_dir = dir_;
  config->seal_key_file = dir_ / "secret.key";
  config->threads = 2;
  Log log("text", "off");
  auto lock = DataLock::take(dir_);
  ASSERT_TRUE(lock);
  auto runtime = Runtime::start(config, std::move(*lock), log);
  ASSERT_TRUE(runtime) << runtime.error().describe();
  EXPECT_EQ((*runtime)->cores().size(), 2u);
  EXPECT_EQ((*runtime)->run(answer()), 42);
  EXPECT_FALSE(DataLock::take(dir_));
  EXPECT_TRUE((*runtime)->stop());
  EXPECT_TRUE((*runtime)->stop());
  runtime->reset();
  EXPECT_TRUE(DataLock::take(dir_));
}

}  // namespace
}  // namespace gateway
