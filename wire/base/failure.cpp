#include "wire/base/failure.h"

namespace wire::base {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::malformed:
      return "malformed";
    case Errc::limit:
      return "limit";
    case Errc::not_found:
      return "not_found";
    case Errc::exists:
      return "exists";
    case Errc::refused:
      return "refused";
    case Errc::auth:
      return "auth";
    case Errc::unsupported:
      return "unsupported";
    case Errc::conflict:
      return "conflict";
    case Errc::unavailable:
      return "unavailable";
    case Errc::timeout:
      return "timeout";
    case Errc::closed:
      return "closed";
    case Errc::no_space:
      return "no_space";
    case Errc::io:
      return "io";
    case Errc::corrupt:
      return "corrupt";
    case Errc::usage:
      return "usage";
    case Errc::internal:
      return "internal";
  }
  return "internal";
}

std::string Failure::describe() const {
  if (peer_text.empty()) return note;
  return note + ": " + escape(peer_text);
}

void throw_exception_from_error(const Failure& f, const boost::source_location&) { throw FailureError(f); }

std::string escape(std::string_view bytes, size_t limit) {
  static constexpr char hex[] = "0123456789abcdef";
  std::string out;
  for (unsigned char c : bytes.substr(0, limit)) {
    if (c >= 0x20 && c < 0x7f && c != '\\') {
      out.push_back(static_cast<char>(c));
    } else {
      out += {'\\', 'x', hex[c >> 4], hex[c & 15]};
    }
  }
  if (bytes.size() > limit) out += "...";
  return out;
}

}  // namespace wire::base
