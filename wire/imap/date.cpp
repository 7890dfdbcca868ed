#include "wire/imap/date.h"

#include <array>
#include <cstdio>
#include <string_view>

#include "wire/base/flags.h"

namespace wire::imap {

namespace {

constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr int64_t day_seconds = 86400;

bool leap(int year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

int days_in(int year, int month) {
  constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && leap(year) ? 29 : days[month - 1];
}

struct Civil {
  int year = 0, month = 0, day = 0;
};

Civil civil_from_days(int64_t days) {
  // Eras of 400 years that begin on the 1st of March: the leap day is then the last of its year.
  days += 719468;
  int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  int64_t of_era = days - era * 146097;
  int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
  int64_t month = (5 * of_year + 2) / 153;
  Civil c;
  c.day = int(of_year - (153 * month + 2) / 5 + 1);
  c.month = int(month < 10 ? month + 3 : month - 9);
  c.year = int(year + era * 400 + (c.month <= 2 ? 1 : 0));
  return c;
}

int64_t floor_days(int64_t seconds) {
  return seconds >= 0 ? seconds / day_seconds : -((-seconds + day_seconds - 1) / day_seconds);
}

// Exactly `count` digits.
bool digits(Cursor& c, int count, int& out) {
  out = 0;
  for (int i = 0; i < count; ++i) {
    char ch = c.peek();
    if (ch < '0' || ch > '9') return c.malformed("date: digit expected");
    out = out * 10 + (ch - '0');
    c.expect(ch);
  }
  return c.ok();
}

bool month_name(Cursor& c, int& out) {
  for (size_t i = 0; i < months.size(); ++i) {
    if (c.accept_word(months[i])) {
      out = int(i) + 1;
      return true;
    }
  }
  return c.malformed("date: month expected");
}

bool valid(Cursor& c, const Civil& date) {
  // RFC 3501's date grammar has no year 0; month 13 cannot be spelled.
  if (date.year < 1 || date.day < 1 || date.day > days_in(date.year, date.month)) {
    return c.malformed("date: no such day");
  }
  return true;
}

bool is_digit(char ch) { return ch >= '0' && ch <= '9'; }

}  // namespace

int32_t days_from_civil(int year, int month, int day) {
  if (month <= 2) --year;
  int era = (year >= 0 ? year : year - 399) / 400;
  int of_era = year - era * 400;
  int of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

// date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
bool parse(Cursor& c, base::InternalDate& out) {
  if (!c.expect('"')) return false;
  Civil date;
  if (c.accept(' ')) {
    digits(c, 1, date.day);
  } else {
    digits(c, 1, date.day);
    if (is_digit(c.peek())) {
      int low = 0;
      digits(c, 1, low);
      date.day = date.day * 10 + low;
    } else if (!c.leniency().loose_date) {
      return c.malformed("date: two-digit day expected");
    }
  }
  int hour = 0, minute = 0, second = 0;
  if (!(c.expect('-') && month_name(c, date.month) && c.expect('-') && digits(c, 4, date.year) && valid(c, date) &&
        c.sp() && digits(c, 2, hour) && c.expect(':') && digits(c, 2, minute) && c.expect(':') &&
        digits(c, 2, second) && c.sp())) {
    return false;
  }
  if (hour > 23 || minute > 59 || second > 60) return c.malformed("date: no such time");
  if (second == 60) second = 59;
  int zone = 0;
  if (c.peek() == '+' || c.peek() == '-') {
    bool west = c.accept('-');
    if (!west && !c.expect('+')) return false;
    int zone_hours = 0, zone_minutes = 0;
    if (!digits(c, 2, zone_hours) || !digits(c, 2, zone_minutes)) return false;
    if (zone_hours > 23 || zone_minutes > 59) return c.malformed("date: no such zone");
    zone = zone_hours * 60 + zone_minutes;
    if (west) zone = -zone;
  } else if (!c.leniency().loose_date || !(c.accept_word("GMT") || c.accept_word("UTC") || c.accept_word("UT"))) {
    return c.malformed("date: zone expected");
  }
  if (!c.expect('"')) return false;
  out.seconds =
      days_from_civil(date.year, date.month, date.day) * day_seconds + hour * 3600 + minute * 60 + second - zone * 60;
  out.zone_minutes = int16_t(zone);
  return true;
}

std::string to_string(const base::InternalDate& date) {
  int64_t local = date.seconds + int64_t{date.zone_minutes} * 60;
  int64_t days = floor_days(local);
  int64_t rest = local - days * day_seconds;
  Civil civil = civil_from_days(days);
  // Years that four digits cannot say do not come from the wire; a damaged record must still give a date.
  if (civil.year < 1) civil = {1, 1, 1};
  if (civil.year > 9999) civil = {9999, 12, 31};
  int zone = date.zone_minutes < 0 ? -date.zone_minutes : date.zone_minutes;
  char text[64];
  std::snprintf(text, sizeof text, "%2d-%s-%04d %02d:%02d:%02d %c%02d%02d", civil.day,
                months[size_t(civil.month - 1)].data(), civil.year, int(rest / 3600), int(rest / 60 % 60),
                int(rest % 60), date.zone_minutes < 0 ? '-' : '+', zone / 60, zone % 60);
  return text;
}

void write(Writer& w, const base::InternalDate& date) { w.raw('"').raw(to_string(date)).raw('"'); }

// date = date-text / DQUOTE date-text DQUOTE
bool parse(Cursor& c, Day& out) {
  bool quoted = c.accept('"');
  Civil date;
  if (!digits(c, 1, date.day)) return false;
  if (is_digit(c.peek())) {
    int low = 0;
    digits(c, 1, low);
    date.day = date.day * 10 + low;
  }
  if (!(c.expect('-') && month_name(c, date.month) && c.expect('-') && digits(c, 4, date.year) && valid(c, date))) {
    return false;
  }
  if (quoted && !c.expect('"')) return false;
  out.days = days_from_civil(date.year, date.month, date.day);
  return true;
}

void write(Writer& w, const Day& day) {
  Civil c = civil_from_days(day.days);
  char text[64];
  std::snprintf(text, sizeof text, "%d-%s-%04d", c.day, months[size_t(c.month - 1)].data(), c.year);
  w.raw(text);
}

Day day_of(const base::InternalDate& date) {
  return {int32_t(floor_days(date.seconds + int64_t{date.zone_minutes} * 60))};
}

}  // namespace wire::imap
