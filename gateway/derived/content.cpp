#include "gateway/derived/content.h"

#include <algorithm>

#include "wire/imap/date.h"
#include "wire/mail/address.h"
#include "wire/mail/base_subject.h"
#include "wire/mail/body_structure.h"
#include "wire/mail/charset.h"
#include "wire/mail/date.h"
#include "wire/mail/encoded_word.h"
#include "wire/mail/envelope.h"
#include "wire/mail/fold.h"
#include "wire/mail/header.h"
#include "wire/mail/search_text.h"

namespace gateway::derived {
namespace {

using wire::mail::MessageScan;
using wire::mail::no_part;
using wire::mail::Part;
using wire::mail::PartKind;

constexpr uint32_t meaning = 2;  // raised when a blob changes, or any function that it is made from

constexpr size_t max_structure = 1 << 20, max_header_text = 256 << 10, max_body_text = 4 << 20;
constexpr size_t max_references = 256, max_key = 1024;

// A message of that size is read whole where only its text is wanted.
bool cheap_to_read(const MessageScan& scan) {
  constexpr size_t always = 4096, times_its_text = 4;
  return scan.bytes.size() <= always + times_its_text * wire::mail::text_octets(scan);
}

enum PartBit : uint8_t { kind_bits = 3, digest_bit = 4, opaque_bit = 8 };
enum KeyBit : uint8_t { has_date = 1, is_reply = 2 };

void put_varint(std::string& out, uint64_t v) {
  for (; v >= 0x80; v >>= 7) out += static_cast<char>(v | 0x80);
  out += static_cast<char>(v);
}

void put_signed(std::string& out, int64_t v) {
  put_varint(out, static_cast<uint64_t>(v) << 1 ^ static_cast<uint64_t>(v >> 63));
}

int64_t get_signed(storage::Reader& in) {
  const uint64_t v = in.varint();
  return static_cast<int64_t>(v >> 1 ^ (0 - (v & 1)));
}

void put_text(std::string& out, std::string_view text) {
  put_varint(out, text.size());
  out += text;
}

std::string cut(std::string text) {
  if (text.size() > max_key) text.resize(max_key);
  return text;
}

std::string first_mailbox(std::string_view header, std::string_view name) {
  const auto field = wire::mail::find_field(header, name);
  if (!field) return {};
  for (const wire::mail::Address& a : wire::mail::parse_address_list(field->value, 2)) {
    if (a.mailbox) return cut(wire::mail::fold(wire::mail::to_utf8(*a.mailbox, {})));
  }
  return {};
}

// msg-ids, lenient: what stands between "<" and ">", without white space.
std::vector<std::string> message_ids(std::string_view value, size_t most) {
  std::vector<std::string> out;
  for (size_t at = value.find('<'); at != std::string_view::npos && out.size() < most; at = value.find('<', at)) {
    const size_t end = value.find('>', at);
    if (end == std::string_view::npos) break;
    std::string id(value.substr(at + 1, end - at - 1));
    std::erase_if(id, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
    if (!id.empty()) out.push_back(cut(std::move(id)));
    at = end;
  }
  return out;
}

SortKeys keys_of(std::string_view header) {
  SortKeys k;
  if (const auto field = wire::mail::find_field(header, "Date")) {
    if (const auto date = wire::mail::parse_date_header(field->value)) {
      k.day = wire::imap::days_from_civil(date->year, date->month, date->day);
      k.instant = date->at.seconds;
    }
  }
  k.from = first_mailbox(header, "From");
  k.to = first_mailbox(header, "To");
  k.cc = first_mailbox(header, "Cc");
  if (const auto field = wire::mail::find_field(header, "Subject")) {
    const std::string folded = wire::mail::fold(wire::mail::decode_header_text(wire::mail::trim(field->value)));
    k.subject = cut(std::string(wire::mail::base_subject(folded, &k.reply)));
  }
  if (const auto field = wire::mail::find_field(header, "Message-ID")) {
    auto ids = message_ids(field->value, 1);
    if (!ids.empty()) k.message_id = std::move(ids.front());
  }
  if (const auto field = wire::mail::find_field(header, "References")) {
    k.references = message_ids(field->value, max_references);
  }
  if (k.references.empty()) {
    if (const auto field = wire::mail::find_field(header, "In-Reply-To")) k.references = message_ids(field->value, 1);
  }
  return k;
}

}  // namespace

uint32_t content_number() { return meaning << 16 | wire::mail::text_version(); }

std::optional<Structure> read_structure(std::string_view blob) {
  storage::Reader in(wire::base::as_bytes(blob));
  Structure out;
  out.body = in.text();
  out.body_structure = in.text();
  out.parts = wire::base::as_text(in.rest());
  if (!in.ok()) return std::nullopt;
  return out;
}

std::optional<MessageScan> read_parts(std::string_view parts) {
  storage::Reader in(wire::base::as_bytes(parts));
  MessageScan scan;
  scan.parts.resize(in.count(8));
  std::vector<uint32_t> last_child(scan.parts.size(), no_part);
  for (uint32_t i = 0; i < scan.parts.size(); ++i) {
    Part& p = scan.parts[i];
    p.header.begin = in.varint();
    p.header.end = p.header.begin + in.varint();
    p.body.begin = in.varint();
    p.body.end = p.body.begin + in.varint();
    p.body_lines = static_cast<uint32_t>(in.varint());
    const uint64_t up = in.varint();  // how far before it the parent stands; 0: none
    p.depth = static_cast<uint16_t>(in.varint());
    const auto bits = in.get<uint8_t>();
    if (!in.ok() || up > i || (up == 0) != (i == 0) || (bits & kind_bits) > 2) return std::nullopt;
    p.kind = static_cast<PartKind>(bits & kind_bits);
    p.in_digest = (bits & digest_bit) != 0;
    p.opaque = (bits & opaque_bit) != 0;
    if (up == 0) continue;
    p.parent = i - static_cast<uint32_t>(up);
    uint32_t& before = last_child[p.parent];
    (before == no_part ? scan.parts[p.parent].first_child : scan.parts[before].next) = i;
    before = i;
  }
  if (!in.ok() || !in.at_end() || scan.parts.empty()) return std::nullopt;
  return scan;
}

std::optional<SortKeys> read_keys(std::string_view blob) {
  storage::Reader in(wire::base::as_bytes(blob));
  SortKeys k;
  const auto bits = in.get<uint8_t>();
  const int64_t day = get_signed(in), instant = get_signed(in);
  if (bits & has_date) {
    k.day = static_cast<int32_t>(day);
    k.instant = instant;
  }
  k.reply = (bits & is_reply) != 0;
  for (std::string* text : {&k.from, &k.to, &k.cc, &k.subject, &k.message_id}) *text = in.text();
  for (size_t n = in.count(1); n > 0; --n) k.references.emplace_back(in.text());
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return k;
}

std::optional<int32_t> read_day(std::string_view blob) {
  storage::Reader in(wire::base::as_bytes(blob));
  const auto bits = in.get<uint8_t>();
  const int64_t day = get_signed(in);
  if (!in.ok() || !(bits & has_date)) return std::nullopt;
  return static_cast<int32_t>(day);
}

void Maker::make_structure(const MessageScan& scan) {
  std::string& out = texts_[structure];
  for (const bool extended : {false, true}) {
    scratch_.clear();
    wire::mail::write_body_structure(scan, scratch_, extended);
    put_text(out, scratch_);
  }
  put_varint(out, scan.parts.size());
  for (uint32_t i = 0; i < scan.parts.size(); ++i) {
    const Part& p = scan.parts[i];
    for (const uint64_t v :
         {uint64_t{p.header.begin}, uint64_t{p.header.size()}, uint64_t{p.body.begin}, uint64_t{p.body.size()},
          uint64_t{p.body_lines}, uint64_t{p.parent == no_part ? 0 : i - p.parent}, uint64_t{p.depth}}) {
      put_varint(out, v);
    }
    out +=
        static_cast<char>(static_cast<uint8_t>(p.kind) | (p.in_digest ? digest_bit : 0) | (p.opaque ? opaque_bit : 0));
  }
}

void Maker::make_keys(std::string_view header) {
  const SortKeys k = keys_of(header);
  std::string& out = texts_[keys];
  out += static_cast<char>((k.day ? has_date : 0) | (k.reply ? is_reply : 0));
  put_signed(out, k.day.value_or(0));
  put_signed(out, k.instant.value_or(0));
  for (const std::string* text : {&k.from, &k.to, &k.cc, &k.subject, &k.message_id}) put_text(out, *text);
  put_varint(out, k.references.size());
  for (const std::string& id : k.references) put_text(out, id);
}

// Pieces end with LF, which folded text never has: no needle is found across two.
bool Maker::make_body_text(const MessageScan& scan) {
  std::string& out = texts_[body_text];
  wire::mail::for_each_text(scan, false, {}, [&](std::string_view piece) {
    out += piece;
    out += '\n';
    return out.size() <= max_body_text;
  });
  return out.size() <= max_body_text;
}

void Maker::add(storage::DerivedGroup& to, const storage::Sha256& name, const MessageScan& scan, bool complete) {
  for (std::string& t : texts_) t.clear();
  uint8_t marks = 0;
  const std::string_view header = scan.header(0);
  wire::mail::write_envelope(header, texts_[envelope]);
  make_keys(header);
  if (auto lines = wire::mail::folded_header_lines(header); lines && lines->size() <= max_header_text) {
    texts_[header_text] = std::move(*lines);
    marks |= has_header_text;
  }
  if (complete) {
    make_structure(scan);
    if (texts_[structure].size() <= max_structure) {
      marks |= has_structure;
    } else {
      texts_[structure].clear();
    }
    if (keep_ != KeepText::always && cheap_to_read(scan)) {
      marks |= text_in_message;
    } else if (make_body_text(scan)) {
      marks |= has_body_text;
    } else {
      texts_[body_text].clear();
    }
  }
  std::string_view blobs[column_count];
  std::copy(std::begin(texts_), std::end(texts_), std::begin(blobs));
  to.add(storage::derived_key(name), marks, blobs);
  constexpr size_t kept = 1 << 20;
  for (std::string& t : texts_) {
    if (t.capacity() > kept) std::string().swap(t);
  }
}

}  // namespace gateway::derived
