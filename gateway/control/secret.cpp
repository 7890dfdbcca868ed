#include "gateway/control/secret.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace gateway::control {

using wire::base::Errc;
using wire::base::Failure;

void wipe(std::string& secret) {
  secret.resize(secret.capacity());
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe(value_);
    value_ = other.value_;
    wipe(other.value_);
  }
  return *this;
}

wire::base::Result<Secret> read_secret(const std::filesystem::path& file) {
  const bool standard = file == "-";
  const int fd = standard ? STDIN_FILENO : ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Failure(Errc::usage, "cannot read " + file.string() + ": " + std::strerror(errno));
  std::array<char, 4096> buffer;
  size_t used = 0;
  ssize_t got = 0;
  while (used < buffer.size()) {
    got = ::read(fd, buffer.data() + used, buffer.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    used += static_cast<size_t>(got);
    if (std::memchr(buffer.data(), '\n', used) != nullptr) break;
  }
  const int error = errno;
  if (!standard) ::close(fd);
  std::string line(buffer.data(), used);
  OPENSSL_cleanse(buffer.data(), buffer.size());
  const size_t end = line.find('\n');
  const bool whole = end != std::string::npos || used < buffer.size();
  if (end != std::string::npos) {
    OPENSSL_cleanse(line.data() + end, line.size() - end);
    line.resize(end);
  }
  if (line.ends_with('\r')) line.pop_back();
  Secret secret(std::move(line));
  if (got < 0) return Failure(Errc::usage, "cannot read " + file.string() + ": " + std::strerror(error));
  if (!whole) return Failure(Errc::usage, file.string() + ": its first line is longer than 4 KiB");
  if (secret.empty()) return Failure(Errc::usage, file.string() + ": its first line is empty");
  return secret;
}

}  // namespace gateway::control
