#include "gateway/imap/body_batch.h"

#include <algorithm>

#include "gateway/derived/content.h"
#include "wire/mail/scan.h"
#include "wire/net/pool.h"

namespace gateway::imap {
namespace {

constexpr size_t max_messages = 64;
constexpr uint64_t max_bytes = 4 << 20;
constexpr size_t max_window = 1024;          // messages asked of the owner in one go
constexpr uint64_t max_ahead = 64 << 20;     // and their octets
constexpr uint64_t ranges_above = 64 << 10;  // a smaller message is one block: reading and scanning it costs no more
constexpr uint64_t stream_above = 1 << 20;   // a bigger message that is only sent is never held whole

// False: the whole message is to be read.
Result<bool> load_sections(LoadedBody& body, const BodyBatch& batch, storage::DerivedReader& derived) {
  const auto marks = derived.seek(body.name);
  if (!marks || !(*marks & derived::has_structure)) return false;
  const auto blob = derived.column(derived::structure);
  const auto structure = blob ? derived::read_structure(*blob) : std::nullopt;
  const auto scan = structure ? derived::read_parts(structure->parts) : std::nullopt;
  if (!scan) return false;
  std::vector<std::optional<wire::mail::Range>> ranges;
  uint64_t total = 0;
  for (const wire::mail::SectionSpec& spec : *batch.needs.sections) {
    ranges.push_back(find_section(*scan, spec.path, spec.kind));
    if (!ranges.back()) continue;
    if (ranges.back()->begin > ranges.back()->end || ranges.back()->end > body.size) return false;
    total += ranges.back()->size();
  }
  if (total > MessageBytes::in_memory) return false;
  std::vector<std::optional<std::string>> sections(ranges.size());
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (!ranges[i]) continue;
    std::string bytes(ranges[i]->size(), '\0');
    auto n = body.reader->read(ranges[i]->begin, std::span(reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()));
    if (!n) return n.error();
    if (*n != bytes.size()) return Failure(Errc::corrupt, "a stored message is shorter than its length");
    const wire::mail::SectionSpec& spec = (*batch.needs.sections)[i];
    const bool listed = spec.kind == wire::mail::SectionKind::header_fields;
    if (listed || spec.kind == wire::mail::SectionKind::header_fields_not) {
      bytes = wire::mail::select_fields(bytes, spec.fields, listed);
    }
    sections[i] = std::move(bytes);
  }
  body.sections = std::move(sections);
  return true;
}

Result<void> load(LoadedBody& body, const BodyBatch& batch) {
  if (body.header) {
    body.bytes = MessageBytes(*body.header);
    body.scan = wire::mail::scan(body.bytes.view());
    return {};
  }
  if (batch.needs.header && !(batch.needs.stream && body.size <= stream_above)) {
    auto header = MessageBytes::load_header(*body.reader);
    if (!header) return header.error();
    if (*header) {
      body.bytes = std::move(**header);
      body.scan = wire::mail::scan(body.bytes.view());
      return batch.needs.stream ? body.reader->verify() : Result<void>();
    }
  }
  const bool parsed = batch.needs.header || batch.needs.scan;
  // Once a literal has begun, damage could only be told by ending the connection.
  if (!parsed && body.size > stream_above) return body.reader->verify();
  auto bytes = MessageBytes::load(*body.reader, batch.spool);
  if (!bytes) return bytes.error();
  body.bytes = std::move(*bytes);
  body.complete = true;
  if (parsed) body.scan = wire::mail::scan(body.bytes.view());
  return {};
}

void load_all(BodyBatch& batch) {
  std::optional<storage::DerivedReader> derived;
  for (LoadedBody& body : batch.bodies) {
    if (body.failed || body.loaded) continue;
    if (batch.derived && body.reader && body.size > ranges_above) {
      if (!derived) derived.emplace(batch.derived->reader());
      const auto done = load_sections(body, batch, *derived);
      if (!done) body.failed = done.error();
      body.loaded = !done || *done;
      if (body.loaded) continue;
    }
    auto loaded = load(body, batch);
    body.loaded = true;
    if (!loaded) body.failed = loaded.error();
  }
}

}  // namespace

