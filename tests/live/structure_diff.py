#!/usr/bin/env python3
"""Compares wire/mail with real servers: ENVELOPE, BODYSTRUCTURE, BODY and part bytes.

  structure_diff.py --tool BUILD/structure_tool SERVER=user:password@host:port [SERVER=...]
                    [--corpus seed|mime|odd|nested|all] [--messages 500] [--seed 1] [--show 5]

Each server gets the corpus by APPEND into a mailbox of its own, which is deleted again. What it shows is compared
with the tool's answer. Text of types, parameter names and encodings is compared without case, as RFC 2045 has it.
Prints one line for each server, corpus and item: agreeing / compared, then the differences grouped by reason.
Exit status 1 if, in the corpora of realistic mail (seed, mime), ENVELOPE differs anywhere on a message without raw
8-bit header bytes, or BODYSTRUCTURE or bytes agree on less than 99 %.
"""
import argparse
import collections
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "fixtures", "peers")]
from rawimap import ImapError, connect, parse, quote  # noqa: E402
from structure_corpus import CORPORA, REALISTIC  # noqa: E402

FIELDS = b"HEADER.FIELDS:From,Subject,Content-Type"


class Tool:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, message, sections):
        self.process.stdin.write(b"%d %s\n" % (len(message), b" ".join(sections)) + message)
        self.process.stdin.flush()
        return parse_fetch(read_response(self.process.stdout))


def read_response(stream):
    """One response as [line, literal, line, ...]."""
    out = []
    while True:
        line = stream.readline().rstrip(b"\r\n")
        if not line.endswith(b"}"):
            return out + [line]
        brace = line.rindex(b"{")
        out += [line[:brace], stream.read(int(line[brace + 1:-1]))]


def parse_fetch(response):
    items = parse(response)[3]
    return {bytes(k).upper(): v for k, v in zip(items[::2], items[1::2])}


def fetch(connection, number, items):
    untagged, _ = connection.cmd(b"FETCH %d %s" % (number, items))
    return parse_fetch(next(x for x in untagged if b" FETCH (" in x[0]))


def new_mailbox(connection):
    """A mailbox of our own under the personal namespace's prefix (RFC 2342)."""
    prefix = b""
    for response in connection.cmd("NAMESPACE")[0]:
        value = parse(response)
        if len(value) > 2 and value[1] == b"NAMESPACE" and value[2]:
            prefix = bytes(value[2][0][0])
    name = quote(prefix + b"structure%d" % os.getpid())
    connection.cmd(b"DELETE " + name, ok=False)
    connection.cmd(b"CREATE " + name)
    return name


def append(connection, mailbox, message):
    """False if the server refuses the message."""
    tag = connection.start(b"APPEND %s {%d}" % (mailbox, len(message)))
    try:
        connection.plus()
    except ImapError:
        return False
    connection.send(message + b"\r\n")
    return connection.finish(tag)[1].startswith(b"OK")


def part_paths(structure, prefix=b"", top=True):
    """Paths of BODYSTRUCTURE's parts, (path, is a message)."""
    if isinstance(structure[0], list):
        for n, child in enumerate([x for x in structure if isinstance(x, list) and is_body(x)], 1):
            path = prefix + b"%d" % n
            yield from described(child, path)
    elif top:
        yield from described(structure, prefix + b"1")


def is_body(value):
    """Tells a part from the parameter list that follows the parts."""
    return isinstance(value[0], list) or (len(value) >= 7 and value[0] is not None and value[6] is not None and
                                          bytes(value[6]).isdigit())


def described(structure, path):
    message = not isinstance(structure[0], list) and [x.lower() for x in structure[:2]] == [b"message", b"rfc822"]
    yield path, message
    if message and len(structure) > 8:
        yield from part_paths(structure[8], path + b".")
    elif isinstance(structure[0], list):
        yield from part_paths(structure, path + b".", False)


def sections_of(structure):
    out = [b"HEADER", b"TEXT", FIELDS]
    for path, message in part_paths(structure):
        out += [path, path + b".MIME"]
        if message:
            out += [path + b".HEADER", path + b".TEXT"]
    return out[:200]


def canonical(structure):
    """Without what RFC 2045 lets a server spell freely: case of types, names and encodings, order of parameters,
    and the charset that RFC 2045 implies."""
    if structure is None:
        return None
    if isinstance(structure[0], list):
        children = []
        while structure and isinstance(structure[0], list):
            children.append(canonical(structure[0]))
            structure = structure[1:]
        return ["multipart", children, lower(structure[0])] + extension(structure[1:], True)
    head = [lower(structure[0]), lower(structure[1]), parameters(structure[2], lower(structure[0]) == b"text")]
    head += [structure[3], structure[4], lower(structure[5]), structure[6]]
    rest = structure[7:]
    if head[:2] == [b"message", b"rfc822"]:
        head += [rest[0], canonical(rest[1]), rest[2]]
        rest = rest[3:]
    elif head[0] == b"text":
        head.append(rest[0])
        rest = rest[1:]
    return head + extension(rest, False)


