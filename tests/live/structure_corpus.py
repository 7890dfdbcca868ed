"""Messages for structure_diff.py: (label, bytes), a pure function of seed and count. The label says what is special."""
import base64
import random

from seed_mail import message as seed_message

WORDS = "report meeting invoice server attached regards order budget draft review travel version account answer".split()
SCRIPTS = ["Gr\u00fc\u00dfe", "\u041f\u0440\u0438\u0432\u0435\u0442", "\u3053\u3093\u306b\u3061\u306f", "\u20ac100"]


def crlf(text):
    return text.replace("\r\n", "\n").replace("\n", "\r\n").encode("latin-1")


def prose(r, octets):
    lines, line = [], ""
    size = 0
    while size < octets:
        word = r.choice(WORDS)
        size += len(word) + 1
        if len(line) + len(word) > 72:
            lines.append(line)
            line = ""
        line += (" " if line else "") + word
    return "\n".join(lines + [line]) + "\n"


def encoded(r):
    text = "%s %s" % (r.choice(SCRIPTS), r.choice(WORDS))
    return "=?utf-8?B?%s?=" % base64.b64encode(text.encode()).decode()


def address(r):
    n = r.randint(0, 99)
    return r.choice(["a%d@example.net" % n, "<b%d@example.net>" % n, "Carl C. <c%d@example.net>" % n,
                     '"Dot, D" <d%d@example.net>' % n, "e%d@example.net (Eve \\(e\\))" % n,
                     encoded(r) + " <f%d@example.net>" % n, '"a \\"b\\" c" <g%d@example.net>' % n])


def header(r, i, extra=()):
    fields = ["Return-Path: <bounce-%d@example.org>" % i,
              "Received: from mx.example (mx.example [192.0.2.7])\n\tby lab.example with ESMTPS id %x;\n\t"
              "Mon, 05 Feb 2024 10:11:12 +0000" % (i * 7919),
              "From: " + address(r), "To: " + ",\n\t".join(address(r) for _ in range(r.randint(1, 6)))]
    if r.random() < 0.3:
        fields.append("Cc: team: %s, %s;" % (address(r), address(r)))
    if r.random() < 0.2:
        fields.append("Bcc: undisclosed-recipients:;")
    if r.random() < 0.2:
        fields.append("Sender: " + address(r))
    if r.random() < 0.2:
        fields.append("Reply-To: " + address(r))
    if r.random() < 0.95:
        fields.append("Date: %s, %02d Feb 2024 %02d:%02d:00 %s" % (r.choice(["Mon", "Tue"]), r.randint(1, 28),
                      r.randint(0, 23), r.randint(0, 59), r.choice(["+0000", "-0530 (IST)", "GMT"])))
    fields.append("Subject: " + (encoded(r) if r.random() < 0.3 else prose(r, 30).strip().replace("\n", " ")))
    fields.append("Message-ID:%s<%d.%d@example.net>" % (r.choice([" ", "\n "]), i, r.randint(0, 1 << 30)))
    if r.random() < 0.3:
        fields.append("In-Reply-To: <%d@example.net>" % i)
        fields.append("References: " + "\n ".join("<%d@example.net>" % k for k in range(5)))
    fields.append("MIME-Version: 1.0")
    return "\n".join(fields + list(extra)) + "\n"


def text_part(r):
    kind = r.choice(["plain", "html", "qp", "flowed", "none"])
    body = prose(r, r.randint(20, 3000))
    if kind == "none":
        return "\n" + body
    if kind == "qp":
        return ("Content-Type: text/plain; charset=\"utf-8\"\nContent-Transfer-Encoding: quoted-printable\n\n"
                + body.replace("o", "=6F", 3))
    if kind == "flowed":
        return "Content-Type: text/plain; charset=iso-8859-1; format=flowed; delsp=yes\n\n" + body
    return "Content-Type: text/%s; charset=us-ascii\nContent-Transfer-Encoding: 7bit\n\n" % kind + body


