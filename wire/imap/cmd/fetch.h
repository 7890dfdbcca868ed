// FETCH and UID FETCH (RFC 3501 6.4.5, 7162, 8474, 8514). Errors: Errc::malformed, Errc::limit. Values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "wire/base/ids.h"
#include "wire/imap/cursor.h"
#include "wire/imap/section.h"
#include "wire/imap/sets.h"
#include "wire/imap/writer.h"

namespace wire::imap::cmd {

inline constexpr size_t max_fetch_sections = 200;

struct Fetch {
  // Items without arguments, one bit each; macros are expanded when read.
  enum Item : uint16_t {
    uid_item = 1,
    flags = 2,
    internal_date = 4,
    rfc822_size = 8,
    envelope = 16,
    body = 32,
    body_structure = 64,
    modseq = 128,
    save_date = 256,
    email_id = 512,
    thread_id = 1024,
  };
  // BODY[...]<...> and RFC822 forms, in the order asked.
  struct Part {
    enum class Form : uint8_t { body, rfc822, rfc822_header, rfc822_text };
    Form form = Form::body;
    bool peek = false;  // BODY.PEEK; RFC822.HEADER never sets \Seen either
    Section section;
    std::optional<Partial> partial;
    bool sets_seen() const { return !peek && form != Form::rfc822_header; }
    bool operator==(const Part&) const = default;
  };

  bool uid = false;  // UID FETCH: `set` holds UIDs, and the reply always has UID
  SequenceSet set;
  uint16_t items = 0;
  std::vector<Part> parts;
  std::optional<base::ModSeq> changed_since;
  bool vanished = false;

  bool wants(Item item) const { return (items & item) != 0; }
  bool operator==(const Fetch&) const = default;
};
bool parse(Cursor& c, Fetch& out);
void write(Writer& w, const Fetch& c);

}  // namespace wire::imap::cmd
