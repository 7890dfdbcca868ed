"""walk - the whole path of one account, on each kind of source."""
import json
import socket

import harness


def walk(c, peer):
    check, user, source = c.check, c.user(), c.peers.port(peer)
    harness.seed(user, source)
    gateway = c.front(peer)
    before = harness.take(user, source)
    ignore = ["msg.bodystructure"]
    if peer == "courier":
        # It drops raw 8-bit bytes from its ENVELOPE; ours follows the message.
        ignore.append("msg.envelope")

    def verb(what, status, *arguments):
        done = gateway.cli(*arguments)
        check(done.returncode == status, what, "exit %d: %s%s" % (done.returncode, done.stderr[-800:], done.stdout[-800:]))
        return done

    def same(what, other, reference=before):
        found = harness.differences(reference, other, ignore)
        check(not found, what, found)

    def figures(what, key, want, *arguments):
        done = verb(what, 0, *arguments, "--json")
        if done.json is None:
            check(False, what + ", told as JSON", done.stdout)
        elif key:
            check(done.json[key] == want, "%s: %s is %s" % (what, key, want), done.json)
        return done.json

    messages = sum(len(m["messages"]) for m in before["mailboxes"].values())
    verb("the configuration is sound", 0, "check")
    verb("an unknown upstream is wrong usage", 2, "user", "add", "nobody", "--upstream", "nowhere")
    told = figures("probe tells what the upstream is", None, None, "probe", "old", "--user", user, "--password-file",
                   gateway.folder + "/password")
    if told:
        check(told.get("is_the_user") is True, "and that the session is the user's own", told.get("identity_evidence"))
        words = " ".join(told.get("capabilities", [])).upper()
        check("IMAP4REV1" in words and ("CONDSTORE" in words) == (peer != "courier"), "by its capabilities", told)
    password = [] if harness.admin_of(peer) else ["--password-file", gateway.folder + "/password"]
    verb("a user is added before the server runs", 0, "user", "add", user, "--upstream", "old", *password)
    verb("adding it again is a no", 1, "user", "add", user, "--upstream", "old", *password)
    gateway.start()
    same("through the adaptor the account looks like the source", harness.take(user, gateway.imap))
    figures("sync brings every message", None, None, "sync", user)
    figures("sync again finds nothing to bring", "messages", 0, "sync", user)
    told = figures("every byte verifies", None, None, "verify", "--full", user)
    if told:
        found = told[0] if isinstance(told, list) else told
        check(found.get("equal") is True, "verify calls the copy equal", json.dumps(found)[:800])
        compared = sum(m["messages"] for m in found.get("mailboxes", []))
        check(compared == messages, "verify compared every message", (compared, messages))
    after_sync = harness.take(user, source)
    same("the source is as it was: flags, UIDNEXT, HIGHESTMODSEQ and all", after_sync)
    figures("cutover commits", None, None, "cutover", user)
    same("after the move every attribute is the source's", harness.take(user, gateway.imap))
    same("the cutover left the source as it was", harness.take(user, source))
    told = figures("the store is clean", None, None, "doctor", user)
    if told:
        found = told[0] if isinstance(told, list) else told
        check(found["clean"] is True, "doctor calls it clean", found)
    told = figures("status tells who owns the mail", None, None, "status", user)
    if told:
        check(told["users"][0]["owner"] == "local", "the owner is local", told)
    verb("an unknown user is a no", 1, "status", "nobody")

    # Nothing has changed since the commit: going back is instant, and the next change belongs to the source again.
    figures("a rollback before any local change goes back", None, None, "rollback", user)
    with_client = harness.Client(gateway.imap, user)
    reply = with_client.append("INBOX", harness.message("after-rollback"))
    with_client.logout()
    check(reply.startswith("OK"), "after the rollback an APPEND is accepted", reply)
    session = harness.Client(source, user)
    session.select()
    found = session.ask('UID SEARCH HEADER Subject "after-rollback"')[0]
    check(any(len(b"".join(x).split()) > 2 for x in found), "and it is at the source", found)
    session.logout()


def case_cyrus(c):
    walk(c, "cyrus")


def case_courier(c):
    walk(c, "courier")


def case_dovecot(c):
    walk(c, "dovecot")


