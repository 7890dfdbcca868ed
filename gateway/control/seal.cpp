#include "gateway/control/seal.h"

#include <crypt.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "wire/base/bytes.h"

namespace gateway::control {

namespace {

namespace fs = std::filesystem;
using wire::base::Errc;
using wire::base::Failure;
using wire::base::Result;

constexpr size_t key_bytes = 32, nonce_bytes = 12, tag_bytes = 16;
constexpr size_t header_bytes = 1 + nonce_bytes + tag_bytes;
constexpr unsigned char seal_version = 1;
constexpr size_t max_secret_bytes = 64 * 1024;

Failure io_failure(const fs::path& file, const char* did) {
  const int e = errno;
  return Failure(e == ENOSPC ? Errc::no_space : Errc::io,
                 std::string("cannot ") + did + " " + file.string() + ": " + std::strerror(e));
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

char hex_digit(unsigned v) { return "0123456789abcdef"[v & 15]; }
int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// A complete file under a name of its own, then linked: nobody ever sees half a key, and the first of two makers wins.
Result<void> make_key_file(const fs::path& file) {
  std::array<unsigned char, key_bytes> key;
  std::array<unsigned char, 8> tag;
  if (RAND_bytes(key.data(), key.size()) != 1 || RAND_bytes(tag.data(), tag.size()) != 1) {
    return Failure(Errc::internal, "no random numbers");
  }
  std::string text, suffix;
  text.reserve(2 * key_bytes + 1);
  for (const unsigned char b : key) (text += hex_digit(b >> 4)) += hex_digit(b);
  for (const unsigned char b : tag) (suffix += hex_digit(b >> 4)) += hex_digit(b);
  OPENSSL_cleanse(key.data(), key.size());
  text += '\n';
  const Secret whole(std::move(text));
  const fs::path temporary = file.string() + "." + suffix + ".new";
  const Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (fd.get() < 0) return io_failure(temporary, "create");
  const std::string& bytes = whole.value();
  Result<void> done;
  if (::write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) || ::fsync(fd.get()) != 0) {
    done = io_failure(temporary, "write");
  } else if (::link(temporary.c_str(), file.c_str()) != 0 && errno != EEXIST) {
    done = io_failure(file, "create");
  }
  ::unlink(temporary.c_str());
  if (!done) return done;
  const fs::path parent = file.parent_path().empty() ? fs::path(".") : file.parent_path();
  const Fd directory(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || ::fsync(directory.get()) != 0) return io_failure(parent, "sync");
  return {};
}

struct ContextFree {
  void operator()(EVP_CIPHER_CTX* c) const { EVP_CIPHER_CTX_free(c); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, ContextFree>;

const unsigned char* data_of(std::string_view s) { return reinterpret_cast<const unsigned char*>(s.data()); }
unsigned char* data_of(std::string& s) { return reinterpret_cast<unsigned char*>(s.data()); }

// crypt(3)'s work area, wiped: it holds the password.
struct CryptArea {
  crypt_data data{};
  ~CryptArea() { OPENSSL_cleanse(&data, sizeof data); }
};

}  // namespace

Result<Seal> Seal::open(const fs::path& file, bool create) {
  int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0 && errno == ENOENT && create) {
    Result<void> made = make_key_file(file);
    if (!made) return made.error();
    descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  }
  const Fd fd(descriptor);
  if (fd.get() < 0) {
    if (errno == ENOENT) {
      return Failure(Errc::not_found, "the key file " + file.string() +
                                          " is missing, and passwords are sealed with it: restore it, or set the "
                                          "passwords again after removing the users");
    }
    return io_failure(file, "open");
  }
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return io_failure(file, "stat");
  if (!S_ISREG(st.st_mode)) return Failure(Errc::usage, file.string() + " is not a regular file");
  if ((st.st_mode & 077) != 0) {
    std::string mode = "0000";
    for (int i = 1; i < 4; ++i) mode[static_cast<size_t>(i)] = hex_digit((st.st_mode >> (3 * (3 - i))) & 7);
    return Failure(Errc::usage, "the key file " + file.string() + " may be read by others (mode " + mode +
                                    "): chmod 600 it, and change the passwords sealed with it if others are about");
  }
  std::array<char, 2 * key_bytes + 2> text{};
  const ssize_t got = ::read(fd.get(), text.data(), text.size());
  Seal seal;
  bool good = got == static_cast<ssize_t>(2 * key_bytes + 1) && text[2 * key_bytes] == '\n';
  for (size_t i = 0; good && i < key_bytes; ++i) {
    const int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
    good = high >= 0 && low >= 0;
    seal.key_[i] = static_cast<unsigned char>((high << 4 | low) & 0xff);
  }
  OPENSSL_cleanse(text.data(), text.size());
  if (!good) return Failure(Errc::corrupt, "the key file " + file.string() + " does not hold a key: restore it");
  return seal;
}

Seal::~Seal() { OPENSSL_cleanse(key_.data(), key_.size()); }

Seal::Seal(Seal&& other) noexcept : key_(other.key_) { OPENSSL_cleanse(other.key_.data(), other.key_.size()); }

Result<std::string> Seal::seal(std::string_view plain, std::string_view context) const {
  if (plain.size() > max_secret_bytes) return Failure(Errc::limit, "the secret is longer than 64 KiB");
  std::string out(header_bytes + plain.size(), '\0');
  unsigned char* nonce = data_of(out) + 1;
  unsigned char* tag = nonce + nonce_bytes;
  out[0] = static_cast<char>(seal_version);
  const CipherContext c(EVP_CIPHER_CTX_new());
  int n = 0;
  if (!c || RAND_bytes(nonce, nonce_bytes) != 1 ||
      EVP_EncryptInit_ex(c.get(), EVP_aes_256_gcm(), nullptr, key_.data(), nonce) != 1 ||
      EVP_EncryptUpdate(c.get(), nullptr, &n, data_of(context), static_cast<int>(context.size())) != 1 ||
      EVP_EncryptUpdate(c.get(), tag + tag_bytes, &n, data_of(plain), static_cast<int>(plain.size())) != 1 ||
      EVP_EncryptFinal_ex(c.get(), tag + tag_bytes + plain.size(), &n) != 1 ||
      EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_GCM_GET_TAG, tag_bytes, tag) != 1) {
    return Failure(Errc::internal, "sealing failed");
  }
  return out;
}

Result<Secret> Seal::unseal(std::string_view sealed, std::string_view context) const {
  if (sealed.size() < header_bytes || sealed.size() > header_bytes + max_secret_bytes ||
      static_cast<unsigned char>(sealed[0]) != seal_version) {
    return Failure(Errc::corrupt, "the sealed password is not one of this version");
  }
  const unsigned char* nonce = data_of(sealed) + 1;
  std::string tag(sealed.substr(1 + nonce_bytes, tag_bytes));
  const std::string_view body = sealed.substr(header_bytes);
  std::string plain(body.size() + 1, '\0');  // never empty, so that there is an address to write to
  const CipherContext c(EVP_CIPHER_CTX_new());
  int n = 0;
  const bool good = c && EVP_DecryptInit_ex(c.get(), EVP_aes_256_gcm(), nullptr, key_.data(), nonce) == 1 &&
                    EVP_DecryptUpdate(c.get(), nullptr, &n, data_of(context), static_cast<int>(context.size())) == 1 &&
                    EVP_DecryptUpdate(c.get(), data_of(plain), &n, data_of(body), static_cast<int>(body.size())) == 1 &&
                    EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_GCM_SET_TAG, tag_bytes, tag.data()) == 1 &&
                    EVP_DecryptFinal_ex(c.get(), data_of(plain) + body.size(), &n) == 1;
  plain.resize(body.size());
  Secret secret(std::move(plain));
  if (!good) return Failure(Errc::corrupt, "the sealed password does not open: it belongs to another user or key");
  return secret;
}

