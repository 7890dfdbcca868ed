#include "wire/mail/envelope_view.h"

#include <charconv>

namespace wire::mail {
namespace {

constexpr std::string_view nil = "NIL";

// Takes what lies at the beginning of a text, and fails for good at the first thing that does not belong.
class Taker {
 public:
  explicit Taker(std::string_view text) : rest_(text) {}
  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }

  bool take(std::string_view what) {
    if (!rest_.starts_with(what)) return false;
    rest_.remove_prefix(what.size());
    return true;
  }
  void need(char c) { ok_ = take(std::string_view(&c, 1)) && ok_; }

  // An nstring as it is written.
  std::string_view string() {
    const std::string_view before = rest_;
    if (take(nil)) return before.substr(0, nil.size());
    if (take("\"")) {
      size_t at = 0;
      while (at < rest_.size() && rest_[at] != '"') at += rest_[at] == '\\' ? 2 : 1;
      skip(at + 1);
    } else {
      need('{');
      size_t octets = 0;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), octets);
      ok_ = ok_ && error == std::errc();
      if (ok_) rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
      ok_ = take("}\r\n") && ok_;
      skip(octets);
    }
    return ok_ ? before.substr(0, before.size() - rest_.size()) : nil;
  }

  std::string_view address_list() {
    const std::string_view before = rest_;
    if (take(nil)) return before.substr(0, nil.size());
    need('(');
    while (ok_ && take("(")) {
      for (int i = 0; i < 4; ++i) {
        if (i > 0) need(' ');
        string();
      }
      need(')');
    }
    need(')');
    return ok_ ? before.substr(0, before.size() - rest_.size()) : nil;
  }

 private:
  void skip(size_t n) {
    ok_ = ok_ && n <= rest_.size();
    if (ok_) rest_.remove_prefix(n);
  }

  std::string_view rest_;
  bool ok_ = true;
};

std::optional<std::string> value_of(std::string_view written) {
  if (written == nil) return std::nullopt;
  if (written.starts_with('{')) return std::string(written.substr(written.find('\n') + 1));
  std::string out;
  out.reserve(written.size());
  for (size_t i = 1; i + 1 < written.size(); ++i) {
    if (written[i] == '\\') ++i;
    out += written[i];
  }
  return out;
}

}  // namespace

std::optional<EnvelopeView> EnvelopeView::read(std::string_view text) {
  EnvelopeView out;
  Taker in(text);
  in.need('(');
  for (size_t i = 0; i < item_count; ++i) {
    if (i > 0) in.need(' ');
    out.items_[i] = is_address_list(static_cast<Item>(i)) ? in.address_list() : in.string();
  }
  in.need(')');
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return out;
}

std::optional<std::string> EnvelopeView::text(Item item) const { return value_of(items_[item]); }

std::vector<Address> EnvelopeView::addresses(Item item) const {
  std::vector<Address> out;
  Taker in(items_[item]);
  if (!in.take("(")) return out;
  while (in.take("(")) {
    Address a;
    std::optional<std::string>* parts[] = {&a.name, &a.route, &a.mailbox, &a.host};
    for (size_t i = 0; i < std::size(parts); ++i) {
      if (i > 0) in.need(' ');
      *parts[i] = value_of(in.string());
    }
    in.need(')');
    out.push_back(std::move(a));
  }
  return out;
}

}  // namespace wire::mail