def attachment(r):
    octets = base64.encodebytes(r.randbytes(r.randint(1, 4000))).decode()
    return ("Content-Type: %s;\n name=\"file %d.bin\"\nContent-Disposition: attachment;\n filename=\"file %d.bin\"; "
            "size=%d\nContent-Transfer-Encoding: base64\nContent-ID: <p%d@x>\nContent-Description: some\n bytes\n\n%s" %
            (r.choice(["application/pdf", "image/png", "application/octet-stream"]), r.randint(0, 9), r.randint(0, 9),
             len(octets), r.randint(0, 999), octets))


def multipart(r, depth, kind=None):
    boundary = "=_%x" % r.getrandbits(48)
    kind = kind or r.choice(["mixed", "alternative", "related", "signed", "report"])
    parts = []
    for _ in range(r.randint(1, 4)):
        p = r.random()
        if kind == "digest":
            parts.append("\n" + message_text(r, r.randint(0, 9), depth + 2))
        elif depth < 3 and p < 0.2:
            parts.append(multipart(r, depth + 1))
        elif depth < 3 and p < 0.35:
            parts.append("Content-Type: message/rfc822\nContent-Disposition: inline\n\n" +
                         message_text(r, r.randint(0, 9), depth + 1))
        elif p < 0.65:
            parts.append(attachment(r))
        else:
            parts.append(text_part(r))
    body = "".join("--%s\n%s\n" % (boundary, part) for part in parts) + "--%s--\n" % boundary
    if r.random() < 0.3:
        body = "This is a multi-part message in MIME format.\n" + body
    if r.random() < 0.2:
        body += "epilogue\n"
    return "Content-Type: multipart/%s;\n\tboundary=\"%s\"\n\n%s" % (kind, boundary, body)


def message_text(r, i, depth=0):
    p = r.random()
    if depth < 3 and p < 0.55:
        return header(r, i) + multipart(r, depth)
    if depth < 2 and p < 0.6:
        return header(r, i) + multipart(r, depth, "digest")
    return header(r, i) + text_part(r)


def mime(seed, count):
    """Well-formed mail of every structure."""
    for i in range(count):
        yield "well formed", crlf(message_text(random.Random("mime/%d/%d" % (seed, i)), i))


def seed(seed_number, count):
    """The mail that the other live tests use."""
    for i in range(count):
        yield "kind %d" % (i % 100), seed_message(seed_number, i, False, 1262304000 + i * 100000)


def nested(seed, count):
    """Small random trees with every boundary accident: not closed, doubled, prefixes of each other, no blank line."""
    def part(r, depth):
        p = r.random()
        if depth < 5 and p < 0.45:
            b = r.choice(["b", "bb", "b%d" % depth, "x"])
            out = "Content-Type: multipart/mixed; boundary=%s\n\n" % b
            if r.random() < 0.3:
                out += "preamble\n"
            for _ in range(r.randint(0, 3)):
                out += "--%s\n%s%s" % (b, part(r, depth + 1), r.choice(["\n", "\n", "\n\n", ""]))
            return out + r.choice(["--%s--\n" % b, "--%s--\n" % b, "--%s--\nepilogue\n" % b, ""])
        if depth < 5 and p < 0.6:
            return "Content-Type: message/rfc822\n\nFrom: a@b.example\nSubject: in\n" + part(r, depth + 1)
        return r.choice(["Content-Type: text/plain\n\ntext", "\ntext\n", "\n", "Content-Type: text/html\n\n",
                         "Content-Type: image/png\nContent-Transfer-Encoding: base64\n\nAAAA\n"])
    for i in range(count):
        r = random.Random("nested/%d/%d" % (seed, i))
        yield "nested", crlf("From: a@b.example\nMIME-Version: 1.0\n" + part(r, 0))