std::string Seal::key_id() const {
  static constexpr std::string_view label = "fairlead key id 1";
  std::string input(label);
  input.append(reinterpret_cast<const char*>(key_.data()), key_.size());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  const int ok = EVP_Digest(input.data(), input.size(), digest.data(), &length, EVP_sha256(), nullptr);
  wipe(input);
  std::string out;
  for (size_t i = 0; ok == 1 && i < 8; ++i) (out += hex_digit(digest[i] >> 4)) += hex_digit(digest[i]);
  return out;
}

Result<std::string> hash_password(std::string_view password) {
  if (password.find('\0') != std::string_view::npos) return Failure(Errc::malformed, "the password holds a NUL");
  if (password.size() >= CRYPT_MAX_PASSPHRASE_SIZE)
    return Failure(Errc::limit, "the password is longer than 511 bytes");
  std::array<unsigned char, 32> random;
  if (RAND_bytes(random.data(), random.size()) != 1) return Failure(Errc::internal, "no random numbers");
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting{};
  if (crypt_gensalt_rn("$y$", 0, reinterpret_cast<const char*>(random.data()), random.size(), setting.data(),
                       setting.size()) == nullptr) {
    return Failure(Errc::internal, "this libcrypt has no yescrypt");
  }
  const Secret phrase{std::string(password)};
  const auto area = std::make_unique<CryptArea>();
  const char* hash = crypt_r(phrase.value().c_str(), setting.data(), &area->data);
  if (hash == nullptr || hash[0] == '*') return Failure(Errc::internal, "hashing the password failed");
  return std::string(hash);
}

bool password_matches(std::string_view password, const std::string& hash) {
  if (password.find('\0') != std::string_view::npos || password.size() >= CRYPT_MAX_PASSPHRASE_SIZE) return false;
  const Secret phrase{std::string(password)};
  const auto area = std::make_unique<CryptArea>();
  const char* got = crypt_r(phrase.value().c_str(), hash.c_str(), &area->data);
  if (got == nullptr || got[0] == '*') return false;
  const std::string_view seen = got;
  return seen.size() == hash.size() && CRYPTO_memcmp(seen.data(), hash.data(), hash.size()) == 0;
}

}  // namespace gateway::control
