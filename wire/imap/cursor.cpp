#include "wire/imap/cursor.h"

#include <charconv>

#include "wire/base/flags.h"

namespace wire::imap {

using base::Errc;
using base::Failure;
using base::iequals;

void StringRef::set(std::string_view view) {
  kind = Kind::bytes;
  size = view.size();
  view_ = view;
  owned_.reset();
}

void StringRef::set_owned(std::string text) {
  kind = Kind::bytes;
  size = text.size();
  owned_ = std::move(text);
}

Cursor::Cursor(const Frame& frame, const RawSlice& slice, const Leniency& leniency)
    : Cursor(slice.text, frame.literals, leniency) {
  literal_ = slice.literal;
}

Failure Cursor::failure() const { return Failure(code_, std::string(failed_ ? note_ : "unreadable")); }

bool Cursor::fail(Errc code, std::string_view note) {
  if (!failed_) {
    failed_ = true;
    code_ = code;
    note_ = note;
  }
  return false;
}

bool Cursor::unexplained() { return failed_ ? false : malformed("list item"); }

bool Cursor::looking_at(std::string_view word) const {
  return !failed_ && text_.size() - pos_ >= word.size() && iequals(text_.substr(pos_, word.size()), word);
}

bool Cursor::accept(char c) {
  if (failed_ || pos_ == text_.size() || text_[pos_] != c) return false;
  ++pos_;
  return true;
}

bool Cursor::accept_word(std::string_view word) {
  if (!looking_at(word)) return false;
  pos_ += word.size();
  return true;
}

bool Cursor::accept_atom(std::string_view word) {
  if (!looking_at(word)) return false;
  size_t after = pos_ + word.size();
  if (after < text_.size() && chars::is(text_[after], chars::atom)) return false;
  pos_ = after;
  return true;
}

bool Cursor::expect(char c) { return accept(c) || malformed("unexpected character"); }
bool Cursor::expect_word(std::string_view word) { return accept_word(word) || malformed("unexpected word"); }

void Cursor::spaces_if_lenient() {
  if (leniency_.extra_space) {
    while (accept(' ')) {
    }
  }
}

bool Cursor::sp() {
  if (!accept(' ')) return malformed("space expected");
  spaces_if_lenient();
  return true;
}

bool Cursor::close_list() {
  Mark before = mark();
  spaces_if_lenient();
  if (accept(')')) return true;
  reset(before);
  return false;
}

bool Cursor::end() {
  if (failed_) return false;
  spaces_if_lenient();
  return pos_ == text_.size() || malformed("unexpected text at the end");
}

bool Cursor::run(uint8_t cls, std::string_view& out, std::string_view what) {
  if (failed_) return false;
  size_t end = pos_;
  while (end < text_.size() && chars::is(text_[end], cls)) ++end;
  if (end == pos_) return malformed(what);
  out = text_.substr(pos_, end - pos_);
  pos_ = end;
  return true;
}

bool Cursor::atom(std::string_view& out) { return run(chars::atom, out, "atom expected"); }
bool Cursor::tag(std::string_view& out) { return run(chars::tag, out, "tag expected"); }

bool Cursor::number64(uint64_t& out) {
  std::string_view digits;
  if (!run(chars::digit, digits, "number expected")) return false;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  if (error != std::errc() || out > uint64_t(INT64_MAX)) return malformed("number too large");
  return true;
}

bool Cursor::number(uint32_t& out) {
  uint64_t wide = 0;
  if (!number64(wide)) return false;
  if (wide > UINT32_MAX) return malformed("number too large");
  out = uint32_t(wide);
  return true;
}

bool Cursor::nz_number(uint32_t& out) { return number(out) && (out != 0 || malformed("number must not be zero")); }

bool Cursor::quoted(std::string_view& raw, bool& escaped) {
  if (!expect('"')) return false;
  escaped = false;
  for (size_t i = pos_; i < text_.size(); ++i) {
    char c = text_[i];
    if (chars::is(c, chars::quoted)) continue;
    if (c == '"') {
      raw = text_.substr(pos_, i - pos_);
      pos_ = i + 1;
      return true;
    }
    if (c == '\\') {
      // A backslash before anything but these two is not RFC 3501, yet servers write it: it then stands for what
      // follows.
      escaped = true;
      if (++i == text_.size() || text_[i] == '\r' || text_[i] == '\n' || text_[i] == '\0') break;
    } else if (uint8_t(c) < 0x80 || !leniency_.eight_bit) {
      return malformed("character that a quoted string cannot hold");
    }
  }
  return malformed("quoted string without an end");
}

// "{n}\r\n", as the framer writes it; the bytes are the next literal of the frame.
bool Cursor::take_literal(const Literal*& out, size_t& index) {
  if (failed_) return false;
  size_t close = text_.find('}', pos_);
  if (close == std::string_view::npos || text_.substr(close + 1, 2) != "\r\n") return malformed("literal expected");
  if (literal_ >= literals_.size()) return malformed("literal without its bytes");
  index = literal_++;
  out = &literals_[index];
  pos_ = close + 3;
  return true;
}

bool Cursor::literal_handle(size_t& index, uint64_t& size, bool& binary) {
  if (peek() != '{') return malformed("literal expected");
  const Literal* literal = nullptr;
  if (!take_literal(literal, index)) return false;
  size = literal->size;
  binary = literal->binary;
  return true;
}

bool Cursor::string_ref(StringRef& out) {
  if (failed_) return false;
  if (peek() == '"') {
    std::string_view raw;
    bool escaped = false;
    if (!quoted(raw, escaped)) return false;
    if (!escaped) {
      out.set(raw);
      return true;
    }
    std::string plain;
    plain.reserve(raw.size());
    for (size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] == '\\') ++i;
      plain += raw[i];
    }
    out.set_owned(std::move(plain));
    return true;
  }
  if (peek() == '{') {
    const Literal* literal = nullptr;
    size_t index = 0;
    if (!take_literal(literal, index)) return false;
    if (literal->streamed) {
      out = StringRef();
      out.kind = StringRef::Kind::streamed;
      out.size = literal->size;
    } else {
      out.set(literal->bytes);
    }
    out.literal = index;
    return true;
  }
  if (accept_atom("NIL")) {
    out = StringRef();
    return true;
  }
  return malformed("string expected");
}

