#include "gateway/imap/search_content.h"

#include <algorithm>

#include "gateway/derived/content.h"
#include "gateway/derived/header_fields.h"
#include "gateway/derived/sort_keys.h"
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
  scan_.reset();
  if (in_message_) marks |= derived::has_body_text | derived::has_header_text;
  return (marks & wanted) == wanted;
}

bool DerivedContent::read_message() {
  auto reader = open_(name_);
  if (!reader) return false;
  message_.resize(reader->size());
  const auto n = reader->read(0, std::span(reinterpret_cast<uint8_t*>(message_.data()), message_.size()));
  return n && *n == message_.size();
}

const wire::mail::MessageScan* DerivedContent::message() {
  if (!scan_ && read_message()) scan_ = wire::mail::scan(message_);
  if (!scan_) lost_ = true;
  return scan_ ? &*scan_ : nullptr;
}

std::string_view DerivedContent::column(size_t c) {
  const auto blob = reader_.column(c);
  if (!blob) lost_ = true;
  return blob.value_or(std::string_view());
}

bool DerivedContent::field_contains(std::string_view name, std::string_view needle) {
  const std::string_view kept = column(derived::header_text);
  if (!in_message_) return wire::mail::line_field_contains(kept, name, needle);
  if (lost_) return false;
  const auto answer = derived::header_field_contains(kept, column(derived::envelope), name, needle);
  if (answer) return *answer;
  const auto* scan = message();
  return scan && wire::mail::field_contains(scan->header(0), name, needle);
}

std::optional<int32_t> DerivedContent::sent_day() {
  const std::string_view blob = column(derived::keys);
  if (lost_) return std::nullopt;
  return derived::read_day(blob, column(derived::envelope));
}

void DerivedContent::for_each_text(bool own_header, const std::function<bool(std::string_view)>& visit) {
  if (in_message_) {
    if (const auto* scan = message()) wire::mail::for_each_text(*scan, own_header, {}, visit);
    return;
  }
  if (own_header) {
    header_ = column(derived::header_text);
    std::replace(header_.begin(), header_.end(), '\n', ' ');
    if (lost_ || !visit(header_)) return;
  }
  const std::string_view text = column(derived::body_text);
  if (!lost_ && !text.empty()) visit(text);
}

}  // namespace gateway::imap