def case_local_changes_stop_a_rollback(c):
    """After a local change, until replay exists, rollback says no and names what changed."""
    user = c.user()
    harness.seed(user, c.peers.port("dovecot"), messages=20, folders=3)
    gateway = c.front("dovecot").start()
    for verb in (["user", "add", user, "--upstream", "old"], ["sync", user], ["cutover", user]):
        done = gateway.cli(*verb)
        c.check.need(done.returncode == 0, " ".join(verb), done.stderr)
    session = harness.Client(gateway.imap, user)
    c.check(session.append("INBOX", harness.message("kept")).startswith("OK"), "a message arrives after the cutover")
    session.logout()
    done = gateway.cli("rollback", user)
    c.check(done.returncode == 1, "rollback says no", done.stderr)
    c.check("INBOX" in done.stderr + done.stdout, "and names what changed", done.stderr + done.stdout)
    session = harness.Client(gateway.imap, user)
    session.select()
    c.check(b"kept" in b"".join(sum(session.ask("FETCH * BODY.PEEK[HEADER.FIELDS (SUBJECT)]")[0], [])),
            "the message is still there")
    session.logout()


def case_four_spellings(c):
    """One account and one authority, however its user writes the name, before and after the cutover."""
    user = c.user()
    source = c.peers.port("dovecot")
    harness.seed(user, source, messages=20, folders=3)
    gateway = c.front("dovecot", canonical='{ case = "lower", strip_domain = ["example.org"], separator = "+" }').start()
    spellings = [user, user.upper(), user + "@example.org", user.title() + "+list@Example.ORG"]

    def round_of(name, owner):
        for number, spelling in enumerate(spellings):
            session = harness.Client(gateway.imap, spelling)
            told = session.append("INBOX", harness.message("%s-%d" % (name, number)))
            c.check(told.startswith("OK"), "%s appends (%s)" % (spelling, name), told)
            session.logout()
        seen = set()
        for spelling in spellings:
            session = harness.Client(gateway.imap, spelling)
            figures = session.select()
            seen.add((figures["uidvalidity"], figures["uidnext"], figures["exists"]))
            session.logout()
        c.check(len(seen) == 1, "all four see one INBOX (%s)" % name, seen)
        listed = gateway.cli("user", "list", "--json").json
        c.check([(u["user"], u["owner"]) for u in listed["users"]] == [(user, owner)], "one account, owner " + owner, listed)

    round_of("before", "upstream")
    for verb in (["sync", user], ["cutover", spellings[3]]):
        done = gateway.cli(*verb)
        c.check.need(done.returncode == 0, " ".join(verb), done.stderr)
    at_source = harness.Client(source, user).select()["exists"]
    round_of("after", "local")
    c.check(harness.Client(source, user).select()["exists"] == at_source, "nothing more reaches the source")


class ManageSieve:
    """Just enough of RFC 5804 to put a script at the source."""

    def __init__(self, port, user):
        self.lines = socket.create_connection(("127.0.0.1", port), harness.WAIT).makefile("rwb")
        self.answer()
        plain = harness.rawimap.base64.b64encode(b"\0%s\0secret" % user.encode()).decode()
        self.ask('AUTHENTICATE "PLAIN" "%s"' % plain)

    def answer(self):
        got = []
        while True:
            line = self.lines.readline().decode()
            got.append(line)
            if not line or line.split(" ")[0].strip() in ("OK", "NO", "BYE"):
                return got

    def ask(self, line):
        self.lines.write(line.encode() + b"\r\n")
        self.lines.flush()
        got = self.answer()
        if not got[-1].startswith("OK"):
            raise harness.Bad("%s: %s" % (line.split(" ")[0], got))
        return got


def case_a_sieve_script_stops_a_cutover(c):
    """An active script is not carried: the cutover names it until its loss is accepted; a stored one is no rule."""
    user, port = c.user(), c.peers.port("cyrus", "sieve")
    harness.seed(user, c.peers.port("cyrus"), messages=10, folders=2)
    sieve = ManageSieve(port, user)
    sieve.ask('PUTSCRIPT "away" "keep;"')
    gateway = c.gateway({"old": {"imap": c.peers.port("cyrus"), "sieve": port, "admin": harness.admin_of("cyrus")}}).start()
    for verb in (["user", "add", user, "--upstream", "old"], ["sync", user], ["cutover", user], ["rollback", user]):
        done = gateway.cli(*verb)
        c.check.need(done.returncode == 0, "with a script that is not active: " + " ".join(verb), done.stderr + done.stdout)
    sieve.ask('SETACTIVE "away"')
    done = gateway.cli("cutover", user)
    said = done.stdout + done.stderr
    c.check(done.returncode == 1 and "'away'" in said and "--accept sieve" in said, "an active one is named", said)
    done = gateway.cli("cutover", user, "--accept", "sieve")
    c.check(done.returncode == 0, "and the cutover goes on when its loss is accepted", done.stderr + done.stdout)
