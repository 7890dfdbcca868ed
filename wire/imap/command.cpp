#include "wire/imap/command.h"

#include <algorithm>

namespace wire::imap {

using base::Result;

namespace {

// Above any command and any tag a client sends; both are echoed and logged.
constexpr size_t max_name = 32;
constexpr size_t max_tag = 255;

bool name(Cursor& c, std::string& out) {
  std::string_view word;
  if (!c.atom(word)) return false;
  if (word.size() > max_name) return c.malformed("unknown command");
  out.resize(word.size());
  std::transform(word.begin(), word.end(), out.begin(), chars::upper);
  return true;
}

}  // namespace

Result<CommandLine> parse_command(const Frame& frame, const Leniency& leniency) {
  CommandLine line{.args = Cursor(frame, leniency)};
  Cursor& c = line.args;
  std::string_view tag;
  if (!c.tag(tag)) return c.failure();
  if (tag.size() > max_tag) {
    c.malformed("tag too long");
    return c.failure();
  }
  line.tag = tag;
  if (!c.sp() || !name(c, line.name)) return c.failure();
  if (line.name == "UID") {
    line.uid = true;
    if (!c.sp() || !name(c, line.name)) return c.failure();
  }
  return line;
}

std::string tag_of(std::string_view line) {
  Cursor c(line);
  std::string_view tag;
  if (!c.tag(tag) || tag.size() > max_tag || !(c.at_end() || c.peek() == ' ')) return "*";
  return std::string(tag);
}

}  // namespace wire::imap
