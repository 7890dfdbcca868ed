// Plain copies of a store that is written to, rewritten and checkpointed meanwhile: one begins at every operation of
// the disk, and takes one step (a listing, an opening, a piece of a file) at each that follows. Writes become visible
// piece by piece, as they do to whoever reads beside them.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

#include "storage/check.h"
#include "storage/space.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

const std::filesystem::path directory = "/disk/user";

struct Manner {
  const char* name;
  bool lists_first = false;      // all directories before any file, as rsync does; else each when its turn comes
  bool size_at_opening = false;  // reads as much as there was then, as tar and rsync do; else to the end
  int pause = 0;                 // operations that go by between two steps
  enum { ascending, descending, any } order = ascending;
};

class Copier {
 public:
  Copier(FaultEnv& from, const Manner& manner, uint32_t seed) : from_(from), manner_(manner), random_(seed) {
    todo_.push_back(directory);
  }

  bool done() const { return todo_.empty() && !reading_; }
  void tick() {
    if (waited_++ < manner_.pause) return;
    waited_ = 0;
    step();
  }
  void step() {
    if (reading_) return read();
    if (todo_.empty()) return;
    // Directories, where they come first.
    auto next = todo_.end() - 1;
    if (manner_.lists_first) {
      auto folder = std::find_if(todo_.begin(), todo_.end(), [](const auto& p) { return !p.has_extension(); });
      if (folder != todo_.end()) next = folder;
    }
    path_ = *next;
    todo_.erase(next);
    if (Result<std::vector<std::string>> names = from_.list(path_)) {
      listed(*names);
    } else if (Result<std::unique_ptr<File>> file = from_.open(path_, Env::Mode::read)) {
      reading_ = std::move(*file);
      end_ = manner_.size_at_opening ? *reading_->size() : UINT64_MAX;
    }  // else: it has vanished
  }
  FaultEnv& copy() { return to_; }

 private:
  void listed(std::vector<std::string> names) {
    if (path_ == directory) {
      for (const char* folder : {"log", "retired"}) {
        if (from_.list(path_ / folder)) names.emplace_back(folder);
      }
    }
    // The last one is the next.
    std::sort(names.begin(), names.end(), std::greater<>());
    if (manner_.order == Manner::descending) std::reverse(names.begin(), names.end());
    if (manner_.order == Manner::any) std::shuffle(names.begin(), names.end(), random_);
    for (const std::string& n : names) todo_.push_back(path_ / n);
  }
  void read() {
    std::vector<uint8_t> piece(std::min<uint64_t>(1024, end_ - bytes_.size()));
    size_t n = *reading_->read_at(bytes_.size(), piece);
    bytes_.insert(bytes_.end(), piece.begin(), piece.begin() + static_cast<ptrdiff_t>(n));
    if (n == 1024) return;
    to_.replace(path_.string(), std::move(bytes_));
    bytes_.clear();
    reading_.reset();
  }

  FaultEnv& from_;
  FaultEnv to_;
  Manner manner_;
  std::mt19937 random_;
  std::vector<std::filesystem::path> todo_;
  int waited_ = 0;
  std::filesystem::path path_;
  std::unique_ptr<File> reading_;
  std::vector<uint8_t> bytes_;
  uint64_t end_ = 0;
};

// Every change that a served account makes, one after the other.
class BusyStore {
 public:
  explicit BusyStore(uint64_t segment_bytes = 6000) {
    account_ = *Account::open(env_, directory, {.create = true, .segment_bytes = segment_bytes});
    inbox_ = *create_mailbox(*account_, "INBOX");
    append(12);
    EXPECT_TRUE(account_->checkpoint());
  }
  FaultEnv& disk() { return env_; }
  Account& account() { return *account_; }
  MailboxKey inbox() const { return inbox_; }

  void append(int n) {
    for (int i = 0; i < n; ++i) {
      Batch b = account_->begin();
      NewMessage m;
      m.info.body = *b.add_body(*prepare(*account_, noise(700, seed_++)));
      EXPECT_TRUE(b.add_message(inbox_, m));
      EXPECT_TRUE(account_->commit(std::move(b)));
      if (i % 2 == 0) {
        EXPECT_TRUE(account_->sync());
      }
    }
  }
  // In one write.
  void append_together(int n, const std::function<std::string(uint32_t)>& text) {
    Batch b = account_->begin();
    for (int i = 0; i < n; ++i) {
      NewMessage m;
      m.info.body = *b.add_body(*prepare(*account_, text(seed_++)));
      EXPECT_TRUE(b.add_message(inbox_, m));
    }
    EXPECT_TRUE(account_->commit(std::move(b)));
    EXPECT_TRUE(account_->sync());
  }
  void append_letters(int n) { append_together(n, letter_text); }
  void expunge_half() {
    Batch b = account_->begin();
    MailboxSnapshotPtr box = account_->snapshot(inbox_);
    UidSet uids;
    for (uint32_t i = 0; i + 2 < box->size(); i += 2) uids.add(box->uid(i));
    EXPECT_TRUE(b.expunge(inbox_, uids));
    EXPECT_TRUE(account_->commit(std::move(b)));
    EXPECT_TRUE(account_->sync());
  }
  void work() {
    int turn = 0;
    auto others = [&] {
      if (++turn % 9 == 0) append(1);
      if (turn % 31 == 0) expunge_half();
    };
    for (int round = 0; round < 3; ++round) {
      append_together(4, [](uint32_t i) { return noise(700, i); });
      append(4);
      expunge_half();
      EXPECT_TRUE(rewrite(*account_, eager(), others));
      EXPECT_TRUE(checkpoint_in_steps(*account_, others));
      EXPECT_TRUE(Space(*account_).retire());
    }
  }

