#include "wire/mail/base_subject.h"

#include <gtest/gtest.h>

namespace wire::mail {
namespace {

TEST(BaseSubject, takes_off_what_replies_and_forwards_add) {
  struct Case {
    const char* subject;
    const char* base;
    bool reply;
  };
  const Case cases[] = {
      {"", "", false},
      {"HELLO", "HELLO", false},
      {"RE: HELLO", "HELLO", true},
      {"RE : HELLO", "HELLO", true},
      {"RE: FWD: FW: HELLO", "HELLO", true},
      {"RE[2]: HELLO", "HELLO", true},
      {"RE [2] : HELLO", "HELLO", true},
      {"[LIST] RE: HELLO", "HELLO", true},
      {"[LIST] HELLO", "HELLO", false},
      {"[LIST]", "[LIST]", false},
      {"RE: [LIST]", "[LIST]", true},
      {"[A] [B] RE: X", "X", true},
      {"HELLO (FWD)", "HELLO", true},
      {"HELLO (FWD) (FWD)", "HELLO", true},
      {"[FWD: RE: HELLO]", "HELLO", true},
      {"[FWD: [FWD: HELLO]]", "HELLO", true},
      {"REPORT", "REPORT", false},
      {"RE", "RE", false},
      {"RE:", "", true},
      {"[UNCLOSED RE: X", "[UNCLOSED RE: X", false},
  };
  for (const Case& c : cases) {
    bool reply = !c.reply;
    EXPECT_EQ(base_subject(c.subject, &reply), c.base) << c.subject;
    EXPECT_EQ(reply, c.reply) << c.subject;
  }
}

}  // namespace
}  // namespace wire::mail
