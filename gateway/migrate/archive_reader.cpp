#include "gateway/migrate/archive_reader.h"

#include <algorithm>
#include <charconv>
#include <functional>

#include "gateway/migrate/archive_text.h"
#include "wire/base/bytes.h"

namespace gateway::migrate {

using storage::Errc;
using storage::Failure;
using wire::base::Result;

namespace {

constexpr size_t block = 64 * 1024;
constexpr size_t page_messages = 256;
constexpr uint64_t page_bytes = 16 << 20;
constexpr size_t longest_record = 1 << 20;
constexpr size_t line_prefix = 200;
constexpr const char* subfolders[] = {"cur", "new"};

uint64_t hash_of(std::string_view text) { return std::hash<std::string_view>{}(text); }

std::string_view file_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Maildir names begin with the time of delivery.
uint64_t time_of(std::string_view path) {
  const std::string_view name = file_part(path);
  uint64_t out = 0;
  (void)std::from_chars(name.data(), name.data() + name.size(), out);
  return out;
}

// Status and X-Status of a foreign mbox message's header.
uint8_t flags_in(std::string_view header) {
  std::string_view status, more;
  for (size_t at = 0; at < header.size();) {
    const size_t end = std::min(header.find('\n', at), header.size());
    const std::string_view line = header.substr(at, end - at);
    if (line.empty() || line == "\r") break;
    if (line.size() > 7 && wire::base::iequals(line.substr(0, 7), "Status:")) status = line.substr(7);
    if (line.size() > 9 && wire::base::iequals(line.substr(0, 9), "X-Status:")) more = line.substr(9);
    at = end + 1;
  }
  return flags_of_status(status, more);
}

}  // namespace

ArchiveReader::ArchiveReader(ArchiveFormat format, std::filesystem::path place, storage::BodyWriter writer)
    : format_(format), place_(std::move(place)), writer_(std::move(writer)) {}

Result<std::optional<ArchivedMailbox>> ArchiveReader::open() {
  std::filesystem::path side = place_;
  if (format_ == ArchiveFormat::maildir) {
    for (const char* sub : subfolders) {
      std::error_code ec;
      if (std::filesystem::is_symlink(place_ / sub, ec)) {
        return Failure(Errc::refused, (place_ / sub).string() + " is a symbolic link: it could lead anywhere");
      }
    }
    side /= side_file_name;
  } else {
    side += side_file_suffix;
    auto mbox = InFile::open(place_);
    if (!mbox) return mbox.error();
    mbox_ = std::move(*mbox);
  }
  std::optional<ArchivedMailbox> head;
  auto file = InFile::open(side);
  if (file) {
    auto first = file->line(longest_record);
    if (!first) return first.error();
    auto parsed = mailbox_from_line(first->value_or(std::string()));
    if (!parsed) return Failure(Errc::malformed, side.string() + ": " + parsed.error().note);
    head = std::move(*parsed);
    side_ = std::move(*file);
    had_side_ = true;
  } else if (file.error().code != Errc::not_found) {
    return file.error();
  }
  if (format_ == ArchiveFormat::maildir) {
    if (auto ok = list_strays(); !ok) return ok.error();
  }
  return head;
}

// One pass over the side file and one over the folder: only what does not match is kept by name.
Result<void> ArchiveReader::list_strays() {
  std::vector<uint64_t> exact;
  if (had_side_) {
    auto again = InFile::open(place_ / side_file_name);
    if (!again) return again.error();
    if (auto head = again->line(longest_record); !head) return head.error();
    for (;;) {
      auto line = again->line(longest_record);
      if (!line) return line.error();
      if (!*line) break;
      auto m = message_from_line(**line);
      if (!m) continue;  // told when it is read in its turn
      exact.push_back(hash_of(m->file));
      known_.push_back(hash_of(maildir_base(file_part(m->file))));
    }
    std::sort(exact.begin(), exact.end());
    std::sort(known_.begin(), known_.end());
  }
  for (const char* sub : subfolders) {
    std::error_code ec;
    for (std::filesystem::directory_iterator it(place_ / sub, ec), end; !ec && it != end; it.increment(ec)) {
      const std::string name = it->path().filename().string();
      if (name.starts_with('.')) continue;
      std::string path = std::string(sub) + "/" + name;
      if (std::binary_search(exact.begin(), exact.end(), hash_of(path))) continue;
      const std::string base(maildir_base(name));
      if (std::binary_search(known_.begin(), known_.end(), hash_of(base))) {
        renamed_[base] = std::move(path);
      } else {
        strays_.push_back(std::move(path));
      }
    }
    if (ec && ec != std::errc::no_such_file_or_directory) {
      return Failure(Errc::io, "cannot read " + (place_ / sub).string() + ": " + ec.message());
    }
  }
  std::sort(strays_.begin(), strays_.end(), [](const std::string& a, const std::string& b) {
    return std::pair(time_of(a), file_part(a)) < std::pair(time_of(b), file_part(b));
  });
  for (const char* theirs : {"dovecot-keywords", "dovecot-uidlist", "courierimapkeywords", "courierimapuiddb"}) {
    std::error_code ec;
    if (std::filesystem::exists(place_ / theirs, ec)) {
      notes_.push_back("what " + (place_ / theirs).string() + " says (UIDs, keywords) is not taken over");
    }
  }
  return {};
}

Result<storage::PreparedBody> ArchiveReader::read(const InFile& file, const Span& span) {
  writer_.discard();
  std::string buffer(block, '\0'), plain, mail;
  Quoting quoting(Quoting::Way::unquote);
  ToMail to_mail;
  const auto put = [&](std::string_view piece) -> Result<void> {
    if (span.to_mail) {
      mail.clear();
      to_mail.add(piece, mail);
      piece = mail;
    }
    return writer_.write(wire::base::as_bytes(piece));
  };
  for (uint64_t at = span.from; at < span.to;) {
    const size_t want = std::min<uint64_t>(buffer.size(), span.to - at);
    auto n = file.read(at, std::span(buffer.data(), want));
    if (!n) return n.error();
    if (*n == 0) return Failure(Errc::io, "the file is shorter than it should be");
    at += *n;
    std::string_view piece = std::string_view(buffer).substr(0, *n);
    if (span.unquote) {
      plain.clear();
      quoting.add(piece, plain);
      piece = plain;
    }
    if (auto ok = put(piece); !ok) return ok.error();
  }
  if (span.unquote) {
    plain.clear();
    quoting.finish(plain);
    if (auto ok = put(plain); !ok) return ok.error();
  }
  return writer_.finish();
}

void ArchiveReader::take_body(Incoming& in, const InFile& file, const Span& span) {
  auto body = read(file, span);
  if (!body) {
    in.wrong = body.error();
    return;
  }
  if (in.message.info.body && *in.message.info.body != body->name()) {
    // The same UID with other bytes would break every client's cache.
    in.wrong = Failure(Errc::conflict, "its file is not what was exported");
    return;
  }
  in.message.info.body = body->name();
  // What was served as its size stays; a message from elsewhere has the size of its bytes.
  if (in.message.uid.value == 0) in.message.info.size = body->size();
  in.body = std::move(*body);
}

Result<std::optional<Incoming>> ArchiveReader::recorded() {
  auto line = side_->line(longest_record);
  if (!line) return line.error();
  if (!*line) {
    side_.reset();
    return std::optional<Incoming>();
  }
  auto m = message_from_line(**line);
  if (!m) return Failure(Errc::malformed, place_.string() + ", side file: " + m.error().note);
  Incoming in;
  in.message = std::move(*m);
  ArchivedMessage& message = in.message;
  if (there_) {
    const auto at = there_->find(message.uid);
    if (at && message.info.body && there_->message(*at).body == message.info.body) {
      in.there = true;
      return std::optional<Incoming>(std::move(in));
    }
  }
  if (format_ == ArchiveFormat::mbox) {
    if (message.offset > mbox_->size() || message.length > mbox_->size() - message.offset ||
        message.added > message.length) {
      in.wrong = Failure(Errc::conflict, "the mbox is shorter than its side file says");
    } else {
      take_body(in, *mbox_,
                Span{message.offset + message.added, message.offset + message.length, true, message.unix_lines});
    }
    return std::optional<Incoming>(std::move(in));
  }
  // A path of a side file names a file of its own folder, whatever it says.
  std::string path = message.file;
  const std::string base(maildir_base(file_part(path)));
  if (const auto moved = renamed_.find(base); moved != renamed_.end()) path = moved->second;
  const std::string_view sub = std::string_view(path).substr(0, path.find('/'));
  if ((sub != "cur" && sub != "new") || path.find('/') != path.rfind('/')) {
    in.wrong = Failure(Errc::malformed, "its side file names no file of the folder");
    return std::optional<Incoming>(std::move(in));
  }
  auto file = InFile::open(place_ / path);
  if (!file) {
    in.wrong = file.error();
    return std::optional<Incoming>(std::move(in));
  }
  // Another program may have changed flags since: its letters count.
  if (path != message.file) message.flags.system = flags_of_letters(letters_of(path));
  take_body(in, *file, Span{0, file->size(), false, message.unix_lines});
  return std::optional<Incoming>(std::move(in));
}

Result<std::optional<Incoming>> ArchiveReader::unknown_file() {
  if (next_stray_ == strays_.size()) return std::optional<Incoming>();
  const std::string& path = strays_[next_stray_++];
  Incoming in;
  in.message.file = path;
  in.message.flags.system = path.starts_with("cur/") ? flags_of_letters(letters_of(path)) : 0;
  auto file = InFile::open(place_ / path);
  if (!file) {
    in.wrong = file.error();
    return std::optional<Incoming>(std::move(in));
  }
  in.message.info.date.seconds = file->modified();
  take_body(in, *file, Span{0, file->size(), false, true});
  return std::optional<Incoming>(std::move(in));
}

// The line that begins at line_at_: its length with its end, and its first bytes.
Result<void> ArchiveReader::next_line(bool& end) {
  line_at_ += line_length_;
  line_length_ = 0;
  line_start_.clear();
  for (;;) {
    const uint64_t from = line_at_ + line_length_;
    if (from < window_at_ || from >= window_at_ + window_.size()) {
      window_at_ = from;
      window_.resize(block);
      auto n = mbox_->read(from, std::span(window_.data(), window_.size()));
      window_.resize(n ? *n : 0);
      if (!n) return n.error();
      if (*n == 0) {
        end = line_length_ == 0;
        return {};
      }
    }
    const std::string_view rest = std::string_view(window_).substr(from - window_at_);
    const size_t newline = rest.find('\n');
    const size_t length = newline == std::string_view::npos ? rest.size() : newline + 1;
    if (line_start_.size() < line_prefix) line_start_ += rest.substr(0, std::min(length, line_prefix));
    line_length_ += length;
    if (newline != std::string_view::npos) return {};
  }
}

Result<std::optional<Incoming>> ArchiveReader::unknown_part() {
  if (ended_) return std::optional<Incoming>();
  bool end = false;
  if (!std::exchange(started_, true)) {
    do {
      if (auto ok = next_line(end); !ok) return ok.error();
    } while (!end && (line_start_ == "\n" || line_start_ == "\r\n"));
    if (end) {
      ended_ = true;
      return std::optional<Incoming>();
    }
    if (!line_start_.starts_with("From ")) return Failure(Errc::malformed, place_.string() + " is no mbox");
  }
  // At a "From " line: "From anna@example.org Thu Jan  1 00:00:00 1970".
  Incoming in;
  const size_t space = line_start_.find(' ', 5);
  int64_t seconds = mbox_->modified();
  if (space != std::string::npos) (void)parse_asctime(std::string_view(line_start_).substr(space + 1), seconds);
  in.message.info.date.seconds = seconds;
  const uint64_t from = line_at_ + line_length_;
  in.message.offset = from;
  uint64_t to = from;
  uint64_t blank = 0;  // of the line before
  for (;;) {
    if (auto ok = next_line(end); !ok) return ok.error();
    if (end || (line_start_.starts_with("From ") && (blank != 0 || line_at_ == from))) break;
    blank = line_start_ == "\n" || line_start_ == "\r\n" ? line_length_ : 0;
    to = line_at_ + line_length_;
  }
  ended_ = end;
  // The blank line before the next "From " belongs to the mbox.
  to -= std::min(blank, to - from);
  std::string header(std::min<uint64_t>(to - from, block), '\0');
  auto n = mbox_->read(from, std::span(header.data(), header.size()));
  if (!n) return n.error();
  in.message.flags.system = flags_in(std::string_view(header).substr(0, *n));
  take_body(in, *mbox_, Span{from, to, true, true});
  return std::optional<Incoming>(std::move(in));
}

Result<std::vector<Incoming>> ArchiveReader::page() {
  std::vector<Incoming> out;
  uint64_t bytes = 0;
  while (out.size() < page_messages && bytes < page_bytes) {
    Result<std::optional<Incoming>> next = std::optional<Incoming>();
    if (side_) {
      next = recorded();
      if (next && !*next) continue;  // its end: what it does not know comes now
    } else if (format_ == ArchiveFormat::maildir) {
      next = unknown_file();
    } else if (!had_side_) {
      next = unknown_part();
    }
    if (!next) return next.error();
    if (!*next) break;
    if ((*next)->body) bytes += (*next)->body->size();
    out.push_back(std::move(**next));
  }
  return out;
}

}  // namespace gateway::migrate
