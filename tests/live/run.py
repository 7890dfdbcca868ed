#!/usr/bin/env python3
"""run - live cases: a gateway between real servers and real clients.

  run.py --binary build/dev/fairlead SUITE [PATTERN]   the cases of a suite (of those whose name has PATTERN)
  run.py --binary build/dev/fairlead --up | --down     starts or ends the servers for several runs; else a run does both
  run.py --program PATH imapc                          a GoogleTest program that finds the servers in FAIRLEAD_LIVE_...
  run.py --list

Each expectation is one line, `ok` or `BAD`; the exit status tells whether all held. --keep leaves folders and servers.
"""
import argparse
import importlib
import os
import shutil
import subprocess
import sys
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

# Suite: the peers that it needs. The place in this list decides which users are its own.
SUITES = {
    "walk": ["cyrus", "courier", "dovecot"],
    "adaptor": ["cyrus", "dovecot"],
    "bad_input": ["dovecot"],
    "handover": ["cyrus", "courier", "dovecot"],
    "imapc": ["cyrus", "courier", "dovecot"],
    "clients": ["cyrus", "courier", "dovecot"],
    "crash": ["dovecot", "cyrus"],
    "slow_source": ["dovecot"],
    "archive": ["dovecot"],
    "upstream": ["cyrus", "dovecot"],
    "local": [],
    "space": [],
}
USERS_EACH = harness.USERS // len(SUITES)


class Context:
    """What a case gets: peers, folders, users, and check(held, what)."""

    def __init__(self, suite, binary, root, peers, verdict):
        self.binary, self.peers, self.check, self.root = binary, peers, verdict, root
        self._users = iter(range(list(SUITES).index(suite) * USERS_EACH + 1, harness.USERS + 1))
        self.gateways, self.relays, self.case = [], [], ""

    def user(self):
        return "user%d" % next(self._users)

    def gateway(self, upstreams, **options):
        folder = os.path.join(self.root, "%s-%d" % (self.case, len(self.gateways)))
        made = harness.Gateway(folder, self.binary, upstreams, **options)
        self.gateways.append(made)
        return made

    def relay(self, target, **options):
        made = harness.Relay(target, **options)
        self.relays.append(made)
        return made

    def front(self, peer, **options):
        """A gateway before this peer, with its admin login if it has one."""
        return self.gateway({"old": {"imap": self.peers.port(peer), "admin": harness.admin_of(peer)}}, **options)

    def end(self):
        for made in self.gateways:
            running = made.process is not None
            status = made.stop()
            if running:
                self.check(status == 0, "the gateway ends in order", "exit %s: %s" % (status, made.errors()))
        for made in self.relays:
            made.close()
        self.gateways, self.relays = [], []


def run(suite, pattern, context):
    module = importlib.import_module("cases_" + suite)
    for name, case in [(n, c) for n, c in vars(module).items() if n.startswith("case_") and pattern in n]:
        print("-- %s" % name[5:].replace("_", " "), flush=True)
        context.case, started = "%s-%s" % (suite, name[5:]), time.monotonic()
        try:
            case(context)
        except harness.Bad as failure:
            if str(failure) not in context.check.bad:
                context.check(False, str(failure))
        except Exception:
            context.check(False, name[5:] + " could be carried out", traceback.format_exc())
        try:
            context.end()
        except Exception:
            context.check(False, name[5:] + " could be ended", traceback.format_exc())
        print("     %.1f s" % (time.monotonic() - started), flush=True)


def run_program(program, peers, names, verdict):
    """A program of unit tests against real servers: host:port of each, and with _TLS for implicit TLS."""
    env = dict(os.environ)
    for name in names:
        for suffix, protocol in (("", "imap"), ("_TLS", "imaps")):
            env["FAIRLEAD_LIVE_" + name.upper() + suffix] = "127.0.0.1:%d" % peers.port(name, protocol)
    status = subprocess.run([program], env=env, stdin=subprocess.DEVNULL).returncode
    verdict(status == 0, os.path.basename(program), "exit %d" % status)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", nargs="?", choices=list(SUITES))
    parser.add_argument("pattern", nargs="?", default="")
    parser.add_argument("--binary", default="build/dev/fairlead")
    parser.add_argument("--program")
    parser.add_argument("--up", action="store_true")
    parser.add_argument("--down", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args()
    if given.list:
        print("\n".join("%s: %s" % (name, " ".join(peers)) for name, peers in SUITES.items()))
        return 0
    binary = os.path.abspath(given.binary)
    root = harness.state_root(binary)
    peers = harness.Peers(root)
    if given.down:
        if os.path.isdir(peers.root):
            peers.run("stop")
            for name in ("cyrus", "courier", "dovecot"):
                peers.run("wipe", name)
        shutil.rmtree(root, ignore_errors=True)
        return 0
    wanted = ["cyrus", "courier", "dovecot"] if given.up else SUITES[given.suite] if given.suite else None
    if wanted is None:
        parser.error("a suite, --up, --down or --list")
    if given.up:
        for name in wanted:
            peers.run("wipe", name)
            peers.run("start", name)
        return 0
    os.makedirs(root, mode=0o755, exist_ok=True)
    shared = os.environ.get("FAIRLEAD_PEERS_UP") == "1"
    verdict = harness.Verdict()
    try:
        if not shared:
            for name in wanted:
                peers.run("wipe", name)
                peers.run("start", name)
        if given.program:
            run_program(os.path.abspath(given.program), peers, wanted, verdict)
        else:
            run(given.suite, given.pattern, Context(given.suite, binary, root, peers, verdict))
    finally:
        if not shared and not given.keep:
            for name in wanted:
                peers.run("wipe", name)
    print("%s: %d expectations held, %d did not" % (given.suite, verdict.good, len(verdict.bad)))
    for what in verdict.bad:
        print("  BAD " + what)
    return 1 if verdict.bad or not verdict.good else 0


if __name__ == "__main__":
    sys.exit(main())
