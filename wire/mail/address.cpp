#include "wire/mail/address.h"

#include <algorithm>

namespace wire::mail {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Words of one list element, joined as a display name and as an address are: white space between two words is one
// space, but none beside a dot of an address ("a . b" is a.b, "John Q. Public" stays).
class Words {
 public:
  void add(std::string_view word, bool space_before) {
    if (count_ > 0 && space_before) {
      phrase_ += ' ';
      if (!spec_.ends_with('.') && !word.starts_with('.')) {
        spec_ += ' ';
        if (!first_run_) first_run_ = spec_.size() - 1;
      }
    }
    phrase_ += word;
    spec_ += word;
    ++count_;
  }
  bool empty() const { return count_ == 0; }
  bool one_run() const { return !first_run_; }
  const std::string& phrase() const { return phrase_; }
  const std::string& spec() const { return spec_; }
  // Only what comes before white space, as a domain is.
  std::string first_run() const { return spec_.substr(0, first_run_.value_or(spec_.size())); }

 private:
  std::string phrase_, spec_;
  std::optional<size_t> first_run_;
  size_t count_ = 0;
};

class ListParser {
 public:
  ListParser(std::string_view text, size_t max) : text_(text), max_(max) {}

  std::vector<Address> run() {
    while (at_ < text_.size() && out_.size() < max_) element();
    if (in_group_) out_.push_back({});
    return std::move(out_);
  }

 private:
  enum class Stop { comma, semicolon, colon, angle, angle_end, at, end };

  // One address, group start or group end, with the separator after it.
  void element() {
    comment_.reset();
    Words words;
    Stop stop = read_words(words, ":;,<@");
    if (stop == Stop::colon && !in_group_) {
      out_.push_back({std::nullopt, std::nullopt, words.phrase(), std::nullopt});
      in_group_ = true;
      return;
    }
    Address address;
    bool found = false;
    if (stop == Stop::at) {
      // "a@b <c@d>" names c@d; what stands before is its display name.
      Words host;
      stop = read_words(host, ";,<");
      if (stop == Stop::angle) {
        words.add("@", false);
        words.add(host.phrase(), false);
      } else {
        address.mailbox = words.spec();
        address.host = host.first_run();
        found = true;
      }
    }
    if (stop == Stop::angle) {
      if (!words.phrase().empty()) address.name = words.phrase();
      angle(address);
      found = true;
      Words ignored;
      stop = read_words(ignored, ";,");
    }
    if (!found && !words.empty()) {
      if (words.one_run()) {
        address.mailbox = words.spec();
      } else {
        address.name = words.phrase();
        address.mailbox = missing_mailbox;
      }
      found = true;
    }
    if (found) {
      if (!address.name && comment_ && !comment_->empty()) address.name = comment_;
      if (!address.mailbox || address.mailbox->empty()) address.mailbox = missing_mailbox;
      if (!address.host || address.host->empty()) address.host = missing_domain;
      out_.push_back(std::move(address));
    }
    if (stop == Stop::semicolon && in_group_) {
      out_.push_back({});
      in_group_ = false;
    }
  }

  // After "<": [route ":"] local "@" domain ">". An unclosed one ends at the next comma.
  void angle(Address& address) {
    skip_blank();
    if (at_ < text_.size() && text_[at_] == '@') route(address);
    Words local;
    Stop stop = read_words(local, ",>@");
    address.mailbox = local.spec();
    if (stop == Stop::at) {
      Words host;
      stop = read_words(host, ",>");
      address.host = host.first_run();
    }
    if (stop == Stop::comma) --at_;
  }

  // RFC 5322 4.4 obs-route: "@a,@b:"; without the colon it is no route.
  void route(Address& address) {
    // Found once for all the angles before it: "<@,<@,<@" must not be quadratic.
    if (route_end_ < at_) route_end_ = std::min(text_.find_first_of(":>\"(", at_), text_.size());
    size_t end = route_end_;
    if (end == text_.size() || text_[end] != ':') return;
    std::string value;
    for (char c : text_.substr(at_, end - at_)) {
      if (!is_space(c)) value += c;
    }
    address.route = std::move(value);
    at_ = end + 1;
  }

  // Collects words up to one of `stops`, which is consumed. Comments go to comment_.
  Stop read_words(Words& words, std::string_view stops) {
    bool space = false;
    while (at_ < text_.size()) {
      char c = text_[at_];
      if (is_space(c)) {
        space = true;
        ++at_;
      } else if (c == '(') {
        comment();
        space = true;
      } else if (stops.find(c) != std::string_view::npos) {
        ++at_;
        return stop_of(c);
      } else if (c == '"') {
        if (quoted()) {
          words.add(quoted_, space);
        }
        space = false;
      } else {
        size_t from = at_;
        if (c == '[') {
          size_t close = text_.find_first_of("]\r\n,;<>", at_);
          at_ = close == std::string_view::npos ? text_.size() : close + (text_[close] == ']' ? 1 : 0);
        } else {
          ++at_;
          while (at_ < text_.size() && !is_space(text_[at_]) && text_[at_] != '(' && text_[at_] != '"' &&
                 stops.find(text_[at_]) == std::string_view::npos) {
            ++at_;
          }
        }
        std::string_view word = text_.substr(from, at_ - from);
        while (word.ends_with('>')) word.remove_suffix(1);  // "a@b>"
        if (!word.empty()) words.add(word, space);
        space = false;
      }
    }
    return Stop::end;
  }

  static Stop stop_of(char c) {
    switch (c) {
      case ',':
        return Stop::comma;
      case ';':
        return Stop::semicolon;
      case ':':
        return Stop::colon;
      case '<':
        return Stop::angle;
      case '>':
        return Stop::angle_end;
      default:
        return Stop::at;
    }
  }

  // Reads a quoted string into quoted_; one that is never closed loses its quote and is read as words.
  bool quoted() {
    quoted_.clear();
    size_t i = ++at_;
    if (no_more_quotes_) return false;
    for (; i < text_.size(); ++i) {
      char c = text_[i];
      if (c == '"') {
        at_ = i + 1;
        return true;
      }
      if (c == '\\' && i + 1 < text_.size()) c = text_[++i];
      if (c != '\r' && c != '\n') quoted_ += c;
    }
    no_more_quotes_ = true;
    return false;
  }

  void comment() {
    std::string value;
    size_t depth = 1;
    for (++at_; at_ < text_.size(); ++at_) {
      char c = text_[at_];
      if (c == '\\' && at_ + 1 < text_.size()) {
        c = text_[++at_];
      } else if (c == '(') {
        ++depth;
      } else if (c == ')' && --depth == 0) {
        ++at_;
        break;
      }
      if (c != '\r' && c != '\n') value += c;
    }
    if (!comment_) comment_ = std::move(value);
  }

  void skip_blank() {
    while (at_ < text_.size() && (is_space(text_[at_]) || text_[at_] == '(')) {
      if (text_[at_] == '(') {
        comment();
      } else {
        ++at_;
      }
    }
  }

  std::string_view text_;
  size_t max_;
  size_t at_ = 0;
  std::vector<Address> out_;
  std::string quoted_;
  std::optional<std::string> comment_;
  size_t route_end_ = 0;
  bool in_group_ = false;
  bool no_more_quotes_ = false;
};

}  // namespace

std::vector<Address> parse_address_list(std::string_view value, size_t max_addresses) {
  return ListParser(value, max_addresses).run();
}

}  // namespace wire::mail
