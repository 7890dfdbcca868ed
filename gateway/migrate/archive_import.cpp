// Mail in: an export of ours, or Maildir and mbox from elsewhere, into an account whose mail is here.

#include <algorithm>
#include <memory>

#include "gateway/migrate/archive.h"
#include "gateway/migrate/archive_file.h"
#include "gateway/migrate/archive_reader.h"
#include "gateway/migrate/job.h"
#include "gateway/source/names.h"
#include "wire/imap/mutf7.h"
#include "wire/net/pool.h"

namespace gateway::migrate {

using source::UserAccountPtr;
using storage::Errc;
using storage::Failure;
using storage::MailboxInfo;
using wire::base::MailboxKey;
using wire::net::run_on_pool;

namespace {

constexpr size_t longest_manifest = 256 << 20;
constexpr size_t most_notes = 100;

// What a directory holds: where each mailbox lies, and its name where nothing says it better.
struct Found {
  Manifest manifest;
  bool ours = false;  // a manifest was there
  std::vector<std::string> notes;
};

// The levels of a foreign folder or file, joined as this account's names are. Names in UTF-8 become modified UTF-7.
std::string name_of(const std::vector<std::string>& levels, const std::string& prefix, char separator) {
  std::string out = prefix;
  for (const std::string& level : levels) {
    if (&level != &levels.front()) out += separator;
    const bool ascii = std::all_of(level.begin(), level.end(), [](char c) { return c >= ' ' && c < 0x7f; });
    auto converted = ascii ? Result<std::string>(level) : wire::imap::utf8_to_mutf7(level);
    out += converted ? *converted : level;
  }
  return out;
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> out;
  for (size_t from = 0; from <= text.size();) {
    const size_t end = std::min(text.find(at, from), text.size());
    if (end != from) out.emplace_back(text.substr(from, end - from));
    from = end + 1;
  }
  return out;
}

bool begins_like_mbox(const std::filesystem::path& path) {
  auto file = InFile::open(path);
  char start[5] = {};
  if (!file) return false;
  auto n = file->read(0, start);
  return n && *n == sizeof start && std::string_view(start, sizeof start) == "From ";
}

void add_place(Found& found, std::string path, std::string name) {
  Manifest::Place place;
  place.path = std::move(path);
  place.mailbox.info.name = std::move(name);
  found.manifest.mailboxes.push_back(std::move(place));
}

Result<void> find_maildirs(Found& found, const std::filesystem::path& directory, const std::string& prefix,
                           char separator) {
  std::error_code ec;
  if (std::filesystem::is_directory(directory / "cur", ec)) add_place(found, ".", "INBOX");
  std::vector<std::string> folders;
  for (std::filesystem::directory_iterator it(directory, ec), end; !ec && it != end; it.increment(ec)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with('.') && !it->is_symlink(ec) && it->is_directory(ec) &&
        std::filesystem::is_directory(it->path() / "cur", ec)) {
      folders.push_back(name);
    }
  }
  if (ec) return Failure(Errc::io, "cannot read " + directory.string() + ": " + ec.message());
  std::sort(folders.begin(), folders.end());
  for (const std::string& f : folders) add_place(found, f, name_of(split(f, '.'), prefix, separator));
  return {};
}

Result<void> find_mboxes(Found& found, const std::filesystem::path& directory, const std::string& prefix,
                         char separator) {
  std::error_code ec;
  std::vector<std::string> files;
  for (std::filesystem::recursive_directory_iterator it(directory, ec), end; !ec && it != end; it.increment(ec)) {
    if (it->path().filename().string().starts_with('.')) {
      if (it->is_directory(ec)) it.disable_recursion_pending();
      continue;
    }
    const std::string path = std::filesystem::relative(it->path(), directory, ec).string();
    if (!it->is_regular_file(ec)) continue;
    const bool empty_mbox = path.ends_with(".mbox") && it->file_size(ec) == 0;
    if (empty_mbox || begins_like_mbox(it->path())) {
      files.push_back(path);
    } else {
      found.notes.push_back(path + " is no mbox and was passed over");
    }
  }
  if (ec) return Failure(Errc::io, "cannot read " + directory.string() + ": " + ec.message());
  std::sort(files.begin(), files.end());
  for (const std::string& f : files) {
    std::vector<std::string> levels = split(f, '/');
    std::string& last = levels.back();
    if (last.ends_with(".mbox")) last.resize(last.size() - 5);
    const bool inbox = levels.size() == 1 && wire::base::iequals(last, "INBOX");
    add_place(found, f, inbox ? "INBOX" : name_of(levels, prefix, separator));
  }
  return {};
}

Result<Found> look_at(const std::filesystem::path& directory, std::optional<ArchiveFormat> format,
                      const std::string& prefix, char separator) {
  std::error_code ec;
  if (!std::filesystem::is_directory(directory, ec)) {
    return Failure(Errc::usage, directory.string() + " is no folder");
  }
  if (std::filesystem::exists(directory / unfinished_name, ec)) {
    return Failure(Errc::refused, directory.string() + " is an export that was not finished; export again");
  }
  Found found;
  auto text = read_small_file(directory / manifest_name, longest_manifest);
  if (text) {
    auto manifest = manifest_from_text(*text);
    if (!manifest) return manifest.error();
    if (format && *format != manifest->format) {
      return Failure(Errc::usage, directory.string() + " is an export as " + to_string(manifest->format));
    }
    found.manifest = std::move(*manifest);
    found.ours = true;
    for (const Manifest::Place& p : found.manifest.mailboxes) {
      // A manifest names what lies in its own folder, whatever it says.
      if (p.path.find('/') != std::string::npos || p.path == "..") {
        return Failure(Errc::malformed, "the manifest names a place outside of its folder");
      }
    }
    return found;
  }
  if (text.error().code != Errc::not_found) return text.error();
  if (!format) {
    const bool maildir = std::filesystem::is_directory(directory / "cur", ec);
    format = maildir ? ArchiveFormat::maildir : ArchiveFormat::mbox;
    for (std::filesystem::directory_iterator it(directory, ec), end; !maildir && !ec && it != end; it.increment(ec)) {
      if (std::filesystem::is_directory(it->path() / "cur", ec)) format = ArchiveFormat::maildir;
    }
  }
  found.manifest.format = *format;
  auto listed = *format == ArchiveFormat::maildir ? find_maildirs(found, directory, prefix, separator)
                                                  : find_mboxes(found, directory, prefix, separator);
  if (!listed) return listed.error();
  if (found.manifest.mailboxes.empty()) {
    return Failure(Errc::refused, "there is no mail as " + std::string(to_string(*format)) + " in " +
                                      directory.string() + "; say --format if it is another one");
  }
  return found;
}

class Import {
 public:
  Import(UserAccountPtr account, std::filesystem::path directory, OnProgress progress)
      : account_(std::move(account)),
        store_(account_->the_copy().store()),
        directory_(std::move(directory)),
        progress_(std::move(progress)) {}

