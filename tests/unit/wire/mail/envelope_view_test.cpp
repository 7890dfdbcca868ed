#include "wire/mail/envelope_view.h"

#include <gtest/gtest.h>

#include "wire/mail/envelope.h"
#include "wire/mail/header.h"

namespace wire::mail {
namespace {

std::string envelope(const std::string& header) {
  std::string out;
  write_envelope(header, out);
  return out;
}

TEST(EnvelopeViewTest, gives_back_what_was_written) {
  const std::string to = "\"B, \\\"x\\\" A\" <a@b>, g: =?utf-8?q?J=C3=BCrgen?= <j@x>;, <@r:c@d>, J\xc3\xbcrgen <e@f>";
  const std::string text = envelope("Date: today\r\nSubject: a \"b\" \\ \xc3\xbc\r\n c\r\nFrom: x@y\r\nTo: " + to +
                                    "\r\nMessage-ID:\r\n <1@x>\r\n\r\n");
  const auto view = EnvelopeView::read(text);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->text(EnvelopeView::date), "today");
  EXPECT_EQ(view->text(EnvelopeView::subject), "a \"b\" \\ \xc3\xbc c");
  EXPECT_EQ(view->text(EnvelopeView::in_reply_to), std::nullopt);
  EXPECT_EQ(view->text(EnvelopeView::message_id), unfold("\r\n <1@x>"));
  EXPECT_EQ(view->addresses(EnvelopeView::to), parse_address_list(to));
  EXPECT_EQ(view->addresses(EnvelopeView::reply_to), parse_address_list("x@y"));
  EXPECT_TRUE(view->addresses(EnvelopeView::cc).empty());
}

TEST(EnvelopeViewTest, of_an_empty_header_is_all_nil) {
  const std::string text = envelope("\r\n");
  const auto view = EnvelopeView::read(text);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->text(EnvelopeView::subject), std::nullopt);
  EXPECT_TRUE(view->addresses(EnvelopeView::from).empty());
}

TEST(EnvelopeViewTest, refuses_what_is_cut_or_more) {
  const std::string whole = envelope("Subject: \xc3\xbc\r\nTo: \"\\\\\" <a@b>\r\n\r\n");
  ASSERT_TRUE(EnvelopeView::read(whole));
  for (size_t n = 0; n < whole.size(); ++n) {
    const std::vector<char> cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(n));
    EXPECT_FALSE(EnvelopeView::read({cut.data(), cut.size()})) << n;
  }
  EXPECT_FALSE(EnvelopeView::read(whole + " "));
  EXPECT_FALSE(EnvelopeView::read("(NIL NIL NIL NIL NIL NIL NIL NIL NIL {99999999999999999999}\r\n)"));
  EXPECT_FALSE(EnvelopeView::read("(NIL NIL NIL NIL NIL NIL NIL NIL NIL {9}\r\n)"));
}

}  // namespace
}  // namespace wire::mail
