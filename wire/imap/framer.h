// Cuts a byte stream into IMAP frames: a line, or lines joined by literals (RFC 3501 2.2, 4.3; RFC 7888; RFC 3516).
// Works for both sides: commands at the server, responses at the client. No I/O, no copy of large literals.
//
// The owner calls next(input) in a loop; input is advanced past what was consumed. Only the framer ever says "more".
//
//   std::string_view in = what was read;
//   for (;;) {
//     auto event = framer.next(in);
//     if (!event) close: the stream cannot be trusted any more (text() still tells the tag, for a BAD or BYE)
//     switch (*event) {
//       more:    in is empty; read again
//       literal: announced() and text() describe it. Choose stream() or refuse(), or do nothing: it is then collected
//                into the frame, if it is at most max_inline_literal (else next() fails with Errc::limit).
//                A server answers "+ " here if announced().synchronizing and it did not refuse.
//       chunk:   chunk() is the next part of a streamed literal, a view of the caller's own buffer;
//                chunk_ends_literal() tells the last. A literal of size 0 gives one empty chunk.
//       frame:   frame() is complete. Views in it live until the next call of next() and while `in`'s buffer lives.
//     }
//   }
//
// One owner, any thread. Failures: Errc::malformed (bare LF or CR where not allowed), Errc::limit; both are final.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wire/base/failure.h"
#include "wire/imap/leniency.h"

namespace wire::imap {

struct FramerLimits {
  size_t max_line = 64 * 1024;               // bytes of a frame's text: all its lines without their literals
  size_t max_inline_literal = 64 * 1024;     // a larger literal must be streamed or refused
  size_t max_literals = 1000;                // in one frame
  size_t max_inline_total = 1024 * 1024;     // collected literals of one frame together
  uint64_t max_literal = uint64_t{1} << 40;  // no literal is larger, streamed or not
  uint64_t max_discard = 64 * 1024 * 1024;   // bytes swallowed after refuse() of literals that are not synchronizing

  // For an IMAP server's responses: a SEARCH or FLAGS line of a large mailbox is long.
  static FramerLimits client() {
    return {.max_line = 16 * 1024 * 1024, .max_literals = 20000, .max_inline_total = 16 * 1024 * 1024};
  }
};

// A literal of a frame. In Frame::text it stands as "{n}" CRLF (always in that form, whatever the peer wrote).
struct Literal {
  std::string_view bytes;  // empty if streamed
  uint64_t size = 0;
  bool streamed = false;
  bool binary = false;  // ~{n}: literal8
};

// Text without the final line end. The n-th "{...}\r\n" in it is literals[n].
struct Frame {
  std::string_view text;
  std::span<const Literal> literals;
};

// A literal that the peer has announced and whose bytes come next.
struct AnnouncedLiteral {
  uint64_t size = 0;
  size_t index = 0;           // in the coming Frame::literals
  bool synchronizing = true;  // the peer waits for "+ " (a server's literals: always true, nobody waits)
  bool binary = false;
};

// "{12}", "{12+}", "~{12}" at the end of a line (without line end). Numbers that do not fit are `overflow`.
struct LiteralMark {
  enum class Kind : uint8_t { none, literal, overflow } kind = Kind::none;
  uint64_t size = 0;
  size_t begin = 0;  // where "{" or "~{" stands
  bool non_sync = false;
  bool binary = false;
};
LiteralMark find_literal_mark(std::string_view line);

class Framer {
 public:
  enum class Side : uint8_t { server, client };  // which side reads: a server reads commands
  enum class Event : uint8_t { more, literal, chunk, frame };

  explicit Framer(Side side, FramerLimits limits = {}, Leniency leniency = {});

  base::Result<Event> next(std::string_view& input);

  // Valid after Event::literal.
  const AnnouncedLiteral& announced() const { return announced_; }
  // The frame's text so far, ending with "{n}\r\n"; after a failure what was read of the line.
  std::string_view text() const { return text_; }
  std::span<const Literal> literals_so_far();
  // After Event::literal: hand the bytes out as chunks.
  void stream();
  // After Event::literal: give up this frame (the server has answered NO or BAD). A synchronizing literal will not be
  // sent, so the next byte starts a new frame; else its bytes and the rest of the command are swallowed.
  void refuse();

  std::string_view chunk() const { return chunk_; }
  bool chunk_ends_literal() const { return literal_left_ == 0; }

  const Frame& frame() const { return frame_; }

  // Nothing is half read: the state in which STARTTLS may switch and a parked session may be.
  bool idle() const { return finished_ || (state_ == State::line && text_.empty() && !discarding_); }
  // Gives the memory of an idle framer back.
  void release();
  void set_leniency(Leniency leniency) { leniency_ = leniency; }
  void set_limits(FramerLimits limits) { limits_ = limits; }

 private:
  enum class State : uint8_t { line, announced, inline_literal, streamed_literal, discarded_literal, failed };

  base::Result<Event> read_line(std::string_view& input, bool& again);
  base::Result<Event> announce(std::string_view line, const LiteralMark& mark, bool& again);
  bool may_hold_literal(std::string_view start) const;
  void begin_frame();
  base::Failure fail(base::Errc code, std::string note);

  const Side side_;
  State state_ = State::line;
  bool discarding_ = false;     // after refuse(): the command is swallowed
  bool finished_ = false;       // the last event was a frame: it is forgotten at the next call
  bool pending_empty_ = false;  // a streamed literal of size 0 still owes its chunk
  FramerLimits limits_;
  Leniency leniency_;
  std::string text_;           // what cannot stay in the caller's buffer: lines before a literal, a line half read
  size_t line_start_ = 0;      // of the current line in text_
  std::string store_;          // the inline literals, one after the other
  std::vector<size_t> begin_;  // of each literal in store_
  std::vector<Literal> literals_;
  AnnouncedLiteral announced_;
  uint64_t literal_left_ = 0;
  uint64_t discarded_ = 0;
  std::string_view chunk_;
  Frame frame_;
  base::Errc failed_code_ = base::Errc::malformed;
  std::string failed_note_;
};

}  // namespace wire::imap
