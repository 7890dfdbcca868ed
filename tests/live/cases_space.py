"""space - an account whose log is rewritten while clients use it, somebody copies its directory, and mail comes and goes.

Segments are small (1 MiB), so that what takes a mailbox of some gigabytes elsewhere happens here in seconds. Every body
that any client is given is compared with the bytes that were appended under its UID.
"""
import base64
import glob
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import threading
import time

import harness

SEED = int(os.environ.get("FAIRLEAD_SEED", "1"))
USER = "space1"
SEGMENT = 1 << 20
BOXES = ("INBOX", "Archive")


def settings(linger, keep):
    return ("[storage]\nsegment_size = %d\nrewrite_share = 100\nrewrite_idle = 0\nreplaced_linger = %d\nreplaced_keep = %d"
            % (SEGMENT, linger, keep))


def rewritten(folder):
    """The segments that stand for others, by the generation in their names (docs/storage-format.md, Segment)."""
    return {name for name in os.listdir(os.path.join(folder, "log"))
            if re.fullmatch(r"[0-9a-f]{16}-[0-9a-f]{16}-(?!0000)[0-9a-f]{4}\.log", name)}


def size_of(folder):
    total = 0
    for where in ("log", "retired"):
        for path in glob.glob(os.path.join(folder, where, "*")):
            try:
                total += os.stat(path).st_size
            except FileNotFoundError:
                pass  # it has just moved or gone
    return total


class Mail:
    """What was acknowledged: every (mailbox, UID) that there ever was with its bytes, and those that are there now."""

    def __init__(self):
        self.lock, self.random = threading.Lock(), random.Random(SEED)
        self.known, self.live, self.moving, self.made = {}, set(), set(), 0

    def make(self, size):
        self.made += 1
        text = base64.encodebytes(self.random.randbytes(size)).replace(b"\n", b"\r\n")
        return b"Subject: space-%05d\r\n\r\n" % self.made + text

    def there(self):
        with self.lock:
            return set(self.live)

    def staying(self):
        """Those that no MOVE that is under way may have taken: a session may miss the others."""
        with self.lock:
            return self.live - self.moving

    def add(self, box, uid, digest):
        with self.lock:
            self.known[box, uid] = digest
            self.live.add((box, uid))

    def leave(self, box, uids):
        """Before the command that removes them is sent: from then on they may be gone."""
        with self.lock:
            self.live -= {(box, uid) for uid in uids}
            self.moving -= {(box, uid) for uid in uids}

    def pick(self, box, count):
        with self.lock:
            uids = sorted(uid for name, uid in self.live if name == box)
        return sorted(self.random.sample(uids, min(count, len(uids))))


def digest_of(message):
    return hashlib.sha256(message).hexdigest()


