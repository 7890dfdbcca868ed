#!/usr/bin/env python3
"""archive - `fairlead export` and `import` of one INBOX of small messages, and Dovecot's way out of its store beside them.

  archive.py [--binary build/release/fairlead] [--messages 98000] [--rival] [--json FILE]

No server runs. The mail is that of storage.py, kept under build/bench. --rival: `doveadm backup` of the same mail from
mdbox into a Maildir, and from there into mdbox again. CPU is user + system of the process, memory its peak.
"""
import os
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import command_line  # noqa: E402
import storage  # noqa: E402
from storage import BIG, harness  # noqa: E402


def run(figures, name, command, messages, size):
    out = open(os.devnull, "w")
    start = time.perf_counter()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)
    said = child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    if status:
        raise harness.Bad("%s: %s" % (" ".join(command), said.decode("utf-8", "replace")[-500:]))
    cpu = used.ru_utime + used.ru_stime
    figures[name] = {"wall_s": wall, "cpu_s": cpu, "messages_a_second": messages / wall, "mb_a_second": size / wall / 1e6,
                     "cpu_us_a_message": cpu * 1e6 / messages, "peak_mib": used.ru_maxrss / 1024}
    print("%-28s %s" % (name, "  ".join("%s %.4g" % pair for pair in figures[name].items())), flush=True)


def main():
    parser = command_line.options(__doc__, messages=98000, root="build/bench")
    parser.add_argument("--rival", action="store_true")
    given = parser.parse_args()
    root, figures = os.path.abspath(given.root), {}
    ours = storage.Fairlead(os.path.join(root, "fairlead"), given.binary)
    ours.prepare(given.messages)
    ours.start()
    messages, size = storage.mail_bytes(ours.port, BIG)
    ours.stop()
    base = [ours.binary, "--config", ours.gateway.config]
    scratch = os.path.join(root, "archive")
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(scratch)
    os.chmod(scratch, 0o777)  # Dovecot writes as its users
    for form in ("maildir", "mbox"):
        to = os.path.join(scratch, form)
        run(figures, "export, " + form, [*base, "export", BIG, to, "--format", form], messages, size)
        user = "taken-" + form
        ours.gateway.cli("user", "remove", user)
        shutil.rmtree(harness.folder_of(ours.gateway.data, user), ignore_errors=True)
        user += "-%d" % time.time()  # a removed user leaves a tombstone
        ours.gateway.cli("user", "add", user, "--local", "--password-file", ours.folder + "/password")
        run(figures, "import, " + form, [*base, "import", user, to], messages, size)
        run(figures, "import again, " + form, [*base, "import", user, to], messages, size)
        shutil.rmtree(harness.folder_of(ours.gateway.data, user), ignore_errors=True)
        ours.gateway.cli("user", "remove", user)
        shutil.rmtree(to)
    if given.rival:
        theirs = storage.Rival("dovecot", harness.Peers(root))
        theirs.prepare(given.messages)
        conf = os.path.join(theirs.peers.file(theirs.peer), "dovecot.conf")
        theirs.start()
        to = os.path.join(scratch, "theirs")
        doveadm = ["doveadm", "-c", conf]
        try:
            run(figures, "doveadm backup to maildir", [*doveadm, "backup", "-u", BIG, "maildir:" + to], messages, size)
            run(figures, "doveadm import from maildir",
                [*doveadm, "import", "-u", "user9", "maildir:" + to, "", "all"], messages, size)
        finally:
            theirs.stop()
    shutil.rmtree(scratch, ignore_errors=True)
    command_line.keep(given, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
