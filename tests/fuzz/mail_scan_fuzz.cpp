// Any bytes as a message: the tree is sound, agrees with a naive splitter, and can be shown; sections stay inside.
#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "tests/fuzz/mail_oracle.h"
#include "wire/mail/body_structure.h"
#include "wire/mail/envelope.h"
#include "wire/mail/scan.h"
#include "wire/mail/section.h"

namespace {

void require(const std::string& wrong) {
  if (wrong.empty()) return;
  std::cerr << wrong << '\n';
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view message(reinterpret_cast<const char*>(data), size);
  for (const wire::mail::ScanLimits& limits :
       {wire::mail::ScanLimits{}, wire::mail::ScanLimits{.depth = 2, .parts = 4, .header = 64}}) {
    auto scan = wire::mail::scan(message, limits);
    require(tests::check_scan(scan, limits));
    if (limits.header > 64) require(tests::compare_with_naive(scan));
    for (bool extended : {false, true}) {
      std::string out;
      wire::mail::write_body_structure(scan, out, extended);
      require(tests::check_list(out));
    }
    std::string envelope;
    wire::mail::write_envelope(scan.header(0), envelope);
    require(tests::check_list(envelope));
    uint32_t path[] = {1, 1, 2};
    for (size_t length = 0; length <= 3; ++length) {
      using Kind = wire::mail::SectionKind;
      for (Kind kind : {Kind::whole, Kind::header, Kind::text, Kind::mime}) {
        auto range = wire::mail::find_section(scan, std::span(path, length), kind);
        if (range && (range->begin > range->end || range->end > size)) require("a section leaves the message");
      }
    }
  }
  return 0;
}
