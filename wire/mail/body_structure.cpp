#include "wire/mail/body_structure.h"

#include <optional>
#include <utility>

#include "wire/mail/envelope.h"
#include "wire/mail/header.h"
#include "wire/mail/imap_text.h"
#include "wire/mail/mime_fields.h"

namespace wire::mail {
namespace {

// A multipart must show at least one part (RFC 3501 9, body-type-mpart).
constexpr std::string_view empty_part = R"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0)";
constexpr std::string_view empty_part_extension = " NIL NIL NIL NIL";

void write_parameters(const Parameters& parameters, std::string& out) {
  if (parameters.empty()) {
    out += "NIL";
    return;
  }
  char before = '(';
  for (const Parameter& p : parameters) {
    out += std::exchange(before, ' ');
    write_string(p.name, out);
    out += ' ';
    write_string(p.value, out);
  }
  out += ')';
}

void write_field(const std::optional<std::string_view>& value, std::string& out) {
  if (value) {
    write_string(unfold(*value), out);
  } else {
    out += "NIL";
  }
}

// " dsp lang loc", the end of every extension.
void write_common_extension(const MimeFields& fields, std::string& out) {
  auto disposition = fields.disposition ? parse_disposition(*fields.disposition) : std::nullopt;
  if (disposition) {
    out += " (";
    write_string(disposition->type, out);
    out += ' ';
    write_parameters(disposition->parameters, out);
    out += ')';
  } else {
    out += " NIL";
  }
  std::vector<std::string> languages;
  if (fields.language) languages = parse_language(*fields.language);
  if (languages.empty()) {
    out += " NIL";
  } else {
    char before = '(';
    out += ' ';
    for (const std::string& tag : languages) {
      out += std::exchange(before, ' ');
      write_string(tag, out);
    }
    out += ')';
  }
  out += ' ';
  write_field(fields.location, out);
}

class Writer {
 public:
  Writer(const MessageScan& scan, std::string& out, bool extended) : scan_(scan), out_(out), extended_(extended) {}

  // Walks the tree by its links: a stranger's nesting never becomes our stack.
  void run() {
    uint32_t at = 0;
    enter(at);
    while (true) {
      const Part& part = scan_.parts[at];
      if (part.first_child != no_part && !entered_) {
        at = part.first_child;
        enter(at);
        continue;
      }
      leave(at);
      if (part.next != no_part) {
        at = part.next;
        enter(at);
      } else if (part.parent != no_part) {
        at = part.parent;
        entered_ = true;
      } else {
        return;
      }
    }
  }

 private:
  void enter(uint32_t index) {
    entered_ = false;
    out_ += '(';
    if (scan_.parts[index].kind != PartKind::multipart) write_single(index);
  }

  void leave(uint32_t index) {
    const Part& part = scan_.parts[index];
    entered_ = true;
    MimeFields fields = find_mime_fields(scan_.header(index));
    if (part.kind == PartKind::multipart) {
      if (part.first_child == no_part) {
        out_ += empty_part;
        if (extended_) out_ += empty_part_extension;
        out_ += ')';
      }
      auto type = fields.type ? parse_content_type(*fields.type) : std::nullopt;
      out_ += ' ';
      write_string(type ? type->subtype : "mixed", out_);
      if (extended_) {
        out_ += ' ';
        write_parameters(type ? type->parameters : Parameters{}, out_);
      }
    } else {
      if (part.kind == PartKind::message || shown_as_text_) {
        out_ += ' ';
        write_number(part.body_lines, out_);
      }
      if (extended_) {
        out_ += ' ';
        write_field(fields.md5, out_);
      }
    }
    if (extended_) write_common_extension(fields, out_);
    out_ += ')';
  }

  // Type to size, for a message also its envelope.
  void write_single(uint32_t index) {
    const Part& part = scan_.parts[index];
    MimeFields fields = find_mime_fields(scan_.header(index));
    ContentType type = shown_type(part, fields);
    shown_as_text_ = type.is("text");
    write_string(type.type, out_);
    out_ += ' ';
    write_string(type.subtype, out_);
    out_ += ' ';
    write_parameters(type.parameters, out_);
    out_ += ' ';
    write_field(fields.id, out_);
    out_ += ' ';
    write_field(fields.description, out_);
    out_ += ' ';
    std::string encoding = fields.transfer_encoding ? parse_token(*fields.transfer_encoding) : std::string();
    write_string(encoding.empty() ? "7bit" : encoding, out_);
    out_ += ' ';
    write_number(part.body.size(), out_);
    if (part.kind == PartKind::message) {
      out_ += ' ';
      write_envelope(scan_.header(part.first_child), out_);
      out_ += ' ';
    }
  }

  static ContentType shown_type(const Part& part, const MimeFields& fields) {
    // What a limit hides must not be announced as a multipart or message: its syntax would be wrong.
    if (part.opaque) return {"application", "octet-stream", {}};
    auto type = fields.type ? parse_content_type(*fields.type) : std::nullopt;
    if (!type) {
      if (part.kind == PartKind::message) return {"message", "rfc822", {}};
      type = ContentType{"text", "plain", {}};
    }
    if (type->is("text") && !find_parameter(type->parameters, "charset")) {
      type->parameters.push_back({"charset", "us-ascii"});  // RFC 2045 5.2, stated as Dovecot does
    }
    return std::move(*type);
  }

  const MessageScan& scan_;
  std::string& out_;
  bool extended_;
  bool entered_ = false;        // the children of the part at hand are written
  bool shown_as_text_ = false;  // of the leaf entered last
};

}  // namespace

void write_body_structure(const MessageScan& scan, std::string& out, bool extended) {
  Writer(scan, out, extended).run();
}

}  // namespace wire::mail
