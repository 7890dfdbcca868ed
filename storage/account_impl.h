// What is behind Account and Batch. Private to storage; owner thread unless a member says otherwise.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

#include "storage/account.h"
#include "storage/body_impl.h"
#include "storage/body_index.h"
#include "storage/letter.h"
#include "storage/log_scan.h"
#include "storage/log_writer.h"
#include "storage/snapshot_file.h"
#include "storage/state.h"

namespace storage {

struct SnapshotDraft;

// What index.snap says about the log it was taken from.
struct SnapshotBase {
  Lsn lsn;
  LogPosition tail;  // where the frame lsn + 1 will be
};

// What a rewrite that is under way and the account's commits tell each other.
struct RewriteWatch {
  // --- owner thread
  std::set<Sha256> touched;          // bodies that messages took up since the picture
  std::vector<BodyPlace> condemned;  // constant while it copies
  std::function<void()> finish;      // set while it is adopted: does the rest at once

  // --- any thread
  // Whether nothing has been named yet: from now on nothing will be.
  bool make_void() {
    State expected = State::open;
    return state_.compare_exchange_strong(expected, State::is_void) || expected == State::is_void;
  }
  bool name() {
    State expected = State::open;
    return state_.compare_exchange_strong(expected, State::named);
  }
  bool is_void() const { return state_.load() == State::is_void; }

 private:
  enum class State { open, is_void, named };
  std::atomic<State> state_{State::open};
};

class Account::Impl {
 public:
  Impl(Env& env, std::filesystem::path directory, OpenOptions options)
      : env_(env), directory_(std::move(directory)), options_(options), files_(env, directory_ / "log") {}

  Result<void> open();
  Result<Lsn> commit(Batch::Impl& batch);
  Result<void> raise_epoch(Epoch e);
  Result<void> jump(Lsn above, bool uids);  // account_jump.cpp
  Result<void> put_jump(Batch::Impl& batch, bool uids, Lsn above);
  // Writes the batch as a segment of its own whose name covers what lies between the log's end and `above`, too: it is
  // there or not, whole and durable. The log must be durable.
  Result<void> commit_sealed(Batch::Impl& batch, Lsn above);
  MailboxSnapshotPtr snapshot(MailboxKey key);
  MailboxTreePtr tree();
  std::optional<std::string> annotation(const std::string& name) const;
  Result<BodyReader> open_body(const Sha256& name);  // any thread
  std::string where(const BodyPlace& place) const;
  Result<void> checkpoint(bool closing);

  // --- index.snap while the account goes on (checkpoint.h); owner thread but for write_draft
  Result<std::unique_ptr<SnapshotDraft>> draft_snapshot();
  Result<void> write_draft(SnapshotDraft& draft,
                           const std::function<std::shared_ptr<const MailboxState>(MailboxKey)>& load);
  Result<void> name_draft(SnapshotDraft& draft);
  Result<void> end_draft(const SnapshotDraft& draft);
  void end_drafting() { drafting_ = false; }

  Env& env() { return env_; }
  AccountState& state() { return state_; }
  BodyIndex& bodies() { return *bodies_; }
  LogWriter& writer() { return *writer_; }
  const OpenReport& report() const { return report_; }
  const OpenOptions& options() const { return options_; }
  Epoch epoch() const { return epoch_; }
  const std::filesystem::path& directory() const { return directory_; }
  SegmentFiles& files() { return files_; }
  const AccountId& id() const { return account_; }
  Spool spool();

