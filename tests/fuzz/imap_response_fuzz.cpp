// A server's bytes, cut at places that the first byte decides. Oracles: however the stream is cut, the frames are the
// same; and what a line says survives being written by us and read again.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "wire/imap/response.h"

namespace {

using namespace wire::imap;

[[noreturn]] void fail(const char* what, const std::string& a, const std::string& b) {
  std::fprintf(stderr, "%s\n--- %s\n+++ %s\n", what, a.c_str(), b.c_str());
  std::abort();
}

std::string text_of(const Response& r, std::span<const Literal> literals, bool& ok) {
  std::string out;
  Writer w(out);
  write_response(w, r, literals);
  ok = w.ok();
  return out;
}

void check_line(const Frame& frame, const Leniency& leniency) {
  auto first = parse_response(frame, leniency);
  if (!first || std::holds_alternative<UnknownData>(*first)) return;
  // Human text with these is written with "?" in their place, which may make another code of it.
  for (size_t i = 0; i < frame.text.size(); ++i) {
    bool alone = frame.text[i] == '\r' && (i + 1 == frame.text.size() || frame.text[i + 1] != '\n');
    if (frame.text[i] == '\0' || alone) return;
  }
  bool ok = false;
  std::string once = text_of(*first, frame.literals, ok);
  if (!ok) return;  // what cannot be said safely: loose flags, a text like a code
  Framer framer(Framer::Side::client, FramerLimits::client());
  std::string_view in = once;
  auto event = framer.next(in);
  while (event && *event == Framer::Event::literal) event = framer.next(in);
  if (!event || *event != Framer::Event::frame || !in.empty()) fail("not one frame", std::string(frame.text), once);
  auto second = parse_response(framer.frame(), leniency);
  if (!second) fail("not read again", second.error().note, once);
  std::string twice = text_of(*second, framer.frame().literals, ok);
  if (once != twice || first->index() != second->index()) fail("changed", once, twice);
}

// The frames as text, for comparing.
std::vector<std::string> run(std::string_view input, size_t piece, const Leniency& leniency, bool check) {
  std::vector<std::string> out;
  Framer framer(Framer::Side::client, {.max_line = 4096, .max_inline_literal = 512, .max_literals = 50}, leniency);
  for (size_t at = 0; at < input.size(); at += piece) {
    std::string block(input.substr(at, piece));
    std::string_view in = block;
    for (;;) {
      auto event = framer.next(in);
      if (!event) {
        out.push_back("failed: " + event.error().note);
        return out;
      }
      if (*event == Framer::Event::more) break;
      if (*event == Framer::Event::literal) {
        FetchData data;
        auto owner = fetch_literal_owner(framer.text(), framer.literals_so_far(), data, leniency);
        if (owner || framer.announced().size > 512) framer.stream();
      }
      if (*event == Framer::Event::frame) {
        std::string all(framer.frame().text);
        for (const Literal& l : framer.frame().literals) all += "|" + std::string(l.bytes);
        out.push_back(all);
        if (check) check_line(framer.frame(), leniency);
      }
    }
  }
  out.push_back(framer.idle() ? "idle" : "incomplete");
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  size_t piece = 1 + data[0];
  Leniency leniency;
  leniency.bare_lf = data[1] & 1;
  leniency.extra_space = data[1] & 2;
  leniency.no_status_text = data[1] & 4;
  leniency.eight_bit = data[1] & 8;
  leniency.loose_flags = data[1] & 16;
  leniency.loose_date = data[1] & 32;
  leniency.bad_response = data[1] & 64;
  std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  auto whole = run(input, input.size() + 1, leniency, true);
  auto cut = run(input, piece, leniency, false);
  if (whole != cut) fail("frames depend on the cut", whole.back(), cut.back());
  return 0;
}
