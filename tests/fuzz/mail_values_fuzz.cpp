// Any bytes as a field value or a text: parsers end, writers stay balanced, decoders keep their bounds and give UTF-8.
#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "tests/fuzz/mail_oracle.h"
#include "wire/mail/address.h"
#include "wire/mail/charset.h"
#include "wire/mail/date.h"
#include "wire/mail/encoded_word.h"
#include "wire/mail/envelope.h"
#include "wire/mail/envelope_view.h"
#include "wire/mail/fold.h"
#include "wire/mail/imap_text.h"
#include "wire/mail/mime_fields.h"
#include "wire/mail/search_text.h"
#include "wire/mail/transfer.h"

namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::cerr << what << '\n';
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace mail = wire::mail;
  std::string_view text(reinterpret_cast<const char*>(data), size);

  auto addresses = mail::parse_address_list(text, 100);
  require(addresses.size() <= 102, "more addresses than asked for");
  for (const auto& a : addresses) require(a.mailbox || !a.host, "a host without a mailbox");
  std::string envelope;
  mail::write_envelope("To: " + std::string(text) + "\r\n\r\n", envelope);
  require(tests::check_list(envelope).empty(), "ENVELOPE is not a list");
  const auto view = mail::EnvelopeView::read(envelope);
  require(view.has_value(), "ENVELOPE is not read back");
  // Only a NUL is not what it was (RFC 3501, CHAR8).
  if (text.find('\0') == std::string_view::npos && text.find_first_of("\r\n") == std::string_view::npos) {
    require(view->addresses(mail::EnvelopeView::to) == mail::parse_address_list(text), "other addresses are read back");
  }
  mail::EnvelopeView::read(text);

  std::string written;
  mail::write_string(text, written);
  require(tests::check_list(written).empty(), "not a string");

  if (auto type = mail::parse_content_type(text)) {
    require(!type->type.empty() && !type->subtype.empty(), "an empty type");
    mail::decode_parameter(type->parameters, "name");
  }
  mail::parse_disposition(text);
  mail::parse_language(text);
  mail::parse_token(text);

  require(mail::decode_base64(text, 16).size() <= 16, "base64 exceeds its bound");
  require(mail::decode_quoted_printable(text, 16).size() <= 16, "quoted-printable exceeds its bound");
  require(mail::decode_base64(text, size + 3).size() <= size, "base64 grows");
  require(mail::decode_quoted_printable(text, size * 2 + 2).size() <= size * 2, "quoted-printable grows");

  std::string decoded = mail::decode_header_text(text);
  require(mail::valid_utf8(decoded), "a decoded header is not UTF-8");
  for (const char* charset : {"", "utf-8", "iso-2022-jp", "gb18030", "utf-7", "no-such-charset"}) {
    require(mail::valid_utf8(mail::to_utf8(text, charset)), "converted text is not UTF-8");
  }
  std::string folded = mail::fold(decoded);
  require(mail::valid_utf8(folded), "folded text is not UTF-8");
  require(mail::contains(folded, mail::fold(decoded)), "a text does not contain itself");

  if (auto date = mail::parse_date_header(text)) {
    require(date->month >= 1 && date->month <= 12 && date->day >= 1 && date->day <= 31, "a date out of range");
  }
  auto scan = mail::scan(text);
  mail::text_contains(scan, "NEEDLE", {.part_output = 1000});
  return 0;
}
