"""load - an IMAP client that costs little, and the CPU that servers spend on it.

Replies are drained without being parsed. CPU is that of all threads of a server's process tree, in nanoseconds
(/proc/PID/task/*/schedstat), so that a command of a few milliseconds can be measured; what ended in between is not
counted, which is why connections are opened before and closed after.
"""
import os
import selectors
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fixtures", "peers"))
import measure  # noqa: E402


class Failed(Exception):
    pass


class Connection:
    def __init__(self, port, user=None, password="secret"):
        self.s = socket.create_connection(("127.0.0.1", port), 600)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.n, self.received, self.user = 0, 0, user
        self.until(None)
        if user:
            self.ask('LOGIN "%s" "%s"' % (user, password))

    def until(self, tag):
        """Reads to the tagged line, or to the end of any line. Returns what it keeps: the last 4 KB."""
        tail = b""
        while True:
            data = self.s.recv(1 << 18)
            if not data:
                raise Failed("closed after %r" % tail[-200:])
            self.received += len(data)
            tail = (tail + data)[-4096:]
            if not tail.endswith(b"\r\n"):
                continue
            last = tail[:-2].rpartition(b"\r\n")[2]
            if tag is None:
                return tail
            if last.startswith(tag):
                if not last.startswith(tag + b"OK"):
                    raise Failed(last.decode("latin-1"))
                return tail

    def ask(self, line):
        self.n += 1
        tag = b"a%d " % self.n
        self.s.sendall(tag + line.encode() + b"\r\n")
        return self.until(tag)

    def timed(self, line):
        """(seconds, bytes of the answer)"""
        before, start = self.received, time.perf_counter()
        self.ask(line)
        return time.perf_counter() - start, self.received - before

    def close(self):
        try:
            self.ask("LOGOUT")
        except (Failed, OSError):
            pass
        self.s.close()


def cpu(roots):
    """Seconds that the live threads of these process trees have run."""
    table = measure.processes()
    total = 0
    for root in roots:
        for pid in measure.tree(root, table):
            try:
                for thread in os.listdir("/proc/%d/task" % pid):
                    with open("/proc/%d/task/%s/schedstat" % (pid, thread)) as f:
                        total += int(f.read().split()[0])
            except (OSError, IndexError, ValueError):
                continue  # it ended meanwhile
    return total / 1e9


def resident(root):
    """KiB: proportional set size, and what is private, of a process."""
    found = {}
    with open("/proc/%d/smaps_rollup" % root) as f:
        for line in f:
            key, _, value = line.partition(":")
            if value:
                found[key] = found.get(key, 0) + int(value.split()[0])
    return found["Pss"], found["Private_Clean"] + found["Private_Dirty"]


def drop_page_cache():
    """False: not permitted."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w") as f:
            f.write("3\n")
    except OSError:
        return False
    return True


def append(connections, mailbox, message, count, depth=1):
    """`count` APPENDs over the connections with LITERAL+, each with `depth` of them under way. Seconds."""
    selector = selectors.DefaultSelector()
    sent = done = 0
    request = b"APPEND \"%s\" (\\Seen) {%d+}\r\n" % (mailbox.encode(), len(message))

    def fire(c):
        c.n += 1
        # No two messages are the same: else a store that keeps one of them would write nothing.
        c.s.sendall(b"a%d " % c.n + request + message[:-18] + b"%016d\r\n" % (c.n * 100003 + c.number) + b"\r\n")
    for number, c in enumerate(connections):
        c.number, c.rest = number, b""
        selector.register(c.s, selectors.EVENT_READ, c)
    start = time.perf_counter()
    for c in connections:
        for _ in range(depth):
            if sent < count:
                fire(c)
                sent += 1
    while done < count:
        for key, _ in selector.select():
            c = key.data
            data = c.s.recv(65536)
            if not data:
                raise Failed("closed after %d" % done)
            *lines, c.rest = (c.rest + data).split(b"\r\n")
            for line in lines:
                if line.startswith(b"* "):
                    continue
                if b" OK" not in line[:16]:
                    raise Failed(line.decode("latin-1"))
                done += 1
                if sent < count:
                    fire(c)
                    sent += 1
    elapsed = time.perf_counter() - start
    selector.close()
    return elapsed


def letter(size):
    """A message of about this many bytes; its last 16 digits are replaced by append()."""
    head = (b"From: a@example.org\r\nTo: b@example.org\r\nSubject: append test\r\n"
            b"Date: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <x@example.org>\r\n\r\n")
    line = b"0123456789 abcdefghij klmnopqrst uvwxyz\r\n"
    return head + line * ((size - len(head) - 18) // len(line)) + b"0" * 16 + b"\r\n"