  // --- rewriting; owner thread but for the mutex and, while a pass is under way, what it notes of segments
  std::mutex& space_mutex() { return space_mutex_; }  // pins, naming of rewritten segments, retired/
  bool begin_rewriting();                             // false: there is one, or there must be none any more
  const std::shared_ptr<RewriteWatch>& rewriting() const { return rewriting_; }
  void end_rewriting() { rewriting_.reset(); }
  void stop_rewriting() { rewriting_stopped_ = true; }
  void segments_changed() { checkpoint_ = snapshot_lsn_ = Lsn(0); }  // index.snap names others
  uint64_t tail() const { return writer_->appended().value - snapshot_lsn_.value; }
  int64_t retire_at() const { return retire_at_.load(); }  // any thread
  void set_retire_at(int64_t seconds) { retire_at_.store(seconds); }
  uint64_t& condemnations() { return condemnations_; }
  using SegmentKey = std::pair<Lsn, uint32_t>;
  std::set<SegmentKey>& damaged_segments() { return damaged_segments_; }
  // What a reading found: at which LSN.
  std::map<SegmentKey, std::pair<Lsn, uint64_t>>& surveyed() { return surveyed_; }
  uint64_t next_token() { return ++token_; }
  const std::shared_ptr<BufferPool>& buffers() const { return buffers_; }
  uint32_t format() const { return format_; }
  const std::shared_ptr<ColdHealth>& cold_health() const { return cold_health_; }
  bool wants_dictionary() const;
  static uint64_t count_small(std::span<const BodyPlace> places);
  bool lacks_dictionary() const;     // it would be worth one, whether or not one can be made
  Result<void> train();              // any thread
  Result<void> commit_dictionary();  // what train() made, if anything

 private:
  Result<void> check_bodies(const Batch::Impl& batch);
  Result<void> tidy(const LogListing& log);
  Result<void> create();
  Result<void> recover(std::vector<SegmentName> segments);
  Result<void> replay(LogScan& scan, LogPosition from, Lsn expected, Lsn synced);
  Result<void> mend(LogScan& scan);
  Result<void> make_durable(const LogScan& scan);
  Result<void> resume(const LogScan& scan);
  void find_dictionaries();
  Result<void> refuse_later_versions(const std::vector<SegmentName>& segments);
  Result<bool> use_snapshot(const std::vector<SegmentName>& segments, SnapshotBase& base);
  Result<bool> fits_log(SnapshotFile& file, const std::vector<SegmentName>& segments, SnapshotBase& base);
  Result<std::vector<BodyPlace>> places_of(const SnapshotDraft& draft);
  void release_what_it_has(const SnapshotDraft& draft);
  AccountState::Loader mailbox_loader();
  std::shared_ptr<const MailboxState> load_mailbox(MailboxKey key, const AccountState::Slot& slot);
  // --- bodies of index.snap; any thread
  BodyIndex::Loader body_loader(const SectionRef& finder);
  Result<BodyTable> load_bodies();
  Result<std::shared_ptr<const File>> snapshot_file();  // index.snap as it is now: one descriptor for all who have it
  // Everything from the log alone, where index.snap turns out to be damaged after it was trusted.
  Result<void> read_whole_log(AccountState& state, BodyIndex& bodies);
  std::filesystem::path snapshot_path() const { return directory_ / "index.snap"; }
  std::filesystem::path snapshot_temporary() const { return directory_ / "index.snap.tmp"; }

  Env& env_;
  const std::filesystem::path directory_;
  const OpenOptions options_;
  SegmentFiles files_;
  std::optional<LogWriter> writer_;
  AccountId account_{};
  OpenReport report_;
  Epoch epoch_;
  uint32_t format_ = 1;  // of what is written from now on
  std::mutex trained_mutex_;
  std::vector<uint8_t> trained_;              // a dictionary that waits for the next commit
  std::atomic<bool> tried_{false};            // once an open account
  std::atomic<uint64_t> small_bodies_{0};     // without a dictionary; about
  std::atomic<bool> small_uncounted_{false};  // those of index.snap: format 1 does not say

  AccountState state_;
  std::shared_ptr<BodyIndex> bodies_ = std::make_shared<BodyIndex>();
  uint64_t token_ = 0;
  std::shared_ptr<BufferPool> buffers_ = std::make_shared<BufferPool>();  // a batch's bytes, between batches
  std::shared_ptr<std::atomic<uint64_t>> spooled_ = std::make_shared<std::atomic<uint64_t>>(0);

