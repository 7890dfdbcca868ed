#include "storage/cold_rescue.h"

#include <mutex>

#include "storage/log_scan.h"
#include "storage/replay.h"
#include "storage/segments.h"

namespace storage {
namespace {

class ColdRescue {
 public:
  ColdRescue(Env& env, std::filesystem::path log, Lsn lsn) : env_(env), log_(std::move(log)), lsn_(lsn) {}

  std::optional<MessageInfo> message(MailboxKey mailbox, Uid uid) {
    std::lock_guard lock(mutex_);
    if (!read_) read();
    if (state_.info(mailbox) == nullptr) return {};
    std::shared_ptr<const MailboxState> box = state_.mailbox(mailbox);
    if (!box) return {};
    std::optional<MailboxState::Place> place = box->find(uid);
    if (!place) return {};
    return box->info_at(*place);
  }

 private:
  void read() {
    read_ = true;  // what cannot be read now will not be read by trying for each message
    Result<std::vector<SegmentName>> segments = list_segments(env_, log_);
    if (!segments) return;
    LogScan scan(env_, log_, *segments, true);
    BodyIndex bodies;
    Replayer replayer(state_, bodies, 1);
    // As it was when index.snap was made: what came later is in memory.
    const LogScan::OnBatch until = [&](std::span<const LogFrame> batch) -> Result<void> {
      if (batch.back().header.lsn > lsn_) return {};
      return replayer(batch);
    };
    (void)scan.run({}, Lsn(1), Lsn(0), until);
  }

  Env& env_;
  const std::filesystem::path log_;
  const Lsn lsn_;
  std::mutex mutex_;
  bool read_ = false;
  AccountState state_;
};

}  // namespace

std::shared_ptr<const ColdFile> cold_file(Env& env, const std::filesystem::path& directory,
                                          std::shared_ptr<const File> snapshot, Lsn lsn,
                                          std::shared_ptr<ColdHealth> health) {
  auto rescue = std::make_shared<ColdRescue>(env, directory / "log", lsn);
  auto file = std::make_shared<ColdFile>();
  file->file = std::move(snapshot);
  file->rescue = [rescue](MailboxKey mailbox, Uid uid) { return rescue->message(mailbox, uid); };
  file->health = std::move(health);
  return file;
}

}  // namespace storage
