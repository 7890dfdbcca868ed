// What must hold of any scan of any bytes, and a naive splitter of flat multiparts to compare with. For tests.
// Each function returns what is wrong, or nothing.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "wire/mail/header.h"
#include "wire/mail/mime_fields.h"
#include "wire/mail/scan.h"

namespace tests {

namespace mail = wire::mail;

inline std::string check_part(const mail::MessageScan& scan, uint32_t index, const mail::ScanLimits& limits) {
  const mail::Part& part = scan.parts[index];
  if (part.header.begin > part.header.end || part.header.end != part.body.begin || part.body.begin > part.body.end ||
      part.body.end > scan.bytes.size()) {
    return "ranges are out of order";
  }
  auto body = scan.body(index);
  if (part.body_lines != static_cast<uint32_t>(std::count(body.begin(), body.end(), '\n'))) return "lines miscounted";
  if (part.depth > limits.depth) return "too deep";
  if (part.kind == mail::PartKind::leaf && part.first_child != mail::no_part) return "a leaf has children";

  size_t at = part.body.begin;
  uint32_t children = 0;
  for (uint32_t c = part.first_child; c != mail::no_part; c = scan.parts[c].next, ++children) {
    const mail::Part& child = scan.parts[c];
    if (c <= index || child.parent != index || child.depth != part.depth + 1) return "wrong link to a child";
    if (child.header.begin < at) return "parts overlap";
    if (child.body.end > part.body.end) return "a child leaves its parent";
    if (part.kind == mail::PartKind::message &&
        (child.header.begin != part.body.begin || child.body.end != part.body.end)) {
      return "an embedded message is not its part's body";
    }
    if (part.kind == mail::PartKind::multipart) {
      // Only the preamble, line breaks and one boundary line stand before a part.
      std::string_view gap = scan.bytes.substr(at, child.header.begin - at);
      if (children > 0) {
        if (gap.starts_with("\r\n")) {
          gap.remove_prefix(2);
        } else if (gap.starts_with("\n")) {
          gap.remove_prefix(1);
        }
        if (std::count(gap.begin(), gap.end(), '\n') > 1) return "more than a boundary line between two parts";
        if (!gap.starts_with("--")) return "no boundary between two parts";
      }
    }
    at = child.body.end;
  }
  if (part.kind == mail::PartKind::message && children != 1) return "a message part without its message";
  return {};
}

inline std::string check_scan(const mail::MessageScan& scan, const mail::ScanLimits& limits) {
  if (scan.parts.empty() || scan.parts.size() > std::max(limits.parts, uint32_t{1})) return "wrong number of parts";
  const mail::Part& top = scan.parts[0];
  if (top.header.begin != 0 || top.body.end != scan.bytes.size()) return "the message is not covered";
  if (std::string(scan.header(0)) + std::string(scan.body(0)) != scan.bytes)
    return "header and body are not the message";
  std::vector<int> seen(scan.parts.size());
  for (uint32_t i = 0; i < scan.parts.size(); ++i) {
    std::string wrong = check_part(scan, i, limits);
    if (!wrong.empty()) return wrong;
    for (uint32_t c = scan.parts[i].first_child; c != mail::no_part; c = scan.parts[c].next) ++seen[c];
  }
  for (uint32_t i = 1; i < seen.size(); ++i) {
    if (seen[i] != 1) return "a part is not reached exactly once";
  }
  return {};
}

struct NaivePart {
  std::string header, body;
  bool operator==(const NaivePart&) const = default;
};

inline std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    out.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return out;
}

inline void drop_line_break(std::string& text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
}

// The parts of a multipart whose parts have no parts, by collecting lines.
inline std::vector<NaivePart> naive_parts(std::string_view body, const std::string& boundary) {
  std::vector<NaivePart> out;
  bool in_part = false, in_header = false;
  auto finish = [&] {
    if (!in_part) return;
    drop_line_break(in_header ? out.back().header : out.back().body);
  };
  for (const std::string& line : split_lines(body)) {
    if (line.starts_with("--" + boundary)) {
      finish();
      in_part = !line.starts_with("--" + boundary + "--");
      if (!in_part) return out;
      in_header = true;
      out.emplace_back();
    } else if (in_part) {
      (in_header ? out.back().header : out.back().body) += line;
      if (line == "\n" || line == "\r\n") in_header = false;
    }
  }
  return out;
}

// Compares a flat multipart with naive_parts; nothing to say about other messages.
inline std::string compare_with_naive(const mail::MessageScan& scan) {
  const mail::Part& top = scan.parts[0];
  if (top.kind != mail::PartKind::multipart) return {};
  auto field = mail::find_field(scan.header(0), "Content-Type");
  auto type = field ? mail::parse_content_type(field->value) : std::nullopt;
  auto boundary = type ? mail::find_parameter(type->parameters, "boundary") : std::nullopt;
  if (!boundary) return top.first_child == mail::no_part ? "" : "parts without a boundary";
  std::vector<NaivePart> ours;
  for (uint32_t c = top.first_child; c != mail::no_part; c = scan.parts[c].next) {
    if (scan.parts[c].kind != mail::PartKind::leaf || scan.parts[c].opaque) return {};
    ours.push_back({std::string(scan.header(c)), std::string(scan.body(c))});
  }
  return ours == naive_parts(scan.body(0), *boundary) ? "" : "not what the naive splitter finds";
}

// ENVELOPE and BODYSTRUCTURE must be balanced lists of strings, numbers and NIL, without bytes that end a response.
inline std::string check_list(std::string_view text) {
  size_t depth = 0;
  for (size_t i = 0; i < text.size();) {
    char c = text[i];
    if (c == '(') {
      ++depth;
      ++i;
    } else if (c == ')') {
      if (depth-- == 0) return "unbalanced";
      ++i;
    } else if (c == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\') ++i;
        if (i >= text.size()) return "unterminated string";
        auto byte = static_cast<unsigned char>(text[i]);
        if (byte == 0 || byte == '\r' || byte == '\n' || byte >= 0x80) return "a byte that may not be quoted";
      }
      if (i++ >= text.size()) return "unterminated string";
    } else if (c == '{') {
      size_t size = 0;
      for (++i; i < text.size() && text[i] != '}'; ++i) size = size * 10 + static_cast<size_t>(text[i] - '0');
      if (!text.substr(i).starts_with("}\r\n") || size > text.size() - i - 3) return "a bad literal";
      if (text.substr(i + 3, size).find('\0') != std::string_view::npos) return "NUL in a literal";
      i += 3 + size;
    } else if (c == ' ' || (c >= '0' && c <= '9') || c == 'N' || c == 'I' || c == 'L') {
      ++i;
    } else {
      return "a stray byte";
    }
  }
  return depth == 0 ? "" : "unbalanced";
}

}  // namespace tests
