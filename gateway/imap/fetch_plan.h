// What a FETCH asks of each message: how much of its bytes must be at hand, and which items in which order. Values
// only; any thread.
#pragma once

#include "wire/imap/cmd/fetch.h"
#include "wire/imap/fetch_data.h"
#include "wire/mail/section.h"

namespace gateway::imap {

using FetchArgs = wire::imap::cmd::Fetch;

struct FetchPlan {
  explicit FetchPlan(FetchArgs a);

  FetchArgs args;
  bool with_uid = false;
  bool with_flags = false;
  bool with_modseq = false;
  bool sets_seen = false;  // some part is not a peek
  bool streams = false;    // some part is the whole message
  bool header = false;     // ENVELOPE, or sections of the message's header
  bool scan = false;       // structure, or sections of parts

  bool content() const { return streams || header || scan; }
  // Only items that derived data has.
  bool derivable() const { return content() && args.parts.empty(); }
  // Nothing of the content but sections of parts.
  bool only_sections() const {
    return scan && !streams && !args.wants(FetchArgs::envelope) && !args.wants(FetchArgs::body) &&
           !args.wants(FetchArgs::body_structure);
  }
};

// The part as it is called in the reply, and as the scanner knows it.
wire::imap::FetchSection reply_section(const FetchArgs::Part& part);
wire::mail::SectionSpec section_spec(const FetchArgs::Part& part);
// The whole message: streamed, never scanned.
bool is_whole_message(const FetchArgs::Part& part);
bool is_message_header(const FetchArgs::Part& part);

}  // namespace gateway::imap
