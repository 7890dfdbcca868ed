#include "gateway/imap/body_batch.h"

#include "wire/mail/scan.h"
#include "wire/net/pool.h"

namespace gateway::imap {
namespace {

constexpr size_t max_messages = 64;
constexpr uint64_t max_bytes = 4 << 20;
constexpr uint64_t stream_above = 1 << 20;  // a bigger message that is only sent is never held whole

Result<void> load(LoadedBody& body, const BodyBatch& batch) {
  if (batch.needs.header && !(batch.needs.stream && body.size <= stream_above)) {
    auto header = MessageBytes::load_header(*body.reader);
    if (!header) return header.error();
    if (*header) {
      body.bytes = std::move(**header);
      body.scan = wire::mail::scan(body.bytes.view());
      return {};
    }
  }
  const bool parsed = batch.needs.header || batch.needs.scan;
  if (!parsed && body.size > stream_above) return {};
  auto bytes = MessageBytes::load(*body.reader, batch.spool);
  if (!bytes) return bytes.error();
  body.bytes = std::move(*bytes);
  body.complete = true;
  if (parsed) body.scan = wire::mail::scan(body.bytes.view());
  return {};
}

void load_all(BodyBatch& batch) {
  for (LoadedBody& body : batch.bodies) {
    if (body.failed) continue;
    auto loaded = load(body, batch);
    if (!loaded) body.failed = loaded.error();
  }
}

}  // namespace

awaitable<std::shared_ptr<BodyBatch>> load_bodies(Session& s, const std::vector<uint32_t>& indexes, size_t at,
                                                  BodyNeeds needs) {
  auto batch = std::make_shared<BodyBatch>();
  batch->needs = needs;
  batch->spool = s.environment().config->data_dir;
  const View& view = s.selected()->view;
  UidSet missing;
  uint64_t bytes = 0;
  for (; at < indexes.size() && batch->bodies.size() < max_messages && bytes < max_bytes; ++at) {
    const View::Now now = view.now(indexes[at], s.newest());
    LoadedBody body;
    body.shown_index = indexes[at];
    body.uid = now.in->uid(now.index);
    const storage::MessageInfo& info = now.in->message(now.index);
    bytes += info.size;
    if (!info.body && !now.expunged) missing.add(body.uid);
    batch->bodies.push_back(std::move(body));
  }
  std::vector<source::ContentOutcome::Failed> failed;
  std::optional<Failure> all_failed;
  if (!missing.empty()) {
    auto outcome = co_await s.account().ensure_content(s.selected()->box, missing);
    if (outcome) {
      failed = std::move(outcome->failed);
    } else {
      all_failed = outcome.error();
    }
  }
  for (LoadedBody& body : batch->bodies) {
    const View::Now now = view.now(body.shown_index, s.newest());
    const auto& name = now.in->message(now.index).body;
    body.expunged = now.expunged;
    if (!name) {
      body.failed = all_failed ? *all_failed : Failure(Errc::unavailable, "The message is not there");
      for (const auto& f : failed) {
        if (f.uid == body.uid) body.failed = f.why;
      }
      continue;
    }
    auto reader = s.account().open_body(*name);
    if (!reader) {
      body.failed = reader.error();
      continue;
    }
    body.reader = std::make_shared<storage::BodyReader>(std::move(*reader));
    body.size = body.reader->size();
    body.expunged = false;
  }
  auto work = [batch] { load_all(*batch); };
  co_await wire::net::run_on_pool(*s.environment().pool, std::move(work));
  co_return batch;
}

}  // namespace gateway::imap
