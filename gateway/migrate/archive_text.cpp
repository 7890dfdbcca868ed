#include "gateway/migrate/archive_text.h"

#include <openssl/sha.h>

#include <algorithm>
#include <charconv>
#include <ctime>

namespace gateway::migrate {

namespace {

constexpr std::string_view from_line = "From ";
constexpr size_t longest_level = 120;
constexpr char digits[] = "0123456789ABCDEF";
constexpr std::string_view months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct Letter {
  char letter;
  uint8_t flag;
};
// In the order in which Maildir wants them: ASCII.
constexpr Letter maildir[] = {{'D', wire::base::draft},
                              {'F', wire::base::flagged},
                              {'R', wire::base::answered},
                              {'S', wire::base::seen},
                              {'T', wire::base::deleted}};
constexpr Letter x_status_letters[] = {
    {'A', wire::base::answered}, {'F', wire::base::flagged}, {'T', wire::base::draft}, {'D', wire::base::deleted}};

bool stays(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return std::string_view("-_&+,@ =!#()[]{}^~;").find(c) != std::string_view::npos;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

void LineEnds::add(std::string_view piece) {
  for (const char c : piece) {
    if (c == '\n' ? !after_cr_ : after_cr_) pure_ = false;
    after_cr_ = c == '\r';
  }
}

void ToUnix::add(std::string_view piece, std::string& out) {
  std::copy_if(piece.begin(), piece.end(), std::back_inserter(out), [](char c) { return c != '\r'; });
}

void ToMail::add(std::string_view piece, std::string& out) {
  for (const char c : piece) {
    if (c == '\n' && !after_cr_) out += '\r';
    out += c;
    after_cr_ = c == '\r';
  }
}

// `from`: the line turned out to be one.
void Quoting::decide(std::string& out, bool from) {
  if (from ? way_ == Way::quote : held_) out += '>';
  out += from_line.substr(0, letters_);
  held_ = in_start_ = false;
  letters_ = 0;
}

void Quoting::add(std::string_view piece, std::string& out) {
  for (const char c : piece) {
    if (in_start_ && c == '>' && letters_ == 0) {
      // All are alike: any of them can be the one that is added or dropped.
      if (way_ == Way::unquote && !held_) {
        held_ = true;
      } else {
        out += c;
      }
      continue;
    }
    if (in_start_ && c == from_line[letters_]) {
      if (++letters_ == from_line.size()) decide(out, true);
      continue;
    }
    if (in_start_) decide(out, false);
    out += c;
    if (c == '\n') in_start_ = true;
  }
}

void Quoting::finish(std::string& out) {
  decide(out, false);
  in_start_ = true;
}

std::string maildir_letters(uint8_t flags) {
  std::string out;
  for (const Letter& l : maildir) {
    if ((flags & l.flag) != 0) out += l.letter;
  }
  return out;
}

uint8_t flags_of_letters(std::string_view letters) {
  uint8_t out = 0;
  for (const Letter& l : maildir) {
    if (letters.find(l.letter) != std::string_view::npos) out |= l.flag;
  }
  return out;
}

std::string_view maildir_base(std::string_view name) { return name.substr(0, name.rfind(":2,")); }

std::string_view letters_of(std::string_view name) {
  const size_t at = name.rfind(":2,");
  return at == std::string_view::npos ? std::string_view() : name.substr(at + 3);
}

std::string status_headers(uint8_t flags, std::string_view line_end) {
  std::string out = (flags & wire::base::seen) != 0 ? "Status: RO" : "Status: O";
  out += line_end;
  std::string more;
  for (const Letter& l : x_status_letters) {
    if ((flags & l.flag) != 0) more += l.letter;
  }
  if (!more.empty()) out.append("X-Status: ").append(more).append(line_end);
  return out;
}

uint8_t flags_of_status(std::string_view status, std::string_view x_status) {
  uint8_t out = status.find('R') != std::string_view::npos ? wire::base::seen : 0;
  for (const Letter& l : x_status_letters) {
    if (x_status.find(l.letter) != std::string_view::npos) out |= l.flag;
  }
  return out;
}

std::string safe_level(std::string_view level) {
  std::string out;
  for (const char c : level) {
    if (stays(c)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', digits[byte >> 4], digits[byte & 15]};
    }
  }
  if (out.empty()) return "%";
  if (out.size() <= longest_level) return out;
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const uint8_t*>(level.data()), level.size(), digest);
  out.resize(longest_level - 18);
  if (const size_t cut = out.rfind('%'); cut != std::string::npos && cut + 3 > out.size()) out.resize(cut);
  out += "%~";
  for (size_t i = 0; i < 8; ++i) out += {digits[digest[i] >> 4], digits[digest[i] & 15]};
  return out;
}

std::string from_safe_level(std::string_view file) {
  std::string out;
  for (size_t i = 0; i < file.size(); ++i) {
    const int high = i + 2 < file.size() && file[i] == '%' ? hex_value(file[i + 1]) : -1;
    const int low = high < 0 ? -1 : hex_value(file[i + 2]);
    if (low < 0) {
      out += file[i];
      continue;
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::string asctime_utc(int64_t seconds) {
  // Four digits for the year: what is before 1970 or after 9999 is told by the side file alone.
  const std::time_t t = std::clamp<int64_t>(seconds, 0, 253402300799);
  std::tm utc{};
  gmtime_r(&t, &utc);
  static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  char text[40];
  const std::string month(months[utc.tm_mon]);
  std::snprintf(text, sizeof text, "%s %s %2d %02d:%02d:%02d %d", days[utc.tm_wday], month.c_str(), utc.tm_mday,
                utc.tm_hour, utc.tm_min, utc.tm_sec, utc.tm_year + 1900);
  return text;
}

bool parse_asctime(std::string_view text, int64_t& seconds) {
  // Wdy Mon DD HH:MM:SS [zone] YYYY
  std::string copy(text.substr(0, 60));
  char wday[4] = {}, month[4] = {}, zone[8] = {};
  std::tm utc{};
  int year = 0;
  if (std::sscanf(copy.c_str(), "%3s %3s %d %d:%d:%d %d", wday, month, &utc.tm_mday, &utc.tm_hour, &utc.tm_min,
                  &utc.tm_sec, &year) != 7 &&
      std::sscanf(copy.c_str(), "%3s %3s %d %d:%d:%d %7s %d", wday, month, &utc.tm_mday, &utc.tm_hour, &utc.tm_min,
                  &utc.tm_sec, zone, &year) != 8) {
    return false;
  }
  const auto* at = std::find(std::begin(months), std::end(months), std::string_view(month));
  if (at == std::end(months) || year < 1970 || year > 9999) return false;
  utc.tm_mon = static_cast<int>(at - std::begin(months));
  utc.tm_year = year - 1900;
  seconds = timegm(&utc);
  return true;
}

}  // namespace gateway::migrate
