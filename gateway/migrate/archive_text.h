// What mail looks like in the folders and files that other programs read: line ends, mboxrd's quoting, Maildir's flag
// letters, folder names of Maildir++. Every transformation here has its inverse. Pure; any thread. No I/O.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "wire/base/flags.h"

namespace gateway::migrate {

// Whether each line of a message ends in CRLF and no CR or LF stands alone: only then LF alone, as Unix files have it,
// says the same. Fed piece by piece.
class LineEnds {
 public:
  void add(std::string_view piece);
  bool all_crlf() const { return pure_ && !after_cr_; }

 private:
  bool pure_ = true, after_cr_ = false;
};

// CRLF -> LF of a message that is all_crlf().
class ToUnix {
 public:
  void add(std::string_view piece, std::string& out);
};

// LF -> CRLF; what has its CR already stays. The inverse of ToUnix, and how foreign Unix files become messages.
class ToMail {
 public:
  void add(std::string_view piece, std::string& out);

 private:
  bool after_cr_ = false;
};

// mboxrd: a line that is any number of '>' and then "From " gets one more '>', or loses one.
class Quoting {
 public:
  enum class Way { quote, unquote };
  explicit Quoting(Way way) : way_(way) {}
  void add(std::string_view piece, std::string& out);
  void finish(std::string& out);  // what was held back

 private:
  void decide(std::string& out, bool from);
  const Way way_;
  bool in_start_ = true;  // of a line: only '>' and letters of "From " so far
  bool held_ = false;     // one '>' of them, which unquoting may have to drop
  size_t letters_ = 0;    // of "From "
};

// "FRS" <-> flags. Letters of Maildir that IMAP has no flag for (P, a to z) are passed over.
std::string maildir_letters(uint8_t system_flags);
uint8_t flags_of_letters(std::string_view letters);
// A Maildir file name's part before ":2,", and the letters after it.
std::string_view maildir_base(std::string_view file_name);
std::string_view letters_of(std::string_view file_name);

// "RO" and "AFT" of mbox's Status and X-Status headers. `recent`: never seen by a client.
std::string status_headers(uint8_t system_flags, std::string_view line_end);
uint8_t flags_of_status(std::string_view status, std::string_view x_status);

// One level of a mailbox name as part of a file name: letters, digits and most signs stay, everything else becomes %XX.
// Never empty, never longer than 120 bytes (then cut, with a hash).
std::string safe_level(std::string_view level);
std::string from_safe_level(std::string_view file);  // of one that was not cut

// Seconds since 1970 as mbox's "From " line has them: "Thu Jan  1 00:00:00 1970", UTC.
std::string asctime_utc(int64_t seconds);
// nullopt-like: false when it is no such date.
bool parse_asctime(std::string_view text, int64_t& seconds);

}  // namespace gateway::migrate
