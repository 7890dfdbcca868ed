// Messages in which structure, header and text are hard to read: for tests that two ways of reading agree.
#pragma once

#include <string>
#include <vector>

namespace tests {

inline const std::vector<std::string>& messages() {
  static const std::vector<std::string> all = {
      "",
      "\r\n",
      "no header at all\r\n",
      "Subject: hi\r\n\r\nhello\r\n",
      "From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>, x@y\r\nTo: a@b, \"C, D\" <c@d>\r\nCc: g: h@i;\r\n"
      "Subject: Re: [list] =?iso-8859-1?q?Stra=DFe?= (fwd)\r\nDate: Tue, 5 Mar 2019 23:10:00 -0800\r\n"
      "Message-ID: <1@x>\r\nReferences: <a@x> <b\r\n @x>\r\n\r\nText\r\n",
      "In-Reply-To: yours <q@z> of today\r\nSubject: Fwd: x\r\n\r\n",
      "Subject:\r\n  folded\r\n\tvalue\r\nX-Empty:\r\nX-Empty: \r\n: nameless\r\nno colon here\r\nA B: c\r\n\r\nb",
      "Subject: =?utf-8?q?_leading_and_trailing_?=\r\n\r\n",
      "Content-Disposition: attachment; filename*=utf-8''n%C3%A4me.txt\r\nContent-Type: text/plain\r\n\r\nx\r\n",
      "Content-Type: multipart/mixed; boundary=b\r\nSubject: parts\r\n\r\npreamble\r\n--b\r\n"
      "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
      "Stra=DFe und soft=\r\nbreak\r\n--b\r\nContent-Type: multipart/alternative; "
      "boundary=c\r\n\r\n--c\r\n\r\nplain\r\n"
      "--c\r\nContent-Type: text/html\r\n\r\n<b>html</b>\r\n--c--\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
      "Subject: inner\r\n\r\ninner text\r\n--b\r\nContent-Type: text/csv; name=\"t.csv\"\r\n"
      "Content-Transfer-Encoding: base64\r\n\r\nYTtiO2MKw7zDtg==\r\n--b\r\nContent-Type: image/png; name=i.png\r\n\r\n"
      "needle in an image\r\n--b--\r\nepilogue\r\n",
      "Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nSubject: in a digest\r\n\r\ntext\r\n--d--\r\n",
      "Content-Type: multipart/mixed\r\n\r\nwithout a boundary\r\n",
      "Subject: caf\xc3\xa9 \xe9 raw\r\nX-N\xc3\xa4me: y\r\n\r\n\xff\xfe raw \xc3\x9f\r\n",
      "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B$3$s$K$A$O\x1b(B\r\n",
      "Subject: NUL\r\n\r\na" + std::string(1, '\0') + "b\r\n",
  };
  return all;
}

}  // namespace tests
