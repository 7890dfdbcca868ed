// FETCH reply (RFC 3501 7.4.2, 7162, 8474, 8514). No allocation for UID, FLAGS without keywords, MODSEQ and the like.
// The slices and strings are views into the frame: use them before the next Framer::next().
// Errors: Errc::malformed, Errc::limit. Values only; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/base/flags.h"
#include "wire/base/ids.h"
#include "wire/imap/cursor.h"
#include "wire/imap/flags.h"
#include "wire/imap/section.h"
#include "wire/imap/writer.h"

namespace wire::imap {

struct FetchSection {
  // What it was called: BODY[section], or the RFC 3501 short forms.
  enum class Form : uint8_t { body, rfc822, rfc822_header, rfc822_text };
  Form form = Form::body;
  Section section;                 // form body only
  std::optional<uint32_t> origin;  // <n>
  StringRef value;
};

struct FetchData {
  base::SeqNo seq;
  std::optional<base::Uid> uid;
  std::optional<FlagList> flags;
  std::optional<base::ModSeq> modseq;
  std::optional<base::InternalDate> internal_date;
  std::optional<base::InternalDate> save_date;
  bool save_date_nil = false;    // SAVEDATE NIL
  std::optional<uint64_t> size;  // RFC822.SIZE
  RawSlice envelope;             // the value with its parentheses, unread; empty if absent
  RawSlice body_structure;
  RawSlice body;
  std::string_view email_id;   // empty if absent
  std::string_view thread_id;  // empty if absent or NIL
  std::vector<FetchSection> sections;
};

// After "* ": from the sequence number on. Unknown items are skipped.
bool parse(Cursor& c, FetchData& out);
// Writes "n FETCH (...)" from a parsed value; `literals` are those of the frame it came from. Streamed literals cannot
// be written back: the writer fails.
void write(Writer& w, const FetchData& data, std::span<const Literal> literals = {});

// What a literal that Framer::Event::literal announces belongs to, from the frame's text so far: for the client that
// decides whether to stream it. nullopt if the text is no FETCH reply or the literal is inside something else
// (ENVELOPE, BODYSTRUCTURE). `data` gets what stands before it (seq, uid, flags...), as far as it is there.
std::optional<FetchSection> fetch_literal_owner(std::string_view text, std::span<const Literal> literals,
                                                FetchData& data, const Leniency& leniency = {});

// The server's side: one reply, item by item, straight into the buffer.
class FetchWriter {
 public:
  FetchWriter(Writer& w, base::SeqNo seq);  // "* n FETCH ("
  void uid(base::Uid uid);
  void flags(const FlagList& flags);
  void modseq(base::ModSeq modseq);
  void internal_date(const base::InternalDate& date);
  void save_date(const std::optional<base::InternalDate>& date);
  void size(uint64_t octets);
  void envelope(std::string_view text);  // ready IMAP syntax with its parentheses
  void body_structure(std::string_view text);
  void body(std::string_view text);
  void email_id(std::string_view id);
  void thread_id(std::string_view id);  // empty: NIL
  void section(const FetchSection& section, std::string_view bytes);
  void section_nil(const FetchSection& section);
  // Announces `size` bytes that the caller sends itself after the buffer so far, before anything else is written.
  void section_header(const FetchSection& section, uint64_t size);
  void end();  // ")" CRLF

 private:
  Writer& item(std::string_view name);
  void section_name(const FetchSection& section);
  Writer& w_;
  bool first_ = true;
};

}  // namespace wire::imap
