// Reads a frame from left to right (RFC 3501 9). The first error sticks: every later call returns false and changes
// nothing, so a grammar is one boolean expression. Every production is `bool parse(Cursor&, T&)` beside its `write`.
// Views that it hands out point into the frame. Errors: Errc::malformed, Errc::limit. The frame must outlive it; one
// owner, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "wire/base/failure.h"
#include "wire/base/ids.h"
#include "wire/imap/chars.h"
#include "wire/imap/framer.h"

namespace wire::imap {

// Nested parentheses beyond this are refused; iterative readers use it too.
inline constexpr int max_depth = 100;

// A part of a frame's text that is kept unread (ENVELOPE, BODYSTRUCTURE); its first literal is number `literal`.
struct RawSlice {
  std::string_view text;
  size_t literal = 0;
  bool empty() const { return text.empty(); }
};

// An nstring that is not copied.
class StringRef {
 public:
  enum class Kind : uint8_t { nil, bytes, streamed };

  Kind kind = Kind::nil;
  size_t literal = 0;  // index in Frame::literals, if streamed
  uint64_t size = 0;

  // Empty for nil and streamed. Points into the frame, or into this object if the quoted form had escapes.
  std::string_view bytes() const { return owned_ ? std::string_view(*owned_) : view_; }
  void set(std::string_view view);
  void set_owned(std::string text);

 private:
  std::string_view view_;
  std::optional<std::string> owned_;
};

class Cursor {
 public:
  explicit Cursor(const Frame& frame, const Leniency& leniency = {}) : Cursor(frame.text, frame.literals, leniency) {}
  explicit Cursor(std::string_view text, const Leniency& leniency = {}) : Cursor(text, {}, leniency) {}
  Cursor(const Frame& frame, const RawSlice& slice, const Leniency& leniency = {});

  const Leniency& leniency() const { return leniency_; }

  bool ok() const { return !failed_; }
  base::Failure failure() const;
  // Sets the first error; always false.
  bool fail(base::Errc code, std::string_view note);
  bool malformed(std::string_view note) { return fail(base::Errc::malformed, note); }

  // Looking, without consuming. After an error there is nothing left to see.
  bool at_end() const { return failed_ || pos_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[pos_]; }
  std::string_view rest() const { return failed_ ? std::string_view() : text_.substr(pos_); }
  bool looking_at(std::string_view word) const;  // ASCII case does not count

  // Consume if it is there, else change nothing.
  bool accept(char c);
  bool accept_word(std::string_view word);  // any case; does not check what follows
  bool accept_atom(std::string_view word);  // any case; the whole atom must be this word

  // Each demands what it names.
  bool expect(char c);
  bool expect_word(std::string_view word);
  bool sp();   // one SP (Leniency::extra_space: one or more)
  bool end();  // nothing is left (Leniency::extra_space: but SP)
  bool atom(std::string_view& out);
  bool tag(std::string_view& out);
  bool number(uint32_t& out);
  bool nz_number(uint32_t& out);
  bool number64(uint64_t& out);    // up to 2^63-1, as RFC 7162 and RFC 9051 have it
  bool astring(std::string& out);  // RFC 3501 astring; never a streamed literal
  bool string(std::string& out);   // quoted or literal
  bool nstring(std::optional<std::string>& out);
  bool list_mailbox(std::string& out);  // LIST's pattern: wildcards without quotes
  bool string_ref(StringRef& out);      // nstring without a copy; may be streamed
  // A literal whose bytes went elsewhere (APPEND): its index.
  bool literal_handle(size_t& index, uint64_t& size, bool& binary);
  bool text(std::string_view& out);  // all that is left; may be empty
  // Consumes one balanced value of whatever kind: atom, string, literal or list, without recursion.
  bool skip_value(RawSlice& out);
  bool skip_value();
  // Consumes characters of a class, at least one.
  bool run(uint8_t cls, std::string_view& out, std::string_view what);

  template <class Tag, class Rep>
  bool number(base::Number<Tag, Rep>& out) {
    if constexpr (sizeof(Rep) == 8) {
      return number64(out.value);
    } else {
      return number32(out.value);
    }
  }

  // "(" [item *(SP item)] ")" with a cap on the number of items. item() parses one and returns ok().
  template <class F>
  bool list(size_t max_items, F&& item) {
    if (!expect('(')) return false;
    spaces_if_lenient();
    if (accept(')')) return true;
    for (size_t n = 0;; ++n) {
      if (n == max_items) return fail(base::Errc::limit, "too many items in a list");
      if (!item()) return unexplained();
      if (close_list()) return true;
      if (!sp()) return false;
    }
  }

  // For alternatives: where the cursor stands. reset() undoes consumption, not errors.
  struct Mark {
    size_t pos;
    size_t literal;
  };
  Mark mark() const { return {pos_, literal_}; }
  void reset(Mark m) {
    if (!failed_) pos_ = m.pos, literal_ = m.literal;
  }
  // The text between a mark and here.
  RawSlice since(Mark m) const { return {text_.substr(m.pos, pos_ - m.pos), m.literal}; }

 private:
  Cursor(std::string_view text, std::span<const Literal> literals, const Leniency& leniency)
      : text_(text), literals_(literals), leniency_(leniency) {}
  bool number32(uint32_t& out) { return number(out); }
  bool quoted(std::string_view& raw, bool& escaped);
  bool take_literal(const Literal*& out, size_t& index);
  bool close_list();
  void spaces_if_lenient();
  bool unexplained();

  std::string_view text_;
  std::span<const Literal> literals_;
  Leniency leniency_;
  size_t pos_ = 0;
  size_t literal_ = 0;
  bool failed_ = false;
  base::Errc code_ = base::Errc::malformed;
  std::string_view note_;  // string literals only
};

// The whole text as one T; nothing may be left.
template <class T>
base::Result<T> parse_all(Cursor cursor) {
  T value{};
  if (!parse(cursor, value) || !cursor.end()) return cursor.failure();
  return value;
}

}  // namespace wire::imap
