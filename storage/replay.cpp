#include "storage/replay.h"

#include "storage/letter.h"

namespace storage {

Result<void> Replayer::operator()(std::span<const LogFrame> batch) {
  for (const LogFrame& f : batch) {
    state_.raise_epoch(f.header.epoch);
    if (f.header.kind != FrameKind::checkpoint) ++changes_;
    if (f.header.kind == FrameKind::body && f.header.version <= letter_version) {
      Result<BodyFrame> body = read_body_frame(f.header, f.payload);
      if (!body && body.error().code == Errc::unsupported) return body.error();
      if (!body) {
        note(f, body.error().note);
        continue;
      }
      if (!f.damaged) {
        bodies_.put({body->name, f.segment, f.generation, f.offset, f.header.length});
        if (body->small() && body->dictionary == 0) ++small_bodies_;
        if (body->dictionary != 0) bodies_.dictionaries()->needed(body->dictionary);
      }
      if (body->part) apply(f, std::move(*body->part));
      continue;
    }
    if (f.header.kind == FrameKind::dictionary && f.header.version == frame_version) {
      uint32_t id = 0;
      if (Result<std::vector<uint8_t>> bytes = decode_dictionary(f.payload, id); !bytes) {
        note(f, bytes.error().note);
      } else {
        bodies_.dictionaries()->put({id, f.segment, f.generation, f.offset, f.header.length});
      }
      continue;
    }
    Result<std::vector<record::Op>> ops = record::decode_all(f.header, f.payload);
    if (!ops && ops.error().code == Errc::unsupported) return ops.error();
    if (!ops) {
      note(f, ops.error().note);
      continue;
    }
    for (record::Op& op : *ops) apply(f, std::move(op));
  }
  return {};
}

void Replayer::apply(const LogFrame& f, record::Op op) {
  if (std::optional<std::string> wrong = state_.apply(token_, std::move(op))) note(f, *wrong);
}

void Replayer::note(const LogFrame& f, const std::string& what) {
  damage_.push_back(
      {what, "segment " + std::to_string(f.segment.value) + " at " + std::to_string(f.offset), f.header.lsn});
}

}  // namespace storage
