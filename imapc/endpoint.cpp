#include "imapc/endpoint.h"

#include <openssl/crypto.h>

namespace imapc {

void wipe(std::string& text) {
  text.resize(text.capacity());  // bytes beyond the end may hold a longer, earlier value
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

void Secret::wipe() { imapc::wipe(text_); }

Secret& Secret::operator=(const Secret& other) {
  if (this == &other) return *this;
  wipe();
  text_ = other.text_;
  return *this;
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  wipe();
  text_ = other.text_;
  other.wipe();
  return *this;
}

}  // namespace imapc
