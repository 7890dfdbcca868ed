"""crash - kill -9 at seeded moments of syncs, client writes and cutovers; FAIRLEAD_KILLS of them (20).

Afterwards, each time: the store is clean, a rerun converges, what was acknowledged is there once, no UID changed.
The moments are the named fault points of the code (FAIRLEAD_KILL_AT=label:n kills at the n-th passage).
"""
import base64
import collections
import os
import random
import re
import subprocess

import harness
import rawimap

KILLS = int(os.environ.get("FAIRLEAD_KILLS", "20"))
MOMENT = os.environ.get("FAIRLEAD_MOMENT", "")  # only those whose name has this
SEED = int(os.environ.get("FAIRLEAD_SEED", "1"))


# Small segments and no pause, so that a rewrite, and the removal of what it replaced, is as near as any other moment.
STORAGE = """[storage]
segment_size = 1048576
rewrite_share = 100
rewrite_idle = 0
replaced_linger = 0
replaced_keep = 0"""
BIG = 150000


def labels():
    """The fault points that the sources name."""
    found = subprocess.run(["grep", "-rhoE", r'fault_point\("[^"]+"\)', "--include=*.cpp", "wire", "storage", "gateway",
                            "imapc"], cwd=harness.ROOT, capture_output=True, text=True).stdout
    return sorted(name for name in set(re.findall(r'"([^"]+)"', found)) if MOMENT in name)


class Subject:
    """One account through all kills: what a client was told about it, and the checks of that."""

    def __init__(self, c, peer, number):
        self.c, self.peer, self.user, self.random = c, peer, c.user(), random.Random(SEED * 1000 + number)
        self.port = c.peers.port(peer)
        harness.seed(self.user, self.port, messages=120, folders=6)
        self.gateway = c.front(peer, extra=STORAGE)
        done = self.gateway.cli("user", "add", self.user, "--upstream", "old")
        c.check.need(done.returncode == 0, "%s: the user is added" % peer, done.stderr)
        self.appended, self.flagged, self.known, self.written = {}, set(), {}, 0

    def armed(self, label):
        # How often a run is sure to pass each.
        passages = {"frame-not-synced": 6, "cursor": 3}.get(label, 1)
        self.gateway.env["FAIRLEAD_KILL_AT"] = "%s:%d" % (label, self.random.randint(1, passages))

    def disarmed(self):
        self.gateway.env.pop("FAIRLEAD_KILL_AT", None)

    def write(self, count):
        """A client at work: every reply that it reads is kept in mind. Ends early when the gateway dies."""
        try:
            session = harness.Client(self.gateway.imap, self.user)
            session.select()
            for _ in range(count):
                self.written += 1
                name = "crash-%05d" % self.written
                reply = session.append("INBOX", harness.message(name, "y" * self.random.randint(1, 20000) + "\r\n"))
                told = re.match(r"OK \[APPENDUID \d+ (\d+)\]", reply)
                if told:
                    self.appended[name] = int(told.group(1))
                    if self.random.random() < 0.5:
                        _, tagged = session.ask("UID STORE %s +FLAGS.SILENT (\\Flagged)" % told.group(1))
                        if tagged.startswith(b"OK"):
                            self.flagged.add(int(told.group(1)))
            session.logout()
        except (OSError, rawimap.ImapError):
            pass

    def churn(self):
        """Mail that is big and goes again: more than a segment of it."""
        try:
            session = harness.Client(self.gateway.imap, self.user)
            session.select()
            for _ in range(12):
                self.written += 1
                text = base64.encodebytes(self.random.randbytes(BIG)).replace(b"\n", b"\r\n").decode()
                session.append("INBOX", harness.message("big-%05d" % self.written, text))
            found = b"".join(sum(session.ask("UID SEARCH LARGER %d" % BIG)[0], []))
            uids = [int(uid) for uid in found.split() if uid.isdigit()]
            session.fetch(",".join(map(str, uids)), "UID BODY.PEEK[]")  # now the copy has them, too
            for uid in uids:
                self.known.pop(uid, None)
            numbers = ",".join(map(str, uids))
            session.ask("UID STORE %s +FLAGS.SILENT (\\Deleted)" % numbers)
            session.ask("UID EXPUNGE %s" % numbers)
            session.logout()
        except (OSError, rawimap.ImapError):
            pass

    def change_source(self):
        """Somebody else at work, who removes nothing: so whatever is missing later was lost."""
        source = harness.Client(self.port, self.user)
        for name in ("INBOX", "INBOX.Sent", "INBOX.Drafts"):
            exists = source.select(name)["exists"]
            for _ in range(3):
                self.written += 1
                source.append(name, harness.message("source-%05d" % self.written))
            source.ask("STORE %d +FLAGS.SILENT ($Label%d)" % (self.random.randint(1, exists), self.random.randint(1, 4)))
        source.logout()

    def died(self, wait=0.2):
        """Whether the fault point killed the server; if not, it is killed now."""
        try:
            status = self.gateway.process.wait(wait)
        except subprocess.TimeoutExpired:
            status = None
        if status is None:
            self.gateway.kill()
            return False
        self.gateway._closed()
        return status == -9

    def examine(self, where):
        """The store on its own, then a rerun, then what a client sees."""
        check = self.c.check
        self.disarmed()
        done = self.gateway.cli("doctor", self.user)
        good = done.returncode == 0
        if not good:
            check(False, where + ": doctor finds the store clean", done.stdout + done.stderr)
        self.gateway.start()
        first, again = [self.gateway.cli("sync", self.user, "--json") for _ in range(2)]
        if first.returncode or again.returncode or again.json["messages"] != 0:
            good = check(False, where + ": a rerun converges", (first.stdout, first.stderr, again.stdout, again.stderr))
        session = harness.Client(self.gateway.imap, self.user)
        figures = session.select()
        got = session.fetch("1:*", "UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)]") if figures["exists"] else {}
        names = collections.defaultdict(list)
        for uid, item in got.items():
            text = b"".join(bytes(v) for k, v in item.items() if k.startswith(b"BODY"))
            found = re.search(rb"crash-\d{5}", text)
            if found:
                names[found.group(0).decode()].append(uid)
        for name, uid in self.appended.items():
            if names.get(name) != [uid]:
                good = check(False, where + ": %s is there once, as UID %d" % (name, uid), names.get(name))
        doubled = {name: uids for name, uids in names.items() if len(uids) > 1}
        if doubled:
            good = check(False, where + ": nothing is doubled", doubled)
        for uid in self.flagged:
            if rawimap.Atom(b"\\Flagged") not in got.get(uid, {}).get(b"FLAGS", []):
                good = check(False, where + ": the acknowledged flag of UID %d is there" % uid, got.get(uid))
        bodies = session.bodies()
        changed = {uid: digest for uid, digest in self.known.items() if bodies.get(uid, digest) != digest}
        if changed:
            good = check(False, where + ": no UID changed its message", changed)
        lost = set(self.known) - set(bodies)
        if lost:
            good = check(False, where + ": no message was lost", lost)
        self.known = bodies
        session.logout()
        status = self.gateway.stop()
        if status != 0:
            good = check(False, where + ": the gateway ends in order", (status, self.gateway.errors()))
        return good