  awaitable<Result<ArchiveReport>> run(std::optional<ArchiveFormat> format) {
    asio::thread_pool& pool = account_->services().blocking;
    const std::string prefix = account_->prefix();
    const char separator = account_->separator();
    const std::filesystem::path directory = directory_;
    auto look = [directory, format, prefix, separator] { return look_at(directory, format, prefix, separator); };
    auto found = co_await run_on_pool(pool, look);
    if (!found) co_return found.error();
    report_.user = account_->user();
    report_.format = found->manifest.format;
    report_.notes = std::move(found->notes);
    tally_.user = account_->user();
    tally_.mailboxes_total = found->manifest.mailboxes.size();
    if (found->ours) {
      storage::Batch batch = store_.begin();
      if (store_.annotation(source::prefix_annotation).value_or(std::string()).empty()) {
        batch.annotate(source::prefix_annotation, found->manifest.prefix);
      }
      for (const std::string& name : found->manifest.subscriptions) batch.subscribe(name, true);
      if (!batch.empty()) {
        if (auto ok = co_await account_->the_copy().commit(std::move(batch)); !ok) co_return ok.error();
      }
    }
    for (const Manifest::Place& place : found->manifest.mailboxes) {
      ++tally_.mailboxes;
      tally_.mailbox = place.mailbox.info.name;
      auto done = co_await one_mailbox(place);
      if (done) continue;
      const Errc code = done.error().code;
      if (code == Errc::no_space || code == Errc::io || code == Errc::closed) co_return done.error();
      report_.failed.push_back({place.mailbox.info.name, 0, done.error().describe()});
    }
    if (auto ok = co_await account_->the_copy().durable(store_.appended()); !ok) co_return ok.error();
    co_return std::move(report_);
  }