ODD = {
    "no final newline": "From: a@b.example\n\nlast line",
    "header only": "From: a@b.example\nSubject: x\n\n",
    "header without empty line": "From: a@b.example\nSubject: x\n",
    "empty header": "\nbody\n",
    "empty multipart": "From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\nnothing\n",
    "multipart without boundary": "From: a@b.example\nContent-Type: multipart/mixed\n\n--b\n\nx\n--b--\n",
    "multipart closed at once": "From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n--b--\n",
    "truncated multipart": "From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx",
    "truncated in a part header": "From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: tex",
    "folded subject": "From: a@b.example\nSubject: one\n two\n\tthree\n\nx\n",
    "trailing space in subject": "From: a@b.example\nSubject: one  \n\nx\n",
    "two To fields": "From: a@b.example\nTo: a@b.example\nTo: c@d.example\n\nx\n",
    "two Subject fields": "From: a@b.example\nSubject: 1\nSubject: 2\n\nx\n",
    "two Content-Type fields": "From: a@b.example\nContent-Type: text/html\nContent-Type: image/png\n\nx\n",
    "bare mailbox": "From: root\nTo: postmaster\n\nx\n",
    "address is its own name": "From: a@b.example <a@b.example>\n\nx\n",
    "semicolons between addresses": "From: a@b.example\nTo: a@b.example; c@d.example\n\nx\n",
    "unclosed angle": "From: <a@b.example\n\nx\n",
    "unclosed quote": "From: \"Ann <a@b.example>\n\nx\n",
    "route": "From: <@r.example,@s.example:a@b.example>\n\nx\n",
    "dots and spaces": "From: a . b @ c . example\n\nx\n",
    "commas only": "From: a@b.example\nTo: ,,\n\nx\n",
    "domain literal": "From: a@[192.0.2.1]\n\nx\n",
    "group in From": "From: g: a@b.example, \"n\" <c@d.example>;\n\nx\n",
    "raw 8-bit name": "From: \xc4nne <a@b.example>\nSubject: Gr\xfc\xdfe\n\nx\n",
    "invalid Content-Type": "From: a@b.example\nContent-Type: garbage\n\nx\n",
    "type without subtype": "From: a@b.example\nContent-Type: text\n\nx\n",
    "empty Content-Type": "From: a@b.example\nContent-Type:\n\nx\n",
    "unquoted file name with a space": "From: a@b.example\nContent-Disposition: attachment; filename=a b.txt\n\nx\n",
    "RFC 2231 continuations": "From: a@b.example\nContent-Type: text/plain; name*0=a; name*1=b\n\nx\n",
    "quoted semicolon": "From: a@b.example\nContent-Type: text/plain; name=\"a;b\"; charset=utf-8\n\nx\n",
    "comments in Content-Type": "From: a@b.example\nContent-Type: text/plain (c); charset=(c)utf-8 (d)\n\nx\n",
    "languages": "From: a@b.example\nContent-Language: en, de (x)\nContent-Location: u v\nContent-MD5: abc==\n\nx\n",
    "digest": "From: a@b.example\nContent-Type: multipart/digest; boundary=b\n\n--b\n\nFrom: i@j.example\n\nx\n--b\n"
              "Content-Type: text/plain\n\ny\n--b--\n",
    "message/global": "From: a@b.example\nContent-Type: message/global\n\nFrom: i@j.example\n\nx\n",
    "message in base64": "From: a@b.example\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nRnJv\n",
    "delivery status": "From: a@b.example\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\n",
    "boundary as prefix": "From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--bc\n\ny\n--b--\n",
    "same boundary inside": "From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: "
                            "multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n--b\n\ny\n--b--\n",
    "part without empty line": "From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: "
                               "text/html\n--b\n\nx\n--b--\n",
    "nested 60 deep": "From: a@b.example\n" + "".join(
        "Content-Type: multipart/mixed; boundary=n%03d\n\n--n%03d\n" % (k, k) for k in range(60)) + "\nx\n",
    "messages 40 deep": "From: a@b.example\n" + "Content-Type: message/rfc822\n\nFrom: a@b.example\n" * 40 + "\nx\n",
    "long line": "From: a@b.example\nSubject: " + "y" * 3000 + "\n\n" + "x" * 70000 + "\n",
}


def odd(seed, count):
    for label, text in ODD.items():
        yield label, crlf(text)


CORPORA = {"seed": seed, "mime": mime, "nested": nested, "odd": odd}
REALISTIC = ("seed", "mime")
