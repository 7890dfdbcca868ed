#include "wire/mail/scan.h"

#include <cstring>
#include <string>

#include "wire/base/flags.h"
#include "wire/mail/header.h"
#include "wire/mail/mime_fields.h"

namespace wire::mail {
namespace {

// RFC 2046 5.1.1 allows 70. Longer ones exist; a bound keeps the comparisons of one line small.
constexpr size_t max_boundary = 1000;

class Scanner {
 public:
  Scanner(std::string_view message, const ScanLimits& limits) : bytes_(message), limits_(limits) {
    scan_.bytes = message;
  }

  MessageScan run() {
    open_part(no_part, 0);
    const char* data = bytes_.data();
    size_t size = bytes_.size();
    for (size_t begin = 0; begin < size;) {
      const void* lf = std::memchr(data + begin, '\n', size - begin);
      size_t end = lf ? static_cast<size_t>(static_cast<const char*>(lf) - data) + 1 : size;
      if (data[begin] == '-' && !open_.empty() && boundary_line(begin, end)) {
        after_boundary_ = true;
      } else {
        after_boundary_ = false;
        if (lf) ++lines_;
        if (in_header_) header_line(begin, end);
      }
      begin = end;
    }
    close_until(no_part, size, false);
    return std::move(scan_);
  }

 private:
  struct Multipart {
    uint32_t part;
    std::string boundary;
  };

  Part& current() { return scan_.parts[current_]; }

  // Begins a part, whose header starts at `at`, as the last child of `parent`.
  void open_part(uint32_t parent, size_t at) {
    auto index = static_cast<uint32_t>(scan_.parts.size());
    Part part;
    part.header = part.body = {at, at};
    part.parent = parent;
    if (parent != no_part) {
      Part& above = scan_.parts[parent];
      part.depth = static_cast<uint16_t>(above.depth + 1);
      if (above.first_child == no_part) {
        above.first_child = index;
      } else {
        scan_.parts[last_child_[parent]].next = index;
      }
      last_child_[parent] = index;
    }
    scan_.parts.push_back(part);
    last_child_.push_back(no_part);
    lines_at_body_.push_back(0);
    is_digest_.push_back(false);
    if (parent != no_part) scan_.parts[index].in_digest = is_digest_[parent];
    current_ = index;
    in_header_ = true;
    content_type_at_ = no_content_type;
    if (scan_.parts.size() >= limits_.parts) {
      current().opaque = true;
      open_.clear();
      begin_body(at, lines_);
    }
  }

  void begin_body(size_t at, uint32_t lines) {
    current().header.end = at;
    current().body = {at, at};
    lines_at_body_[current_] = lines;
    in_header_ = false;
  }

  void header_line(size_t begin, size_t end) {
    std::string_view line = bytes_.substr(begin, end - begin);
    if (line == "\r\n" || line == "\n") {
      end_header(end, lines_);
    } else if ((line.front() == 'c' || line.front() == 'C') && content_type_at_ == no_content_type &&
               names_content_type(line)) {
      content_type_at_ = begin;
    }
  }

  static bool names_content_type(std::string_view line) {
    constexpr std::string_view name = "content-type";
    if (!base::iequals(line.substr(0, name.size()), name)) return false;
    size_t colon = line.find_first_not_of(" \t", name.size());
    return colon != std::string_view::npos && line[colon] == ':';
  }