 private:
  void note(std::string what) {
    if (report_.notes.size() < most_notes) report_.notes.push_back(std::move(what));
  }

  // Whether nobody has ever been shown a UID of it: only then may it take another UIDVALIDITY without harm.
  bool untouched(const MailboxInfo& info) const {
    const storage::MailboxSnapshotPtr box = store_.snapshot(info.key);
    return box && box->size() == 0 && info.uid_next.value <= 1 &&
           store_.highest_uid_validity(info.name) == info.uid_validity;
  }

  struct Target {
    MailboxKey key;
    bool keeps = false;  // the identities of the side file
  };
  // The mailbox that it goes to, made if need be.
  Result<Target> prepare(const MailboxInfo& wanted, bool with_identity) {
    const auto tree = store_.tree();
    Target out;
    storage::Batch batch = store_.begin();
    if (const MailboxInfo* there = tree->find(wanted.name)) {
      out.key = there->key;
      if ((there->attributes & storage::foreign) != 0) return Failure(Errc::refused, "the mailbox is another user's");
      if (!with_identity) return out;
      if (there->uid_validity == wanted.uid_validity) {
        out.keeps = true;
        return out;
      }
      if (!untouched(*there)) {
        note("'" + wire::base::escape(wanted.name) + "' has mail of its own: what is imported gets new UIDs");
        return out;
      }
      if (auto ok = batch.reset_mailbox(there->key, wanted.uid_validity, wanted.uid_next, wanted.highest_modseq,
                                        storage::ModSeqMode::own);
          !ok) {
        return ok.error();
      }
      storage::MailboxChange change;
      change.separator = wanted.separator;
      change.attributes = wanted.attributes;
      change.special_use = wanted.special_use;
      change.mailbox_id = wanted.mailbox_id;
      if (auto ok = batch.change_mailbox(there->key, change); !ok) return ok.error();
      out.keeps = true;
    } else {
      MailboxInfo made;
      made.name = wanted.name;
      made.separator = account_->separator();
      if (with_identity) {
        made = wanted;
        made.key = MailboxKey();
        made.mode = storage::ModSeqMode::own;
        made.first_recent = storage::Uid(1);
        out.keeps = store_.highest_uid_validity(wanted.name) < wanted.uid_validity;
        if (!out.keeps) {
          note("a mailbox '" + wire::base::escape(wanted.name) + "' was here before: what is imported gets new UIDs");
          made.uid_validity = storage::UidValidity();
          made.uid_next = storage::Uid(1);
          made.highest_modseq = storage::ModSeq(1);
        }
      } else if (auto ok = source::may_create(wanted.name, made.separator); !ok) {
        return ok.error();
      }
      auto key = batch.create_mailbox(made);
      if (!key) return key.error();
      out.key = *key;
    }
    if (auto lsn = account_->the_copy().apply(std::move(batch)); !lsn) return lsn.error();
    return out;
  }

