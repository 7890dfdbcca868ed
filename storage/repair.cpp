// What repair does, in an order in which every crash leaves either the store as it was or a step that is found done:
// first what the log no longer says (a sealed segment at its end), then new generations of the segments that are
// damaged, then the old ones go to the quarantine, last the bodies that an older copy still has.
#include "storage/repair.h"

#include <algorithm>
#include <ctime>

#include "storage/account_impl.h"
#include "storage/repair_diff.h"
#include "storage/repair_plan.h"
#include "storage/segment_writer.h"

namespace storage {
namespace {

constexpr size_t piece_size = 1u << 20;
// The annotation that says up to which LSN losses have been made good, so that a second run does not jump again.
const std::string repaired_annotation = "repaired";

std::string time_text(int64_t seconds) {
  const std::time_t t = seconds;
  std::tm parts{};
  ::gmtime_r(&t, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return text;
}

std::string range(Lsn first, Lsn last) {
  return first == last ? "LSN " + std::to_string(first.value)
                       : "LSN " + std::to_string(first.value) + " to " + std::to_string(last.value);
}

}  // namespace

class StoreRepair {
 public:
  StoreRepair(Env& env, const std::filesystem::path& directory, const RepairOptions& options)
      : env_(env), directory_(directory), options_(options), files_(env, directory / "log") {}
  Result<RepairReport> run();

 private:
  Result<void> open_older();
  Result<void> save_torn();
  Result<void> reconcile();
  Result<void> mend_segments();
  Result<void> mend(const SegmentPlan& segment, Lsn last);
  Result<void> copy_frame(const File& from, const PlannedFrame& frame, SegmentWriter& to);
  Result<void> seal_hole(Lsn first, Lsn last);
  Result<std::unique_ptr<SegmentWriter>> start(const SegmentName& name, Lsn needs);
  Result<void> finish(SegmentWriter& segment, Lsn reached);
  // A copy of a segment's bytes in the quarantine.
  Result<void> save(const std::string& segment, uint64_t from, const std::string& as);
  Result<void> drop_bad_snapshot();
  Result<void> restore_bodies();
  Result<void> restore_dictionaries(Account::Impl& account);
  Result<void> report();
  // Moves a file of the store into the quarantine.
  Result<void> quarantine(const std::filesystem::path& file);
  Result<void> open_quarantine();
  OpenOptions opening() const {
    OpenOptions o;
    o.epoch = options_.epoch;
    o.format = 1;  // that is: whichever it has
    return o;
  }
  void done(std::string what) { report_.done.push_back(std::move(what)); }

