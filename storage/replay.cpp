#include "storage/replay.h"

namespace storage {

Result<void> Replayer::operator()(std::span<const LogFrame> batch) {
  for (const LogFrame& f : batch) {
    state_.raise_epoch(f.header.epoch);
    if (f.header.kind != FrameKind::checkpoint) ++changes_;
    if (f.header.kind == FrameKind::body && f.header.version == frame_version) {
      Result<BodyHead> head = BodyHead::decode(f.payload);
      if (head) {
        bodies_.put({head->name, f.segment, f.generation, f.offset, f.header.length});
      } else if (head.error().code == Errc::unsupported) {
        return head.error();
      } else {
        note(f, head.error().note);
      }
      continue;
    }
    Result<record::Op> op = record::decode(f.header, f.payload);
    if (!op && op.error().code == Errc::unsupported) return op.error();
    if (!op) {
      note(f, op.error().note);
    } else if (std::optional<std::string> wrong = state_.apply(token_, std::move(*op))) {
      note(f, *wrong);
    }
  }
  return {};
}

void Replayer::note(const LogFrame& f, const std::string& what) {
  damage_.push_back(
      {what, "segment " + std::to_string(f.segment.value) + " at " + std::to_string(f.offset), f.header.lsn});
}

}  // namespace storage
