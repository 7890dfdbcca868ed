#include "wire/mail/mime_fields.h"

#include <algorithm>
#include <charconv>

#include "wire/base/flags.h"
#include "wire/mail/charset.h"
#include "wire/mail/encoded_word.h"
#include "wire/mail/header.h"

namespace wire::mail {
namespace {

constexpr size_t max_parameters = 500;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Reads tokens, quoted strings and comments of a structured field value (RFC 2045 5.1, RFC 5322 3.2).
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return text_[at_]; }
  bool take(char c) {
    if (at_end() || peek() != c) return false;
    ++at_;
    return true;
  }

  // White space and nested comments.
  void skip_cfws() {
    while (!at_end()) {
      if (is_space(peek())) {
        ++at_;
      } else if (peek() == '(') {
        skip_comment();
      } else {
        return;
      }
    }
  }

  // A run without space and without the separators of a parameter list.
  std::string_view token(std::string_view stops) {
    size_t from = at_;
    while (!at_end() && !is_space(peek()) && peek() != '(' && stops.find(peek()) == std::string_view::npos) ++at_;
    return text_.substr(from, at_ - from);
  }

  // The quoted string here; nullopt if it is never closed. That is found out once: asking again for each quote of a
  // hostile field would be quadratic.
  std::optional<std::string> quoted() {
    std::string out;
    ++at_;
    if (never_closed_) return std::nullopt;
    for (; !at_end(); ++at_) {
      char c = peek();
      if (c == '"') {
        ++at_;
        return out;
      }
      if (c == '\\' && at_ + 1 < text_.size()) c = text_[++at_];
      if (c != '\r' && c != '\n') out += c;
    }
    never_closed_ = true;
    return std::nullopt;
  }

  // Up to ';', as unquoted file names with spaces are sent, without a trailing comment.
  std::string bare_value() {
    size_t from = at_;
    size_t end = from;
    while (!at_end() && peek() != ';') {
      if (peek() == '(' && (at_ == from || is_space(text_[at_ - 1]))) {
        skip_comment();
        if (end == from) from = end = at_;  // a comment before the value
        continue;
      }
      if (is_space(peek())) {
        if (end == from) from = end = at_ + 1;
        ++at_;
      } else {
        end = ++at_;
      }
    }
    return unfold(text_.substr(from, end - from));
  }

  void skip_to(char stop) {
    while (!at_end() && peek() != stop) {
      if (peek() == '"') {
        size_t from = at_;
        if (!quoted()) at_ = from + 1;
      } else {
        ++at_;
      }
    }
  }

 private:
  void skip_comment() {
    for (size_t depth = 0; !at_end(); ++at_) {
      char c = peek();
      if (c == '\\' && at_ + 1 < text_.size()) {
        ++at_;
      } else if (c == '(') {
        ++depth;
      } else if (c == ')' && --depth == 0) {
        ++at_;
        return;
      }
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  bool never_closed_ = false;
};

Parameters parse_parameters(Cursor& in) {
  Parameters out;
  while (!in.at_end() && out.size() < max_parameters) {
    in.skip_to(';');
    if (!in.take(';')) break;
    in.skip_cfws();
    std::string_view name = in.token(";=");
    in.skip_cfws();
    if (name.empty() || !in.take('=')) continue;
    in.skip_cfws();
    if (!in.at_end() && in.peek() == '"') {
      auto value = in.quoted();
      if (value) out.push_back({std::string(name), std::move(*value)});
    } else {
      out.push_back({std::string(name), in.bare_value()});
    }
  }
  return out;
}

std::string percent_decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr == text.data() + i + 3) {
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// One piece of a value by RFC 2231: name*2* is {2, extended}.
struct Piece {
  uint32_t number = 0;
  bool extended = false;
  std::string_view value;
};

// What follows the name in "name*0*", "name*0", "name*".
std::optional<Piece> parse_piece(std::string_view suffix, std::string_view value) {
  Piece piece;
  piece.value = value;
  if (!suffix.starts_with('*')) return std::nullopt;
  suffix.remove_prefix(1);
  if (suffix.empty()) {
    piece.extended = true;
    return piece;
  }
  auto [end, error] = std::from_chars(suffix.data(), suffix.data() + suffix.size(), piece.number);
  if (error != std::errc()) return std::nullopt;
  suffix.remove_prefix(static_cast<size_t>(end - suffix.data()));
  piece.extended = suffix == "*";
  if (!suffix.empty() && !piece.extended) return std::nullopt;
  return piece;
}

std::string join_pieces(std::vector<Piece>& pieces) {
  std::stable_sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) { return a.number < b.number; });
  std::string charset;
  std::string bytes;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (i > 0 && pieces[i].number != pieces[i - 1].number + 1) break;
    std::string_view value = pieces[i].value;
    if (i == 0 && pieces[i].extended) {
      size_t first = value.find('\'');
      size_t second = first == std::string_view::npos ? first : value.find('\'', first + 1);
      if (second != std::string_view::npos) {
        charset = value.substr(0, first);
        value.remove_prefix(second + 1);
      }
    }
    bytes += pieces[i].extended ? percent_decode(value) : std::string(value);
  }
  return to_utf8(bytes, charset);
}

}  // namespace

