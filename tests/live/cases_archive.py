"""archive - mail out as Maildir and mbox, read by other programs, and in again with every identity."""
import fcntl
import mailbox
import os
import re
import select
import shutil
import struct
import subprocess
import termios
import time

import harness


def moved_account(c):
    """A realistic account that is served from here."""
    user = c.user()
    harness.seed(user, c.peers.port("dovecot"), messages=200, folders=8)
    gateway = c.front("dovecot").start()
    for verb in (["user", "add", user, "--upstream", "old"], ["sync", user], ["cutover", user]):
        done = gateway.cli(*verb)
        c.check.need(done.returncode == 0, " ".join(verb), done.stderr + done.stdout)
    session = harness.Client(gateway.imap, user)
    # What the formats have to quote, and what cannot be written as Unix text.
    for name, text in (("from", "\r\nFrom here\r\n>From there\r\n\r\nFrom again\r\n"), ("bare", "one\ntwo\r\n"),
                       ("cr", "a\rb\r\n"), ("no end", "last line has no end"), ("crlf only", "\r\n\r\n")):
        reply = session.append("INBOX", harness.message(name, text), "\\Flagged Word")
        c.check(reply.startswith("OK"), "a message is appended: " + name, reply)
    session.logout()
    return gateway, user


def round_trip(c, form):
    gateway, user = moved_account(c)
    before = harness.take(user, gateway.imap)
    total = sum(len(m["messages"]) for m in before["mailboxes"].values())
    folder = os.path.join(gateway.folder, form)
    done = gateway.cli("export", user, folder, "--format", form, "--json")
    c.check.need(done.returncode == 0, form + ": export", done.stderr + done.stdout)
    c.check(done.json["messages"] == total, "it writes every message", (done.json["messages"], total))
    again = gateway.cli("export", user, folder, "--format", form)
    c.check(again.returncode == 1, "a folder that is not empty is refused", again.stderr)
    other_programs(c, form, folder, before, user)
    # Into an account of another name, through the server.
    done = gateway.cli("user", "add", "copy", "--local", "--password-file", gateway.folder + "/password")
    c.check.need(done.returncode == 0, "a local account", done.stderr)
    done = gateway.cli("import", "copy", folder, "--json")
    c.check.need(done.returncode == 0, form + ": import", done.stderr + done.stdout)
    found = harness.differences(before, harness.take("copy", gateway.imap), [])
    c.check(not found, "it is the account that was exported, in every attribute and byte", found)
    done = gateway.cli("import", "copy", folder, "--json")
    c.check(done.json["messages"] == 0 and done.json["there_before"] == total, "importing again brings nothing", done.json)
    found = harness.differences(before, harness.take("copy", gateway.imap), [])
    c.check(not found, "and changes nothing", found)
    # And without a server.
    gateway.stop()
    done = gateway.cli("export", "copy", folder + "-2", "--format", form)
    c.check(done.returncode == 0, "an export without a server", done.stderr)
    for top, _, files in os.walk(folder):
        for name in files:
            if name == "fairlead-export.json":
                continue
            one, two = os.path.join(top, name), os.path.join(folder + "-2", os.path.relpath(top, folder), name)
            same = os.path.exists(two) and open(one, "rb").read() == open(two, "rb").read()
            if not same:
                c.check(False, "the copy's export is the same: " + os.path.relpath(one, folder))
    done = gateway.cli("doctor", "copy", "--json")
    c.check(done.returncode == 0, "its store is clean", done.stdout)


def other_programs(c, form, folder, before, user):
    """The standard library and mutt open what was written."""
    want = {name: len(box["messages"]) for name, box in before["mailboxes"].items()}
    if form == "maildir":
        box = mailbox.Maildir(folder, create=False)
        counts = {"INBOX": len(box)}
        for name in box.list_folders():
            counts["INBOX." + name] = len(box.get_folder(name))
        flagged = sum("F" in m.get_flags() for m in box)
    else:
        box = mailbox.mbox(os.path.join(folder, "INBOX.mbox"), create=False)
        counts = {"INBOX": len(box)}
        for name in sorted(os.listdir(folder)):
            if name.endswith(".mbox") and name != "INBOX.mbox":
                counts["INBOX." + name[:-5]] = len(mailbox.mbox(os.path.join(folder, name), create=False))
        flagged = sum("F" in m.get_flags() for m in box)
    plain = {name: n for name, n in want.items() if "INBOX." + name[6:] in counts or name == "INBOX"}
    c.check(len(plain) >= 3 and all(counts[name] == n for name, n in plain.items()),
            "python's mailbox counts the same in %d mailboxes" % len(plain), (counts, want))
    c.check(flagged >= 5, "and sees the flags", flagged)
    if not shutil.which("mutt"):
        return
    path = folder if form == "maildir" else os.path.join(folder, "INBOX.mbox")
    copy = os.path.join(os.path.dirname(folder), "for-mutt-" + form)
    (shutil.copytree if form == "maildir" else shutil.copy)(path, copy)
    # Without a terminal it takes itself for a sender of mail.
    terminal, its_end = os.openpty()
    fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 250, 0, 0))
    running = subprocess.Popen(["mutt", "-n", "-F", "/dev/null", "-R", "-e", "push '<exit>'", "-f", copy], stdin=its_end,
                               stdout=its_end, stderr=its_end, env=dict(os.environ, TERM="xterm"), start_new_session=True)
    os.close(its_end)
    screen, deadline = b"", time.monotonic() + harness.WAIT
    while running.poll() is None and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                screen += os.read(terminal, 65536)
            except OSError:
                break
    if running.poll() is None and time.monotonic() >= deadline:
        running.kill()
    running.wait()
    os.close(terminal)
    told = re.search(rb"Msgs:(\d+)", screen)
    c.check(told and int(told.group(1)) == want["INBOX"], "mutt opens INBOX and shows all its messages",
            (told, want["INBOX"], screen[-600:]))