  // The header of the current part ends at `end`; what it says decides how its body is read.
  void end_header(size_t end, uint32_t lines) {
    std::optional<ContentType> type;
    size_t header_size = end - current().header.begin;
    Field field;
    if (header_size <= limits_.header && content_type_at_ != no_content_type &&
        FieldReader(bytes_.substr(content_type_at_, end - content_type_at_)).next(field)) {
      type = parse_content_type(field.value);
    }
    begin_body(end, lines);
    Part& part = current();
    bool is_multipart = type && type->is("multipart");
    bool is_message = type ? type->is("message", "rfc822") : part.in_digest;
    // An embedded message takes a part at once; the last one is kept for what follows the next boundary.
    bool no_room = is_message && scan_.parts.size() + 1 >= limits_.parts;
    if (header_size > limits_.header || no_room || ((is_multipart || is_message) && part.depth >= limits_.depth)) {
      part.opaque = true;
    } else if (is_multipart) {
      part.kind = PartKind::multipart;
      is_digest_[current_] = type->is("multipart", "digest");
      auto boundary = find_parameter(type->parameters, "boundary");
      if (boundary && boundary->size() <= max_boundary) open_.push_back({current_, std::move(*boundary)});
    } else if (is_message) {
      part.kind = PartKind::message;
      open_part(current_, end);
    }
  }

  // Handles the line if it is a boundary of an open multipart.
  bool boundary_line(size_t begin, size_t end) {
    std::string_view line = bytes_.substr(begin, end - begin);
    if (!line.starts_with("--")) return false;
    line.remove_prefix(2);
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    size_t found = find_boundary(line);
    if (found == open_.size()) return false;

    uint32_t owner = open_[found].part;
    bool last = line.substr(open_[found].boundary.size()).starts_with("--");
    close_until(owner, begin, true);
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(last ? found : found + 1), open_.end());
    if (bytes_[end - 1] == '\n') ++lines_;
    current_ = owner;
    in_header_ = false;
    if (!last) open_part(owner, end);
    return true;
  }

  size_t find_boundary(std::string_view line) const {
    size_t best = open_.size();
    for (size_t i = open_.size(); i-- > 0;) {
      const std::string& boundary = open_[i].boundary;
      if (!line.starts_with(boundary)) continue;
      if (best == open_.size() || open_[best].boundary.size() < boundary.size()) {
        best = i;
        std::string_view rest = line.substr(boundary.size());
        // "foo--" ends "foo", unless it begins "foo--": a full match cannot be bettered.
        if (rest.empty() || rest == "--") break;
      }
    }
    return best;
  }

  // Ends the current part and all around it below `owner`, at the start of a line or at the end of the message.
  // The line break before a boundary belongs to the boundary, except where that would take it from a header's empty
  // line or from another boundary line.
  void close_until(uint32_t owner, size_t at, bool at_boundary) {
    size_t cut = at;
    if (at_boundary && !after_boundary_ && at > 0 && bytes_[at - 1] == '\n') {
      cut = at - 1;
      if (cut > 0 && bytes_[cut - 1] == '\r') --cut;
    }
    while (in_header_ && current_ != owner) {
      bool cuts = cut >= current().header.begin;
      end_header(cuts ? cut : at, lines_ - (cuts && cut != at ? 1 : 0));
    }
    for (uint32_t i = current_; i != owner; i = scan_.parts[i].parent) {
      Part& part = scan_.parts[i];
      if (part.body.begin > cut) cut = at;
      part.body.end = cut;
      part.body_lines = lines_ - (cut != at ? 1 : 0) - lines_at_body_[i];
    }
  }

  static constexpr size_t no_content_type = SIZE_MAX;

  std::string_view bytes_;
  ScanLimits limits_;
  MessageScan scan_;
  std::vector<uint32_t> last_child_;     // by part
  std::vector<uint32_t> lines_at_body_;  // by part
  std::vector<bool> is_digest_;          // by part
  std::vector<Multipart> open_;          // outermost first
  uint32_t current_ = no_part;           // the innermost part that is still open
  uint32_t lines_ = 0;                   // LFs before the line looked at
  size_t content_type_at_ = no_content_type;
  bool in_header_ = false;
  bool after_boundary_ = false;
};

}  // namespace

MessageScan scan(std::string_view message, const ScanLimits& limits) { return Scanner(message, limits).run(); }

}  // namespace wire::mail
