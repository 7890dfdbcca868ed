// What is kept of a header, beside its envelope, says the same as the header.
#include <gtest/gtest.h>

#include "gateway/derived/header_fields.h"
#include "gateway/derived/sort_keys.h"
#include "tests/support/odd_messages.h"
#include "wire/mail/envelope.h"
#include "wire/mail/fold.h"
#include "wire/mail/scan.h"
#include "wire/mail/search_text.h"

namespace gateway::derived {
namespace {

std::string envelope_of(const std::string& header) {
  std::string out;
  wire::mail::write_envelope(header, out);
  return out;
}

std::string fields_of(const std::string& header) {
  std::string out;
  write_header_fields(header, envelope_of(header), out);
  return out;
}

std::string keys_blob(const std::string& header) {
  std::string out;
  write_keys(header, envelope_of(header), out);
  return out;
}

constexpr size_t no_texts = 10;  // a byte for each field

// Headers as programs write them, and as they should not.
std::vector<std::string> headers() {
  std::vector<std::string> all;
  for (const std::string& m : tests::messages()) {
    all.emplace_back(wire::mail::scan(std::string_view(m)).header(0));
  }
  for (const char* to : {"a@b",
                         "<a@b>",
                         "A B <a@b>",
                         "\"A B\" <a@b>",
                         "\"B, A\" <a@b>",
                         "\"B \\\"x\\\" A\" <a@b>,c@d",
                         "a@b, <c@d>",
                         "a@b,c@d",
                         "X <a@b>,\r\n\tY <c@d>",
                         "=?utf-8?q?J=C3=BCrgen?= <j@x>",
                         "undisclosed-recipients:;",
                         "g: a@b, c@d;",
                         "g:a@b,c@d;, e@f",
                         "(comment) a@b",
                         "a@b (Name)",
                         "a",
                         "<>",
                         "<@host:a@b>",
                         "\"quoted local\"@x",
                         ";",
                         "",
                         "J\xc3\xbcrgen <j@x>",
                         "J\xfcrgen <j@x>",
                         "a@b c@d",
                         "A. B. <a@b>"}) {
    for (const char* name : {"From", "To", "CC", "bcc", "Sender", "Reply-To"}) {
      all.push_back(std::string(name) + ": " + to + "\r\nSubject: s\r\n\r\n");
    }
  }
  all.emplace_back(
      "To: a@b\r\nto: c@d\r\nSubject: one\r\nSUBJECT: two\r\nDate: x\r\nDate: Tue, 5 Mar 2019 23:10:00 GMT\r\n\r\n");
  all.emplace_back("Message-ID:\r\n <folded@id>\r\nIn-Reply-To: <a@b> <c@d>\r\nReferences: <r@s>\r\n\r\n");
  all.emplace_back("Message-ID: <1@x> and <2@x>\r\nIn-Reply-To: <a@b>\r\n\r\n");
  all.emplace_back("Subject: a \"quoted\" \\ thing\r\nDate: Tue, 5 Mar 2019 23:10:00 -0800\r\n\r\n");
  all.emplace_back("Subject: " + std::string(3000, 's') + "\r\nTo: " + std::string(20'000, 't') + "\r\n\r\n");
  all.emplace_back("Subject: NUL " + std::string(1, '\0') + " in it\r\n\r\n");
  return all;
}

TEST(HeaderFields, answer_as_the_header_does) {
  for (const std::string& header : headers()) {
    const std::string blob = fields_of(header), envelope = envelope_of(header);
    for (const char* name :
         {"Date", "subject", "From", "Sender", "Reply-To", "TO", "Cc", "Bcc", "In-Reply-To", "Message-ID"}) {
      std::vector<std::string> needles = {"", "A", "A@B", ", ", "\"", "<", ">", ";", "ZZZ", " "};
      const std::string value = wire::mail::folded_field(header, name);
      for (size_t at = 0; at < value.size() && at < 200; at += 2) needles.push_back(value.substr(at, 7));
      needles.push_back(value + "X");
      for (const std::string& needle : needles) {
        if (needle.find('\n') != std::string::npos) continue;
        ASSERT_EQ(header_field_contains(blob, envelope, name, needle), wire::mail::field_contains(header, name, needle))
            << header << name << " " << needle;
      }
    }
    EXPECT_EQ(header_field_contains(blob, envelope, "X-Other", ""), std::nullopt) << "the message is to be asked";
  }
}

TEST(HeaderFields, are_not_kept_where_the_envelope_has_them_in_a_usual_form) {
  for (const char* to : {"a@b", "<a@b>", "A B <a@b>", "\"A B\" <a@b>", "\"B, A\" <a@b>, c@d", "a@b,c@d",
                         "X <a@b>,\r\n\tY <c@d>", "=?utf-8?q?J=C3=BCrgen?= <j@x>", "undisclosed-recipients:;"}) {
    EXPECT_EQ(
        fields_of("Date: Tue, 5 Mar 2019 23:10:00 -0800\r\nSubject: =?utf-8?q?J=C3=BCrgen?=\r\nFrom: x@y\r\nTo: " +
                  std::string(to) + "\r\nMessage-ID: <1@x>\r\n\r\n")
            .size(),
        no_texts)
        << to;
  }
  EXPECT_GT(fields_of("To: (comment) a@b\r\n\r\n").size(), no_texts);
  EXPECT_GT(fields_of("To: a@b\r\nTo: c@d\r\n\r\n").size(), no_texts);
}

TEST(HeaderFields, no_cut_of_a_blob_is_read_beyond_its_end) {
  const std::string header = "Subject: one\r\nSubject: two\r\nTo: (x) a@b\r\nMessage-ID: <1@x>\r\n\r\n";
  const std::string blob = fields_of(header), envelope = envelope_of(header);
  EXPECT_EQ(header_field_contains(blob, envelope, "Subject", "TWO"), true);
  for (size_t n = 0; n < blob.size(); ++n) {
    const std::string cut(blob, 0, n);
    EXPECT_EQ(header_field_contains(cut, envelope, "To", "A@B"), std::nullopt) << n;
  }
  for (size_t n = 0; n < envelope.size(); ++n) {
    const std::string cut(envelope, 0, n);
    EXPECT_EQ(header_field_contains(blob, cut, "Message-ID", "1"), std::nullopt) << n;
  }
}

TEST(SortKeysTest, are_those_of_the_header) {
  for (const std::string& header : headers()) {
    EXPECT_EQ(read_keys(keys_blob(header), envelope_of(header)), sort_keys(header)) << header;
    EXPECT_EQ(read_day(keys_blob(header), envelope_of(header)), sort_keys(header).day) << header;
    const auto some = read_keys(keys_blob(header), envelope_of(header), {true, false, true, false, false, false});
    ASSERT_TRUE(some) << header;
    EXPECT_EQ(some->instant, sort_keys(header).instant) << header;
    EXPECT_EQ(some->to, sort_keys(header).to) << header;
  }
}

TEST(SortKeysTest, are_not_kept_where_the_envelope_has_them) {
  EXPECT_EQ(
      keys_blob("Date: Tue, 5 Mar 2019 23:10:00 -0800\r\nSubject: Re: x\r\nFrom: x@y\r\nIn-Reply-To: <a@b>\r\n\r\n")
          .size(),
      1);
  EXPECT_EQ(keys_blob("Subject: x\r\nReferences: <a@b> <c@d>\r\n\r\n").size(), 10) << "the references alone";
  EXPECT_GT(keys_blob("Subject: x\r\nSubject: y\r\n\r\n").size(), 2) << "the envelope shows the last";
}

TEST(SortKeysTest, no_cut_of_a_blob_is_read_beyond_its_end) {
  for (const std::string header : {"Subject: x\r\nSubject: y\r\nReferences: <a@b>\r\n\r\n",
                                   "Subject: x\r\nDate: Tue, 5 Mar 2019 23:10:00 -0800\r\nReferences: <a@b>\r\n\r\n"}) {
    const std::string blob = keys_blob(header), envelope = envelope_of(header);
    EXPECT_TRUE(read_keys(blob, envelope));
    for (size_t n = 0; n < blob.size(); ++n) {
      const std::string cut(blob, 0, n);
      EXPECT_FALSE(read_keys(cut, envelope)) << n;
    }
  }
}

TEST(SortKeysTest, are_what_rfc_5256_compares) {
  const SortKeys k = sort_keys(tests::messages()[4]);
  EXPECT_EQ(k.day, 17960);  // 2019-03-05 as written
  EXPECT_EQ(k.instant, 1551856200);
  EXPECT_EQ(k.from, "J");
  EXPECT_EQ(k.to, "A");
  EXPECT_EQ(k.cc, "G");
  EXPECT_EQ(k.subject, wire::mail::fold("Stra\xc3\x9f"
                                        "e"));
  EXPECT_TRUE(k.reply);
  EXPECT_EQ(k.message_id, "1@x");
  EXPECT_EQ(k.references, (std::vector<std::string>{"a@x", "b@x"}));
}

TEST(SortKeysTest, have_one_form_of_an_id) {
  EXPECT_EQ(sort_keys("Message-ID: <\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>\r\n\r\n").message_id,
            "01KF8JCEOCBS0045PS@xxx.yyy.com");
  EXPECT_EQ(sort_keys("Message-ID: <\"a>\\b\"@c>\r\n\r\n").message_id, "a>b@c");
  EXPECT_EQ(sort_keys("Message-ID: <a\r\n b@c>\r\n\r\n").message_id, "ab@c");
}

TEST(SortKeysTest, of_many_references_keep_the_first_and_the_last) {
  for (const int count : {256, 257, 300, 1000}) {
    std::string header = "References:";
    for (int i = 0; i < count; ++i) header += " <" + std::to_string(i) + "@x>";
    const auto references = sort_keys(header + "\r\n\r\n").references;
    ASSERT_EQ(references.size(), 256u);
    EXPECT_EQ(references.front(), "0@x");
    for (int k = 1; k < 256; ++k) {
      ASSERT_EQ(references[static_cast<size_t>(k)], std::to_string(count - 256 + k) + "@x") << count;
    }
  }
}

TEST(SortKeysTest, cost_no_more_than_they_are_long) {
  std::string blobs, marks;
  for (int i = 0; i < 250'000; ++i) blobs += "[]";
  for (int i = 0; i < 100'000; ++i) marks += "\u0301";
  for (int i = 0; i < 100'000; ++i) marks += "\u0323";
  std::string many;
  for (int i = 0; i < 50; ++i) many += "From: a" + std::string(2 * 5000, ',') + "b,c,d,e,f\r\n";
  for (const std::string& header : {"Subject: " + blobs + "\r\n\r\n", "Subject: " + marks + "\r\n\r\n", many}) {
    EXPECT_EQ(read_keys(keys_blob(header), envelope_of(header)), sort_keys(header));
  }
}

TEST(SortKeysTest, take_in_reply_to_where_there_are_no_references) {
  const SortKeys k = sort_keys(tests::messages()[5]);
  EXPECT_EQ(k.references, std::vector<std::string>{"q@z"});
  EXPECT_EQ(k.subject, "X");
  EXPECT_FALSE(k.day);
  EXPECT_FALSE(k.instant);
}

}  // namespace
}  // namespace gateway::derived
