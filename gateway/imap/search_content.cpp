#include "gateway/imap/search_content.h"

#include <algorithm>

#include "gateway/derived/content.h"
#include "wire/imap/date.h"
#include "wire/mail/date.h"
#include "wire/mail/header.h"
#include "wire/mail/scan.h"
#include "wire/mail/search_text.h"

namespace gateway::imap {

bool ScannedContent::field_contains(std::string_view name, std::string_view needle) {
  return wire::mail::field_contains(scan_.header(0), name, needle);
}

std::optional<int32_t> ScannedContent::sent_day() {
  const auto field = wire::mail::find_field(scan_.header(0), "Date");
  if (!field) return std::nullopt;
  const auto date = wire::mail::parse_date_header(field->value);
  if (!date) return std::nullopt;
  return wire::imap::days_from_civil(date->year, date->month, date->day);
}

void ScannedContent::for_each_text(bool own_header, const std::function<bool(std::string_view)>& visit) {
  wire::mail::for_each_text(scan_, own_header, {}, visit);
}

bool DerivedContent::stand(const storage::Sha256& name, uint8_t marks, uint8_t wanted) {
  name_ = name;
  lost_ = false;
  in_message_ = (marks & derived::text_in_message) != 0;
  if (in_message_) marks |= derived::has_body_text;
  return (marks & wanted) == wanted;
}

// Its bytes until the next call; nullopt: they cannot be read.
std::optional<std::string_view> DerivedContent::message() {
  auto reader = open_(name_);
  if (!reader) return std::nullopt;
  message_.resize(reader->size());
  const auto n = reader->read(0, std::span(reinterpret_cast<uint8_t*>(message_.data()), message_.size()));
  if (!n || *n != message_.size()) return std::nullopt;
  return message_;
}

std::string_view DerivedContent::column(size_t c) {
  const auto blob = reader_.column(c);
  if (!blob) lost_ = true;
  return blob.value_or(std::string_view());
}

bool DerivedContent::field_contains(std::string_view name, std::string_view needle) {
  return wire::mail::line_field_contains(column(derived::header_text), name, needle);
}

std::optional<int32_t> DerivedContent::sent_day() {
  const std::string_view blob = column(derived::keys);
  if (lost_) return std::nullopt;
  return derived::read_day(blob);
}

void DerivedContent::for_each_text(bool own_header, const std::function<bool(std::string_view)>& visit) {
  if (own_header) {
    header_ = column(derived::header_text);
    std::replace(header_.begin(), header_.end(), '\n', ' ');
    if (lost_ || !visit(header_)) return;
  }
  if (in_message_) {
    const auto bytes = message();
    lost_ = !bytes;
    if (!lost_) wire::mail::for_each_text(wire::mail::scan(*bytes), false, {}, visit);
    return;
  }
  const std::string_view text = column(derived::body_text);
  if (!lost_ && !text.empty()) visit(text);
}

}  // namespace gateway::imap