bool Cursor::nstring(std::optional<std::string>& out) {
  StringRef ref;
  if (!string_ref(ref)) return false;
  if (ref.kind == StringRef::Kind::streamed) return fail(Errc::limit, "string too long");
  if (ref.kind == StringRef::Kind::nil) {
    out.reset();
  } else {
    out = std::string(ref.bytes());
  }
  return true;
}

bool Cursor::string(std::string& out) {
  if (peek() != '"' && peek() != '{') return malformed("string expected");
  std::optional<std::string> value;
  if (!nstring(value)) return false;
  out = std::move(*value);
  return true;
}

bool Cursor::astring(std::string& out) {
  if (peek() == '"' || peek() == '{') return string(out);
  if (failed_) return false;
  size_t end = pos_;
  while (end < text_.size() &&
         (chars::is(text_[end], chars::astring) || (leniency_.eight_bit && uint8_t(text_[end]) >= 0x80))) {
    ++end;
  }
  if (end == pos_) return malformed("string expected");
  out.assign(text_.substr(pos_, end - pos_));
  pos_ = end;
  return true;
}

bool Cursor::list_mailbox(std::string& out) {
  if (peek() == '"' || peek() == '{') return string(out);
  std::string_view word;
  if (!run(chars::list, word, "mailbox pattern expected")) return false;
  out.assign(word);
  return true;
}

bool Cursor::text(std::string_view& out) {
  if (failed_) return false;
  out = text_.substr(pos_);
  pos_ = text_.size();
  return true;
}

bool Cursor::skip_value() {
  RawSlice ignored;
  return skip_value(ignored);
}

bool Cursor::skip_value(RawSlice& out) {
  Mark begin = mark();
  int depth = 0;
  while (!failed_) {
    char c = peek();
    if (c == '"') {
      std::string_view raw;
      bool escaped = false;
      // Values that stay unread may hold anything: it is judged by who reads them.
      bool eight_bit = std::exchange(leniency_.eight_bit, true);
      quoted(raw, escaped);
      leniency_.eight_bit = eight_bit;
    } else if (c == '{') {
      const Literal* literal = nullptr;
      size_t index = 0;
      take_literal(literal, index);
    } else if (c == '(') {
      if (++depth > max_depth) return fail(Errc::limit, "parentheses nested too deeply");
      ++pos_;
      continue;
    } else if (c == ')' && depth > 0) {
      --depth;
      ++pos_;
    } else if (c == ' ' && depth > 0) {
      ++pos_;
      continue;
    } else {
      // A word: anything up to a delimiter, "\Flag", "BODY[...]" and 8-bit octets included.
      size_t end = pos_;
      while (end < text_.size() && uint8_t(text_[end]) > 32 && text_[end] != '(' && text_[end] != ')' &&
             text_[end] != '"' && text_[end] != '{') {
        ++end;
      }
      if (end == pos_) return malformed("value expected");
      pos_ = end;
    }
    if (depth == 0) {
      if (failed_) return false;
      out = since(begin);
      return true;
    }
  }
  return false;
}

}  // namespace wire::imap
