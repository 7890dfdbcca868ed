#include "wire/mail/date.h"

#include <array>
#include <charconv>
#include <string>

#include "wire/base/flags.h"

namespace wire::mail {
namespace {

constexpr std::array<std::string_view, 12> months = {"jan", "feb", "mar", "apr", "may", "jun",
                                                     "jul", "aug", "sep", "oct", "nov", "dec"};

struct NamedZone {
  std::string_view name;
  int16_t minutes;
};
// RFC 5322 4.3; other names and the military letters, which were defined the wrong way round, count as UTC.
constexpr std::array<NamedZone, 11> zones = {{{"edt", -240},
                                              {"est", -300},
                                              {"cdt", -300},
                                              {"cst", -360},
                                              {"mdt", -360},
                                              {"mst", -420},
                                              {"pdt", -420},
                                              {"pst", -480},
                                              {"cet", 60},
                                              {"cest", 120},
                                              {"bst", 60}}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

int number(std::string_view digits) {
  int value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc() && end == digits.data() + digits.size() ? value : -1;
}

// Days since 1970-01-01 of a date in the proleptic Gregorian calendar, counted in years that start in March.
int64_t days_since_epoch(int64_t year, int month, int day) {
  year -= month <= 2;
  int64_t era = (year >= 0 ? year : year - 399) / 400;
  int64_t year_of_era = year - era * 400;
  int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

class DateParser {
 public:
  explicit DateParser(std::string_view text) : text_(text) {}

  std::optional<SentDate> run() {
    while (at_ < text_.size()) {
      char c = text_[at_];
      if (c == '(') {
        skip_comment();
      } else if (is_alpha(c)) {
        word(take_while(is_alpha));
      } else if (is_digit(c)) {
        digits(take_while([](char x) { return is_digit(x) || x == ':'; }));
      } else if ((c == '+' || c == '-') && has_time_ && !has_zone_) {
        ++at_;
        zone(c == '-', take_while([](char x) { return is_digit(x) || x == ':'; }));
      } else {
        ++at_;
      }
    }
    if (month_ == 0 || day_ == 0 || year_ < 0) return std::nullopt;
    SentDate out;
    out.year = year_;
    out.month = static_cast<uint8_t>(month_);
    out.day = static_cast<uint8_t>(day_);
    out.at.zone_minutes = zone_;
    out.at.seconds = days_since_epoch(year_, month_, day_) * 86400 + seconds_ - zone_ * 60;
    return out;
  }

 private:
  template <class Predicate>
  std::string_view take_while(Predicate is_part) {
    size_t from = at_;
    while (at_ < text_.size() && is_part(text_[at_])) ++at_;
    return text_.substr(from, at_ - from);
  }

  void skip_comment() {
    size_t depth = 0;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '(') ++depth;
      if (text_[at_] == ')' && --depth == 0) {
        ++at_;
        return;
      }
    }
  }

  void word(std::string_view name) {
    if (month_ == 0) {
      for (size_t i = 0; i < months.size(); ++i) {
        if (base::iequals(name.substr(0, 3), months[i])) {
          month_ = static_cast<int>(i) + 1;
          return;
        }
      }
    }
    if (!has_time_ || has_zone_) return;
    for (const NamedZone& z : zones) {
      if (base::iequals(name, z.name)) {
        zone_ = z.minutes;
        has_zone_ = true;
      }
    }
  }

  void digits(std::string_view text) {
    if (text.find(':') != std::string_view::npos) {
      if (!has_time_) time(text);
      return;
    }
    int value = number(text);
    if (value < 0) return;
    if (day_ == 0 && text.size() <= 2) {
      if (value >= 1 && value <= 31) day_ = value;
    } else if (year_ < 0 && text.size() <= 4) {
      // RFC 5322 4.3: 00-49 is 20xx, 50-99 and three digits count from 1900.
      year_ = text.size() == 2 ? value + (value < 50 ? 2000 : 1900) : text.size() == 3 ? value + 1900 : value;
    }
  }

  // hh:mm[:ss]; what is out of range counts as midnight, the date still stands.
  void time(std::string_view text) {
    has_time_ = true;
    std::array<int, 3> fields = {0, 0, 0};
    for (size_t i = 0; i < fields.size() && !text.empty(); ++i) {
      size_t colon = text.find(':');
      fields[i] = number(text.substr(0, colon));
      text.remove_prefix(colon == std::string_view::npos ? text.size() : colon + 1);
    }
    if (fields[0] < 0 || fields[0] > 23 || fields[1] < 0 || fields[1] > 59 || fields[2] < 0 || fields[2] > 60) return;
    seconds_ = fields[0] * 3600 + fields[1] * 60 + fields[2];
  }

  void zone(bool west, std::string_view text) {
    std::string digits_only;
    for (char c : text) {
      if (c != ':') digits_only += c;
    }
    if (digits_only.size() == 2) digits_only += "00";
    int value = number(digits_only);
    if (digits_only.size() != 4 || value < 0 || value / 100 > 23 || value % 100 > 59) return;
    zone_ = static_cast<int16_t>((value / 100 * 60 + value % 100) * (west ? -1 : 1));
    has_zone_ = true;
  }

  std::string_view text_;
  size_t at_ = 0;
  int year_ = -1, month_ = 0, day_ = 0;
  int64_t seconds_ = 0;
  int16_t zone_ = 0;
  bool has_time_ = false, has_zone_ = false;
};

}  // namespace

std::optional<SentDate> parse_date_header(std::string_view value) { return DateParser(value).run(); }

}  // namespace wire::mail
