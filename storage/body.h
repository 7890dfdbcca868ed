// A message's bytes on their way into and out of a store. Memory is bounded whatever the message's size.
#pragma once

#include <memory>
#include <span>

#include "storage/types.h"

namespace storage {

// Bytes that are complete, hashed, and not yet in any log. Move-only; a spool file goes with it.
class PreparedBody {
 public:
  PreparedBody(PreparedBody&&) noexcept;
  PreparedBody& operator=(PreparedBody&&) noexcept;
  ~PreparedBody();
  const Sha256& name() const;
  uint64_t size() const;

  // Reads it back while it waits (an APPEND that is sent upstream first). `offset` need not ascend.
  Result<size_t> read(uint64_t offset, std::span<uint8_t> out) const;

 private:
  friend class BodyWriter;
  friend class Batch;
  class Impl;
  explicit PreparedBody(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Owner thread or any one thread. Reusable: finish() leaves it empty, with its buffers.
class BodyWriter {
 public:
  BodyWriter(BodyWriter&&) noexcept;
  BodyWriter& operator=(BodyWriter&&) noexcept;
  ~BodyWriter();
  Result<void> write(std::span<const uint8_t> bytes);
  Result<PreparedBody> finish();
  void discard();

 private:
  friend class Account;
  class Impl;
  explicit BodyWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Random access to a stored body. Keeps its segment open; any one thread at a time. Every block is checked against its
// checksum before a byte of it is given out: Errc::corrupt.
class BodyReader {
 public:
  BodyReader(BodyReader&&) noexcept;
  BodyReader& operator=(BodyReader&&) noexcept;
  ~BodyReader();
  uint64_t size() const;
  Result<size_t> read(uint64_t offset, std::span<uint8_t> out);
  // Reads all of it and compares the checksums, so that a transfer that has begun does not meet damage.
  Result<void> verify();
  // The whole message; Errc::limit above `limit` bytes.
  Result<std::string> read_all(uint64_t limit);

 private:
  friend class Account;
  class Impl;
  explicit BodyReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace storage
