#include "wire/imap/framer.h"

#include <algorithm>
#include <cstring>

#include "wire/base/flags.h"
#include "wire/imap/chars.h"

namespace wire::imap {

using base::Errc;
using base::Failure;
using base::iequals;
using base::Result;

namespace {

// A buffer that one long line made large is not kept for the rest of a session.
constexpr size_t kept_capacity = 16 * 1024;

void forget(std::string& s) {
  s.clear();
  if (s.capacity() > kept_capacity) std::string().swap(s);
}

}  // namespace

LiteralMark find_literal_mark(std::string_view line) {
  LiteralMark none;
  if (line.empty() || line.back() != '}') return none;
  size_t end = line.size() - 1;
  LiteralMark mark{.kind = LiteralMark::Kind::literal};
  if (end > 0 && line[end - 1] == '+') mark.non_sync = true, --end;
  size_t begin = end;
  while (begin > 0 && chars::is(line[begin - 1], chars::digit)) --begin;
  if (begin == end || begin == 0 || line[begin - 1] != '{') return none;
  for (char c : line.substr(begin, end - begin)) {
    uint64_t digit = uint64_t(c - '0');
    if (mark.size > (UINT64_MAX - digit) / 10) {
      mark.kind = LiteralMark::Kind::overflow;
      break;
    }
    mark.size = mark.size * 10 + digit;
  }
  mark.begin = begin - 1;
  if (mark.begin > 0 && line[mark.begin - 1] == '~') mark.binary = true, --mark.begin;
  return mark;
}

Framer::Framer(Side side, FramerLimits limits, Leniency leniency) : side_(side), limits_(limits), leniency_(leniency) {}

Failure Framer::fail(Errc code, std::string note) {
  state_ = State::failed;
  failed_code_ = code;
  failed_note_ = std::move(note);
  return Failure(failed_code_, failed_note_);
}

void Framer::begin_frame() {
  forget(text_);
  forget(store_);
  line_start_ = 0;
  begin_.clear();
  literals_.clear();
  if (literals_.capacity() > 256) std::vector<Literal>().swap(literals_);
  frame_ = {};
  finished_ = false;
}

void Framer::release() {
  if (!idle()) return;
  begin_frame();
  std::string().swap(text_);
  std::string().swap(store_);
  std::vector<size_t>().swap(begin_);
  std::vector<Literal>().swap(literals_);
}

std::span<const Literal> Framer::literals_so_far() {
  for (size_t i = 0; i < literals_.size(); ++i) {
    if (!literals_[i].streamed) literals_[i].bytes = std::string_view(store_).substr(begin_[i], literals_[i].size);
  }
  return literals_;
}

void Framer::stream() {
  if (state_ != State::announced) return;
  state_ = State::streamed_literal;
  pending_empty_ = announced_.size == 0;
}

void Framer::refuse() {
  if (state_ != State::announced) return;
  bool bytes_come = !announced_.synchronizing;
  begin_frame();
  discarding_ = bytes_come;
  discarded_ = 0;
  state_ = bytes_come ? State::discarded_literal : State::line;
}

// A status line's human text may end in "{1}" without any literal to follow, so a client looks for literals only in
// data. Commands have no such text.
bool Framer::may_hold_literal(std::string_view start) const {
  if (side_ == Side::server || !literals_.empty()) return true;
  if (!start.starts_with("* ")) return false;
  start.remove_prefix(2);
  std::string_view word = start.substr(0, start.find(' '));
  for (std::string_view status : {"OK", "NO", "BAD", "BYE", "PREAUTH"}) {
    if (iequals(word, status)) return false;
  }
  return true;
}

Result<Framer::Event> Framer::next(std::string_view& input) {
  if (state_ == State::failed) return Failure(failed_code_, failed_note_);
  if (finished_) begin_frame();
  for (;;) {
    switch (state_) {
      case State::announced:
        if (announced_.size > limits_.max_inline_literal ||
            announced_.size > limits_.max_inline_total - std::min(limits_.max_inline_total, store_.size())) {
          return fail(Errc::limit, "literal too large");
        }
        literals_.back().streamed = false;
        state_ = State::inline_literal;
        break;

      case State::inline_literal: {
        size_t take = size_t(std::min<uint64_t>(input.size(), literal_left_));
        store_.append(input.substr(0, take));
        input.remove_prefix(take);
        literal_left_ -= take;
        if (literal_left_ > 0) return Event::more;
        state_ = State::line;
        break;
      }

      case State::streamed_literal: {
        if (literal_left_ == 0 && !pending_empty_) {
          state_ = State::line;
          break;
        }
        if (input.empty() && !pending_empty_) return Event::more;
        pending_empty_ = false;
        chunk_ = input.substr(0, size_t(std::min<uint64_t>(input.size(), literal_left_)));
        input.remove_prefix(chunk_.size());
        literal_left_ -= chunk_.size();
        return Event::chunk;
      }

      case State::discarded_literal: {
        size_t take = size_t(std::min<uint64_t>(input.size(), literal_left_));
        input.remove_prefix(take);
        literal_left_ -= take;
        discarded_ += take;
        if (discarded_ > limits_.max_discard) return fail(Errc::limit, "refused literal too large to swallow");
        if (literal_left_ > 0) return Event::more;
        state_ = State::line;
        break;
      }

      case State::line: {
        bool again = false;
        Result<Event> event = read_line(input, again);
        if (!again) return event;
        break;
      }

      case State::failed:
        return Failure(failed_code_, failed_note_);
    }
  }
}

Result<Framer::Event> Framer::read_line(std::string_view& input, bool& again) {
  const void* found = input.empty() ? nullptr : std::memchr(input.data(), '\n', input.size());
  if (!found) {
    size_t total = text_.size() + input.size();
    bool cr = !input.empty() ? input.back() == '\r' : total > line_start_ && text_.back() == '\r';
    if (total - cr > limits_.max_line) {
      text_.append(input.substr(0, 256));  // for the tag
      return fail(Errc::limit, "line too long");
    }
    text_.append(input);
    input = {};
    return Event::more;
  }
  std::string_view line = input.substr(0, size_t(static_cast<const char*>(found) - input.data()));
  input.remove_prefix(line.size() + 1);
  const bool in_place = text_.empty();
  if (!in_place) {
    if (text_.size() + line.size() > limits_.max_line + 1) return fail(Errc::limit, "line too long");
    text_.append(line);
    line = std::string_view(text_).substr(line_start_);
  }
  if (line.ends_with('\r')) {
    line.remove_suffix(1);
  } else if (!leniency_.bare_lf) {
    if (in_place) text_.assign(line.substr(0, 256));
    return fail(Errc::malformed, "line feed without carriage return");
  }
  if (line_start_ + line.size() > limits_.max_line) {
    if (in_place) text_.assign(line.substr(0, 256));
    return fail(Errc::limit, "line too long");
  }

  if (line.ends_with('}') && may_hold_literal(line_start_ == 0 ? line : std::string_view(text_))) {
    LiteralMark mark = find_literal_mark(line);
    if (mark.kind != LiteralMark::Kind::none) return announce(line, mark, again);
  }
  if (discarding_) {  // the end of a refused command
    discarding_ = false;
    begin_frame();
    again = true;
    return Event::more;
  }
  if (!in_place) text_.resize(line_start_ + line.size());
  frame_.text = in_place ? line : std::string_view(text_);
  frame_.literals = literals_so_far();
  finished_ = true;
  return Event::frame;
}

// `line` is the current line without its end, in text_ or in the caller's buffer.
Result<Framer::Event> Framer::announce(std::string_view line, const LiteralMark& mark, bool& again) {
  if (text_.empty()) {
    text_.assign(line);  // a failure still tells the tag
  }
  if (mark.kind == LiteralMark::Kind::overflow || mark.size > limits_.max_literal) {
    return fail(Errc::limit, "literal too large");
  }
  if (discarding_) {
    literal_left_ = mark.size;
    state_ = mark.non_sync ? State::discarded_literal : State::line;
    // The peer that waits for "+" got its tagged answer instead: its command is over.
    discarding_ = mark.non_sync;
    discarded_ += line.size();
    text_.clear();
    again = true;
    return Event::more;
  }
  if (literals_.size() >= limits_.max_literals) return fail(Errc::limit, "too many literals");
  text_.resize(line_start_ + mark.begin);
  text_ += '{';
  text_ += std::to_string(mark.size);
  text_ += "}\r\n";
  line_start_ = text_.size();
  if (line_start_ > limits_.max_line) return fail(Errc::limit, "line too long");
  begin_.push_back(store_.size());
  literals_.push_back({.size = mark.size, .streamed = true, .binary = mark.binary});
  announced_ = {
      .size = mark.size, .index = literals_.size() - 1, .synchronizing = !mark.non_sync, .binary = mark.binary};
  literal_left_ = mark.size;
  state_ = State::announced;
  return Event::literal;
}

}  // namespace wire::imap
