"""The little IMAP that structure_diff.py needs: append, fetch, and FETCH responses as nested lists of bytes."""
import socket


class Connection:
    def __init__(self, address):
        login, _, place = address.rpartition("@")
        user, _, password = login.partition(":")
        host, _, port = place.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), 60)
        self.stream = self.socket.makefile("rb")
        self.tag = 0
        self.stream.readline()
        self.command(b'LOGIN "%s" "%s"' % (user.encode(), password.encode()))

    def mailbox_name(self, name):
        """Under the personal namespace's prefix (RFC 2342)."""
        for response in self.command(b"NAMESPACE")[0]:
            value = parse(response)
            if len(value) > 2 and value[1] == b"NAMESPACE" and value[2]:
                return b'"%s%s"' % (value[2][0][0], name)
        return b'"%s"' % name

    def read_response(self):
        out = []
        while True:
            line = self.stream.readline()
            if not line:
                raise EOFError("the server closed the connection")
            line = line.rstrip(b"\r\n")
            out.append(line)
            if not line.endswith(b"}"):
                return out
            out.append(self.stream.read(int(line[line.rindex(b"{") + 1:-1])))

    def command(self, text):
        """(untagged responses, tagged line)."""
        self.tag += 1
        tag = b"d%d" % self.tag
        self.socket.sendall(tag + b" " + text + b"\r\n")
        return self.finish(tag)

    def finish(self, tag):
        untagged = []
        while True:
            response = self.read_response()
            if response[0].startswith(tag + b" "):
                return untagged, response[0][len(tag) + 1:]
            untagged.append(response)

    def append(self, mailbox, message):
        self.tag += 1
        tag = b"d%d" % self.tag
        self.socket.sendall(b"%s APPEND %s {%d}\r\n" % (tag, mailbox, len(message)))
        while True:
            response = self.read_response()
            if response[0].startswith(b"+"):
                break
            if response[0].startswith(tag):
                return False
        self.socket.sendall(message + b"\r\n")
        return self.finish(tag)[1].startswith(b"OK")

    def fetch(self, number, items):
        untagged, tagged = self.command(b"FETCH %d %s" % (number, items))
        for response in untagged:
            if b" FETCH (" in response[0]:
                return parse_fetch(response)
        raise ValueError("FETCH %d: %r" % (number, tagged))

    def close(self):
        self.command(b"LOGOUT")
        self.socket.close()


def parse_fetch(response):
    items = parse(response)[3]
    return {bytes(k): v for k, v in zip(items[::2], items[1::2])}


def parse(chunks):
    """[line, literal, line, ...] as nested lists; NIL is None."""
    stack = [[]]
    for i, chunk in enumerate(chunks):
        if i % 2:
            stack[-1].append(chunk)
        else:
            last = i + 1 == len(chunks)
            parse_line(chunk if last else chunk[:chunk.rindex(b"{")].rstrip(b"~"), stack)
    if len(stack) != 1:
        raise ValueError("unbalanced response %r" % chunks[0][:200])
    return stack[0]


def parse_line(line, stack):
    at = 0
    while at < len(line):
        c = line[at:at + 1]
        if c == b" ":
            at += 1
        elif c == b"(":
            stack.append([])
            at += 1
        elif c == b")":
            value = stack.pop()
            stack[-1].append(value)
            at += 1
        elif c == b'"':
            text = bytearray()
            at += 1
            while line[at:at + 1] != b'"':
                if line[at:at + 1] == b"\\":
                    at += 1
                if at >= len(line):
                    raise ValueError("unterminated string in %r" % line[:200])
                text += line[at:at + 1]
                at += 1
            at += 1
            stack[-1].append(bytes(text))
        else:
            start, brackets = at, 0
            while at < len(line):
                c = line[at:at + 1]
                brackets += (c == b"[") - (c == b"]")
                if brackets == 0 and c in (b" ", b"(", b")", b'"'):
                    break
                at += 1
            atom = line[start:at]
            stack[-1].append(None if atom.upper() == b"NIL" else atom)