  Env& env_;
  const std::filesystem::path directory_;
  const RepairOptions& options_;
  SegmentFiles files_;
  RepairPlan plan_;
  RepairReport report_;
  std::unique_ptr<Account> older_;
};

Result<void> StoreRepair::open_quarantine() {
  if (!report_.quarantine.empty()) return {};
  const std::filesystem::path all = directory_ / "quarantine";
  std::filesystem::path made = all / time_text(env_.now());
  Result<std::vector<std::string>> there = env_.list(all);
  if (!there && there.error().code != Errc::not_found) return there.error();
  // Never among what an earlier repair took out.
  for (int n = 2; there && std::count(there->begin(), there->end(), made.filename().string()) != 0; ++n) {
    made = all / (time_text(env_.now()) + "-" + std::to_string(n));
  }
  if (Result<void> r = env_.make_directory(made); !r) return r;
  for (const std::filesystem::path& d : {all, directory_}) {
    if (Result<void> r = env_.sync_directory(d); !r) return r;
  }
  report_.quarantine = made;
  return {};
}

Result<void> StoreRepair::quarantine(const std::filesystem::path& file) {
  if (Result<void> r = open_quarantine(); !r) return r;
  if (Result<void> r = env_.rename(file, report_.quarantine / file.filename()); !r) return r;
  if (Result<void> r = env_.sync_directory(report_.quarantine); !r) return r;
  return env_.sync_directory(file.parent_path());
}

Result<void> StoreRepair::save(const std::string& segment, uint64_t from, const std::string& as) {
  if (Result<void> r = open_quarantine(); !r) return r;
  Result<std::unique_ptr<File>> in = env_.open(files_.directory() / segment, Env::Mode::read);
  if (!in) return in.error();
  Result<std::unique_ptr<File>> out = env_.open(report_.quarantine / as, Env::Mode::truncate);
  if (!out) return out.error();
  Buffer piece;
  for (uint64_t at = 0;;) {
    piece.resize(piece_size);
    Result<size_t> n = (*in)->read_at(from + at, {piece.data(), piece.size()});
    if (!n) return n.error();
    if (*n == 0) break;
    if (Result<void> r = (*out)->write_at(at, piece.bytes(0, *n)); !r) return r;
    at += *n;
  }
  if (Result<void> r = (*out)->sync(); !r) return r;
  return env_.sync_directory(report_.quarantine);
}

Result<void> StoreRepair::save_torn() {
  if (!plan_.torn || plan_.torn_bytes == 0) return {};
  Result<std::vector<SegmentName>> segments = list_segments(env_, files_.directory());
  if (!segments) return segments.error();
  for (size_t s = plan_.torn->segment; s < segments->size(); ++s) {
    const std::string name = (*segments)[s].text();
    const uint64_t at = s == plan_.torn->segment ? plan_.torn->offset : 0;
    if (Result<void> r = save(name, at, "torn-" + std::to_string(at) + "-" + name); !r) return r;
  }
  done("cut " + std::to_string(plan_.torn_bytes) + " bytes of an interrupted write at the end of the log");
  return {};
}

// Says at the end of the log what damaged frames said and index.snap still knows; where it does not know, numbers jump.
Result<void> StoreRepair::reconcile() {
  Lsn last_lost;
  for (const auto& [first, last] : plan_.lost) {
    last_lost = std::max(last_lost, last);
    report_.lost_frames += last.value - first.value + 1;
    done("frames are lost: " + range(first, last));
  }
  Result<std::unique_ptr<Account>> account = Account::open(env_, directory_, opening());
  if (!account) return account.error();
  Account::Impl& impl = *(*account)->impl_;
  if (Result<Lsn> r = (*account)->sync(); !r) return r.error();
  Lsn snapshot;
  if ((*account)->open_report().used_snapshot) {
    Result<SnapshotFile> file = SnapshotFile::open(env_, directory_ / "index.snap");
    if (!file) return file.error();
    snapshot = file->header().lsn;
  }
  const auto& before = plan_.state.annotations();
  const auto at = before.find(repaired_annotation);
  const uint64_t repaired = at == before.end() ? 0 : std::strtoull(at->second.c_str(), nullptr, 10);
  Batch::Impl batch(impl);
  auto put = [&](const record::Op& op) { return batch.put_unapplied(op); };
  if (snapshot) {
    if (Result<void> r = diff_states(plan_.state, impl.state(), put); !r) return r;
  }
  if (!batch.frames.empty()) done("wrote down again what index.snap knew of the lost frames");
  const Lsn end = (*account)->appended();
  report_.jumped = last_lost > snapshot && last_lost.value > repaired;
  if (report_.jumped) {
    if (Result<void> r = impl.put_jump(batch, options_.numbers_are_ours, end); !r) return r;
    done("UIDNEXT and HIGHESTMODSEQ went up, since numbers may have been given out that the lost frames held");
  }
  if (batch.frames.empty()) return {};
  if (last_lost.value > repaired) {
    const std::string upto = std::to_string(last_lost.value);
    if (Result<void> r = batch.put(record::Annotation{MailboxKey(0), repaired_annotation, upto}); !r) return r;
  }
  return impl.commit_sealed(batch, end);
}

Result<std::unique_ptr<SegmentWriter>> StoreRepair::start(const SegmentName& name, Lsn needs) {
  SegmentHeader header;
  header.first = name.first;
  header.last = name.last;
  header.generation = name.generation;
  header.account = plan_.account;
  header.needs = needs;
  return SegmentWriter::create(env_, files_.directory(), header);
}

// The last LSN of a rewritten segment always has a frame.
Result<void> StoreRepair::finish(SegmentWriter& segment, Lsn reached) {
  if (reached < segment.name().last) {
    FrameHeader last;
    last.lsn = segment.name().last;
    last.epoch = plan_.state.epoch();
    if (Result<void> r = segment.add_filler(last); !r) return r;
    if (Result<void> r = segment.end_batch(); !r) return r;
  }
  if (Result<void> r = segment.seal(); !r) return r;
  return segment.publish();
}

Result<void> StoreRepair::seal_hole(Lsn first, Lsn last) {
  Result<std::unique_ptr<SegmentWriter>> segment = start({first, last, 1}, Lsn(0));
  if (!segment) return segment.error();
  done("closed the gap in the log: " + range(first, last));
  return finish(**segment, Lsn(first.value - 1));
}

Result<void> StoreRepair::copy_frame(const File& from, const PlannedFrame& f, SegmentWriter& to) {
  if (f.instead) {
    Result<uint64_t> r = to.add(f.instead->header, f.instead->payload.bytes());
    return r ? Result<void>() : Result<void>(r.error());
  }
  if (Result<uint64_t> r = to.begin(f.header); !r) return r.error();
  Buffer piece;
  for (uint64_t done = 0; done < f.header.length;) {
    piece.resize(static_cast<size_t>(std::min<uint64_t>(f.header.length - done, piece_size)));
    Result<size_t> n = from.read_at(f.offset + frame_header_size + done, {piece.data(), piece.size()});
    if (!n) return n.error();
    if (*n != piece.size()) return Failure(Errc::io, "a segment is shorter than it was");
    if (Result<void> r = to.put(piece.bytes()); !r) return r;
    done += *n;
  }
  return to.end();
}

Result<void> StoreRepair::mend(const SegmentPlan& segment, Lsn last) {
  const SegmentName name{segment.name.first, last, segment.name.generation + 1};
  const std::string old = segment.name.text();
  if (Result<void> r = save(old, 0, old); !r) return r;
  Result<std::unique_ptr<SegmentWriter>> to = start(name, segment.needs);
  if (!to) return to.error();
  Result<std::unique_ptr<File>> from = open_segment(env_, files_.directory(), segment.name);
  if (!from) return from.error();
  Lsn reached(name.first.value - 1);
  for (const PlannedFrame& f : segment.frames) {
    if (f.keep) {
      if (Result<void> r = copy_frame(**from, f, **to); !r) return r;
      reached = f.header.lsn;
    }
    if (f.header.flags & last_of_batch) {
      if (Result<void> r = (*to)->end_batch(); !r) return r;
    }
  }
  if (Result<void> r = (*to)->end_batch(); !r) return r;
  if (Result<void> r = finish(**to, reached); !r) return r;
  uint64_t bytes = 0;
  for (const auto& [first, end] : segment.bad) bytes += end - first;
  std::string what = "wrote segment " + old + " anew as " + name.text();
  if (bytes > 0) what += " without " + std::to_string(bytes) + " unreadable bytes";
  if (segment.dropped > 0) {
    what += (bytes > 0 ? " and " : " without ") + std::to_string(segment.dropped) + " frames that say nothing any more";
  }
  if (segment.cut_short > 0) {
    what += (bytes > 0 || segment.dropped > 0 ? " and " : " without ") + std::string("the bodies of ") +
            std::to_string(segment.cut_short) + " messages, which stay listed";
  }
  done(what + "; the old file is in the quarantine");
  if (Result<void> r = env_.remove(files_.directory() / old); !r && r.error().code != Errc::not_found) return r;
  return env_.sync_directory(files_.directory());
}

Result<void> StoreRepair::mend_segments() {
  for (const auto& [first, last] : plan_.missing) {
    if (Result<void> r = seal_hole(first, last); !r) return r;
  }
  for (size_t s = 0; s < plan_.segments.size(); ++s) {
    const SegmentPlan& segment = plan_.segments[s];
    if (!segment.mend()) continue;
    Lsn last = segment.name.last;
    if (!last) last = s + 1 < plan_.segments.size() ? Lsn(plan_.segments[s + 1].name.first.value - 1) : plan_.end;
    for (const auto& [first, upto] : plan_.missing) {
      if (first > segment.name.first && first <= last) last = Lsn(first.value - 1);
    }
    last = std::max(last, segment.name.first);
    if (Result<void> r = mend(segment, last); !r) return r;
  }
  return {};
}

// Derived: where a part of it cannot be read, all of it is made again.
Result<void> StoreRepair::drop_bad_snapshot() {
  Result<bool> good = snapshot_is_good(env_, directory_ / "index.snap");
  if (!good) return good.error();
  if (*good) return {};
  done("index.snap was damaged and is made again");
  return quarantine(directory_ / "index.snap");
}

// With one of them many messages can be read again. A number means the same in every copy of an account.
Result<void> StoreRepair::restore_dictionaries(Account::Impl& account) {
  if (!older_ || older_->id() != account.id()) return {};
  const Dictionaries& theirs = *older_->impl_->bodies().dictionaries();
  for (const DictionaryPlace& p : account.bodies().dictionaries()->all()) {
    if (account.bodies().dictionaries()->get(p.id)) continue;
    Result<std::shared_ptr<const Dictionary>> found = theirs.get(p.id);
    if (!found) continue;
    Batch::Impl batch(account);
    batch.put_dictionary(p.id, (*found)->bytes());
    if (Result<Lsn> r = account.commit(batch); !r) return r.error();
    done("took dictionary " + std::to_string(p.id) + " from the older copy");
  }
  return {};
}

Result<void> StoreRepair::restore_bodies() {
  Result<std::unique_ptr<Account>> account = Account::open(env_, directory_, opening());
  if (!account) return account.error();
  if (Result<void> r = restore_dictionaries(*(*account)->impl_); !r) return r;
  const bool some_unreadable = (*account)->dictionary_lost();
  const MailboxTreePtr tree = (*account)->tree();
  for (const MailboxInfo& info : tree->mailboxes) {
    MailboxSnapshotPtr box = older_ ? (*account)->snapshot(info.key) : nullptr;
    for (uint32_t i = 0; box && i < box->size(); ++i) {
      const auto& name = box->message(i).body;
      if (!name || !older_->has_body(*name)) continue;
      // Its place is known; without its dictionary it cannot be read, and opening it says so.
      if (some_unreadable) (void)(*account)->open_body(*name);
      if ((*account)->has_body(*name)) continue;
      Result<BodyReader> reader = older_->open_body(*name);
      if (!reader) continue;
      BodyWriter writer = (*account)->new_body();
      Buffer piece;
      bool whole = true;
      for (uint64_t at = 0; at < reader->size() && whole;) {
        piece.resize(piece_size);
        Result<size_t> n = reader->read(at, {piece.data(), piece.size()});
        whole = n && *n > 0;
        if (!whole) break;
        if (Result<void> r = writer.write(piece.bytes(0, *n)); !r) return r;
        at += *n;
      }
      if (!whole) continue;
      Result<PreparedBody> body = writer.finish();
      if (!body) return body.error();
      if (body->name() != *name) continue;
      Batch batch = (*account)->begin();
      if (Result<Sha256> r = batch.add_body(std::move(*body)); !r) return r.error();
      if (Result<Lsn> r = (*account)->commit(std::move(batch)); !r) return r.error();
      ++report_.bodies_restored;
    }
  }
  if (report_.bodies_restored > 0) {
    done("took " + std::to_string(report_.bodies_restored) + " messages' bytes from the older copy");
  }
  return (*account)->close();
}

Result<void> StoreRepair::report() {
  if (report_.quarantine.empty()) return {};
  std::string text = "fairlead doctor --repair took these files out of the store beside it:\n";
  for (const std::string& d : report_.done) text += "- " + d + "\n";
  Result<std::unique_ptr<File>> file = env_.open(report_.quarantine / "report.txt", Env::Mode::truncate);
  if (!file) return file.error();
  if (Result<void> r = (*file)->write_at(0, wire::base::as_bytes(text)); !r) return r;
  if (Result<void> r = (*file)->sync(); !r) return r;
  return env_.sync_directory(report_.quarantine);
}

Result<void> StoreRepair::open_older() {
  if (options_.from.empty()) return {};
  OpenOptions look;
  look.read_only = true;
  Result<std::unique_ptr<Account>> opened = Account::open(env_, options_.from, look);
  if (!opened) return Failure(Errc::usage, "the older copy cannot be opened: " + opened.error().note);
  older_ = std::move(*opened);
  return {};
}

Result<RepairReport> StoreRepair::run() {
  if (Result<void> r = open_older(); !r) return r.error();
  if (Result<void> r = plan_repair(env_, files_, options_.progress, plan_); !r) return r.error();
  if (Result<void> r = save_torn(); !r) return r.error();
  const bool damaged = !plan_.missing.empty() || std::any_of(plan_.segments.begin(), plan_.segments.end(),
                                                             [](const SegmentPlan& s) { return s.mend(); });
  if (damaged) {
    if (Result<void> r = reconcile(); !r) return r.error();
    if (Result<void> r = mend_segments(); !r) return r.error();
  }
  if (Result<void> r = drop_bad_snapshot(); !r) return r.error();
  if (Result<void> r = restore_bodies(); !r) return r.error();
  if (Result<void> r = report(); !r) return r.error();
  return std::move(report_);
}

Result<RepairReport> repair_store(Env& env, const std::filesystem::path& directory, const RepairOptions& options) {
  return StoreRepair(env, directory, options).run();
}

}  // namespace storage
