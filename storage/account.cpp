#include "storage/account.h"

#include <algorithm>

#include "storage/account_impl.h"
#include "storage/body_reader.h"

namespace storage {

Result<Lsn> Account::Impl::commit(Batch::Impl& batch) {
  if (options_.read_only) return Failure(Errc::refused, "the store is open for reading only");
  LogWriter& log = writer();
  if (batch.base != log.appended()) return Failure(Errc::conflict, "the store changed while the batch was made");
  batch.end_letter();
  if (batch.frames.empty()) return log.appended();
  if (Result<void> r = check_bodies(batch); !r) return r.error();
  if (Result<void> r = commit_dictionary(); !r) return r.error();
  if (Result<void> r = log.roll_if_full(); !r) return r.error();

  Lsn lsn = log.appended(), synced = log.durable();
  uint64_t length = 0, small = 0;
  std::vector<BodyPlace> bodies;
  std::optional<DictionaryPlace> dictionary;
  for (size_t i = 0; i < batch.frames.size(); ++i) {
    const Batch::Impl::Frame& f = batch.frames[i];
    FrameHeader h;
    h.version = f.version;
    h.kind = f.kind;
    h.flags = i + 1 == batch.frames.size() ? last_of_batch : 0;
    h.length = static_cast<uint32_t>(f.length);
    h.lsn = lsn = lsn.next();
    h.synced = synced;
    h.epoch = epoch_;
    h.payload_crc = f.crc;
    h.encode(batch.bytes.data() + f.at, log.salt());
    if (f.kind == FrameKind::body) bodies.push_back({f.name, log.segment(), 0, log.offset() + length, h.length});
    if (f.without_dictionary) ++small;
    if (f.kind == FrameKind::dictionary) {
      dictionary = DictionaryPlace{f.dictionary, log.segment(), 0, log.offset() + length, h.length};
    }
    length += frame_header_size + f.length;
  }

  auto put = [&](File& file, uint64_t at) -> Result<void> {
    size_t from = 0;  // in batch.bytes: what has not been written
    Buffer piece;
    for (const Batch::Impl::Frame& f : batch.frames) {
      if (!f.body) continue;
      size_t to = f.at + frame_header_size + f.body->head.encoded_size();
      if (Result<void> r = file.write_at(at, batch.bytes.bytes(from, to - from)); !r) return r;
      at += to - from;
      from = to;
      for (uint64_t done = 0, stored = f.body->head.stored_size(); done < stored;) {
        piece.resize(static_cast<size_t>(std::min<uint64_t>(stored - done, 1u << 20)));
        Result<size_t> n = f.body->read_stored(done, {piece.data(), piece.size()});
        if (!n) return n.error();
        if (*n != piece.size()) return Failure(Errc::io, "a spooled message is shorter than it was");
        if (Result<void> r = file.write_at(at, piece.bytes()); !r) return r;
        at += *n;
        done += *n;
      }
    }
    if (from == batch.bytes.size()) return {};
    return file.write_at(at, batch.bytes.bytes(from, batch.bytes.size() - from));
  };
  if (Result<void> r = log.write(length, lsn, put); !r) return r.error();

  if (rewriting_) rewriting_->touched.insert(batch.used_bodies.begin(), batch.used_bodies.end());
  for (const BodyPlace& b : bodies) bodies_->put(b);
  if (dictionary) bodies_->dictionaries()->put(*dictionary);
  small_bodies_ += small;
  const AccountState::Touched touched = state_.merge(std::move(batch.layer));
  if (tree_ && !touched.empty()) tree_ = std::make_shared<MailboxTree>(state_.tree_after(*tree_, touched));
  return lsn;
}

bool Account::Impl::begin_rewriting() {
  if (rewriting_ || rewriting_stopped_) return false;
  rewriting_ = std::make_shared<RewriteWatch>();
  return true;
}

// A batch that was begun before a rewrite took bodies out of the index may refer to them.
Result<void> Account::Impl::check_bodies(const Batch::Impl& batch) {
  if (batch.condemnations == condemnations_) return {};
  for (const Sha256& name : batch.used_bodies) {
    if (batch.new_bodies.count(name) != 0) continue;
    Result<std::optional<BodyPlace>> place = bodies_->find(name);
    if (!place) return place.error();
    if (*place) continue;
    if (!rewriting_ || !rewriting_->make_void()) {
      return Failure(Errc::conflict, "a body went while the batch was made");
    }
    bodies_->pardon(rewriting_->condemned);
    place = bodies_->find(name);
    if (!place || !*place) return Failure(Errc::conflict, "a body went while the batch was made");
  }
  return {};
}

Result<void> Account::Impl::raise_epoch(Epoch e) {
  if (e < epoch_) return Failure(Errc::conflict, "stale epoch");
  if (e == epoch_ && e == state_.epoch()) return {};
  Batch::Impl batch(*this);
  if (Result<void> r = batch.put(record::EpochRaised{e}); !r) return r;
  Epoch before = epoch_;
  epoch_ = e;  // stamped on the frame itself, too
  if (Result<Lsn> r = commit(batch); !r) {
    epoch_ = before;
    return r.error();
  }
  return {};
}

MailboxSnapshotPtr Account::Impl::snapshot(MailboxKey key) {
  std::shared_ptr<const MailboxState> box = state_.mailbox(key);
  if (!box) {
    snapshots_.erase(key);
    return nullptr;
  }
  Cached& c = snapshots_[key];
  if (c.of != box) c = Cached{box, box->snapshot()};
  return c.snapshot;
}

std::optional<std::string> Account::Impl::annotation(const std::string& name) const {
  const auto& there = state_.annotations();
  const auto at = there.find(name);
  if (at == there.end()) return {};
  return at->second;
}

MailboxTreePtr Account::Impl::tree() {
  if (!tree_) tree_ = std::make_shared<MailboxTree>(state_.tree());
  return tree_;
}

Result<BodyReader> Account::Impl::open_body(const Sha256& name) {
  std::optional<Failure> wrong;
  for (BodyPlace tried;;) {
    Result<std::optional<BodyPlace>> place = bodies_->find(name);
    if (place && !*place) place = bodies_->find_condemned(name);
    if (!place) return place.error();
    if (wrong && (!*place || same_place(tried, **place))) return *wrong;
    if (!*place) return Failure(Errc::not_found, "no such body");
    Result<std::shared_ptr<File>> file = files_.open((*place)->segment, (*place)->generation);
    Result<StoredBody> reader = file ? StoredBody::open(*file, **place, bodies_) : Result<StoredBody>(file.error());
    if (reader) return BodyReader(std::make_unique<BodyReader::Impl>(std::move(*reader)));
    // A rewrite may have moved it between the look-up and the opening: then there is another place to look at.
    wrong = reader.error();
    tried = **place;
  }
}

std::string Account::Impl::where(const BodyPlace& place) const {
  for (const SegmentName& s : files_.names()) {
    if (s.first == place.segment) return s.text() + " at " + std::to_string(place.offset);
  }
  return "segment " + std::to_string(place.segment.value) + " at " + std::to_string(place.offset);
}

Spool Account::Impl::spool() { return Spool{&env_, directory_ / "spool", spooled_}; }

Account::Account(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Account::~Account() = default;

Result<std::unique_ptr<Account>> Account::open(Env& env, const std::filesystem::path& directory, OpenOptions options) {
  auto impl = std::make_unique<Impl>(env, directory, options);
  if (Result<void> r = impl->open(); !r) return r.error();
  return std::unique_ptr<Account>(new Account(std::move(impl)));
}

const OpenReport& Account::open_report() const { return impl_->report(); }
MailboxTreePtr Account::tree() const { return impl_->tree(); }
std::optional<std::string> Account::annotation(const std::string& name) const { return impl_->annotation(name); }
MailboxSnapshotPtr Account::snapshot(MailboxKey key) const { return impl_->snapshot(key); }
std::optional<SyncCursor> Account::cursor(MailboxKey key) const { return impl_->state().cursor(key); }
bool Account::has_body(const Sha256& name) const {
  Result<std::optional<BodyPlace>> place = impl_->bodies().find(name);
  return place && place->has_value();
}
UidValidity Account::highest_uid_validity(std::string_view name) const { return impl_->state().highest_validity(name); }
Epoch Account::epoch() const { return impl_->epoch(); }
const AccountId& Account::id() const { return impl_->id(); }
const std::filesystem::path& Account::directory() const { return impl_->directory(); }

Batch Account::begin() { return Batch(std::make_unique<Batch::Impl>(*impl_)); }
Result<Lsn> Account::commit(Batch batch) { return impl_->commit(*batch.impl_); }
Result<void> Account::raise_epoch(Epoch e) { return impl_->raise_epoch(e); }
Result<void> Account::jump(Lsn above, bool uids) { return impl_->jump(above, uids); }
bool Account::wants_dictionary() const { return impl_->wants_dictionary(); }
Result<void> Account::train_dictionary() { return impl_->train(); }
BodyWriter Account::new_body() { return BodyWriter(std::make_unique<BodyWriter::Impl>(impl_->spool())); }

Lsn Account::appended() const { return impl_->writer().appended(); }
Lsn Account::durable() const { return impl_->writer().durable(); }
Result<Lsn> Account::sync() { return impl_->writer().sync(); }
bool Account::failed() const { return impl_->writer().failed(); }
Result<BodyReader> Account::open_body(const Sha256& name) const { return impl_->open_body(name); }
std::optional<std::string> Account::damaged_body(const Sha256& name) const {
  std::optional<BodyPlace> place = impl_->bodies().dropped(name);
  if (!place) return {};
  return impl_->where(*place);
}
bool Account::dictionary_lost() const {
  const Dictionaries& dictionaries = *impl_->bodies().dictionaries();
  const std::vector<DictionaryPlace> all = dictionaries.all();
  return std::any_of(all.begin(), all.end(), [&](const DictionaryPlace& p) { return !dictionaries.get(p.id); });
}
void Account::rest() { impl_->bodies().rest(); }
size_t Account::index_bytes() const { return impl_->bodies().bytes(); }
uint64_t Account::tail() const { return impl_->tail(); }
Result<void> Account::checkpoint() { return impl_->checkpoint(false); }
Result<void> Account::close() {
  if (impl_->options().read_only) return {};
  if (Result<Lsn> r = sync(); !r) return r.error();
  return impl_->checkpoint(true);
}

}  // namespace storage
