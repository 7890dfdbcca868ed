#!/usr/bin/env python3
"""many - 10,000 accounts on one node, 1,000 of them active: memory, descriptors, time to open.

  many.py [--binary build/release/fairlead] [--accounts 10000] [--active 1000] [--mailboxes 5000] [--json FILE]

Every account is opened once and gets a message; then `active` sessions stay selected while all others come and go.
The accounts' password hashes are cheap ones, so that what is measured is not the hash. Last, one account with many
mailboxes is listed.
"""
import argparse
import crypt
import json
import os
import shutil
import sqlite3
import statistics
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "live"))
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


def visit(gateway, number, append=None):
    """Seconds of LOGIN and SELECT."""
    client = load.Connection(gateway.imap)
    start = time.perf_counter()
    client.ask('LOGIN "u%d" "secret"' % number)
    if append:
        client.s.sendall(b"x APPEND INBOX {%d+}\r\n" % len(append) + append + b"\r\n")
        client.until(b"x ")
    client.ask("SELECT INBOX")
    spent = time.perf_counter() - start
    client.close()
    return spent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="build/release/fairlead")
    parser.add_argument("--accounts", type=int, default=10000)
    parser.add_argument("--active", type=int, default=1000)
    parser.add_argument("--mailboxes", type=int, default=5000)
    parser.add_argument("--descriptors", type=int, default=0)
    parser.add_argument("--json")
    given = parser.parse_args()
    folder = os.path.abspath("build/bench/many")
    shutil.rmtree(folder, ignore_errors=True)
    extra = "[limits]\ndescriptors = %d" % given.descriptors if given.descriptors else ""
    gateway = harness.Gateway(folder, os.path.abspath(given.binary), {}, extra=extra)
    figures = {"accounts": given.accounts, "active": given.active}
    multiply(gateway, given.accounts)
    gateway.start()
    try:
        watch = Watch(gateway.process.pid)
        figures["empty"] = {"mib": watch.mib(), "descriptors": watch.descriptors()}
        message = load.letter(2000)
        first = []
        for number in range(given.accounts):
            first.append(visit(gateway, number, message))
            if number % 50 == 0:
                watch.descriptors()
        figures["all opened once"] = {"mib": watch.mib(), "descriptors": watch.descriptors(), "most": watch.most,
                                      "login_append_select_ms": statistics.median(first) * 1e3}
        print(figures, flush=True)
        held, opened = [], []
        for number in range(given.active):
            client = load.Connection(gateway.imap)
            start = time.perf_counter()
            client.ask('LOGIN "u%d" "secret"' % number)
            client.ask("SELECT INBOX")
            opened.append(time.perf_counter() - start)
            held.append(client)
        figures["active"] = {"mib": watch.mib(), "descriptors": watch.descriptors(),
                             "login_select_ms": statistics.median(opened) * 1e3}
        again = []
        for number in range(given.active, given.accounts):
            again.append(visit(gateway, number))
            if number % 50 == 0:
                watch.descriptors()
        figures["others came and went"] = {"mib": watch.mib(), "descriptors": watch.descriptors(), "most": watch.most,
                                           "login_select_ms": statistics.median(again) * 1e3,
                                           "slowest_percent_ms": sorted(again)[len(again) * 99 // 100] * 1e3}
        for client in held:
            client.ask("NOOP")
        for client in held:
            client.close()
        client = load.Connection(gateway.imap, "u0")
        for number in range(given.mailboxes - 1):
            client.ask('CREATE "Folder/of some length/number %d"' % number)
        before = load.cpu([gateway.process.pid])
        spent = statistics.median(client.timed('LIST "" "*"')[0] for _ in range(9))
        figures["LIST of %d mailboxes" % given.mailboxes] = {
            "ms": spent * 1e3, "cpu_ms": (load.cpu([gateway.process.pid]) - before) / 9 * 1e3}
        client.close()
    finally:
        gateway.stop()
    print(json.dumps(figures, indent=1))
    if given.json:
        with open(given.json, "w") as out:
            json.dump(figures, out, indent=1)
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
