#!/usr/bin/env python3
"""big - a mailbox of 1,000,000 messages, at the store and through the gateway.

  big.py [--binary build/release/fairlead] [--messages 1000000] [--repeat 5] [--json FILE]

storage_big makes the account's directory (and says what an import costs from its first to its last tenth); the gateway
then serves it. All messages are \\Seen, so that SELECT looks at all of them for its UNSEEN. `cold`: the page cache was
dropped and the gateway restarted. A row's wall and CPU seconds are medians; APPEND's are of 1,000. Rates of APPEND are
for the big mailbox beside an empty one of the same account: what grows with the mailbox shows there.
"""
import json
import os
import shutil
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True
import command_line  # noqa: E402
import harness  # noqa: E402
import load  # noqa: E402

USER = "big"


def anonymous_kib(pid):
    """What only this process has; pages of mapped files, which the system may drop, are not counted."""
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Anonymous:"))


class Run:
    def __init__(self, gateway, given):
        self.gateway, self.given, self.figures = gateway, given, {}

    @property
    def pids(self):
        return [self.gateway.process.pid]

    def note(self, name, **values):
        self.figures[name] = values
        print("%-40s %s" % (name, "  ".join("%s %.4g" % pair for pair in values.items())), flush=True)

    def restart(self, cold):
        self.gateway.stop()
        if cold:
            load.drop_page_cache()
        self.gateway.start()

    def command(self, name, line, cold=False, fresh=False, prepare=None):
        """fresh: the gateway is restarted before each, with the page cache as it is."""
        walls, cpus = [], []
        for _ in range(self.given.repeat):
            if cold or fresh:
                self.restart(cold)
            client = load.Connection(self.gateway.imap, USER)
            for before in prepare or ():
                client.ask(before)
            start = load.cpu(self.pids)
            walls.append(client.timed(line)[0])
            cpus.append(load.cpu(self.pids) - start)
            client.close()
        self.note(name, wall_ms=statistics.median(walls) * 1e3, cpu_ms=statistics.median(cpus) * 1e3)

    def appends(self, name, mailbox, count):
        client = load.Connection(self.gateway.imap, USER)
        message = load.letter(4096)
        load.append([client], mailbox, message, 20)
        start = load.cpu(self.pids)
        spent = load.append([client], mailbox, message, count)
        self.note(name, per_s=count / spent, cpu_s_per_1000=(load.cpu(self.pids) - start) * 1000 / count)
        client.close()

    def measure(self):
        self.command("SELECT, cold", "SELECT INBOX", cold=True)
        self.command("SELECT, the first since a start", "SELECT INBOX", fresh=True)
        self.restart(False)
        empty = anonymous_kib(self.pids[0])
        client = load.Connection(self.gateway.imap, USER)
        client.ask("SELECT INBOX")
        self.note("memory, selected", bytes_a_message=(anonymous_kib(self.pids[0]) - empty) * 1024 / self.given.messages)
        client.ask("STORE 1:* +FLAGS.SILENT (\\Seen)")
        client.close()
        self.command("SELECT, warm", "SELECT INBOX")
        self.command("STATUS", "STATUS INBOX (MESSAGES UNSEEN UIDNEXT)")
        for name, line in (("FETCH of one", "FETCH 777777 (UID FLAGS)"), ("FETCH 1:* FLAGS", "FETCH 1:* (UID FLAGS)"),
                           ("STORE on one", "STORE 5 +FLAGS (\\Flagged)"),
                           ("STORE on all, silent", "STORE 1:* +FLAGS.SILENT (\\Answered)"),
                           ("SEARCH UNSEEN", "SEARCH UNSEEN"), ("UID SEARCH of all", "UID SEARCH ALL")):
            self.command(name, line, prepare=["SELECT INBOX"])
        client = load.Connection(self.gateway.imap, USER)
        client.ask("CREATE empty")
        client.close()
        self.appends("APPEND, empty mailbox", "empty", 2000)
        self.appends("APPEND, big mailbox", "INBOX", 2000)


def main():
    given = command_line.options(__doc__, messages=1000000, repeat=5).parse_args()
    binary, folder = given.binary, os.path.abspath("build/bench/big")
    shutil.rmtree(folder, ignore_errors=True)
    gateway = harness.Gateway(folder, binary, {})
    added = gateway.cli("user", "add", USER, "--local", "--password-file", folder + "/password")
    if added.returncode:
        raise harness.Bad(added.stderr)
    home = harness.folder_of(gateway.data, USER)
    os.makedirs(home, mode=0o700)
    made = subprocess.run([os.path.join(os.path.dirname(binary), "tests", "bench", "storage_big"), "--messages",
                           str(given.messages), "--dir", home], check=True, stdout=subprocess.PIPE, text=True)
    run = Run(gateway, given)
    run.note("store", **json.loads(made.stdout))
    gateway.start()
    try:
        run.measure()
    finally:
        gateway.stop()
    command_line.keep(given, run.figures)
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
