#include "gateway/derived/content.h"

#include <algorithm>

#include "gateway/derived/header_fields.h"
#include "gateway/derived/sort_keys.h"
#include "wire/mail/body_structure.h"
#include "wire/mail/envelope.h"
#include "wire/mail/fold.h"
#include "wire/mail/search_text.h"

namespace gateway::derived {
namespace {

using wire::mail::MessageScan;
using wire::mail::no_part;
using wire::mail::Part;
using wire::mail::PartKind;

constexpr uint32_t meaning = 3;  // raised when a blob changes, or any function that it is made from

constexpr size_t max_structure = 1 << 20, max_header_text = 256 << 10, max_body_text = 4 << 20;

// A message of that size is read whole where only its text is wanted.
bool cheap_to_read(const MessageScan& scan) {
  constexpr size_t always = 4096, times_its_text = 4;
  return scan.bytes.size() <= always + times_its_text * wire::mail::text_octets(scan);
}

enum PartBit : uint8_t { kind_bits = 3, digest_bit = 4, opaque_bit = 8 };

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

void Maker::make_structure(const MessageScan& scan) {
  storage::Buffer blob;
  for (const bool extended : {false, true}) {
    scratch_.clear();
    wire::mail::write_body_structure(scan, scratch_, extended);
    blob.put_text(scratch_);
  }
  blob.put_varint(scan.parts.size());
  for (uint32_t i = 0; i < scan.parts.size(); ++i) {
    const Part& p = scan.parts[i];
    for (const uint64_t v :
         {uint64_t{p.header.begin}, uint64_t{p.header.size()}, uint64_t{p.body.begin}, uint64_t{p.body.size()},
          uint64_t{p.body_lines}, uint64_t{p.parent == no_part ? 0 : i - p.parent}, uint64_t{p.depth}}) {
      blob.put_varint(v);
    }
    blob.put<uint8_t>(static_cast<uint8_t>(p.kind) | (p.in_digest ? digest_bit : 0) | (p.opaque ? opaque_bit : 0));
  }
  texts_[structure] = wire::base::as_text(blob.bytes());
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
  write_keys(header, texts_[envelope], texts_[keys]);
  if (complete) {
    make_structure(scan);
    if (texts_[structure].size() <= max_structure) {
      marks |= has_structure;
    } else {
      texts_[structure].clear();
    }
    if (keep_ != KeepText::always && cheap_to_read(scan)) {
      marks |= text_in_message;
      write_header_fields(header, texts_[envelope], texts_[header_text]);
      if (texts_[header_text].size() > max_header_text) texts_[header_text].clear();  // the message is asked
    } else if (make_body_text(scan)) {
      marks |= has_body_text;
    } else {
      texts_[body_text].clear();
    }
  }
  if (!(marks & text_in_message)) {
    if (auto lines = wire::mail::folded_header_lines(header); lines && lines->size() <= max_header_text) {
      texts_[header_text] = std::move(*lines);
      marks |= has_header_text;
    }
  }
  std::string_view blobs[column_count];
  std::copy(std::begin(texts_), std::end(texts_), std::begin(blobs));
  // A header that makes such a blob is nobody's letter: it has no entry.
  const bool fits = std::all_of(std::begin(blobs), std::end(blobs),
                                [](std::string_view b) { return b.size() <= storage::derived_blob_max; });
  if (fits) to.add(storage::derived_key(name), marks, blobs);
  constexpr size_t kept = 1 << 20;
  for (std::string& t : texts_) {
    if (t.capacity() > kept) std::string().swap(t);
  }
}

}  // namespace gateway::derived