def lower(value):
    return None if value is None else bytes(value).lower()


def parameters(value, is_text):
    out = sorted((lower(k), v) for k, v in zip(value[::2], value[1::2])) if value else []
    if is_text and not any(k == b"charset" for k, _ in out):
        out = sorted(out + [(b"charset", b"us-ascii")])
    return out


def extension(rest, multipart):
    if not rest:
        return []
    out = [parameters(rest[0], False) if multipart else rest[0]]
    if len(rest) > 1:
        out.append([lower(rest[1][0]), parameters(rest[1][1], False)] if rest[1] else None)
    if len(rest) > 2:
        languages = rest[2] if isinstance(rest[2], list) or rest[2] is None else [rest[2]]
        out.append([lower(x) for x in languages] if languages else None)
    return out + rest[3:]


def has_raw_bytes(message):
    head = message.replace(b"\r\n", b"\n").split(b"\n\n")[0]
    return any(b >= 0x80 for b in head)


class Tally:
    def __init__(self, show):
        self.counts = collections.OrderedDict()
        self.reasons = collections.Counter()
        self.show = show

    def add(self, item, equal, label, theirs, ours):
        good, total = self.counts.get(item, (0, 0))
        self.counts[item] = (good + bool(equal), total + 1)
        if not equal:
            self.reasons[(item, label)] += 1
            if self.show > 0:
                self.show -= 1
                print("    differs: %s %s\n      server %.700r\n      ours   %.700r" % (item, label, theirs, ours))

    def rate(self, item):
        good, total = self.counts.get(item, (0, 0))
        return good / total if total else 1.0


def compare(connection, mailbox, corpus, tool, show):
    taken = [label for label, message in corpus if append(connection, mailbox, message)]
    connection.cmd(b"EXAMINE " + mailbox)
    tally = Tally(show)
    for number, label in enumerate(taken, 1):
        theirs = fetch(connection, number, b"(ENVELOPE BODYSTRUCTURE BODY BODY.PEEK[])")
        # What the server stored: some change line ends.
        stored = theirs[b"BODY[]"]
        sections = sections_of(theirs[b"BODYSTRUCTURE"])
        wanted = [b"BODY.PEEK[%s]" % s.replace(FIELDS, b"HEADER.FIELDS (From Subject Content-Type)") for s in sections]
        parts = fetch(connection, number, b"(" + b" ".join(wanted) + b")")
        ours = tool.ask(stored, sections)
        item = "ENVELOPE (raw 8-bit)" if has_raw_bytes(stored) else "ENVELOPE"
        tally.add(item, theirs[b"ENVELOPE"] == ours[b"ENVELOPE"], label, theirs[b"ENVELOPE"], ours[b"ENVELOPE"])
        for name in (b"BODYSTRUCTURE", b"BODY"):
            a, b = canonical(theirs[name]), canonical(ours[name])
            tally.add(name.decode(), a == b, label, theirs[name], ours[name])
        different = []
        for section in sections:
            key = b"BODY[%s]" % section.replace(FIELDS, b"HEADER.FIELDS (From Subject Content-Type)")
            a, b = parts.get(key.upper(), b"not answered"), ours[b"BODY[%s]" % section.upper()]
            # NIL and "" both say that there is nothing.
            if (a or b"") != (b or b""):
                different.append((section, a, b))
        tally.add("part bytes", not different, label, [(s, a) for s, a, _ in different],
                  [(s, b) for s, _, b in different])
    return tally, len(corpus) - len(taken)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("servers", nargs="+", metavar="SERVER=user:password@host:port")
    parser.add_argument("--tool", required=True)
    parser.add_argument("--corpus", default="all", choices=sorted(CORPORA) + ["all"])
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=0, help="differences printed in full, per server and corpus")
    args = parser.parse_args()
    failed = False
    for server in args.servers:
        name, _, address = server.partition("=")
        for corpus_name in sorted(CORPORA) if args.corpus == "all" else [args.corpus]:
            corpus = list(CORPORA[corpus_name](args.seed, args.messages))
            connection = connect(address)
            mailbox = new_mailbox(connection)
            try:
                tally, refused = compare(connection, mailbox, corpus, Tool(args.tool), args.show)
            finally:
                connection.cmd("CLOSE", ok=False)
                connection.cmd(b"DELETE " + mailbox, ok=False)
            connection.logout()
            print("%s %s: %d messages, %d refused" % (name, corpus_name, len(corpus), refused))
            for item, (good, total) in tally.counts.items():
                print("  %-22s %5d / %5d  %.2f %%" % (item, good, total, 100.0 * good / total))
            for (item, label), count in tally.reasons.most_common(40):
                print("    %4d  %s: %s" % (count, item, label))
            if corpus_name in REALISTIC:
                failed |= tally.rate("ENVELOPE") < 1.0
                failed |= min(tally.rate("BODYSTRUCTURE"), tally.rate("part bytes")) < 0.99
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
