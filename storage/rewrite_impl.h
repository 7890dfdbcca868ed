// What is behind Rewrite. Private to storage.
#pragma once

#include <atomic>
#include <map>
#include <vector>

#include "storage/account_impl.h"
#include "storage/cold_rescue.h"
#include "storage/frame_cursor.h"
#include "storage/letter.h"
#include "storage/liveness.h"
#include "storage/pins.h"
#include "storage/rewrite.h"
#include "storage/segment_writer.h"

namespace storage {

class Rewrite::Impl {
 public:
  Impl(Account::Impl& account, const RewriteOptions& options);
  Result<Step> survey(uint64_t bytes);
  Result<bool> condemn(size_t bodies);
  Result<Step> copy(uint64_t bytes);
  Result<bool> adopt(size_t bodies);
  Result<void> cancel();
  const RewriteResult& result() const { return result_; }

 private:
  enum class Phase {
    mailboxes,  // which UIDs and bodies are in use
    counting,   // bytes of bodies by segment
    gathering,  // the run's bodies
    reading,    // what of the run is dead, exactly
    condemning,
    copying,
    adopting,
    finished,
  };
  struct Candidate {
    SegmentName name;
    Lsn last;
    uint64_t size = 0, live_bodies = 0, dead_bodies = 0, bodies = 0;
    uint64_t small_bodies = 0;  // of the bytes of bodies, those that a dictionary helps
    bool blocked = false;
    bool letters = false;           // of format 2
    bool packed = false;            // its letters are as small as a rewrite makes them
    std::vector<BodyPlace> kept;    // by offset
    std::vector<uint64_t> dead_at;  // offsets of bodies that nothing uses
  };

  Result<void> list_candidates();
  Result<Lsn> free_lsn();
  Candidate* candidate(const BodyPlace& place);
  bool choose();
  bool packs() const;
  Result<bool> walk(uint64_t bytes);
  Result<bool> walk_on(uint64_t bytes);
  // What of a frame stays.
  struct Kept {
    bool whole = false;
    bool record = true;                 // of a letter: its record, too
    const BodyPlace* body = nullptr;    // of a body that stays
    std::optional<LoneRecord> instead;  // a part of it, as a frame of its own
    std::optional<record::Op> message;  // of format 1, and all of it
    bool any() const { return whole || instead; }
  };
  Result<void> frame(const Candidate& candidate);
  const BodyPlace* kept_here(const Candidate& candidate);
  Result<Kept> decide(const Candidate& candidate, std::span<const uint8_t> payload);
  Result<void> write(const Kept& kept, std::span<const uint8_t> payload);
  void release();

  // --- bodies of format 1 (rewrite_letters.cpp)
  struct Waiting {
    FrameHeader header;
    const BodyPlace* body;
    LooseLetter letter;
  };
  bool becomes_letter(const FrameHeader& header) const;
  Result<bool> take_for_letter(const BodyPlace& body);
  Result<bool> join_waiting(const record::Op& op, std::span<const uint8_t> payload);
  Result<void> write_waiting();
  bool worth_packing(const Candidate& candidate) const;

  Account::Impl& account_;
  const RewriteOptions options_;
  std::shared_ptr<RewriteWatch> watch_;
  Phase phase_ = Phase::mailboxes;
  RewriteResult result_;

  // The picture.
  Lsn picture_;
  std::map<MailboxKey, AccountState::Slot> slots_;
  std::map<MailboxKey, AccountState::Slot>::const_iterator next_slot_;
  std::optional<SnapshotFile> snapshot_;
  std::shared_ptr<const ColdFile> cold_file_;
  Liveness live_;
  std::vector<SegmentName> segments_;
  std::vector<Candidate> candidates_;  // in order
  BodyIndex::Pass index_at_;

  // The run.
  Candidate* run_first_ = nullptr;
  size_t run_count_ = 0;
  bool merging_ = false;
  bool packing_ = false;  // letters are compressed again
  std::shared_ptr<const Dictionary> dictionary_;
  std::vector<BodyPlace> dead_;
  uint64_t total_bytes_ = 0, dead_bytes_ = 0;

  // Where the walk is.
  size_t at_ = 0, next_kept_ = 0;
  std::optional<FrameCursor> cursor_;
  bool in_body_ = false;
  bool checking_ = false;  // of a body that the index does not know there
  uint32_t checked_ = 0;
  KeywordsSeen keywords_;
  std::unique_ptr<SegmentWriter> writer_;
  std::optional<Waiting> waiting_;  // for the message that may come next
  std::vector<BodyIndex::Moved> moved_;
  std::vector<DictionaryPlace> moved_dictionaries_;
  size_t adopted_ = 0;
};

}  // namespace storage
