// Helpers of the IMAP grammar's tests: exact-size heap blocks, so that a read past the end is seen, and framing in
// pieces of any size.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "wire/imap/command.h"
#include "wire/imap/cursor.h"
#include "wire/imap/framer.h"
#include "wire/imap/response.h"
#include "wire/imap/writer.h"

namespace wire::imap::test {

// The bytes in a block of exactly their size.
class Exact {
 public:
  explicit Exact(std::string_view s) : bytes_(new char[s.size()]), size_(s.size()) {
    if (size_ > 0) std::memcpy(bytes_.get(), s.data(), size_);
  }
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<char[]> bytes_;
  size_t size_;
};

// A frame that owns its bytes.
struct OwnedFrame {
  std::string text;
  std::vector<std::string> bytes;
  std::vector<Literal> literals;
  explicit OwnedFrame(const Frame& f) : text(f.text) {
    for (const Literal& l : f.literals) bytes.emplace_back(l.bytes);
    for (size_t i = 0; i < bytes.size(); ++i) {
      literals.push_back(f.literals[i]);
    }
    for (size_t i = 0; i < bytes.size(); ++i) literals[i].bytes = bytes[i];
  }
  OwnedFrame(const OwnedFrame&) = delete;
  OwnedFrame(OwnedFrame&& o) noexcept
      : text(std::move(o.text)), bytes(std::move(o.bytes)), literals(std::move(o.literals)) {
    for (size_t i = 0; i < bytes.size(); ++i) literals[i].bytes = bytes[i];
  }
  Frame frame() const { return {text, literals}; }
};

struct Framed {
  std::vector<OwnedFrame> frames;
  std::string error;  // empty, or the failure's note
  bool idle = false;
};

// Feeds `input` in pieces of `piece` bytes (0: all at once), collecting every literal that the limits allow.
inline Framed frames_of(Framer& framer, std::string_view input, size_t piece = 0) {
  Framed out;
  if (piece == 0) piece = std::max<size_t>(input.size(), 1);
  for (size_t at = 0; at < input.size(); at += piece) {
    Exact block(input.substr(at, piece));
    std::string_view in = block.view();
    for (;;) {
      auto event = framer.next(in);
      if (!event) {
        out.error = event.error().note;
        return out;
      }
      if (*event == Framer::Event::more) {
        EXPECT_TRUE(in.empty());
        break;
      }
      if (*event == Framer::Event::frame) out.frames.emplace_back(framer.frame());
    }
  }
  out.idle = framer.idle();
  return out;
}

// All in one piece and byte by byte must agree.
inline Framed frames_of(Framer::Side side, std::string_view input, FramerLimits limits = {}, Leniency leniency = {}) {
  Framer whole(side, limits, leniency), slow(side, limits, leniency);
  Framed a = frames_of(whole, input);
  Framed b = frames_of(slow, input, 1);
  EXPECT_EQ(a.error, b.error);
  EXPECT_EQ(a.idle, b.idle);
  EXPECT_EQ(a.frames.size(), b.frames.size());
  for (size_t i = 0; i < std::min(a.frames.size(), b.frames.size()); ++i) {
    EXPECT_EQ(a.frames[i].text, b.frames[i].text);
    EXPECT_EQ(a.frames[i].bytes, b.frames[i].bytes);
  }
  return a;
}

// One production from text that may hold literals; nothing may be left.
template <class T>
base::Result<T> read(std::string_view wire, const Leniency& leniency = {}) {
  Framed framed = frames_of(Framer::Side::server, std::string(wire) + "\r\n", FramerLimits::client());
  if (framed.frames.size() != 1) return base::Failure(base::Errc::malformed, "not one frame: " + framed.error);
  Exact text(framed.frames[0].text);
  return parse_all<T>(Cursor(Frame{text.view(), framed.frames[0].literals}, leniency));
}

template <class T>
std::string written(const T& value) {
  std::string out;
  Writer w(out);
  write(w, value);
  EXPECT_TRUE(w.ok()) << out;
  return out;
}

// parse(write(x)) == x, and no prefix of the text gives x or reads past its end.
template <class T>
void expect_round_trip(const T& value) {
  std::string text = written(value);
  auto back = read<T>(text);
  ASSERT_TRUE(back.has_value()) << text << ": " << back.error().note;
  EXPECT_TRUE(*back == value) << text << " came back as " << written(*back);
  if (text.find("\r\n") != std::string::npos) return;  // literals are cut by the framer's tests
  for (size_t n = 0; n < text.size(); ++n) {
    Exact cut(std::string_view(text).substr(0, n));
    auto part = parse_all<T>(Cursor(cut.view()));
    if (part) {
      EXPECT_FALSE(*part == value) << "already complete: " << cut.view();
    }
  }
}

// A command's line, as a client writes it and a server reads it, with every kind of literal.
template <class T>
void expect_command_round_trip(const T& value, std::string_view expected = {}) {
  for (Literals literals : {Literals::sync, Literals::plus, Literals::minus}) {
    std::string line;
    Writer w(line, literals);
    write_command(w, "a1", value);
    ASSERT_TRUE(w.ok()) << line;
    if (!expected.empty()) {
      EXPECT_EQ(line, "a1 " + std::string(expected) + "\r\n");
    }
    Framed framed = frames_of(Framer::Side::server, line);
    ASSERT_EQ(framed.frames.size(), 1u) << line << framed.error;
    auto command = parse_command(framed.frames[0].frame());
    ASSERT_TRUE(command.has_value()) << line;
    EXPECT_EQ(command->tag, "a1");
    auto back = parse_args<T>(*command);
    ASSERT_TRUE(back.has_value()) << line << ": " << back.error().note;
    // What the command's name says is not in its arguments.
    if constexpr (requires { back->examine; }) back->examine = command->name == "EXAMINE";
    if constexpr (requires { back->move; }) back->move = command->name == "MOVE";
    EXPECT_TRUE(*back == value) << line;
    std::string again;
    Writer w2(again, literals);
    write_command(w2, "a1", *back);
    EXPECT_EQ(again, line);
    if (framed.frames[0].literals.empty()) {
      for (size_t n = 0; n + 2 < line.size(); ++n) {
        Exact cut(std::string_view(line).substr(0, n));
        auto part = parse_command(Frame{cut.view(), {}});
        if (!part) continue;
        auto args = parse_args<T>(*part);
        if (args && part->name == command->name && part->uid == command->uid) {
          EXPECT_FALSE(*args == *back) << cut.view();
        }
      }
    }
  }
}

// The arguments of a command line, as the server reads them.
template <class T>
base::Result<T> command_args(std::string_view line, const Leniency& leniency = {}) {
  Framed framed = frames_of(Framer::Side::server, std::string(line) + "\r\n", FramerLimits::client());
  if (framed.frames.size() != 1) return base::Failure(base::Errc::malformed, "not one frame: " + framed.error);
  Exact text(framed.frames[0].text);
  auto command = parse_command(Frame{text.view(), framed.frames[0].literals}, leniency);
  if (!command) return command.error();
  return parse_args<T>(*command);
}

}  // namespace wire::imap::test
