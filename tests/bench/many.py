#!/usr/bin/env python3
"""many - 10,000 accounts on one node, 1,000 of them active: memory, descriptors, time and CPU to open.

  many.py [--binary build/release/fairlead] [--accounts 10000] [--active 1000] [--descriptors 6000]
          [--rivals dovecot,cyrus] [--json FILE]

Every account is opened once and gets a message; the server is restarted; then `active` sessions stay selected while
all others come and go, under a budget of descriptors that holds far less than all of them. The accounts' password
hashes are cheap ones, so that what is measured is not the hash. What rivals need for a session is taken from 90.
CPU is the server's, memory what is private to its processes.
"""
import crypt
import os
import shutil
import sqlite3
import statistics
import sys
import time

sys.dont_write_bytecode = True
import command_line  # noqa: E402
import harness  # noqa: E402
import load  # noqa: E402


def multiply(gateway, accounts):
    """Copies the row of one user, under a hash that costs little."""
    done = gateway.cli("user", "add", "u0", "--local", "--password-file", gateway.folder + "/password")
    if done.returncode:
        raise harness.Bad(done.stderr)
    database = sqlite3.connect(os.path.join(gateway.data, "control.db"))
    database.execute("UPDATE users SET own_hash = ?", (crypt.crypt("secret", "$5$rounds=1000$saltsaltsalt$"),))
    columns = [row[1] for row in database.execute("PRAGMA table_info(users)") if row[1] != "name"]
    for number in range(1, accounts):
        database.execute("INSERT INTO users (name, {0}) SELECT ?, {0} FROM users WHERE name = 'u0'".format(
            ", ".join(columns)), ("u%d" % number,))
    database.commit()
    database.close()


class Watch:
    def __init__(self, pid):
        self.pid, self.most = pid, 0

    def descriptors(self):
        now = len(os.listdir("/proc/%d/fd" % self.pid))
        self.most = max(self.most, now)
        return now

    def mib(self):
        return load.resident(self.pid)[1] / 1024


def visit(port, user, append=None, keep=False):
    """Seconds of LOGIN and SELECT."""
    client = load.Connection(port)
    start = time.perf_counter()
    client.ask('LOGIN "%s" "secret"' % user)
    if append:
        client.s.sendall(b"x APPEND INBOX {%d+}\r\n" % len(append) + append + b"\r\n")
        client.until(b"x ")
    client.ask("SELECT INBOX")
    spent = time.perf_counter() - start
    if keep:
        return spent, client
    client.close()
    return spent, None


class Phase:
    """What the server spent on some visits."""

    def __init__(self, run, name, users, append=None, keep=False):
        self.spent, self.held, watch = [], [], run.watch
        pids, before, memory = [watch.pid], load.cpu([watch.pid]), watch.mib()
        start = time.perf_counter()
        for n, user in enumerate(users):
            seconds, client = visit(run.gateway.imap, user, append, keep)
            self.spent.append(seconds)
            if client:
                self.held.append(client)
            if n % 50 == 0:
                watch.descriptors()
        elapsed = time.perf_counter() - start
        ordered = sorted(self.spent)
        run.note(name, visits=len(users), per_second=len(users) / elapsed,
                 cpu_ms_each=(load.cpu(pids) - before) * 1e3 / len(users), median_ms=statistics.median(ordered) * 1e3,
                 slowest_percent_ms=ordered[len(ordered) * 99 // 100] * 1e3, mib=watch.mib(),
                 kib_more_each=(watch.mib() - memory) * 1024 / len(users), descriptors=watch.descriptors(),
                 most_descriptors=watch.most)


class Run:
    def __init__(self, gateway):
        self.gateway, self.figures, self.watch = gateway, {}, None

    def start(self):
        self.gateway.start()
        self.watch = Watch(self.gateway.process.pid)

    def note(self, name, **values):
        self.figures[name] = values
        print("%-26s %s" % (name, "  ".join("%s %.4g" % pair for pair in values.items())), flush=True)


def measure(run, given):
    users = ["u%d" % number for number in range(given.accounts)]
    active, others = users[:given.active], users[given.active:]
    run.start()
    run.note("empty", mib=run.watch.mib(), descriptors=run.watch.descriptors())
    Phase(run, "first visit, with APPEND", users, load.letter(2000))
    start = time.perf_counter()
    run.gateway.stop()
    run.note("stop", seconds=time.perf_counter() - start)
    run.start()
    held = Phase(run, "active", active, keep=True).held
    Phase(run, "others come and go", others)
    Phase(run, "open already", active[:200])
    # The first of the others were closed to make room for the last.
    Phase(run, "closed meanwhile", others[:200])
    for client in held:
        client.ask("NOOP")
    for client in held:
        client.close()


def rival(run, name):
    """Sessions of 90 users."""
    peers = harness.Peers(os.path.abspath("build/bench/many-peers"))
    peer = {"dovecot": "dovecot-target"}.get(name, name)
    peers.run("wipe", peer)
    peers.run("start", peer)
    try:
        port, pids = peers.port(peer), peers.pids(peer)
        users = ["user%d" % n for n in range(1, 91)]
        for user in users:
            visit(port, user, load.letter(2000))
        memory, before = all_private(pids), load.cpu(pids)
        start = time.perf_counter()
        held = [visit(port, user, keep=True)[1] for user in users]
        elapsed = time.perf_counter() - start
        run.note(name + ", active", visits=len(users), per_second=len(users) / elapsed,
                 cpu_ms_each=(load.cpu(pids) - before) * 1e3 / len(users),
                 kib_more_each=(all_private(pids) - memory) / len(users))
        for client in held:
            client.close()
    finally:
        peers.run("stop", peer)


def all_private(roots):
    """KiB of all processes under these."""
    table = load.measure.processes()
    return sum(load.resident(pid)[1] for root in roots for pid in load.measure.tree(root, table))


def main():
    given = command_line.options(__doc__, accounts=10000, active=1000, descriptors=6000,
                                 rivals="dovecot,cyrus").parse_args()
    folder = os.path.abspath("build/bench/many")
    shutil.rmtree(folder, ignore_errors=True)
    extra = "[limits]\ndescriptors = %d" % given.descriptors if given.descriptors else ""
    gateway = harness.Gateway(folder, given.binary, {}, extra=extra)
    multiply(gateway, given.accounts)
    run = Run(gateway)
    try:
        measure(run, given)
    finally:
        gateway.stop()
    for name in filter(None, given.rivals.split(",")):
        rival(run, name)
    command_line.keep(given, run.figures)
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
