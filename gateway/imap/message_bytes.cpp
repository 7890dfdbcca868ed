#include "gateway/imap/message_bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace gateway::imap {
namespace {

using storage::Errc;
using storage::Failure;
using storage::Result;

constexpr size_t piece = 256 * 1024;
constexpr size_t header_limit = 1 << 20;  // as wire::mail::ScanLimits

Failure os_failure(const char* what) { return Failure(Errc::io, std::string(what) + ": " + std::strerror(errno)); }

// Has no name from the start, or loses it at once.
int open_unnamed(const std::filesystem::path& directory) {
  const int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
  std::string name = (directory / "spool-XXXXXX").string();
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) ::unlink(name.c_str());
  return named;
}

Result<void> copy_to(int fd, storage::BodyReader& reader) {
  std::vector<uint8_t> buffer(piece);
  uint64_t at = 0;
  while (at < reader.size()) {
    auto n = reader.read(at, buffer);
    if (!n) return n.error();
    if (*n == 0) return Failure(Errc::corrupt, "a stored message is shorter than its length");
    for (size_t done = 0; done < *n;) {
      const ssize_t w = ::write(fd, buffer.data() + done, *n - done);
      if (w < 0) return errno == ENOSPC ? Failure(Errc::no_space, "the spool is full") : os_failure("spool");
      done += static_cast<size_t>(w);
    }
    at += *n;
  }
  return {};
}

// Where the header ends, the empty line included; npos: not within `text`.
size_t header_end(std::string_view text) {
  if (text.starts_with("\r\n")) return 2;
  if (text.starts_with("\n")) return 1;
  for (size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    const std::string_view rest = text.substr(at + 1);
    if (rest.starts_with("\r\n")) return at + 3;
    if (rest.starts_with("\n")) return at + 2;
  }
  return std::string_view::npos;
}

}  // namespace

MessageBytes::MessageBytes(MessageBytes&& other) noexcept
    : text_(std::move(other.text_)), map_(std::exchange(other.map_, nullptr)), size_(other.size_) {}

MessageBytes& MessageBytes::operator=(MessageBytes&& other) noexcept {
  std::swap(text_, other.text_);
  std::swap(map_, other.map_);
  std::swap(size_, other.size_);
  return *this;
}

MessageBytes::~MessageBytes() {
  if (map_) ::munmap(const_cast<char*>(map_), size_);
}

Result<MessageBytes> MessageBytes::load(storage::BodyReader& reader, const std::filesystem::path& spool) {
  MessageBytes out;
  if (reader.size() <= in_memory) {
    auto text = reader.read_all(in_memory);
    if (!text) return text.error();
    out.text_ = std::move(*text);
    return out;
  }
  const int fd = open_unnamed(spool);
  if (fd < 0) return os_failure("cannot make a spool file");
  auto copied = copy_to(fd, reader);
  void* map = copied ? ::mmap(nullptr, reader.size(), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
  const int error = errno;
  ::close(fd);
  if (!copied) return copied.error();
  errno = error;
  if (map == MAP_FAILED) return os_failure("cannot map a spool file");
  out.map_ = static_cast<const char*>(map);
  out.size_ = reader.size();
  return out;
}

Result<std::optional<MessageBytes>> MessageBytes::load_header(storage::BodyReader& reader) {
  MessageBytes out;
  std::string& text = out.text_;
  while (text.size() < reader.size()) {
    if (text.size() >= header_limit) return std::optional<MessageBytes>();
    const size_t before = text.size();
    // Doubling keeps the repeated search for the empty line linear.
    text.resize(std::min<uint64_t>({before + std::max<size_t>(before, 16 * 1024), reader.size(), header_limit}));
    auto n = reader.read(before, std::span(reinterpret_cast<uint8_t*>(text.data()) + before, text.size() - before));
    if (!n) return n.error();
    if (*n == 0) return Failure(Errc::corrupt, "a stored message is shorter than its length");
    text.resize(before + *n);
    if (const size_t end = header_end(text); end != std::string::npos) {
      text.resize(end);
      break;
    }
  }
  return std::optional<MessageBytes>(std::move(out));
}

}  // namespace gateway::imap