  Lsn checkpoint_;                           // index.snap holds all there is up to here; 0: not known
  Lsn snapshot_lsn_;                         // what index.snap says of itself; 0: there is none that could be used
  bool snapshot_failed_ = false;             // a section of it could not be read
  std::weak_ptr<const ColdFile> cold_file_;  // index.snap as it is now, while mailboxes have something there to read
  std::mutex snapshot_file_mutex_;
  std::weak_ptr<const File> snapshot_file_;
  std::shared_ptr<ColdHealth> cold_health_ = std::make_shared<ColdHealth>();
  bool drafting_ = false;  // a new one is being written
  bool opened_ = false;
  std::unique_ptr<AccountState> rescued_;  // from the log, for the mailboxes that index.snap has lost

  std::mutex space_mutex_;
  std::shared_ptr<RewriteWatch> rewriting_;
  bool rewriting_stopped_ = false;
  std::atomic<int64_t> retire_at_{INT64_MAX};
  uint64_t condemnations_ = 0;
  std::set<SegmentKey> damaged_segments_;
  std::map<SegmentKey, std::pair<Lsn, uint64_t>> surveyed_;

  struct Cached {
    std::shared_ptr<const MailboxState> of;
    MailboxSnapshotPtr snapshot;
  };
  std::map<MailboxKey, Cached> snapshots_;
  MailboxTreePtr tree_;
};

class Batch::Impl {
 public:
  explicit Impl(Account::Impl& a)
      : account(a),
        layer(&a.state()),
        base(a.writer().appended()),
        token(a.next_token()),
        condemnations(a.condemnations()),
        buffers(a.buffers()),
        bytes(buffers->take()) {}
  ~Impl() { buffers->give(std::move(bytes)); }  // a batch that is dropped may outlive its account

  struct Frame {
    FrameKind kind;
    size_t at;                                 // of its header in `bytes`
    uint64_t length;                           // of its payload
    uint32_t crc;                              // of its payload
    std::unique_ptr<PreparedBody::Impl> body;  // whose stored blocks follow what is in `bytes`
    Sha256 name{};                             // of a body
    uint8_t version = frame_version;
    bool without_dictionary = false;  // a small body
    uint32_t dictionary = 0;          // the number of this one
  };

  // --- format 2 (batch_letters.cpp): a body waits for what comes next, so that both can be one frame; messages of one
  // mailbox that come without one share a frame.
  // Writes what waits; before anything else is written, and before the batch is.
  void end_letter() { put_letter(Letter::Part::none, {}); }
  void end_list() { list_.reset(); }
  bool waiting(const Sha256& name) const { return letter && letter->head.name == name; }
  Result<void> put_message(record::Message m);
  Result<void> put_link(record::BodyLink l);
  void put_letter(Letter::Part part, std::span<const uint8_t> record);
  void put_dictionary(uint32_t id, std::span<const uint8_t> bytes);

  // Writes the frame and applies it: the same as replay does.
  Result<void> put(record::Op op);
  // The frame alone: a change that this state has already and the log has not.
  Result<void> put_unapplied(const record::Op& op);
  Result<void> put_body(std::unique_ptr<PreparedBody::Impl> body);
  Result<bool> has_body(const Sha256& name);
  // The MODSEQ that all of this batch's changes in an own mailbox share.
  ModSeq number(const MailboxState& mailbox);
  Result<std::shared_ptr<const MailboxState>> mailbox(MailboxKey key) const;

  Account::Impl& account;
  AccountState layer;
  Lsn base;  // conflict unless the log still ends here
  uint64_t token;
  uint64_t condemnations;  // when it began: bodies may have left the index since
  std::shared_ptr<BufferPool> buffers;
  Buffer bytes;
  std::vector<Frame> frames;
  std::set<Sha256> new_bodies;
  std::vector<Sha256> used_bodies;             // that its messages refer to
  std::unique_ptr<PreparedBody::Impl> letter;  // waits
  std::map<MailboxKey, ModSeq> numbers;
  uint64_t spooled = 0;

 private:
  // The last frame, while more messages may join it.
  struct List {
    MailboxKey mailbox;
    Uid last;
    uint32_t messages;
  };
  std::optional<List> list_;
};

}  // namespace storage
