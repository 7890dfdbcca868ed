#include "wire/mail/encoded_word.h"

#include <optional>

#include "wire/mail/charset.h"
#include "wire/mail/transfer.h"

namespace wire::mail {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

struct EncodedWord {
  std::string_view charset;  // without a language (RFC 2231 5)
  std::string bytes;         // decoded, in that charset
  size_t length = 0;         // of the word in the text
};

// encoded-word = "=?" charset ["*" language] "?" encoding "?" encoded-text "?=" (RFC 2047 2). Text of any length, and
// with spaces, is taken: senders do that.
std::optional<EncodedWord> parse_word(std::string_view text) {
  if (!text.starts_with("=?")) return std::nullopt;
  size_t charset_end = text.find('?', 2);
  if (charset_end == std::string_view::npos || charset_end + 2 >= text.size() || text[charset_end + 2] != '?') {
    return std::nullopt;
  }
  size_t end = text.find('?', charset_end + 3);
  if (end == std::string_view::npos || end + 1 >= text.size() || text[end + 1] != '=') return std::nullopt;
  EncodedWord word;
  word.charset = text.substr(2, charset_end - 2);
  word.charset = word.charset.substr(0, word.charset.find('*'));
  std::string_view encoded = text.substr(charset_end + 3, end - charset_end - 3);
  switch (text[charset_end + 1]) {
    case 'b':
    case 'B':
      word.bytes = decode_base64(encoded, encoded.size());
      break;
    case 'q':
    case 'Q':
      word.bytes = decode_quoted_printable(encoded, encoded.size(), true);
      break;
    default:
      return std::nullopt;
  }
  word.length = end + 2;
  return word;
}

class Decoder {
 public:
  std::string run(std::string_view value) {
    size_t at = 0;
    while (at < value.size()) {
      size_t next = value.find("=?", at);
      if (next == std::string_view::npos) next = value.size();
      plain(value.substr(at, next - at));
      at = next;
      if (at == value.size()) break;
      if (auto word = parse_word(value.substr(at))) {
        encoded(*word);
        at += word->length;
      } else {
        plain(value.substr(at, 2));
        at += 2;
      }
    }
    flush();
    return std::move(out_);
  }

 private:
  // White space between two encoded words is not shown; characters may be split across words of one charset.
  void encoded(const EncodedWord& word) {
    if (pending_ && gap_only_ && pending_charset_ == word.charset) {
      pending_bytes_ += word.bytes;
    } else {
      flush(gap_only_);
      pending_charset_ = word.charset;
      pending_bytes_ = word.bytes;
      pending_ = true;
    }
    gap_.clear();
    gap_only_ = true;
  }

  void plain(std::string_view text) {
    if (text.empty()) return;
    for (char c : text) {
      if (!is_space(c)) gap_only_ = false;
    }
    gap_ += text;
  }

  void flush(bool drop_gap = false) {
    if (pending_) out_ += to_utf8(pending_bytes_, pending_charset_);
    if (!(pending_ && drop_gap)) {
      for (char& c : gap_) {
        if (c == '\r' || c == '\n') c = ' ';
      }
      out_ += to_utf8(gap_, {});
    }
    gap_.clear();
    pending_ = false;
  }

  std::string out_;
  std::string gap_;  // plain text after the pending words
  std::string pending_bytes_;
  std::string pending_charset_;
  bool pending_ = false;
  bool gap_only_ = true;  // gap_ is white space
};

}  // namespace

std::string decode_header_text(std::string_view value) { return Decoder().run(value); }

}  // namespace wire::mail
