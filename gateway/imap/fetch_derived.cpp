#include "gateway/imap/fetch_derived.h"

#include <algorithm>

#include "gateway/derived/content.h"
#include "wire/imap/fetch_data.h"
#include "wire/net/pool.h"

namespace gateway::imap {
namespace {

constexpr size_t most_messages = 1024;
constexpr size_t most_bytes = 512 << 10;

}  // namespace

struct DerivedFetch::Slice {
  explicit Slice(storage::DerivedReader r) : reader(std::move(r)) {}
  storage::DerivedReader reader;
  MailboxSnapshotPtr shown, newest;
  bool envelope = false, body = false, body_structure = false;
  std::vector<uint32_t> indexes;
  // The texts of the messages that have an entry, one after another, and where each ends.
  std::string text;
  struct Ends {
    size_t envelope, body, body_structure;
  };
  std::vector<Ends> ends;
  size_t missing = 0;
  bool fillable = false;

  std::optional<storage::Sha256> body_of(uint32_t index) const {
    if (newest != shown) {
      if (const auto at = newest->find(shown->uid(index))) return newest->body(*at);
    }
    return shown->body(index);
  }

  bool seek(uint32_t index) {
    const auto name = body_of(index);
    const auto marks = name ? reader.seek(*name) : std::nullopt;
    fillable = fillable || (name && !marks);
    return marks && (!(body || body_structure) || (*marks & derived::has_structure));
  }

  bool take() {
    const size_t before = text.size();
    Ends e{before, before, before};
    if (envelope) {
      const auto blob = reader.column(derived::envelope);
      if (!blob) return false;
      text += *blob;
      e.envelope = text.size();
    }
    e.body = e.body_structure = text.size();
    if (body || body_structure) {
      const auto blob = reader.column(derived::structure);
      const auto both = blob ? derived::read_structure(*blob) : std::nullopt;
      if (!both) {
        text.resize(before);
        return false;
      }
      if (body) text += both->body;
      e.body = text.size();
      if (body_structure) text += both->body_structure;
      e.body_structure = text.size();
    }
    ends.push_back(e);
    return true;
  }

  void fill() {
    text.clear();
    ends.clear();
    missing = 0;
    size_t at = 0;
    for (; at < indexes.size() && text.size() < most_bytes; ++at) {
      if (!seek(indexes[at]) || !take()) break;
    }
    if (text.size() >= most_bytes || at == indexes.size()) return;
    // The one that stopped it is missing whether it has no entry or a damaged one.
    for (missing = 1; at + missing < indexes.size() && !seek(indexes[at + missing]); ++missing) {
    }
  }
};

void write_plain_items(Session& s, const FetchPlan& plan, wire::imap::FetchWriter& fetch, const View::Now& now,
                       const MailboxSnapshotPtr& newest) {
  const MailboxSnapshot& in = *now.in;
  const Uid uid = in.uid(now.index);
  View& view = s.selected()->view;
  if (plan.with_uid) fetch.uid(uid);
  if (plan.with_flags) {
    wire::imap::FlagList flags;
    flags.flags = in.flags(now.index);
    flags.recent = view.recent(uid);
    fetch.flags(flags);
    if (!now.expunged) view.knows(uid, newest);
  }
  if (plan.args.wants(FetchArgs::internal_date)) fetch.internal_date(in.message(now.index).date);
  if (plan.args.wants(FetchArgs::rfc822_size)) fetch.size(in.message(now.index).size);
  if (plan.with_modseq) fetch.modseq(in.modseq(now.index));
}

DerivedFetch::DerivedFetch(Session& s, const FetchPlan& plan, const std::vector<uint32_t>& indexes,
                           const storage::DerivedData& data)
    : s_(s), plan_(plan), indexes_(indexes), slice_(std::make_shared<Slice>(data.reader())) {
  slice_->envelope = plan.args.wants(FetchArgs::envelope);
  slice_->body = plan.args.wants(FetchArgs::body);
  slice_->body_structure = plan.args.wants(FetchArgs::body_structure);
}

size_t DerivedFetch::missing() const { return slice_->missing; }
bool DerivedFetch::fillable() const { return slice_->fillable; }

awaitable<size_t> DerivedFetch::run(size_t at) {
  while (at < indexes_.size()) {
    Slice& slice = *slice_;
    slice.shown = s_.selected()->view.shown();
    slice.newest = s_.newest();
    const auto first = indexes_.begin() + static_cast<std::ptrdiff_t>(at);
    slice.indexes.assign(first, first + static_cast<std::ptrdiff_t>(std::min(most_messages, indexes_.size() - at)));
    auto work = [shared = slice_] { shared->fill(); };
    co_await wire::net::run_on_pool(*s_.environment().pool, std::move(work));
    write(slice);
    at += slice.ends.size();
    co_await s_.flush_if_full();
    if (slice.missing > 0) break;
  }
  co_return at;
}

void DerivedFetch::write(const Slice& slice) {
  const View& view = s_.selected()->view;
  const auto newest = s_.newest();
  wire::imap::Writer w(s_.out());
  size_t from = 0;
  for (size_t i = 0; i < slice.ends.size(); ++i) {
    const Slice::Ends& e = slice.ends[i];
    const auto text = [&slice](size_t begin, size_t end) {
      return std::string_view(slice.text).substr(begin, end - begin);
    };
    wire::imap::FetchWriter fetch(w, wire::base::SeqNo(slice.indexes[i] + 1));
    write_plain_items(s_, plan_, fetch, view.now(slice.indexes[i], newest), newest);
    if (slice.envelope) fetch.envelope(text(from, e.envelope));
    const size_t body_from = slice.envelope ? e.envelope : from;
    if (slice.body) fetch.body(text(body_from, e.body));
    if (slice.body_structure) fetch.body_structure(text(e.body, e.body_structure));
    fetch.end();
    from = e.body_structure;
  }
}

}  // namespace gateway::imap