class Writer:
    """One connection that appends, moves and expunges."""

    def __init__(self, c, gateway, mail):
        self.c, self.mail = c, mail
        self.session = harness.Client(gateway.imap, USER)
        self.session.ask('CREATE "Archive"')

    def append(self, count, size=20000):
        messages = [self.mail.make(self.mail.random.randint(size // 2, size)) for _ in range(count)]
        tags = [self.session.start(b"APPEND INBOX {%d+}\r\n" % len(m) + m) for m in messages]
        for tag, message in zip(tags, messages):
            told = re.match(rb"OK \[APPENDUID \d+ (\d+)\]", self.session.finish(tag)[1])
            self.c.check.need(told, "an APPEND is accepted") if not told else None
            self.mail.add("INBOX", int(told.group(1)), digest_of(message))

    def move(self, count):
        uids = self.mail.pick("INBOX", count)
        self.session.select("INBOX")
        with self.mail.lock:
            self.mail.moving = {("INBOX", uid) for uid in uids}
        untagged, tagged = self.session.ask('UID MOVE %s "Archive"' % ",".join(map(str, uids)))
        text = b"".join(sum(untagged, [])) + tagged
        told = re.search(rb"COPYUID \d+ (\S+) ([^]\s]+)\]", text)
        self.c.check.need(told, "a MOVE is accepted", text) if not told else None
        before, after = [expand(told.group(n).decode()) for n in (1, 2)]
        with self.mail.lock:
            digests = [self.mail.known["INBOX", uid] for uid in before]
        for uid, digest in zip(after, digests):
            self.mail.add("Archive", uid, digest)
        # Only now: where a copy of the directory has neither, something is lost.
        self.mail.leave("INBOX", before)

    def expunge(self, box, count):
        uids = self.mail.pick(box, count)
        if not uids:
            return
        self.mail.leave(box, uids)
        numbers = ",".join(map(str, uids))
        self.session.select(box)
        self.session.ask("UID STORE %s +FLAGS.SILENT (\\Deleted)" % numbers)
        tagged = self.session.ask("UID EXPUNGE %s" % numbers)[1]
        self.c.check.need(tagged.startswith(b"OK"), "an EXPUNGE is accepted", tagged) if tagged[:2] != b"OK" else None

    def round(self):
        self.append(50)
        self.move(8)
        self.expunge("INBOX", 30)
        self.expunge("Archive", 4)


def expand(text):
    uids = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        uids += range(int(first), int(last or first) + 1)
    return uids


class Reader:
    """A session that reads bodies without a pause; what it saw that should not be is in `wrong`."""

    def __init__(self, gateway, mail):
        self.gateway, self.mail, self.wrong, self.read, self.stopped = gateway, mail, [], 0, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            session, number = harness.Client(self.gateway.imap, USER), 0
            while not self.stopped.is_set():
                box = BOXES[number % 2]
                number += 1
                session.select(box)
                for _ in range(5):
                    self.look(session, box)
            session.logout()
        except Exception as failure:
            self.wrong.append(repr(failure))

    def look(self, session, box):
        before = self.mail.there()
        uids = sorted(uid for name, uid in before if name == box)
        if not uids:
            return
        uids = random.Random(self.read).sample(uids, min(8, len(uids)))
        session.ask("NOOP")
        untagged, tagged = session.ask("UID FETCH %s (UID BODY.PEEK[])" % ",".join(map(str, uids)))
        # Beside what was asked for there may be news of flags, which name no UID.
        pairs = [harness.rawimap.fetch_pairs(chunks) for chunks in untagged]
        got = {int(pair[1][b"UID"]): pair[1] for pair in pairs if pair and b"BODY[]" in pair[1]}
        if not tagged.startswith(b"OK"):
            self.wrong.append("%s: %r" % (box, tagged))
        after = self.mail.staying()
        for uid in uids:
            item = got.get(uid)
            self.read += 1
            if item is None:
                if (box, uid) in after:
                    self.wrong.append("%s UID %d is missing" % (box, uid))
            elif digest_of(item.get(b"BODY[]") or b"") != self.mail.known[box, uid]:
                self.wrong.append("%s UID %d has other bytes" % (box, uid))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()


def everything(port, user):
    """{(mailbox, UID): SHA-256} of an account, whole."""
    session, found = harness.Client(port, user), {}
    for box in BOXES:
        if session.select(box)["exists"]:
            found.update({(box, uid): digest for uid, digest in session.bodies().items()})
    session.logout()
    return found


class Copies:
    """Plain copies of a directory that is in use, one after the other, by turns with cp, tar and rsync."""

    def __init__(self, folder, into, mail, most=6):
        self.folder, self.into, self.mail, self.most = folder, into, mail, most
        self.done, self.stopped = [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def take(self):
        to, before = os.path.join(self.into, "copy%d" % len(self.done)), self.mail.there()
        how = ("cp", "tar", "rsync")[len(self.done) % 3]
        if how == "cp":
            subprocess.run(["cp", "-r", self.folder, to], capture_output=True)
        elif how == "rsync":
            subprocess.run(["rsync", "-a", self.folder + "/", to + "/"], capture_output=True)
        else:
            subprocess.run(["tar", "-C", self.folder, "-cf", to + ".tar", "."], capture_output=True)
            os.makedirs(to)
            subprocess.run(["tar", "-C", to, "-xf", to + ".tar"], capture_output=True)
            os.remove(to + ".tar")
        # What was there all the time. A MOVE is in the copy before or after.
        self.done.append((how, to, before & self.mail.staying(), rewritten(to)))

    def run(self):
        while not self.stopped.is_set() and len(self.done) < self.most:
            self.take()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()


def open_elsewhere(c, copies, mail):
    """Each copy, by a gateway that has never seen the account: whole, or what is missing has a name."""
    other = c.gateway({}, extra=settings(3600, 86400))
    whole = 0
    for number, (how, where, must, _) in enumerate(copies):
        user = "copy%d" % number
        done = other.cli("user", "add", user, "--local", "--password-file", other.folder + "/password")
        c.check.need(done.returncode == 0, "a user for the copy is added", done.stderr) if done.returncode else None
        os.makedirs(os.path.dirname(harness.folder_of(other.data, user)), exist_ok=True)
        shutil.move(where, harness.folder_of(other.data, user))
        report = other.cli("doctor", user, "--json").json
        c.check.need(report, "doctor reads the copy") if not report else None
        other.start()
        found = everything(other.imap, user)
        status = other.stop()
        strange = {key for key, digest in found.items() if mail.known.get(key) != digest}
        missing = must - set(found)
        if report["clean"]:
            whole += 1
            held = not strange and not missing
        else:
            held = not strange and all(p["what"] and p["where"] for p in report["problems"])
        if report["problems"] or report["notes"]:
            print("     copy %d (%s): %s" % (number, how, json.dumps((report["problems"] + report["notes"])[:3])))
        if not held or status != 0:
            c.check(False, "copy %d (%s) opens whole, or what it lacks is named" % (number, how),
                    (report, sorted(strange)[:5], sorted(missing)[:5], status))
    return whole


def doctor(gateway):
    report = gateway.cli("doctor", USER, "--json").json
    if report is None:
        raise harness.Bad("doctor gave no report")
    return report


def until(done, what):
    """Waits for what maintenance does: it is looked for, under the bound of every wait."""
    deadline = time.monotonic() + harness.WAIT
    while not done():
        if time.monotonic() > deadline:
            raise harness.Bad(what)


def case_rewriting_beside_clients_and_copies(c):
    gateway = c.gateway({}, extra=settings(3600, 86400))
    done = gateway.cli("user", "add", USER, "--local", "--password-file", gateway.folder + "/password")
    c.check.need(done.returncode == 0, "a local user is added", done.stderr)
    gateway.start()
    mail, folder = Mail(), harness.folder_of(gateway.data, USER)
    writer = Writer(c, gateway, mail)
    writer.append(60)
    old = harness.Client(gateway.imap, USER)
    shown = old.select("INBOX")["exists"]
    old_uids = sorted(uid for box, uid in mail.there() if box == "INBOX")
    c.check.need(shown == len(old_uids) == 60, "a session that will look away sees the first messages", shown)

    generations, rounds = set(), 0
    with Reader(gateway, mail) as reader:
        while rounds < 40 and not generations:
            writer.round()
            rounds += 1
            generations |= rewritten(folder)
        with Copies(folder, gateway.folder, mail) as copies:
            while rounds < 40 and (len(generations) < 4 or len(copies.done) < copies.most):
                writer.round()
                rounds += 1
                generations |= rewritten(folder)
        c.check(len(generations) >= 4, "segments are rewritten while clients work", (rounds, sorted(generations)))
        during = [len(names) for _, _, _, names in copies.done]
        c.check(len(copies.done) >= 4 and max(during) > 0, "and are copied while they are", during)
        report = doctor(gateway)
        c.check(report["clean"], "doctor finds the store clean meanwhile", report)
        c.check(report["retired_bytes"] > SEGMENT, "and tells what was replaced", report)

        # backup begin|end: nothing is rewritten, moved or removed; the copy is whole.
        begun = gateway.cli("backup", "begin", USER, "--json")
        c.check.need(begun.returncode == 0, "backup begin", begun.stderr)
        before = rewritten(folder), set(os.listdir(os.path.join(folder, "log")))
        pinned = Copies(begun.json["directory"], os.path.join(gateway.folder, "pinned"), mail)
        os.makedirs(pinned.into)
        for _ in range(2):
            writer.round()
            pinned.take()
        after = rewritten(folder), set(os.listdir(os.path.join(folder, "log")))
        c.check(before[0] == after[0] and before[1] <= after[1], "nothing is rewritten or moved under the pin", after)
        ended = gateway.cli("backup", "end", USER, "--json")
        c.check(ended.returncode == 0, "backup end", ended.stderr)
        writer.round()
        until(lambda: rewritten(folder) - after[0], "after it space is given back again")
    c.check(reader.read > 100 and not reader.wrong, "a session that read all the time was given the right bytes",
            (reader.read, reader.wrong[:5]))

    # The session that looked away: what others removed is still its to read, from files that have been replaced.
    got = old.fetch("1:60", "UID BODY.PEEK[]", uid=False)
    digests = [digest_of(got[n][b"BODY[]"] or b"") if n in got else None for n in range(1, 61)]
    gone = [uid for uid in old_uids if ("INBOX", uid) not in mail.there()]
    c.check(len(gone) >= 10 and digests == [mail.known["INBOX", uid] for uid in old_uids],
            "a session that looked away reads what others have removed since", len(gone))
    old.logout()

    # A kill before anything is closed: the next opening needs no long reading, and nothing is missing.
    gateway.kill()
    c.check(os.path.exists(os.path.join(folder, "index.snap")), "a killed server leaves an index.snap")
    before_purge = size_of(folder)
    whole = open_elsewhere(c, copies.done, mail)
    c.check(whole == len(copies.done), "%d of %d plain copies open whole" % (whole, len(copies.done)))
    whole = open_elsewhere(c, pinned.done, mail)
    c.check(whole == len(pinned.done), "%d of %d copies between backup begin and end open whole" % (whole, len(pinned.done)))

    # With no time to linger the space is back.
    with open(gateway.config) as config:
        text = config.read()
    with open(gateway.config, "w") as config:
        config.write(text.replace(settings(3600, 86400), settings(0, 0)))
    gateway.start()
    with Reader(gateway, mail) as reader:
        writer = Writer(c, gateway, mail)
        writer.expunge("INBOX", len(mail.pick("INBOX", 10000)) // 2)
        writer.round()
        seen = {}

        def settled():
            # One look at all of it: the next pass may replace files again.
            seen["report"], seen["size"] = report, after_purge = doctor(gateway), size_of(folder)
            return (not report["retired_bytes"] and report["dead_bytes"] < report["live_bytes"] + 2 * SEGMENT and
                    after_purge <= report["live_bytes"] + report["dead_bytes"] + SEGMENT // 4)
        until(settled, "what was replaced is removed when its time has come, and the dead are less than the living")
        report, after_purge = seen["report"], seen["size"]
        c.check(report["clean"] and after_purge < 0.5 * before_purge, "the space is returned",
                (before_purge, after_purge, report))
    c.check(reader.read > 0 and not reader.wrong, "also while files go", (reader.read, reader.wrong[:5]))
    found = everything(gateway.imap, USER)
    c.check(found == {key: mail.known[key] for key in mail.live}, "nothing is lost, nothing came back, every byte is right",
            (len(found), len(mail.live)))
    print("     %d rounds, %d messages, %d bodies read, log %.1f -> %.1f MB" %
          (rounds, mail.made, reader.read, before_purge / 1e6, after_purge / 1e6), flush=True)


def case_accounts_that_nobody_opens(c):
    """Mail that was put into an account while nothing was rewritten; then a server to which nobody comes."""
    still = settings(0, 0).replace("rewrite_share = 100", "rewrite_share = 0")
    gateway = c.gateway({}, extra=still)
    done = gateway.cli("user", "add", USER, "--local", "--password-file", gateway.folder + "/password")
    c.check.need(done.returncode == 0, "a local user is added", done.stderr)
    gateway.start()
    mail, folder = Mail(), harness.folder_of(gateway.data, USER)
    writer = Writer(c, gateway, mail)
    for _ in range(2):
        writer.append(60)
        writer.append(300, size=1500)
        writer.expunge("INBOX", 220)
    writer.session.logout()
    c.check(gateway.stop() == 0 and not rewritten(folder), "nothing is rewritten where that is switched off")
    before = size_of(folder)
    with open(gateway.config) as config:
        text = config.read()
    with open(gateway.config, "w") as config:
        config.write(text.replace(still, settings(0, 0) + "\nvisit_unopened = 1"))
    gateway.start()
    until(lambda: rewritten(folder) and size_of(folder) < 0.7 * before, "an account that nobody opens gives space back")
    c.check(True, "an account that nobody opens gives its space back (%.1f of %.1f MB)" %
            (size_of(folder) / 1e6, before / 1e6))
    status = gateway.cli("status", USER, "--json")
    c.check(status.returncode == 0, "nobody was kept out", status.stderr)
    found = everything(gateway.imap, USER)
    c.check(found == {key: mail.known[key] for key in mail.live}, "every byte is right", (len(found), len(mail.live)))
    packed = gateway.cli("compact", USER, "--json")
    c.check(packed.returncode == 0 and packed.json["log_bytes"] <= packed.json["log_bytes_before"],
            "compact does it at once, while somebody serves", packed.stdout + packed.stderr)
    c.check(doctor(gateway)["clean"], "doctor is clean")