  awaitable<Result<void>> one_mailbox(Manifest::Place place) {
    const bool holds_none =
        (place.mailbox.info.attributes & (storage::no_select | storage::non_existent)) != 0 || place.path.empty();
    if (holds_none) {
      if (store_.tree()->find(place.mailbox.info.name)) co_return Result<void>();
      auto made = prepare(place.mailbox.info, true);
      if (!made) co_return made.error();
      co_return Result<void>();
    }
    asio::thread_pool& pool = account_->services().blocking;
    const std::filesystem::path where = place.path == "." ? directory_ : directory_ / place.path;
    auto reader = std::make_shared<ArchiveReader>(report_.format, where, store_.new_body());
    auto open = [reader] { return reader->open(); };
    auto head = co_await run_on_pool(pool, open);
    if (!head) co_return head.error();
    for (const std::string& n : reader->notes()) note(n);
    MailboxInfo wanted = *head ? (*head)->info : place.mailbox.info;
    if (place.mailbox.info.uid_validity.value == 0) wanted.name = place.mailbox.info.name;
    auto target = prepare(wanted, head->has_value());
    if (!target) co_return target.error();
    if (target->keeps) reader->set_there(store_.snapshot(target->key));
    ++report_.mailboxes;
    tally_.messages_total = report_.messages + (*head ? (*head)->messages : 0);
    for (;;) {
      auto next = [reader] { return reader->page(); };
      auto page = co_await run_on_pool(pool, next);
      if (!page) co_return page.error();
      if (page->empty()) break;
      if (auto ok = take(wanted.name, *target, *page); !ok) co_return ok.error();
      tally_.messages = report_.messages;
      tally_.bytes = report_.bytes;
      if (progress_) progress_(tally_);
      // Bounded: what is applied and not yet durable is kept for those who watch.
      if (auto ok = co_await account_->the_copy().durable(store_.appended()); !ok) co_return ok.error();
    }
    co_return Result<void>();
  }

  Result<void> take(const std::string& name, const Target& target, std::vector<Incoming>& page) {
    storage::Batch batch = store_.begin();
    for (Incoming& in : page) {
      if (in.there) {
        ++report_.there_before;
        continue;
      }
      const auto fail = [&](const Failure& why) {
        const std::string file = in.message.file.empty() ? "" : in.message.file + ": ";
        ++report_.left_out;
        if (report_.failed.size() < most_failures) {
          report_.failed.push_back({name, in.message.uid.value, file + why.describe()});
        }
      };
      if (in.wrong) {
        fail(*in.wrong);
        continue;
      }
      storage::NewMessage m;
      m.flags = std::move(in.message.flags);
      m.info = std::move(in.message.info);
      if (target.keeps && in.message.uid) {
        m.uid = in.message.uid;
        if (in.message.modseq) m.modseq = in.message.modseq;
      }
      const uint64_t size = in.body->size();
      auto body = batch.add_body(std::move(*in.body));
      if (!body) return body.error();
      auto added = batch.add_message(target.key, m);
      if (!added) {
        fail(added.error());
        continue;
      }
      ++report_.messages;
      report_.bytes += size;
    }
    if (batch.empty()) return {};
    if (auto lsn = account_->the_copy().apply(std::move(batch)); !lsn) return lsn.error();
    return {};
  }

  const UserAccountPtr account_;
  storage::Account& store_;
  const std::filesystem::path directory_;
  const OnProgress progress_;
  ArchiveReport report_;
  Tally tally_;
};

awaitable<Result<ArchiveReport>> import_on_core(UserAccountPtr account, std::filesystem::path directory,
                                                std::optional<ArchiveFormat> format, OnProgress progress) {
  if (account->owner() != source::Owner::local) {
    co_return Failure(Errc::refused, "the mail of '" + account->user() +
                                         "' is at its source: import into an account that is served from here "
                                         "(user add --local, or after its cutover)");
  }
  auto job = Job::begin(account, "import");
  if (!job) co_return job.error();
  Import import(account, std::move(directory), std::move(progress));
  co_return co_await import.run(format);
}

}  // namespace

awaitable<Result<ArchiveReport>> import_account(source::Services& services, std::string user,
                                                std::filesystem::path directory, std::optional<ArchiveFormat> format,
                                                OnProgress progress) {
  auto job = [=](UserAccountPtr account) { return import_on_core(account, directory, format, progress); };
  co_return co_await on_account<ArchiveReport>(services, std::move(user), job);
}

}  // namespace gateway::migrate
