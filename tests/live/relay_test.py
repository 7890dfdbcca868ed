#!/usr/bin/env python3
"""The counter counted: a scripted server behind a relay, and what the relay says of it."""
import os
import socket
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fixtures", "peers"))
from relay import Relay  # noqa: E402

BODY = b"Subject: BODY[] {9}\r\n\r\n* 1 FETCH (BODY[] {5}\r\n" * 3   # bytes of a body that look like replies
SCRIPT = [  # what the client sends, what the server answers
    (b"a NOOP\r\n", b"a OK done\r\n"),
    (b"b FETCH 1 (BODY.PEEK[])\r\n", b"* 1 FETCH (BODY[] {%d}\r\n" % len(BODY) + BODY + b")\r\nb OK done\r\n"),
    (b"c FETCH 1 (BODY.PEEK[HEADER])\r\n", b"* 1 FETCH (BODY[HEADER] {4}\r\n\r\n\r\n)\r\nc OK done\r\n"),
    (b"d FETCH 2 (RFC822)\r\n", b'* 2 FETCH (RFC822 "abc")\r\nd OK done\r\n'),
    (b"e APPEND x {14+}\r\nf NOOP\r\ng NO\r\n\r\n", b"e OK done\r\n"),
]
WANT = {"connections": 1, "up": sum(len(x) for x, _ in SCRIPT), "down": sum(len(y) for _, y in SCRIPT), "commands": 5,
        "trips": 5, "bodies": 2, "body_bytes": len(BODY) + 3, "retrieved": 0}


def exactly(s, length):
    got = b""
    while len(got) < length:
        data = s.recv(length - len(got))
        if not data:
            break
        got += data
    return got


def main():
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        s, _ = listener.accept()
        for asked, answer in SCRIPT:
            if exactly(s, len(asked)) != asked:
                return
            for at in range(0, len(answer), 7):     # in pieces, so that no count depends on one read
                s.sendall(answer[at:at + 7])
        s.close()
    threading.Thread(target=serve, daemon=True).start()
    relay = Relay(listener.getsockname()[1])
    client = socket.create_connection(("127.0.0.1", relay.port), 10)
    for asked, answer in SCRIPT:
        client.sendall(asked)
        if exactly(client, len(answer)) != answer:
            print("BAD  the relay changed the answer to %r" % asked)
            return 1
    client.close()
    got = relay.read()
    print("%s relay counts %s" % ("ok  " if got == WANT else "BAD ", got if got == WANT else "%s, not %s" % (got, WANT)))
    return 0 if got == WANT else 1


if __name__ == "__main__":
    sys.exit(main())
