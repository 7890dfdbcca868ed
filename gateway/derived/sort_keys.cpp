#include "gateway/derived/sort_keys.h"

#include <algorithm>

#include "storage/coding.h"
#include "wire/imap/date.h"
#include "wire/mail/address.h"
#include "wire/mail/base_subject.h"
#include "wire/mail/charset.h"
#include "wire/mail/date.h"
#include "wire/mail/encoded_word.h"
#include "wire/mail/envelope_view.h"
#include "wire/mail/fold.h"
#include "wire/mail/header.h"

namespace gateway::derived {
namespace {

using wire::mail::EnvelopeView;

constexpr size_t max_references = 256, max_key = 1024, max_id = 255;
// Of a subject no more is looked at: what comes off its front is looked for again and again.
constexpr size_t max_subject = 4096;

// On disk.
enum KeyBit : uint8_t {
  has_date = 1,
  is_reply = 2,
  in_envelope = 4,       // all but the references
  answers_envelope = 8,  // these are those of its In-Reply-To
};

std::string cut(std::string text) {
  if (text.size() > max_key) text.resize(max_key);
  return text;
}

void take_date(SortKeys& k, std::string_view value) {
  const auto date = wire::mail::parse_date_header(value);
  if (!date) return;
  k.day = wire::imap::days_from_civil(date->year, date->month, date->day);
  k.instant = date->at.seconds;
}

void take_subject(SortKeys& k, std::string_view value) {
  std::string folded = wire::mail::fold(wire::mail::decode_header_text(wire::mail::trim(value)));
  if (folded.size() > max_subject) folded.resize(max_subject);
  k.subject = cut(std::string(wire::mail::base_subject(folded, &k.reply)));
}

std::string first_mailbox(const std::vector<wire::mail::Address>& list) {
  for (const wire::mail::Address& a : list) {
    if (a.mailbox) return cut(wire::mail::fold(wire::mail::to_utf8(*a.mailbox, {})));
  }
  return {};
}

std::string first_mailbox(std::string_view header, std::string_view name) {
  const auto field = wire::mail::find_field(header, name);
  return field ? first_mailbox(wire::mail::parse_address_list(field->value, 2)) : std::string();
}

// What stands from `at`, behind a "<", to its ">": without white space, and without quotes and escapes, for RFC 5256 3
// has <"a"@b> and <a@b> be the same. Moves `at` behind it; nullopt: it has no end.
std::optional<std::string> take_id(std::string_view value, size_t& at) {
  std::string id;
  for (bool quoted = false; at < value.size(); ++at) {
    char c = value[at];
    if (c == '>' && !quoted) {
      ++at;
      return id;
    }
    if (c == '"') {
      quoted = !quoted;
      continue;
    }
    if (c == '\\' && quoted && at + 1 < value.size()) c = value[++at];
    const bool space = c == ' ' || c == '\t' || c == '\r' || c == '\n';
    if (!space && id.size() < max_id) id += c;
  }
  return std::nullopt;
}

// msg-ids, lenient. Of very many the first and the last: the last is the parent, the first the thread.
std::vector<std::string> message_ids(std::string_view value, size_t most) {
  std::vector<std::string> out;
  size_t next = most;  // the place of the next one once there are that many
  for (size_t at = value.find('<'); at != std::string_view::npos; at = value.find('<', at)) {
    ++at;
    auto id = take_id(value, at);
    if (!id) break;
    if (id->empty()) continue;
    if (out.size() < most) {
      out.push_back(std::move(*id));
    } else if (most == 1) {
      break;
    } else {
      if (next >= most) next = 1;
      out[next++] = std::move(*id);
    }
  }
  if (next > 1 && next < most) {
    std::rotate(out.begin() + 1, out.begin() + static_cast<std::ptrdiff_t>(next), out.end());
  }
  return out;
}

std::string first_id(std::string_view value) {
  auto ids = message_ids(value, 1);
  return ids.empty() ? std::string() : std::move(ids.front());
}

// Without the references.
SortKeys keys_in(const EnvelopeView& envelope, const WantedKeys& wanted) {
  SortKeys k;
  if (wanted.date) {
    if (const auto date = envelope.text(EnvelopeView::date)) take_date(k, *date);
  }
  if (wanted.from) k.from = first_mailbox(envelope.addresses(EnvelopeView::from));
  if (wanted.to) k.to = first_mailbox(envelope.addresses(EnvelopeView::to));
  if (wanted.cc) k.cc = first_mailbox(envelope.addresses(EnvelopeView::cc));
  if (wanted.subject) {
    if (const auto subject = envelope.text(EnvelopeView::subject)) take_subject(k, *subject);
  }
  if (wanted.ids) {
    if (const auto id = envelope.text(EnvelopeView::message_id)) k.message_id = first_id(*id);
  }
  return k;
}

std::vector<std::string> answered_in(const EnvelopeView& envelope) {
  const auto value = envelope.text(EnvelopeView::in_reply_to);
  return value ? message_ids(*value, 1) : std::vector<std::string>();
}

}  // namespace

SortKeys sort_keys(std::string_view header) {
  SortKeys k;
  if (const auto field = wire::mail::find_field(header, "Date")) take_date(k, field->value);
  k.from = first_mailbox(header, "From");
  k.to = first_mailbox(header, "To");
  k.cc = first_mailbox(header, "Cc");
  if (const auto field = wire::mail::find_field(header, "Subject")) take_subject(k, field->value);
  if (const auto field = wire::mail::find_field(header, "Message-ID")) k.message_id = first_id(field->value);
  if (const auto field = wire::mail::find_field(header, "References")) {
    k.references = message_ids(field->value, max_references);
  }
  if (k.references.empty()) {
    if (const auto field = wire::mail::find_field(header, "In-Reply-To")) k.references = message_ids(field->value, 1);
  }
  return k;
}

void write_keys(std::string_view header, std::string_view envelope, std::string& out) {
  const SortKeys k = sort_keys(header);
  const auto view = EnvelopeView::read(envelope);
  uint8_t bits = (k.day ? has_date : 0) | (k.reply ? is_reply : 0);
  if (view) {
    SortKeys there = keys_in(*view, {});
    there.references = k.references;
    if (there == k) bits |= in_envelope;
    if (answered_in(*view) == k.references) bits |= answers_envelope;
  }
  storage::Buffer blob;
  blob.put<uint8_t>(bits);
  if (!(bits & in_envelope)) {
    blob.put_zigzag(k.day.value_or(0));
    blob.put_zigzag(k.instant.value_or(0));
    for (const std::string* text : {&k.from, &k.to, &k.cc, &k.subject, &k.message_id}) blob.put_text(*text);
  }
  if (!(bits & answers_envelope)) {
    blob.put_varint(k.references.size());
    for (const std::string& id : k.references) blob.put_text(id);
  }
  out += wire::base::as_text(blob.bytes());
}

std::optional<SortKeys> read_keys(std::string_view blob, std::string_view envelope, const WantedKeys& wanted) {
  storage::Reader in(wire::base::as_bytes(blob));
  const auto bits = in.get<uint8_t>();
  std::optional<EnvelopeView> view;
  if (bits & (in_envelope | answers_envelope)) {
    view = EnvelopeView::read(envelope);
    if (!view) return std::nullopt;
  }
  SortKeys k;
  if (bits & in_envelope) {
    k = keys_in(*view, wanted);
  } else {
    const int64_t day = in.zigzag(), instant = in.zigzag();
    if (bits & has_date) {
      k.day = static_cast<int32_t>(day);
      k.instant = instant;
    }
    k.reply = (bits & is_reply) != 0;
    for (std::string* text : {&k.from, &k.to, &k.cc, &k.subject, &k.message_id}) *text = in.text();
  }
  if (bits & answers_envelope) {
    if (wanted.ids) k.references = answered_in(*view);
  } else {
    for (size_t n = in.count(1); n > 0; --n) k.references.emplace_back(in.text());
  }
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return k;
}

std::optional<int32_t> read_day(std::string_view blob, std::string_view envelope) {
  storage::Reader in(wire::base::as_bytes(blob));
  const auto bits = in.get<uint8_t>();
  if (!in.ok() || !(bits & has_date)) return std::nullopt;
  if (!(bits & in_envelope)) {
    const int64_t day = in.zigzag();
    return in.ok() ? std::optional(static_cast<int32_t>(day)) : std::nullopt;
  }
  SortKeys k;
  const auto view = EnvelopeView::read(envelope);
  const auto value = view ? view->text(EnvelopeView::date) : std::nullopt;
  if (value) take_date(k, *value);
  return k.day;
}

}  // namespace gateway::derived