bool ContentType::is(std::string_view wanted_type) const { return base::iequals(type, wanted_type); }
bool ContentType::is(std::string_view wanted_type, std::string_view wanted_subtype) const {
  return is(wanted_type) && base::iequals(subtype, wanted_subtype);
}

MimeFields find_mime_fields(std::string_view header) {
  constexpr std::string_view prefix = "content-";
  MimeFields out;
  FieldReader reader(header);
  for (Field field; reader.next(field);) {
    if (field.name.size() <= prefix.size() || !base::iequals(field.name.substr(0, prefix.size()), prefix)) continue;
    std::string_view name = field.name.substr(prefix.size());
    auto keep_first = [&](std::string_view wanted, std::optional<std::string_view>& slot) {
      if (!slot && base::iequals(name, wanted)) slot = field.value;
    };
    keep_first("type", out.type);
    keep_first("transfer-encoding", out.transfer_encoding);
    keep_first("id", out.id);
    keep_first("description", out.description);
    keep_first("md5", out.md5);
    keep_first("disposition", out.disposition);
    keep_first("language", out.language);
    keep_first("location", out.location);
  }
  return out;
}

std::optional<ContentType> parse_content_type(std::string_view value) {
  Cursor in(value);
  in.skip_cfws();
  ContentType out;
  out.type = in.token("/;\"");
  in.skip_cfws();
  if (out.type.empty() || !in.take('/')) return std::nullopt;
  in.skip_cfws();
  out.subtype = in.token("/;\",");
  in.skip_cfws();
  if (out.subtype.empty() || (!in.at_end() && in.peek() == '/')) return std::nullopt;
  out.parameters = parse_parameters(in);
  return out;
}

std::optional<Disposition> parse_disposition(std::string_view value) {
  Cursor in(value);
  in.skip_cfws();
  Disposition out;
  out.type = in.token(";\"=");
  if (out.type.empty()) return std::nullopt;
  out.parameters = parse_parameters(in);
  return out;
}

std::vector<std::string> parse_language(std::string_view value) {
  std::vector<std::string> out;
  Cursor in(value);
  while (!in.at_end() && out.size() < max_parameters) {
    in.skip_cfws();
    std::string_view tag = in.token(",;\"");
    if (!tag.empty()) out.emplace_back(tag);
    in.skip_to(',');
    in.take(',');
  }
  return out;
}

std::string parse_token(std::string_view value) {
  Cursor in(value);
  in.skip_cfws();
  std::string out(in.token(";\""));
  in.skip_cfws();
  // "base64;" is sent by some.
  return in.at_end() || in.peek() == ';' ? out : std::string();
}

std::optional<std::string> find_parameter(const Parameters& parameters, std::string_view name) {
  for (const Parameter& p : parameters) {
    if (base::iequals(p.name, name)) return p.value;
  }
  return std::nullopt;
}

std::optional<std::string> decode_parameter(const Parameters& parameters, std::string_view name) {
  std::vector<Piece> pieces;
  for (const Parameter& p : parameters) {
    if (p.name.size() <= name.size() || !base::iequals(std::string_view(p.name).substr(0, name.size()), name)) continue;
    if (auto piece = parse_piece(std::string_view(p.name).substr(name.size()), p.value)) pieces.push_back(*piece);
  }
  if (!pieces.empty()) return join_pieces(pieces);
  auto plain = find_parameter(parameters, name);
  if (!plain) return std::nullopt;
  return decode_header_text(*plain);
}

}  // namespace wire::mail
