#include "wire/mail/base_subject.h"

namespace wire::mail {
namespace {

// subj-trailer = "(fwd)" / WSP
bool drop_trailer(std::string_view& s, bool& reply) {
  if (s.ends_with(' ')) {
    s.remove_suffix(1);
    return true;
  }
  constexpr std::string_view forwarded = "(FWD)";
  if (!s.ends_with(forwarded)) return false;
  s.remove_suffix(forwarded.size());
  return reply = true;
}

// subj-blob = "[" *BLOBCHAR "]" *WSP
size_t blob_length(std::string_view s) {
  if (!s.starts_with('[')) return 0;
  const size_t end = s.find_first_of("[]", 1);
  if (end == std::string_view::npos || s[end] != ']') return 0;
  return s.substr(end + 1).starts_with(' ') ? end + 2 : end + 1;
}

// subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
size_t refwd_length(std::string_view s) {
  size_t at = 0;
  for (const std::string_view word : {"RE", "FWD", "FW"}) {
    if (s.starts_with(word)) {
      at = word.size();
      break;
    }
  }
  if (at == 0) return 0;
  if (s.substr(at).starts_with(' ')) ++at;
  at += blob_length(s.substr(at));
  return s.substr(at).starts_with(':') ? at + 1 : 0;
}

// subj-leader = (*subj-blob subj-refwd) / WSP
bool drop_leader(std::string_view& s, bool& reply) {
  if (s.starts_with(' ')) {
    s.remove_prefix(1);
    return true;
  }
  size_t at = 0;
  for (size_t n = blob_length(s); n > 0; n = blob_length(s.substr(at))) at += n;
  const size_t n = refwd_length(s.substr(at));
  if (n == 0) return false;
  s.remove_prefix(at + n);
  return reply = true;
}

// A blob is kept where nothing would be left.
bool drop_blob(std::string_view& s) {
  const size_t n = blob_length(s);
  if (n == 0 || n == s.size()) return false;
  s.remove_prefix(n);
  return true;
}

}  // namespace

std::string_view base_subject(std::string_view s, bool* reply) {
  bool found = false;
  for (;;) {
    while (drop_trailer(s, found)) {
    }
    while (drop_leader(s, found) || drop_blob(s)) {
    }
    constexpr std::string_view begin = "[FWD:";
    if (!s.starts_with(begin) || !s.ends_with(']')) break;
    s.remove_prefix(begin.size());
    s.remove_suffix(1);
    found = true;
  }
  if (reply) *reply = found;
  return s;
}

}  // namespace wire::mail