def killed_serving(s, label):
    """A client writes and an operator syncs when the server dies."""
    s.armed(label)
    s.gateway.start()
    s.disarmed()
    harness.together(lambda: s.write(12), lambda: s.gateway.cli("sync", s.user))
    return s.died()


def killed_rewriting(s, label):
    """Mail comes and goes, and the server dies while it gives the space back."""
    s.armed(label)
    s.gateway.start()
    s.disarmed()
    s.churn()
    return s.died(harness.WAIT)


def killed_syncing(s, label):
    """The command line dies, with no server running."""
    s.change_source()
    s.armed(label)
    done = s.gateway.cli("sync", s.user)
    s.disarmed()
    return done.returncode == -9


def killed_moving(s, label):
    """The commit of a cutover dies: afterwards one side owns the mail, and never neither."""
    s.armed(label)
    done = s.gateway.cli("cutover", s.user)
    s.disarmed()
    told = s.gateway.cli("status", s.user, "--json")
    owner = told.json["users"][0]["owner"] if told.json else None
    if owner == "frozen":
        again = s.gateway.cli("cutover", s.user)
        s.c.check(again.returncode == 0, "a cutover that died in the freeze can be run again", again.stderr)
        owner = s.gateway.cli("status", s.user, "--json").json["users"][0]["owner"]
    s.c.check(owner in ("local", "upstream"), "after a death in the cutover one side owns the mail", (owner, told.stderr))
    if owner == "local":
        back = s.gateway.cli("rollback", s.user)
        s.c.check(back.returncode == 0, "with nothing changed since, the move can be taken back", back.stderr)
    return done.returncode == -9


def case_kill_9(c):
    names = labels()
    for word in ("frame", "snapshot", "cursor", "commit", "rewrite"):
        c.check(MOMENT or any(word in name for name in names), "the code names its %s step" % word, names)
    subjects = [Subject(c, peer, number) for number, peer in enumerate(("dovecot", "cyrus"))]
    for s in subjects:
        c.check.need(s.gateway.cli("sync", s.user).returncode == 0, "%s: sync" % s.peer)
    hits, held = collections.Counter(), 0
    for number in range(KILLS):
        s = subjects[number % len(subjects)]
        label = names[(number // len(subjects)) % len(names)] if names else "none"
        if "commit" in label or "froze" in label:
            way = killed_moving
        elif label.startswith("rewrite-"):
            way = killed_rewriting
        elif label in ("cursor", "snapshot-rename"):
            way = killed_syncing
        else:
            way = s.random.choice((killed_serving, killed_serving, killed_syncing))
        hit = way(s, label)
        hits[label if hit else "elsewhere"] += 1
        where = "kill %d (%s, %s, %s)" % (number + 1, s.peer, way.__name__, label if hit else "elsewhere")
        held += s.examine(where)
    c.check(held == KILLS, "after %d of %d kills everything held: %s" % (held, KILLS, dict(hits)))
    for label in names:
        want = 10 if KILLS >= 200 else 1
        c.check(hits[label] >= want, "%s was hit at least %d times" % (label, want), dict(hits))
