#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <stdexcept>
#include <system_error>

#include "storage/env.h"

namespace storage {
namespace {

Failure failed(int error, const char* what, const std::filesystem::path& path) {
  Errc code = Errc::io;
  if (error == ENOENT || error == ENOTDIR) code = Errc::not_found;
  if (error == EEXIST) code = Errc::exists;
  if (error == ENOSPC || error == EDQUOT) code = Errc::no_space;
  return Failure(code, std::string(what) + ": " + std::generic_category().message(error), path.filename().string());
}

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override { ::close(fd_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  Result<size_t> read_at(uint64_t offset, std::span<uint8_t> out) const override {
    size_t done = 0;
    while (done < out.size()) {
      ssize_t n = ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed(errno, "cannot read", path_);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  Result<void> write_at(uint64_t offset, std::span<const uint8_t> bytes) override {
    size_t done = 0;
    while (done < bytes.size()) {
      ssize_t n = ::pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed(errno, "cannot write", path_);
      done += static_cast<size_t>(n);
    }
    return {};
  }

  Result<void> truncate(uint64_t size) override {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return failed(errno, "cannot truncate", path_);
    return {};
  }

  Result<void> sync() override {
    if (::fdatasync(fd_) != 0) return failed(errno, "cannot sync", path_);
    return {};
  }

  Result<uint64_t> size() const override {
    struct stat st {};
    if (::fstat(fd_, &st) != 0) return failed(errno, "cannot stat", path_);
    return static_cast<uint64_t>(st.st_size);
  }

 private:
  int fd_;
  std::filesystem::path path_;
};

}  // namespace

Result<std::unique_ptr<File>> PosixEnv::open(const std::filesystem::path& path, Mode mode) {
  int flags = O_CLOEXEC | O_NOFOLLOW;
  switch (mode) {
    case Mode::read:
      flags |= O_RDONLY;
      break;
    case Mode::write:
      flags |= O_RDWR;
      break;
    case Mode::create:
      flags |= O_RDWR | O_CREAT | O_EXCL;
      break;
    case Mode::truncate:
      flags |= O_RDWR | O_CREAT | O_TRUNC;
      break;
  }
  int fd = ::open(path.c_str(), flags, 0600);
  if (fd < 0) return failed(errno, "cannot open", path);
  return std::unique_ptr<File>(std::make_unique<PosixFile>(fd, path));
}

Result<std::vector<std::string>> PosixEnv::list(const std::filesystem::path& directory) {
  std::error_code ec;
  std::vector<std::string> names;
  std::filesystem::directory_iterator it(directory, ec);
  for (; !ec && it != std::filesystem::directory_iterator(); it.increment(ec)) {
    names.push_back(it->path().filename().string());
  }
  if (ec) return failed(ec.value(), "cannot list", directory);
  std::sort(names.begin(), names.end());
  return names;
}

Result<void> PosixEnv::make_directory(const std::filesystem::path& path) {
  if (::mkdir(path.c_str(), 0700) == 0) return {};
  if (errno == ENOENT && path.has_parent_path() && path.parent_path() != path) {
    if (Result<void> parent = make_directory(path.parent_path()); !parent) return parent;
    if (::mkdir(path.c_str(), 0700) == 0) return {};
  }
  int error = errno;
  std::error_code ec;
  if (error == EEXIST && std::filesystem::is_directory(path, ec)) return {};
  return failed(error, "cannot make directory", path);
}

Result<void> PosixEnv::rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return failed(errno, "cannot rename", from);
  return {};
}

Result<void> PosixEnv::remove(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) != 0) return failed(errno, "cannot remove", path);
  return {};
}

Result<void> PosixEnv::sync_directory(const std::filesystem::path& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return failed(errno, "cannot open directory", path);
  int error = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (error != 0) return failed(error, "cannot sync directory", path);
  return {};
}

int64_t PosixEnv::now() { return static_cast<int64_t>(::time(nullptr)); }

void PosixEnv::random(std::span<uint8_t> out) {
  if (RAND_bytes(out.data(), static_cast<int>(out.size())) != 1) {
    // No salt, no log: nobody below can answer that.
    throw std::runtime_error("no random bytes");
  }
}

}  // namespace storage
