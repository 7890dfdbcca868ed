// What is kept of a message in derived.data (docs/derived-data.md): the answers to ENVELOPE, BODY and BODYSTRUCTURE,
// the tree of parts, what SORT and THREAD compare (sort_keys.h), and folded text for SEARCH. Made from the same
// functions that answer without it, so that nobody can tell whether it was there. Values; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/derived.h"
#include "wire/mail/part.h"

namespace gateway::derived {

// Columns. On disk: never renumber without raising the content number.
enum Column : uint8_t { envelope, structure, keys, header_text, body_text };
inline constexpr uint8_t column_count = 5;

// What an entry has: what is too large, or cannot be written in this form, is asked of the message's bytes instead.
// ENVELOPE and the keys are always there. On disk.
enum Mark : uint8_t {
  has_structure = 1,
  has_header_text = 2,
  has_body_text = 4,
  // The text is cheap to make again from the message: that of the body is not kept, and of the header only those fields
  // that have search keys of their own (header_fields.h).
  text_in_message = 8,
};

// Which text of bodies is kept. A message is mostly text, or short: then reading it costs little more than reading its
// text would, which would be the largest part of the file by far.
enum class KeepText : uint8_t { where_it_saves_much, always };

// Of this build's meaning of the blobs; also of ICU's, which the folded text depends on.
uint32_t content_number();

struct Structure {
  std::string_view body, body_structure;  // as FETCH writes them
  std::string_view parts;                 // for read_parts()
};
std::optional<Structure> read_structure(std::string_view blob);
// The tree of parts, as the scanner would make it. `bytes` of the result is empty. nullopt: damaged.
std::optional<wire::mail::MessageScan> read_parts(std::string_view parts);

// Adds messages to groups. Keeps its buffers.
class Maker {
 public:
  explicit Maker(KeepText keep = KeepText::where_it_saves_much) : keep_(keep) {}
  // `complete`: the scan is of the whole message, not of its header alone.
  void add(storage::DerivedGroup& to, const storage::Sha256& name, const wire::mail::MessageScan& scan, bool complete);

 private:
  void make_structure(const wire::mail::MessageScan& scan);
  bool make_body_text(const wire::mail::MessageScan& scan);

  const KeepText keep_;
  std::string texts_[column_count];
  std::string scratch_;
};

}  // namespace gateway::derived
