#!/usr/bin/env python3
"""migrate - `fairlead sync` beside Dovecot's dsync in its best configuration, on the same sources in one run.

  migrate.py [--binary build/release/fairlead] [--messages 18000] [--sources cyrus,dovecot] [--json FILE]

Plain loopback, no server of ours running. For each source and tool: the first run, a run with nothing changed, a run
after 1 % of the mail changed. Wall seconds, CPU seconds (user + system), peak memory of the tool, CPU of the source.
dsync fills a Dovecot with mdbox and zstd; its MODSEQs are right only with a commit interval above the mailbox's size.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "live"))
import harness  # noqa: E402

USER = "user1"


def dsync_command(peers, source, folder):
    """doveadm's arguments, after writing its configuration: that of dovecot-target with the source as imapc."""
    with open(peers.file("dovecot-target/dovecot.conf")) as conf:
        text = "".join(line for line in conf if "include_try" not in line)
    text += """
imapc_host = 127.0.0.1
imapc_port = %d
imapc_user = %%u
imapc_password = secret
imapc_features = rfc822.size fetch-headers modseq
imapc_list_prefix = INBOX
mail_prefetch_count = 20
dsync_commit_msgs_interval = 1000000
""" % peers.port(source)
    path = os.path.join(folder, "dsync-%s.conf" % source)
    with open(path, "w") as out:
        out.write(text)
    return ["doveadm", "-c", path, "backup", "-R", "-u", USER, "imapc:"]


def measured(command, servers, output):
    """The figures of measure.py."""
    given = [word for name, pids in servers.items() for word in ("--server", name + "=" + ",".join(map(str, pids)))]
    done = subprocess.run([sys.executable, "-S", os.path.join(harness.PEERS, "measure.py"), *given, "--output", output,
                           "--", *command], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return json.loads(done.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="build/release/fairlead")
    parser.add_argument("--messages", type=int, default=18000)
    parser.add_argument("--folders", type=int, default=14)
    parser.add_argument("--sources", default="cyrus,dovecot")
    parser.add_argument("--json")
    given = parser.parse_args()
    given.binary = os.path.abspath(given.binary)
    root = harness.state_root(given.binary + ".bench")
    peers, rows = harness.Peers(root), []
    sources = given.sources.split(",")
    used = sources + ["dovecot-target"]
    for name in used:
        peers.run("wipe", name)
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(root, mode=0o755)
    os.sync()
    try:
        for source in sources:
            # Filled without waiting for the disk, measured as an administrator would run it.
            peers.run("wipe", "dovecot-target")
            peers.run("start", source)
            harness.seed(USER, peers.port(source), given.messages, given.folders)
            peers.run("stop", source)
            del peers.env["PEERS_FAST"]
            peers.run("start", source)
            peers.run("start", "dovecot-target")
            peers.env["PEERS_FAST"] = "1"
            record = harness.take(USER, peers.port(source))
            boxes = record["mailboxes"].values()
            print("%s: %d messages, %d bytes, %d mailboxes" % (
                source, sum(len(b["messages"]) for b in boxes),
                sum(m["len"] for b in boxes for m in b["messages"]), len(boxes)), flush=True)
            gateway = harness.Gateway(os.path.join(root, "gateway-" + source), given.binary,
                                      {"old": {"imap": peers.port(source), "admin": harness.admin_of(source)}})
            gateway.cli("user", "add", USER, "--upstream", "old")
            tools = {"dsync": dsync_command(peers, source, root),
                     "fairlead": [given.binary, "--config", gateway.config, "sync", USER]}
            for run in ("first", "unchanged", "after 1 %"):
                if run == "after 1 %":
                    harness.touch(USER, peers.port(source), 0.01, given.folders)
                for tool, command in tools.items():
                    figures = measured(command, {"source": peers.pids(source)}, os.path.join(root, "output"))
                    rows.append({"source": source, "tool": tool, "run": run, **figures})
                    print("%-8s %-9s %-10s exit %d  wall %6.2f  cpu %6.2f  peak %5.1f MiB  source cpu %5.2f" % (
                        source, tool, run, figures["status"], figures["wall"], figures["cpu"], figures["peak_mib"],
                        figures["source_cpu"]), flush=True)
                    if figures["status"]:
                        with open(os.path.join(root, "output"), errors="replace") as output:
                            print(output.read()[-1000:])
            peers.run("stop", source)
    finally:
        for name in used:
            peers.run("wipe", name)
        shutil.rmtree(root, ignore_errors=True)
    if given.json:
        with open(given.json, "w") as out:
            json.dump(rows, out, indent=1)
    return 1 if any(row["status"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