def case_maildir(c):
    round_trip(c, "maildir")


def case_mbox(c):
    round_trip(c, "mbox")


def case_an_import_that_is_killed(c):
    """kill -9 at the writing of its batches, several times: repeated, it ends with the account that was exported."""
    gateway, user = moved_account(c)
    before = harness.take(user, gateway.imap)
    folder = os.path.join(gateway.folder, "out")
    done = gateway.cli("export", user, folder)
    c.check.need(done.returncode == 0, "export", done.stderr)
    done = gateway.cli("user", "add", "copy", "--local", "--password-file", gateway.folder + "/password")
    c.check.need(done.returncode == 0, "a local account", done.stderr)
    gateway.stop()
    for passage in (2, 3, 1, 4):
        gateway.env["FAIRLEAD_KILL_AT"] = "frame-not-synced:%d" % passage
        done = gateway.cli("import", "copy", folder)
        c.check(done.returncode == -9, "killed at batch %d" % passage, (done.returncode, done.stderr))
    del gateway.env["FAIRLEAD_KILL_AT"]
    done = gateway.cli("import", "copy", folder, "--json")
    c.check(done.returncode == 0 and done.json["there_before"] > 0, "the next one goes on", done.stdout + done.stderr)
    gateway.start()
    found = harness.differences(before, harness.take("copy", gateway.imap), [])
    c.check(not found, "and nothing is missing, doubled or renumbered", found)
    done = gateway.cli("doctor", "copy")
    c.check(done.returncode == 0, "its store is clean", done.stdout)


def case_mail_from_elsewhere(c):
    """A Maildir that python wrote goes into an account that has mail; nothing of that changes."""
    gateway = c.gateway({})
    done = gateway.cli("user", "add", "local1", "--local", "--password-file", gateway.folder + "/password")
    c.check.need(done.returncode == 0, "a local account", done.stderr)
    gateway.start()
    session = harness.Client(gateway.imap, "local1")
    session.append("INBOX", harness.message("mine"))
    before = session.select()
    source = mailbox.Maildir(os.path.join(gateway.folder, "theirs"))
    for number, flags in enumerate(("", "S", "FS", "RST")):
        message = mailbox.MaildirMessage("Subject: m%d\n\nline\n" % number)
        message.set_subdir("cur")
        message.set_flags(flags)
        message.set_date(1_000_000_000 + number)
        source.add(message)
    source.add_folder("Work.2024").add("Subject: deeper\n\nline\n")
    done = gateway.cli("import", "local1", os.path.join(gateway.folder, "theirs"), "--json")
    c.check.need(done.returncode == 0, "import", done.stderr + done.stdout)
    c.check(done.json["messages"] == 5, "five messages come", done.json)
    after = session.select()
    c.check(after["uidvalidity"] == before["uidvalidity"] and after["exists"] == 5, "INBOX keeps its UIDVALIDITY", after)
    got = session.fetch("1:*", "UID FLAGS BODY.PEEK[]")
    flags = sorted(" ".join(sorted(bytes(f).decode() for f in m[b"FLAGS"] if f != b"\\Recent")) for m in got.values())
    c.check(flags == sorted(["", "", "\\Seen", "\\Flagged \\Seen", "\\Answered \\Deleted \\Seen"]), "with their flags", flags)
    c.check(all(b"\r\n\r\n" in m[b"BODY[]"] for m in got.values()), "as lines of mail")
    c.check(session.select("Work/2024")["exists"] == 1, "folders become mailboxes")
    for arguments, want in ((("import", "local1", "/nonexistent"), 2), (("import", "nobody", gateway.folder), 1),
                            (("export", "local1", gateway.folder + "/x", "--format", "pst"), 2)):
        done = gateway.cli(*arguments)
        c.check(done.returncode == want, " ".join(arguments[:2]) + ": exit %d" % want, (done.returncode, done.stderr))
    session.logout()
