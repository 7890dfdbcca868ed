// Secrets in memory, wiped when they go. Values only; any thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "wire/base/failure.h"

namespace gateway::control {

// Overwrites the text and empties it.
void wipe(std::string& secret);

class Secret {
 public:
  Secret() = default;
  // The argument is wiped too: a short text is copied, not moved.
  explicit Secret(std::string value) : value_(value) { wipe(value); }
  Secret(Secret&& other) noexcept : value_(other.value_) { wipe(other.value_); }  // a copy: short texts live inside
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { wipe(value_); }

  const std::string& value() const { return value_; }
  bool empty() const { return value_.empty(); }

 private:
  std::string value_;
};

// The first line of a file, without its line end; "-" is standard input. At most 4 KiB; an empty one is refused.
wire::base::Result<Secret> read_secret(const std::filesystem::path& file);

}  // namespace gateway::control
