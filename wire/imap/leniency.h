// Which deviations of a peer are tolerated while its bytes are read. A plain value, strict by default; the quirk
// profile fills it for servers and clients that need it. The grammar consults nothing else.
#pragma once

namespace wire::imap {

struct Leniency {
  bool bare_lf = false;         // a line may end in LF without CR
  bool extra_space = false;     // several SP where one belongs, SP before ")" or before the end of the line
  bool no_status_text = false;  // "A1 OK" without the text that RFC 3501 resp-text demands
  bool eight_bit = false;       // bytes >= 0x80 in quoted strings and astrings (RFC 3501 wants a literal)
  bool loose_flags = false;     // flag words that are no atoms, e.g. "[Junk]": kept as they stand
  bool loose_date = false;      // INTERNALDATE with a one-digit day without its pad, or with a zone name
  bool bad_response = false;    // an untagged line that the grammar refuses becomes UnknownData, not a failure
};

}  // namespace wire::imap
