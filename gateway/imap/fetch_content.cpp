#include "gateway/imap/fetch_content.h"

#include <algorithm>

#include "gateway/imap/body_batch.h"
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

awaitable<void> write_part(Session& s, wire::imap::FetchWriter& fetch, const FetchArgs::Part& part, LoadedBody& body) {
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
  const auto bytes = wire::mail::section_bytes(body.scan, section_spec(part), store);
  if (!bytes) {
    fetch.section_nil(name);
    co_return;
  }
  const Slice slice = cut(bytes->size(), part.partial);
  fetch.section_header(name, slice.size);
  co_await send_bytes(s, bytes->substr(slice.offset, slice.size));
}

awaitable<void> write_message(Session& s, const FetchPlan& plan, LoadedBody& body) {
  View& view = s.selected()->view;
  const auto newest = s.newest();
  const View::Now now = view.now(body.shown_index, newest);
  const storage::MessageInfo& info = now.in->message(now.index);
  wire::imap::Writer w(s.out());
  wire::imap::FetchWriter fetch(w, wire::base::SeqNo(body.shown_index + 1));
  if (plan.with_uid) fetch.uid(now.in->uid(now.index));
  if (plan.with_flags) {
    wire::imap::FlagList flags;
    flags.flags = now.in->flags(now.index);
    flags.recent = view.recent(now.in->uid(now.index));
    fetch.flags(flags);
    if (!now.expunged) view.knows(now.in->uid(now.index), *now.in, now.index);
  }
  if (plan.args.wants(FetchArgs::internal_date)) fetch.internal_date(info.date);
  if (plan.args.wants(FetchArgs::rfc822_size)) fetch.size(info.size);
  if (plan.with_modseq) fetch.modseq(now.in->modseq(now.index));
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
  for (const auto& part : plan.args.parts) co_await write_part(s, fetch, part, body);
  fetch.end();
}

}  // namespace

awaitable<void> fetch_content(Session& s, const FetchPlan& plan, const std::vector<uint32_t>& indexes,
                              FetchOutcome& outcome) {
  BodyNeeds needs;
  needs.header = plan.header && !plan.scan;
  needs.scan = plan.scan;
  needs.stream = plan.streams;
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

}  // namespace gateway::imap
