#include "gateway/migrate/archive_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace gateway::migrate {

using wire::base::Errc;
using wire::base::Failure;

namespace {

constexpr size_t buffered = 256 * 1024;

Failure os_failure(const std::string& what, const std::string& path) {
  const int error = errno;
  const Errc code = error == ENOSPC || error == EDQUOT ? Errc::no_space
                    : error == ENOENT                  ? Errc::not_found
                    : error == EEXIST                  ? Errc::exists
                                                       : Errc::io;
  return Failure(code, what + " " + path + ": " + std::strerror(error));
}

}  // namespace

OutFile::OutFile(OutFile&& o) noexcept { *this = std::move(o); }

OutFile& OutFile::operator=(OutFile&& o) noexcept {
  std::swap(fd_, o.fd_);
  std::swap(path_, o.path_);
  std::swap(buffer_, o.buffer_);
  std::swap(size_, o.size_);
  std::swap(time_, o.time_);
  return *this;
}

OutFile::~OutFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<OutFile> OutFile::create(const std::filesystem::path& path) {
  OutFile out;
  out.path_ = path.string();
  out.fd_ = ::open(out.path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (out.fd_ < 0) return os_failure("cannot make", out.path_);
  return out;
}

Result<void> OutFile::write(std::string_view bytes) {
  buffer_ += bytes;
  size_ += bytes.size();
  return buffer_.size() >= buffered ? flush() : Result<void>();
}

Result<void> OutFile::flush() {
  for (size_t done = 0; done < buffer_.size();) {
    const ssize_t n = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return os_failure("cannot write", path_);
    done += static_cast<size_t>(n);
  }
  buffer_.clear();
  return {};
}

void OutFile::set_time(int64_t seconds) { time_ = seconds; }

Result<void> OutFile::close() {
  Result<void> done = flush();
  if (done && time_) {
    const timespec when{*time_, 0};
    const timespec both[2] = {when, when};
    // A time that the file system cannot keep stands in the side file.
    (void)::futimens(fd_, both);
  }
  if (::close(std::exchange(fd_, -1)) != 0 && done) done = os_failure("cannot write", path_);
  return done;
}

InFile::InFile(InFile&& o) noexcept { *this = std::move(o); }

InFile& InFile::operator=(InFile&& o) noexcept {
  std::swap(fd_, o.fd_);
  std::swap(path_, o.path_);
  std::swap(buffer_, o.buffer_);
  std::swap(size_, o.size_);
  std::swap(at_, o.at_);
  std::swap(modified_, o.modified_);
  return *this;
}

InFile::~InFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<InFile> InFile::open(const std::filesystem::path& path) {
  InFile out;
  out.path_ = path.string();
  out.fd_ = ::open(out.path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (out.fd_ < 0) return os_failure("cannot read", out.path_);
  struct stat st {};
  if (::fstat(out.fd_, &st) != 0) return os_failure("cannot read", out.path_);
  if (!S_ISREG(st.st_mode)) return Failure(Errc::usage, out.path_ + " is no plain file");
  out.size_ = static_cast<uint64_t>(st.st_size);
  out.modified_ = st.st_mtim.tv_sec;
  return out;
}

Result<size_t> InFile::read(uint64_t offset, std::span<char> into) const {
  for (;;) {
    const ssize_t n = ::pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return os_failure("cannot read", path_);
    return static_cast<size_t>(n);
  }
}

Result<std::optional<std::string>> InFile::line(size_t limit) {
  for (;;) {
    if (const size_t end = buffer_.find('\n'); end != std::string::npos) {
      std::string out = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return std::optional<std::string>(std::move(out));
    }
    if (buffer_.size() > limit) return Failure(Errc::limit, path_ + " has a line that is too long");
    const size_t before = buffer_.size();
    buffer_.resize(before + 64 * 1024);
    auto n = read(at_, std::span(buffer_.data() + before, 64 * 1024));
    buffer_.resize(before + (n ? *n : 0));
    if (!n) return n.error();
    at_ += *n;
    if (*n != 0) continue;
    if (buffer_.empty()) return std::optional<std::string>();
    return std::optional<std::string>(std::exchange(buffer_, {}));
  }
}

Result<std::string> read_small_file(const std::filesystem::path& path, size_t limit) {
  auto file = InFile::open(path);
  if (!file) return file.error();
  if (file->size() > limit) return Failure(Errc::limit, path.string() + " is too long");
  std::string out(file->size(), '\0');
  for (size_t at = 0; at < out.size();) {
    auto n = file->read(at, std::span(out.data() + at, out.size() - at));
    if (!n) return n.error();
    if (*n == 0) return Failure(Errc::io, path.string() + " changes while it is read");
    at += *n;
  }
  return out;
}

Result<void> sync_folder(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return os_failure("cannot open", path.string());
  const int failed = ::syncfs(fd);
  const Failure why = os_failure("cannot write", path.string());
  ::close(fd);
  if (failed != 0) return why;
  return {};
}

}  // namespace gateway::migrate
