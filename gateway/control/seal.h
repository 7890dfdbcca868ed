// Seals the secrets that must be replayed, with AES-256-GCM under a key file of this installation. Constant after
// construction; any thread.
//
// A sealed text is: version 1 (one byte), nonce (12), tag (16), ciphertext. `context` is bound to it, so that one
// user's sealed password cannot be put into another's row.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>

#include "gateway/control/secret.h"
#include "wire/base/failure.h"

namespace gateway::control {

class Seal {
 public:
  // Reads the key file: 64 hexadecimal digits and a line end, mode 0600 or stricter. Absent and `create`: a new one is
  // made, whole or not at all, also when two processes try at once.
  static wire::base::Result<Seal> open(const std::filesystem::path& key_file, bool create);
  ~Seal();
  Seal(Seal&& other) noexcept;
  Seal& operator=(Seal&&) = delete;

  wire::base::Result<std::string> seal(std::string_view plain, std::string_view context) const;
  wire::base::Result<Secret> unseal(std::string_view sealed, std::string_view context) const;

  // Tells one key from another and nothing about either: a database remembers which one it was sealed with.
  std::string key_id() const;

 private:
  Seal() = default;
  std::array<unsigned char, 32> key_{};
};

// yescrypt with a random salt, as crypt(5) writes it. limit: longer than 511 bytes; malformed: holds a NUL.
wire::base::Result<std::string> hash_password(std::string_view password);
// In a time that does not depend on where the two differ. CPU-heavy (tens of milliseconds).
bool password_matches(std::string_view password, const std::string& hash);

}  // namespace gateway::control
