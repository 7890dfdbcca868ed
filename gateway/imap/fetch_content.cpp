#include "gateway/imap/fetch_content.h"

#include <algorithm>

#include "gateway/imap/body_batch.h"
#include "gateway/imap/fetch_derived.h"
#include "wire/imap/fetch_data.h"
#include "wire/mail/body_structure.h"
#include "wire/mail/envelope.h"
#include "wire/net/pool.h"

namespace gateway::imap {
namespace {

constexpr size_t piece = 256 * 1024;

// A literal cannot carry NUL (RFC 3501 9, CHAR8); 0x80 keeps the octet count, as other servers do.
void hide_nul(std::string& out, size_t from) {
  for (size_t at = out.find('\0', from); at != std::string::npos; at = out.find('\0', at + 1)) out[at] = '\x80';
}

struct Slice {
  uint64_t offset, size;
};

Slice cut(uint64_t size, const std::optional<wire::imap::Partial>& partial) {
  if (!partial) return {0, size};
  const uint64_t offset = std::min<uint64_t>(partial->offset, size);
  return {offset, std::min<uint64_t>(partial->length, size - offset)};
}

// A part that is in memory or mapped.
awaitable<void> send_bytes(Session& s, std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t n = std::min(bytes.size(), piece);
    const size_t from = s.out().size();
    s.out().append(bytes.substr(0, n));
    hide_nul(s.out(), from);
    bytes.remove_prefix(n);
    co_await s.flush_if_full();
  }
}

// A whole message out of the store. After the literal's header there is no way to say that it failed: the connection
// ends then, and the client asks again.
awaitable<void> send_stored(Session& s, LoadedBody& body, Slice slice) {
  struct Job {
    std::shared_ptr<storage::BodyReader> reader;
    std::string buffer;
  };
  while (slice.size > 0) {
    auto job = std::make_shared<Job>();
    job->reader = body.reader;
    job->buffer.resize(std::min<uint64_t>(slice.size, piece));
    const uint64_t offset = slice.offset;
    auto read = [job, offset] {
      return job->reader->read(offset, std::span(reinterpret_cast<uint8_t*>(job->buffer.data()), job->buffer.size()));
    };
    auto n = co_await wire::net::run_on_pool(*s.environment().pool, std::move(read));
    if (!n || *n == 0) {
      const Failure why = n ? Failure(Errc::corrupt, "a stored message is shorter than its length") : n.error();
      log_incident(s.asker(), "while sending a message: " + why.describe());
      throw wire::base::FailureError(why);
    }
    s.out().append(job->buffer, 0, *n);
    hide_nul(s.out(), s.out().size() - *n);
    slice.offset += *n;
    slice.size -= *n;
    co_await s.flush_if_full();
  }
}

awaitable<void> write_part(Session& s, wire::imap::FetchWriter& fetch, const FetchPlan& plan, size_t at,
                           LoadedBody& body) {
  const FetchArgs::Part& part = plan.args.parts[at];
  const wire::imap::FetchSection name = reply_section(part);
  if (is_whole_message(part)) {
    const Slice slice = cut(body.size, part.partial);
    fetch.section_header(name, slice.size);
    if (body.complete) {
      co_await send_bytes(s, body.bytes.view().substr(slice.offset, slice.size));
    } else {
      co_await send_stored(s, body, slice);
    }
    co_return;
  }
  std::string store;
  std::optional<std::string_view> bytes;
  if (body.sections) {
    if ((*body.sections)[at]) bytes = *(*body.sections)[at];
  } else {
    bytes = wire::mail::section_bytes(body.scan, section_spec(part), store);
  }
  if (!bytes) {
    fetch.section_nil(name);
    co_return;
  }
  const Slice slice = cut(bytes->size(), part.partial);
  fetch.section_header(name, slice.size);
  co_await send_bytes(s, bytes->substr(slice.offset, slice.size));
}

awaitable<void> write_message(Session& s, const FetchPlan& plan, LoadedBody& body) {
  const auto newest = s.newest();
  const View::Now now = s.selected()->view.now(body.shown_index, newest);
  wire::imap::Writer w(s.out());
  wire::imap::FetchWriter fetch(w, wire::base::SeqNo(body.shown_index + 1));
  write_plain_items(s, plan, fetch, now, newest);
  std::string text;
  if (plan.args.wants(FetchArgs::envelope)) {
    wire::mail::write_envelope(body.scan.header(0), text);
    fetch.envelope(text);
  }
  if (plan.args.wants(FetchArgs::body)) {
    text.clear();
    wire::mail::write_body_structure(body.scan, text, false);
    fetch.body(text);
  }
  if (plan.args.wants(FetchArgs::body_structure)) {
    text.clear();
    wire::mail::write_body_structure(body.scan, text, true);
    fetch.body_structure(text);
  }
  for (size_t i = 0; i < plan.args.parts.size(); ++i) co_await write_part(s, fetch, plan, i, body);
  fetch.end();
}

// From the messages' bytes.
awaitable<void> fetch_loaded(Session& s, const FetchPlan& plan, const std::vector<uint32_t>& indexes,
                             FetchOutcome& outcome) {
  BodyNeeds needs;
  needs.header = plan.header && !plan.scan;
  needs.scan = plan.scan;
  needs.stream = plan.streams;
  if (plan.only_sections()) {
    auto sections = std::make_shared<std::vector<wire::mail::SectionSpec>>();
    for (const auto& part : plan.args.parts) sections->push_back(section_spec(part));
    needs.sections = std::move(sections);
  }
  BodyLoader loader(s, indexes, needs);
  while (!loader.done()) {
    auto batch = co_await loader.next();
    for (LoadedBody& body : batch->bodies) {
      if (body.failed) {
        if (body.expunged) {
          outcome.expunged = true;
        } else {
          outcome.problems.push_back({body.uid, *body.failed});
        }
        continue;
      }
      co_await write_message(s, plan, body);
      if (plan.sets_seen) outcome.seen.add(body.uid);
      co_await s.flush_if_full();
    }
  }
}

}  // namespace

awaitable<void> fetch_content(Session& s, const FetchPlan& plan, const std::vector<uint32_t>& indexes,
                              FetchOutcome& outcome) {
  std::shared_ptr<storage::DerivedData> data;
  if (plan.derivable()) data = co_await s.account().derived();
  if (!data) {
    co_await fetch_loaded(s, plan, indexes, outcome);
    co_return;
  }
  DerivedFetch derived(s, plan, indexes, *data);
  for (size_t at = co_await derived.run(0); at < indexes.size(); at = co_await derived.run(at)) {
    // The order of the replies is the same with and without entries.
    const auto from = indexes.begin() + static_cast<std::ptrdiff_t>(at);
    const std::vector<uint32_t> part(from, from + static_cast<std::ptrdiff_t>(derived.missing()));
    co_await fetch_loaded(s, plan, part, outcome);
    at += part.size();
  }
  if (derived.fillable()) s.account().want_derived(s.selected()->box);
}

}  // namespace gateway::imap