 private:
  FaultEnv env_;
  std::unique_ptr<Account> account_;
  MailboxKey inbox_;
  uint32_t seed_ = 0;
};

constexpr Manner manners[] = {
    {.name = "cp"},
    {.name = "cp_slowly", .pause = 7},
    {.name = "tar", .size_at_opening = true, .order = Manner::any},
    {.name = "tar_slowly", .size_at_opening = true, .pause = 11, .order = Manner::descending},
    {.name = "rsync", .lists_first = true, .size_at_opening = true},
    {.name = "rsync_slowly", .lists_first = true, .size_at_opening = true, .pause = 13, .order = Manner::any},
};

void PrintTo(const Manner& m, std::ostream* out) { *out << m.name; }

class PlainCopyBy : public testing::TestWithParam<Manner> {};

// Copies that begin at every operation of `work`, or at each so many.
void copy_during(BusyStore& store, const Manner& manner, const std::function<void()>& work, int each = 1) {
  struct Begun {
    std::unique_ptr<Copier> copier;
    Lsn durable;  // nothing of this may be missing
  };
  std::vector<Begun> copies;
  FaultEnv& disk = store.disk();
  disk.write_in_pieces(256);
  int operation = 0;
  disk.on_operation([&] {
    for (Begun& c : copies) c.copier->tick();
    if (operation++ % each != 0) return;
    auto copier = std::make_unique<Copier>(disk, manner, static_cast<uint32_t>(copies.size()));
    copies.push_back({std::move(copier), store.account().durable()});
  });
  work();
  disk.on_operation({});
  ASSERT_GT(operation, 100);
  size_t cut_off = 0;
  for (size_t i = 0; i < copies.size(); ++i) {
    SCOPED_TRACE("begun at operation " + std::to_string(i));
    Copier& copier = *copies[i].copier;
    while (!copier.done()) copier.step();
    Result<CheckReport> report = check_store(copier.copy(), directory);
    ASSERT_TRUE(report) << report.error().describe();
    ASSERT_TRUE(report->clean()) << report->problems[0].what << " " << report->problems[0].where;
    ASSERT_GE(report->end, copies[i].durable);
    Result<std::unique_ptr<Account>> a = Account::open(copier.copy(), directory, {});
    ASSERT_TRUE(a) << a.error().describe();
    ASSERT_TRUE((*a)->open_report().damage.empty()) << (*a)->open_report().damage[0].what;
    // A write that it came between was never acknowledged: it is cut off, and that is told.
    const bool cut = (*a)->open_report().torn_bytes > 0;
    cut_off += cut ? 1 : 0;
    ASSERT_TRUE(report->notes.size() == 1 || !cut);
    ASSERT_EQ(describe(**a).find("NO BODY"), std::string::npos);
  }
  if (manner.pause == 0) {
    EXPECT_GT(cut_off, 0u);
  }
}

TEST_P(PlainCopyBy, begun_at_any_operation_is_whole) {
  BusyStore store;
  copy_during(store, GetParam(), [&] { store.work(); });
}

TEST(PlainCopySteps, begun_while_letters_get_a_dictionary_is_whole) {
  BusyStore store(40'000);
  for (int i = 0; i < 13; ++i) store.append_letters(40);
  EXPECT_TRUE(store.account().checkpoint());
  const auto work = [&] {
    EXPECT_TRUE(store.account().train_dictionary());
    for (int i = 0; i < 3; ++i) {
      for (int n = 0; n < 4; ++n) store.append_letters(1);
      EXPECT_TRUE(rewrite(store.account(), RewriteOptions{.small_bytes = 1000, .tail_bytes = 2000}));
      EXPECT_TRUE(checkpoint_in_steps(store.account()));
    }
  };
  // Each is checked with all its messages, which takes its time.
  copy_during(store, {.name = "tar", .size_at_opening = true, .pause = 3, .order = Manner::any}, work, 16);
}

INSTANTIATE_TEST_SUITE_P(Steps, PlainCopyBy, testing::ValuesIn(manners),
                         [](const auto& i) { return std::string(i.param.name); });

}  // namespace
}  // namespace storage
