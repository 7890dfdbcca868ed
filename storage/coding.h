// Little-endian numbers, varints and tagged fields, and the buffer they are written into. No I/O; one thread.
// A Reader never reads beyond its bytes: it keeps its first error, and everything after it reads as zero.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <string_view>
#include <utility>

#include "wire/base/bytes.h"

namespace storage {

template <class T>
T load_le(const uint8_t* p) {
  T v = 0;
  for (size_t i = 0; i < sizeof(T); ++i) v = static_cast<T>(v | static_cast<T>(static_cast<T>(p[i]) << (8 * i)));
  return v;
}

template <class T>
void store_le(uint8_t* p, T v) {
  for (size_t i = 0; i < sizeof(T); ++i) p[i] = static_cast<uint8_t>(v >> (8 * i));
}

// Grows without clearing what it adds: a vector would write every byte of a batch twice.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& o) noexcept
      : data_(std::exchange(o.data_, nullptr)),
        size_(std::exchange(o.size_, 0)),
        capacity_(std::exchange(o.capacity_, 0)) {}
  Buffer& operator=(Buffer&& o) noexcept {
    std::swap(data_, o.data_);
    std::swap(size_, o.size_);
    std::swap(capacity_, o.capacity_);
    return *this;
  }
  ~Buffer() { std::free(data_); }

  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  std::span<const uint8_t> bytes() const { return {data_, size_}; }
  std::span<const uint8_t> bytes(size_t from, size_t length) const { return {data_ + from, length}; }

  void clear() { size_ = 0; }
  void resize(size_t n) {  // what is added holds anything
    reserve(n);
    size_ = n;
  }
  void reserve(size_t n) {
    if (n <= capacity_) return;
    size_t wanted = capacity_ * 2 > n ? capacity_ * 2 : n;
    void* grown = std::realloc(data_, wanted);
    if (grown == nullptr) throw std::bad_alloc();
    data_ = static_cast<uint8_t*>(grown);
    capacity_ = wanted;
  }
  uint8_t* extend(size_t n) {
    resize(size_ + n);
    return data_ + size_ - n;
  }

  template <class T>
  void put(T v) {
    store_le<T>(extend(sizeof(T)), v);
  }
  void put_bytes(std::span<const uint8_t> b) {
    if (!b.empty()) std::memcpy(extend(b.size()), b.data(), b.size());
  }
  void put_varint(uint64_t v) {
    for (; v >= 0x80; v >>= 7) put<uint8_t>(static_cast<uint8_t>(v | 0x80));
    put<uint8_t>(static_cast<uint8_t>(v));
  }
  // Signed numbers near zero are short: 0, -1, 1, -2 as 0, 1, 2, 3.
  void put_zigzag(int64_t v) { put_varint(static_cast<uint64_t>(v) << 1 ^ static_cast<uint64_t>(v >> 63)); }
  void put_text(std::string_view s) {
    put_varint(s.size());
    put_bytes(wire::base::as_bytes(s));
  }
  // Optional fields: tag, length, value. A reader skips the tags it does not know.
  void put_field(uint8_t tag, std::span<const uint8_t> value) {
    put<uint8_t>(tag);
    put_varint(value.size());
    put_bytes(value);
  }
  void put_field(uint8_t tag, std::string_view value) { put_field(tag, wire::base::as_bytes(value)); }
  template <class T>
  void put_number(uint8_t tag, T v) {
    uint8_t raw[sizeof(T)];
    store_le<T>(raw, v);
    put_field(tag, std::span<const uint8_t>(raw, sizeof(T)));
  }

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0, capacity_ = 0;
};

class Reader {
 public:
  explicit Reader(std::span<const uint8_t> b) : rest_(b) {}

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  size_t left() const { return rest_.size(); }
  void fail() {
    ok_ = false;
    rest_ = {};
  }

  template <class T>
  T get() {
    std::span<const uint8_t> b = bytes(sizeof(T));
    return b.empty() ? T{} : load_le<T>(b.data());
  }
  std::span<const uint8_t> bytes(size_t n) {
    if (n > rest_.size()) {
      fail();
      return {};
    }
    std::span<const uint8_t> b = rest_.first(n);
    rest_ = rest_.subspan(n);
    return b;
  }
  uint64_t varint() {
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      auto b = get<uint8_t>();
      if (!ok_) return 0;
      if (shift == 63 && b > 1) break;
      v |= uint64_t{b & 0x7fu} << shift;
      if (b < 0x80) return v;
    }
    fail();
    return 0;
  }
  int64_t zigzag() {
    uint64_t v = varint();
    return static_cast<int64_t>(v >> 1 ^ (0 - (v & 1)));
  }
  std::string_view text() {
    uint64_t n = varint();
    if (n > rest_.size()) {
      fail();
      return {};
    }
    return wire::base::as_text(bytes(static_cast<size_t>(n)));
  }
  // A count of things of at least `least` bytes each, so that no allocation follows a stranger's number.
  size_t count(size_t least) {
    uint64_t n = varint();
    if (n > rest_.size() / least) {
      fail();
      return 0;
    }
    return static_cast<size_t>(n);
  }
  // Calls f(tag, Reader over the value) for each optional field up to the end.
  template <class F>
  void fields(F&& f) {
    while (ok_ && !rest_.empty()) {
      auto tag = get<uint8_t>();
      std::string_view value = text();
      if (!ok_) return;
      Reader field(wire::base::as_bytes(value));
      f(tag, field);
      if (!field.ok()) fail();
    }
  }
  std::span<const uint8_t> rest() { return bytes(rest_.size()); }

 private:
  std::span<const uint8_t> rest_;
  bool ok_ = true;
};

}  // namespace storage