// Nothing to ask for costs no coroutine switch upstream: a mailbox that is in the copy is walked at its own speed.
awaitable<void> BodyLoader::ensure() {
  const View& view = s_.selected()->view;
  UidSet missing;
  uint64_t bytes = 0;
  failed_.clear();
  headers_.clear();
  const size_t end = std::min(indexes_.size(), at_ + window_);
  for (ensured_ = at_; ensured_ < end && bytes < max_ahead; ++ensured_) {
    const View::Now now = view.now(indexes_[ensured_], s_.newest());
    const storage::MessageInfo& info = now.in->message(now.index);
    if (info.body || now.expunged) continue;
    bytes += info.size;
    missing.add(now.in->uid(now.index));
  }
  window_ = std::min<size_t>(window_ * 2, max_window);
  if (missing.empty()) co_return;
  if (needs_.header && !needs_.scan && !needs_.stream) {
    co_await ask_headers(missing);
    if (missing.empty()) co_return;
  }
  auto outcome = co_await s_.account().ensure_content(s_.selected()->box, missing);
  if (outcome) {
    for (auto& f : outcome->failed) failed_.emplace(f.uid, std::move(f.why));
  } else {
    missing.for_each([&](Uid uid) { failed_.emplace(uid, outcome.error()); });
  }
}

// Only the header is looked at: it comes alone (decision 3). What is not given so stays missing.
awaitable<void> BodyLoader::ask_headers(UidSet& missing) {
  auto given = co_await s_.account().headers(s_.selected()->box, missing);
  if (!given || given->headers.empty()) co_return;
  headers_ = std::move(given->headers);
  UidSet rest;
  missing.for_each([&](Uid uid) {
    if (!headers_.contains(uid)) rest.add(uid);
  });
  missing = std::move(rest);
}

void BodyLoader::open(LoadedBody& body) {
  const View::Now now = s_.selected()->view.now(body.shown_index, s_.newest());
  const auto& name = now.in->message(now.index).body;
  if (!name) {
    if (auto alone = headers_.find(body.uid); alone != headers_.end()) {
      body.header = alone->second;
      body.size = body.header->size();
      return;
    }
    body.expunged = now.expunged;
    auto why = failed_.find(body.uid);
    body.failed = why != failed_.end() ? why->second : Failure(Errc::unavailable, "The message is not there");
    return;
  }
  auto reader = s_.account().open_body(*name);
  if (!reader) {
    // The bytes of what others expunged may be gone with it.
    body.expunged = now.expunged;
    body.failed = reader.error();
    return;
  }
  body.name = *name;
  body.reader = std::make_shared<storage::BodyReader>(std::move(*reader));
  body.size = body.reader->size();
}

awaitable<std::shared_ptr<BodyBatch>> BodyLoader::next() {
  if (at_ >= ensured_) co_await ensure();
  if (needs_.sections && !derived_) derived_ = co_await s_.account().derived();
  auto batch = std::make_shared<BodyBatch>();
  batch->derived = needs_.sections ? derived_ : nullptr;
  batch->needs = needs_;
  batch->spool = s_.environment().config->data_dir;
  uint64_t bytes = 0;
  for (; at_ < ensured_ && batch->bodies.size() < max_messages && bytes < max_bytes; ++at_) {
    const View::Now now = s_.selected()->view.now(indexes_[at_], s_.newest());
    LoadedBody body;
    body.shown_index = indexes_[at_];
    body.uid = now.in->uid(now.index);
    open(body);
    bytes += body.size;
    batch->bodies.push_back(std::move(body));
  }
  auto work = [batch] { load_all(*batch); };
  co_await wire::net::run_on_pool(*s_.environment().pool, std::move(work));
  co_await mend(batch);
  co_return batch;
}

// What the store could not read is tried again, and then the account may have it from elsewhere.
awaitable<void> BodyLoader::mend(std::shared_ptr<BodyBatch> batch) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const UidSet damaged = damaged_in(*batch);
    if (damaged.empty()) co_return;
    auto outcome = co_await s_.account().ensure_content(s_.selected()->box, damaged);
    for (LoadedBody& body : batch->bodies) {
      if (!damaged.contains(body.uid)) continue;
      body.failed.reset();
      if (!outcome) body.failed = outcome.error();
      if (outcome) {
        for (const auto& f : outcome->failed) {
          if (f.uid == body.uid) body.failed = f.why;
        }
      }
      if (body.failed) continue;
      body.loaded = false;
      open(body);
    }
    auto again = [batch] { load_all(*batch); };
    co_await wire::net::run_on_pool(*s_.environment().pool, std::move(again));
    // What the account could not get it will not get by asking twice.
    if (!outcome || !outcome->failed.empty()) co_return;
  }
}

UidSet BodyLoader::damaged_in(const BodyBatch& batch) const {
  UidSet out;
  for (const LoadedBody& body : batch.bodies) {
    if (!body.failed || body.expunged) continue;
    const View::Now now = s_.selected()->view.now(body.shown_index, s_.newest());
    const Errc code = body.failed->code;
    if (!now.in->message(now.index).body || now.expunged) continue;
    if (code == Errc::corrupt || code == Errc::io || code == Errc::not_found) out.add(body.uid);
  }
  return out;
}

}  // namespace gateway::imap
