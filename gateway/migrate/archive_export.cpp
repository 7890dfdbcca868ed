// Mail out: each mailbox from its snapshot, page by page on the pool. A marker says that the export is unfinished until
// everything is durable; then the manifest takes its place.

#include <algorithm>
#include <memory>
#include <set>

#include "gateway/migrate/archive.h"
#include "gateway/migrate/archive_file.h"
#include "gateway/migrate/archive_text.h"
#include "gateway/migrate/job.h"
#include "gateway/source/names.h"
#include "wire/net/pool.h"

namespace gateway::migrate {

using source::UserAccountPtr;
using storage::Errc;
using storage::Failure;
using wire::net::run_on_pool;

namespace {

constexpr size_t block = 64 * 1024;
constexpr uint32_t page_messages = 256;
constexpr uint64_t page_bytes = 16 << 20;

// One mailbox on its way out. Touched by the pool only while the core waits for it.
struct Out {
  ArchiveFormat format;
  std::filesystem::path place;  // maildir: the folder; mbox: the file
  storage::MailboxSnapshotPtr box;
  OutFile side, mbox;
  uint32_t next = 0;
  uint64_t messages = 0, bytes = 0, left_out = 0;
  std::vector<SyncReport::Failed> failed;
};

using Piece = std::function<Result<void>(std::string_view)>;

Result<void> each_block(storage::BodyReader& reader, const Piece& take) {
  std::string buffer(block, '\0');
  for (uint64_t at = 0; at < reader.size();) {
    auto n = reader.read(at, std::span(reinterpret_cast<uint8_t*>(buffer.data()), buffer.size()));
    if (!n) return n.error();
    if (*n == 0) return Failure(Errc::corrupt, "the body is shorter than its frame says");
    if (auto ok = take(std::string_view(buffer).substr(0, *n)); !ok) return ok.error();
    at += *n;
  }
  return {};
}

// How the bytes begin and end, and whether LF alone says the same.
struct Shape {
  LineEnds ends;
  std::string start;
  char last = '\n';
};

Result<Shape> shape_of(storage::BodyReader& reader) {
  Shape out;
  const Piece look = [&out](std::string_view piece) -> Result<void> {
    out.ends.add(piece);
    if (out.start.size() < 100) out.start.append(piece.substr(0, 100));
    if (!piece.empty()) out.last = piece.back();
    return {};
  };
  if (auto ok = each_block(reader, look); !ok) return ok.error();
  return out;
}

// Only before a field can another one be put without a change of what follows.
bool starts_with_field(const std::string& start) {
  const size_t end = start.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
  return end != 0 && end != std::string::npos && start[end] == ':';
}

Result<void> write_maildir(Out& out, storage::BodyReader& reader, const Shape& shape, ArchivedMessage& m) {
  const storage::MailboxInfo& info = out.box->info();
  // RFC 822 says nothing of names; the shape is Maildir's, and unique: a UID is used once.
  m.file = "cur/" + std::to_string(std::max<int64_t>(m.info.date.seconds, 0)) + ".U" + std::to_string(m.uid.value) +
           "V" + std::to_string(info.uid_validity.value) + ".fairlead:2," + maildir_letters(m.flags.system);
  auto file = OutFile::create(out.place / m.file);
  if (!file) return file.error();
  ToUnix to_unix;
  std::string changed;
  const Piece put = [&](std::string_view piece) -> Result<void> {
    if (!m.unix_lines) return file->write(piece);
    changed.clear();
    to_unix.add(piece, changed);
    return file->write(changed);
  };
  (void)shape;
  if (auto ok = each_block(reader, put); !ok) return ok.error();
  file->set_time(m.info.date.seconds);
  return file->close();
}

Result<void> write_mbox(Out& out, storage::BodyReader& reader, const Shape& shape, ArchivedMessage& m) {
  if (auto ok = out.mbox.write("From MAILER-DAEMON " + asctime_utc(m.info.date.seconds) + "\n"); !ok) return ok.error();
  m.offset = out.mbox.size();
  const std::string line_end = shape.start.find("\r\n") != std::string::npos && !m.unix_lines ? "\r\n" : "\n";
  if (starts_with_field(shape.start)) {
    const std::string headers = status_headers(m.flags.system, line_end);
    m.added = headers.size();
    if (auto ok = out.mbox.write(headers); !ok) return ok.error();
  }
  ToUnix to_unix;
  Quoting quoting(Quoting::Way::quote);
  std::string changed, quoted;
  const Piece put = [&](std::string_view piece) -> Result<void> {
    changed.clear();
    quoted.clear();
    if (m.unix_lines) {
      to_unix.add(piece, changed);
      piece = changed;
    }
    quoting.add(piece, quoted);
    return out.mbox.write(quoted);
  };
  if (auto ok = each_block(reader, put); !ok) return ok.error();
  quoted.clear();
  quoting.finish(quoted);
  if (auto ok = out.mbox.write(quoted); !ok) return ok.error();
  m.length = out.mbox.size() - m.offset;
  // The blank line before the next "From "; a last line without an end gets one, which is not the message's.
  return out.mbox.write(shape.last == '\n' ? "\n" : "\n\n");
}

Result<void> write_message(Out& out, const storage::Account& store, uint32_t index) {
  ArchivedMessage m;
  m.uid = out.box->uid(index);
  m.modseq = out.box->modseq(index);
  m.flags = out.box->flags(index);
  m.info = out.box->message(index);
  const auto fail = [&](const Failure& why) {
    ++out.left_out;
    if (out.failed.size() < most_failures) out.failed.push_back({out.box->info().name, m.uid.value, why.describe()});
  };
  if (!m.info.body) {
    fail(Failure(Errc::not_found, "its content is not in the copy"));
    return {};
  }
  auto reader = store.open_body(*m.info.body);
  if (!reader) {
    fail(reader.error());
    return {};
  }
  // Read once before anything is written: a damaged message leaves no half a file.
  auto shape = shape_of(*reader);
  if (!shape) {
    fail(shape.error());
    return {};
  }
  m.unix_lines = shape->ends.all_crlf();
  const bool maildir = out.format == ArchiveFormat::maildir;
  if (auto ok = maildir ? write_maildir(out, *reader, *shape, m) : write_mbox(out, *reader, *shape, m); !ok) {
    return ok.error();
  }
  ++out.messages;
  out.bytes += reader->size();
  return out.side.write(to_line(m));
}

Result<void> begin_mailbox(Out& out) {
  std::error_code ec;
  std::filesystem::path side = out.place;
  if (out.format == ArchiveFormat::maildir) {
    for (const char* folder : {"cur", "new", "tmp"}) std::filesystem::create_directories(out.place / folder, ec);
    if (ec) return Failure(Errc::io, "cannot make " + out.place.string() + ": " + ec.message());
    side /= side_file_name;
  } else {
    side += side_file_suffix;
    auto mbox = OutFile::create(out.place);
    if (!mbox) return mbox.error();
    out.mbox = std::move(*mbox);
  }
  auto made = OutFile::create(side);
  if (!made) return made.error();
  out.side = std::move(*made);
  ArchivedMailbox head;
  head.info = out.box->info();
  head.messages = out.box->size();
  return out.side.write(to_line(head));
}

// False: there is more.
Result<bool> write_page(Out& out, const storage::Account& store) {
  const uint64_t enough = out.bytes + page_bytes;
  const uint32_t end = std::min(out.next + page_messages, out.box->size());
  for (; out.next < end && out.bytes < enough; ++out.next) {
    if (auto ok = write_message(out, store, out.next); !ok) return ok.error();
  }
  if (out.next < out.box->size()) return false;
  if (out.format == ArchiveFormat::mbox) {
    if (auto ok = out.mbox.close(); !ok) return ok.error();
  }
  if (auto ok = out.side.close(); !ok) return ok.error();
  return true;
}

// Where each mailbox goes: levels below the personal prefix; never two at one place, also where case does not count.
class Places {
 public:
  Places(ArchiveFormat format, std::string prefix) : format_(format), prefix_(std::move(prefix)) {}
  std::string next(const storage::MailboxInfo& info) {
    const bool maildir = format_ == ArchiveFormat::maildir;
    std::string name = source::to_client(info.name);
    if (wire::base::iequals(name, "INBOX")) return maildir ? "." : "INBOX.mbox";
    if (!prefix_.empty() && name.starts_with(prefix_)) name.erase(0, prefix_.size());
    std::string out;
    for (size_t at = 0; at <= name.size();) {
      const size_t end = info.separator == 0 ? name.size() : std::min(name.find(info.separator, at), name.size());
      if (maildir || at != 0) out += '.';
      out += safe_level(std::string_view(name).substr(at, end - at));
      at = end + 1;
    }
    // A file name has 255 bytes at most.
    if (out.size() > 200) out.resize(200);
    const std::string suffix = maildir ? "" : ".mbox";
    std::string unique = out + suffix;
    for (int n = 2; !taken_.insert(lower(unique)).second; ++n) unique = out + "%~" + std::to_string(n) + suffix;
    return unique;
  }

