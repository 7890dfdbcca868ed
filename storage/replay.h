// Applies a log's batches to a state and an index of bodies: what opening and checking have in common. One thread.
#pragma once

#include "storage/body_codec.h"
#include "storage/body_index.h"
#include "storage/log_scan.h"
#include "storage/state.h"

namespace storage {

class Replayer {
 public:
  Replayer(AccountState& state, BodyIndex& bodies, uint64_t token) : state_(state), bodies_(bodies), token_(token) {}

  // Errc::unsupported: a frame of a later build; the log must be left alone.
  Result<void> operator()(std::span<const LogFrame> batch);
  // Frames whose content does not fit what is known: only a damaged log holds them.
  const std::vector<OpenReport::Damage>& damage() const { return damage_; }
  uint64_t changes() const { return changes_; }  // frames that were no checkpoints
  // Bodies that a dictionary would make smaller and that were written without one.
  uint64_t small_bodies() const { return small_bodies_; }

 private:
  void apply(const LogFrame& frame, record::Op op);
  void note(const LogFrame& frame, const std::string& what);

  AccountState& state_;
  BodyIndex& bodies_;
  uint64_t token_;
  uint64_t changes_ = 0, small_bodies_ = 0;
  std::vector<OpenReport::Damage> damage_;
};

}  // namespace storage
