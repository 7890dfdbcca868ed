// What is kept says the same as the message's bytes.
#include "gateway/derived/content.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/fault/fault_env.h"
#include "tests/support/odd_messages.h"
#include "wire/mail/body_structure.h"
#include "wire/mail/charset.h"
#include "wire/mail/envelope.h"
#include "wire/mail/fold.h"
#include "wire/mail/scan.h"
#include "wire/mail/search_text.h"

namespace gateway::derived {
namespace {

using tests::messages;

class Kept : public testing::TestWithParam<size_t> {
 protected:
  void SetUp() override {
    text = messages()[GetParam()];
    scan = wire::mail::scan(std::string_view(text));
    EXPECT_TRUE(env.make_directory("/d"));
    data = storage::DerivedData::open(env, "/d/derived.data", {{}, content_number(), column_count});
    storage::DerivedGroup group(column_count);
    Maker(KeepText::always).add(group, name, scan, true);
    EXPECT_TRUE(data->append(group));
    marks = reader.emplace(data->reader()).seek(name).value();
  }
  std::string column(Column c) { return std::string(reader->column(c).value()); }

  std::string text;
  wire::mail::MessageScan scan;
  storage::FaultEnv env;
  storage::Sha256 name{{1, 2, 3}};
  std::shared_ptr<storage::DerivedData> data;
  std::optional<storage::DerivedReader> reader;
  uint8_t marks = 0;
};
INSTANTIATE_TEST_SUITE_P(Messages, Kept, testing::Range(size_t{0}, messages().size()));

TEST_P(Kept, envelope_and_structures_are_those_of_the_bytes) {
  std::string out;
  wire::mail::write_envelope(scan.header(0), out);
  EXPECT_EQ(column(envelope), out);
  ASSERT_TRUE(marks & has_structure);
  const std::string blob = column(structure);
  const auto kept = read_structure(blob);
  ASSERT_TRUE(kept);
  out.clear();
  wire::mail::write_body_structure(scan, out, false);
  EXPECT_EQ(kept->body, out);
  out.clear();
  wire::mail::write_body_structure(scan, out, true);
  EXPECT_EQ(kept->body_structure, out);
}

TEST_P(Kept, parts_are_those_of_the_scan) {
  const std::string blob = column(structure);
  const auto kept = read_parts(read_structure(blob)->parts);
  ASSERT_TRUE(kept);
  ASSERT_EQ(kept->parts.size(), scan.parts.size());
  for (size_t i = 0; i < scan.parts.size(); ++i) {
    const wire::mail::Part &a = kept->parts[i], &b = scan.parts[i];
    EXPECT_EQ(a.header, b.header) << i;
    EXPECT_EQ(a.body, b.body) << i;
    EXPECT_EQ(a.body_lines, b.body_lines) << i;
    EXPECT_EQ(a.parent, b.parent) << i;
    EXPECT_EQ(a.first_child, b.first_child) << i;
    EXPECT_EQ(a.next, b.next) << i;
    EXPECT_EQ(a.depth, b.depth) << i;
    EXPECT_EQ(a.kind, b.kind) << i;
    EXPECT_EQ(a.in_digest, b.in_digest) << i;
    EXPECT_EQ(a.opaque, b.opaque) << i;
  }
}

TEST_P(Kept, every_term_of_a_header_is_found_exactly_where_the_bytes_have_it) {
  if (!(marks & has_header_text)) return;  // this header is asked of the bytes
  const std::string lines = column(header_text);
  std::string seen;
  wire::mail::for_each_text(scan, true, {}, [&](std::string_view folded) {
    seen = folded;
    return false;
  });
  std::string text_form = lines;
  std::replace(text_form.begin(), text_form.end(), '\n', ' ');
  EXPECT_EQ(text_form, seen);
  for (const char* field : {"Subject", "From", "X-Empty", "", "A B", "Absent", "Content-Type"}) {
    for (size_t at = 0; at < seen.size(); at += 3) {
      for (const size_t length : {size_t{0}, size_t{1}, size_t{4}, size_t{11}}) {
        const std::string needle = seen.substr(at, length);
        EXPECT_EQ(wire::mail::line_field_contains(lines, field, needle),
                  wire::mail::field_contains(scan.header(0), field, needle))
            << field << " " << needle;
      }
    }
  }
}

TEST_P(Kept, every_term_of_the_text_is_found_exactly_where_the_bytes_have_it) {
  ASSERT_TRUE(marks & has_body_text);
  const std::string kept = column(body_text);
  std::vector<std::string> needles = {"ZZZNOTHING", "STRASSE", "STRA", "SOFTBREAK", wire::mail::fold("\xc3\x9f"),
                                      "A;B;C"};
  wire::mail::for_each_text(scan, false, {}, [&](std::string_view folded) {
    for (size_t at = 0; at < folded.size(); at += 2) needles.emplace_back(folded.substr(at, 9));
    if (!folded.empty()) needles.push_back(std::string(folded.substr(folded.size() / 2)) + "X");
    return true;
  });
  for (const std::string& needle : needles) {
    EXPECT_EQ(wire::mail::contains(kept, needle), wire::mail::body_contains(scan, needle)) << needle;
  }
}

TEST_P(Kept, no_cut_of_a_blob_is_read_beyond_its_end) {
  const std::string parts(read_structure(column(structure))->parts);
  for (size_t n = 0; n < parts.size(); ++n) {
    const std::string cut(parts, 0, n);
    EXPECT_FALSE(read_parts(cut));
  }
}

TEST(BodyText, is_kept_where_the_message_is_much_more_than_its_text) {
  const auto marks_of = [](const std::string& text) {
    storage::FaultEnv env;
    EXPECT_TRUE(env.make_directory("/d"));
    const auto data = storage::DerivedData::open(env, "/d/derived.data", {{}, content_number(), column_count});
    storage::DerivedGroup group(column_count);
    const storage::Sha256 name{{1}};
    Maker().add(group, name, wire::mail::scan(std::string_view(text)), true);
    EXPECT_TRUE(data->append(group));
    auto reader = data->reader();
    const uint8_t marks = reader.seek(name).value();
    EXPECT_EQ((marks & has_body_text) != 0, !reader.column(body_text)->empty());
    return marks & (has_body_text | text_in_message);
  };
  const auto with_attachment = [](size_t text, size_t attached) {
    return "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + std::string(text, 'x') +
           "\r\n--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
           std::string(attached, 'A') + "\r\n--b--\r\n";
  };
  EXPECT_EQ(marks_of("\r\nshort"), text_in_message);
  EXPECT_EQ(marks_of("\r\n" + std::string(1'000'000, 'x')), text_in_message);
  EXPECT_EQ(marks_of(with_attachment(400, 2'000)), text_in_message);
  EXPECT_EQ(marks_of(with_attachment(400, 20'000)), has_body_text);
  EXPECT_EQ(marks_of(with_attachment(40'000, 20'000)), text_in_message);
  EXPECT_EQ(marks_of(with_attachment(40'000, 200'000)), has_body_text);
}

TEST(Entries, of_an_envelope_that_no_blob_can_hold_are_not_made) {
  std::string header;
  for (int i = 0; i < 6; ++i)
    header += "To: " + std::string(1'000'000, 't') + "@x\r\nCc: " + std::string(1'000'000, 'c') + "@x\r\n";
  storage::DerivedGroup group(column_count);
  Maker().add(group, {}, wire::mail::scan(std::string_view(header + "\r\n")), true);
  EXPECT_TRUE(group.empty());
}

TEST(HeaderText, is_kept_but_of_headers_that_cannot_be_written_as_lines) {
  EXPECT_TRUE(wire::mail::folded_header_lines("Subject: x\r\nX-Empty:\r\nno colon\r\n: nameless\r\n\r\n"));
  EXPECT_EQ(wire::mail::folded_header_lines("Subject: a\r\n b\r\nTo:x\r\n\r\n"), "SUBJECT: A B\nTO: X\n");
  EXPECT_FALSE(wire::mail::folded_header_lines("Subject: =?utf-8?q?_x?=\r\n\r\n")) << "a space that would be lost";
  EXPECT_FALSE(wire::mail::folded_header_lines("Content-Disposition: a; filename*=utf-8''x%41\r\n\r\n"));
  EXPECT_FALSE(wire::mail::folded_header_lines("X  Y: z\r\n\r\n"));
}

}  // namespace
}  // namespace gateway::derived