 private:
  static std::string lower(std::string text) {
    for (char& c : text) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return text;
  }
  const ArchiveFormat format_;
  const std::string prefix_;
  std::set<std::string> taken_{"inbox.mbox"};
};

Result<void> begin_archive(const std::filesystem::path& directory) {
  std::error_code ec;
  std::filesystem::create_directories(directory, ec);
  if (ec) return Failure(Errc::io, "cannot make " + directory.string() + ": " + ec.message());
  const bool empty = std::filesystem::is_empty(directory, ec);
  if (ec) return Failure(Errc::io, "cannot read " + directory.string() + ": " + ec.message());
  if (!empty) return Failure(Errc::exists, directory.string() + " is not empty: an export starts in a new folder");
  std::filesystem::permissions(directory, std::filesystem::perms::owner_all, ec);
  auto marker = OutFile::create(directory / unfinished_name);
  if (!marker) return marker.error();
  return marker->close();
}

Result<void> end_archive(const std::filesystem::path& directory, const Manifest& manifest) {
  auto file = OutFile::create(directory / manifest_name);
  if (!file) return file.error();
  if (auto ok = file->write(to_text(manifest)); !ok) return ok.error();
  if (auto ok = file->close(); !ok) return ok.error();
  if (auto ok = sync_folder(directory); !ok) return ok.error();
  std::error_code ec;
  std::filesystem::remove(directory / unfinished_name, ec);
  if (ec) return Failure(Errc::io, "cannot end the export: " + ec.message());
  return sync_folder(directory);
}

awaitable<Result<ArchiveReport>> export_on_core(UserAccountPtr account, ArchiveFormat format,
                                                std::filesystem::path directory, OnProgress progress) {
  auto job = Job::begin(account, "export");
  if (!job) co_return job.error();
  asio::thread_pool& pool = account->services().blocking;
  auto begin = [directory] { return begin_archive(directory); };
  if (auto ok = co_await run_on_pool(pool, begin); !ok) co_return ok.error();
  ArchiveReport report;
  report.user = account->user();
  report.format = format;
  auto tree = co_await account->tree();
  if (!tree) co_return tree.error();
  Manifest manifest;
  manifest.format = format;
  manifest.user = account->user();
  manifest.prefix = account->prefix();
  manifest.subscriptions = (*tree)->subscriptions.all();
  Places places(format, account->prefix());
  Tally tally;
  tally.user = account->user();
  tally.mailboxes_total = (*tree)->mailboxes.size();
  const storage::Account* store = &account->the_copy().store();
  for (const storage::MailboxInfo& info : (*tree)->mailboxes) {
    if ((info.attributes & storage::foreign) != 0) {
      report.notes.push_back("'" + wire::base::escape(info.name) + "' is not this user's and was left out");
      continue;
    }
    Manifest::Place place;
    place.mailbox.info = info;
    ++tally.mailboxes;
    tally.mailbox = info.name;
    if ((info.attributes & (storage::no_select | storage::non_existent)) != 0) {
      manifest.mailboxes.push_back(std::move(place));
      continue;
    }
    auto box = co_await account->open(info.name, false);
    if (!box) {
      report.failed.push_back({info.name, 0, box.error().describe()});
      continue;
    }
    if (account->owner() != source::Owner::local) {
      // What the copy does not hold is brought; what the source cannot give is told message by message below.
      storage::UidSet all = (*box)->current()->uids();
      auto brought = co_await account->ensure_content(*box, std::move(all));
      if (!brought) co_return brought.error();
    }
    auto out = std::make_shared<Out>();
    out->format = format;
    out->box = (*box)->current();
    place.path = places.next(info);
    place.mailbox.info = out->box->info();
    place.mailbox.messages = out->box->size();
    out->place = place.path == "." ? directory : directory / place.path;
    auto start = [out] { return begin_mailbox(*out); };
    if (auto ok = co_await run_on_pool(pool, start); !ok) co_return ok.error();
    tally.messages_total = report.messages + out->box->size();
    for (bool done = false; !done;) {
      auto page = [out, store] { return write_page(*out, *store); };
      auto written = co_await run_on_pool(pool, page);
      if (!written) co_return written.error();
      done = *written;
      tally.messages = report.messages + out->messages;
      tally.bytes = report.bytes + out->bytes;
      if (progress) progress(tally);
    }
    ++report.mailboxes;
    report.messages += out->messages;
    report.bytes += out->bytes;
    report.left_out += out->left_out;
    for (auto& f : out->failed) {
      if (report.failed.size() < most_failures) report.failed.push_back(std::move(f));
    }
    manifest.mailboxes.push_back(std::move(place));
  }
  auto shared = std::make_shared<const Manifest>(std::move(manifest));
  auto end = [directory, shared] { return end_archive(directory, *shared); };
  if (auto ok = co_await run_on_pool(pool, end); !ok) co_return ok.error();
  co_return report;
}

}  // namespace

awaitable<Result<ArchiveReport>> export_account(source::Services& services, std::string user, ArchiveFormat format,
                                                std::filesystem::path directory, OnProgress progress) {
  auto job = [=](UserAccountPtr account) { return export_on_core(account, format, directory, progress); };
  co_return co_await on_account<ArchiveReport>(services, std::move(user), job);
}

}  // namespace gateway::migrate
