"""adaptor - the copy answers what it holds, the upstream the rest: counted at a relay between the two."""
import random
import re

import harness


def between(c, peer, count):
    """A gateway whose upstream is reached through a counting relay."""
    relay = c.relay(c.peers.port(peer))
    gateway = c.gateway({"old": {"imap": relay.port, "admin": harness.admin_of(peer)}}).start()
    user = c.user()
    harness.seed(user, c.peers.port(peer), messages=count, folders=4)
    return relay, gateway, user


def bodies_move_once(c, peer):
    relay, gateway, user = between(c, peer, 80)
    direct = harness.Client(c.peers.port(peer), user)
    direct.select(how="EXAMINE")
    want = direct.bodies()
    direct.logout()
    first = harness.Client(gateway.imap, user)
    first.select()
    c.check(first.bodies() == want, "%s: bodies through the gateway are the source's" % peer)
    moved = relay.read()
    c.check(moved["bodies"] >= len(want), "%s: the relay sees what moves (%d bodies)" % (peer, moved["bodies"]), moved)
    second = harness.Client(gateway.imap, user)
    second.select()
    relay.reset()
    for session in (first, second):
        c.check(session.bodies() == want, "%s: fetched again, they are the same" % peer)
    for items in ("BODY.PEEK[TEXT]", "BODY.PEEK[HEADER]", "BODY.PEEK[]<10.20>", "BODYSTRUCTURE ENVELOPE RFC822.SIZE"):
        second.fetch("1:*", "UID " + items)
    moved = relay.read()
    c.check(moved["body_bytes"] == 0, "%s: and not one body byte moves upstream" % peer, moved)
    first.logout()
    second.logout()


def case_cyrus_bodies_move_once(c):
    bodies_move_once(c, "cyrus")


def case_dovecot_bodies_move_once(c):
    bodies_move_once(c, "dovecot")


def warm_select(c, peer):
    relay, gateway, user = between(c, peer, 80)
    session = harness.Client(gateway.imap, user)
    first = session.select()
    relay.reset()
    again = session.select()
    moved = relay.read()
    c.check(first == again, "%s: a SELECT of what is warm says the same" % peer, (first, again))
    c.check(moved["trips"] <= 1, "%s: and costs one round trip at most" % peer, moved)
    session.logout()


def case_cyrus_warm_select(c):
    warm_select(c, "cyrus")


def case_dovecot_warm_select(c):
    warm_select(c, "dovecot")


def case_writes_go_through(c):
    peer = "cyrus"
    relay, gateway, user = between(c, peer, 30)
    session, direct = harness.Client(gateway.imap, user), harness.Client(c.peers.port(peer), user)
    before = session.select()
    direct.select()
    reply = session.append("INBOX", harness.message("written-through"), "\\Seen")
    told = re.search(r"APPENDUID (\d+) (\d+)", reply)
    c.check.need(reply.startswith("OK") and told, "an APPEND is accepted and told its UID", reply)
    uid = int(told.group(2))
    c.check(uid >= before["uidnext"], "the UID is the source's next", (uid, before))
    direct.ask("NOOP")
    c.check(list(direct.fetch(uid, "UID FLAGS")) == [uid], "the source has it under that UID")
    session.ask("UID STORE %d +FLAGS (\\Flagged Word)" % uid)
    flags = {bytes(f).lower() for f in direct.fetch(uid, "UID FLAGS")[uid][b"FLAGS"]}
    c.check({b"\\flagged", b"word"} <= flags, "a STORE reaches the source", flags)
    direct.ask("UID STORE %d -FLAGS (Word)" % uid)
    lines = [b"".join(x) for x in session.ask("NOOP")[0]]
    flags = {bytes(f).lower() for f in session.fetch(uid, "UID FLAGS")[uid][b"FLAGS"]}
    c.check(b"word" not in flags, "a change at the source reaches the session", (lines, flags))
    tagged = session.ask('UID MOVE %d "INBOX.Sent"' % uid)[1]
    c.check(tagged.startswith(b"OK"), "a MOVE is accepted", tagged)
    session.ask("NOOP")
    c.check(uid not in session.fetch("1:*", "UID"), "and the message is gone here")
    direct.ask("NOOP")
    c.check(uid not in direct.fetch("1:*", "UID"), "and at the source")
    direct.select("INBOX.Sent")
    found = b"".join(sum(direct.ask("FETCH * BODY.PEEK[HEADER.FIELDS (SUBJECT)]")[0], []))
    c.check(b"written-through" in found, "where it stands in the other mailbox", found)
    # What arrives at the source while a session waits.
    session.select()
    session.idle()
    direct.append("INBOX", harness.message("arrives"))
    c.check(session.until(rb"^\* \d+ EXISTS") is not None, "a session in IDLE is told of mail that arrives at the source")
    session.done()
    session.logout()
    direct.logout()


def case_a_cut_connection(c):
    """The upstream's connections break while a session lives: it goes on."""
    relay, gateway, user = between(c, "dovecot", 30)
    session = harness.Client(gateway.imap, user)
    before = session.select()
    relay.cut()
    tagged = session.ask("NOOP")[1]
    c.check(tagged.startswith((b"OK", b"NO")), "a command after the cut gets an answer", tagged)
    after = session.select()
    c.check(after == before, "and the next SELECT is as before", (before, after))
    reply = session.append("INBOX", harness.message("after-cut"))
    c.check(reply.startswith("OK"), "a write goes through again", reply)
    session.logout()


def names_of(session, line):
    """The mailbox names that a LIST answers."""
    lines = [b"".join(chunks) for chunks in session.ask(line)[0]]
    return {m.group(1).strip(b'"').decode() for m in (re.search(rb'^\* LIST \([^)]*\) \S+ (.+)$', x) for x in lines) if m}


def case_mailboxes_of_others(c):
    """Another user's mailbox is seen through the gateway, is not moved, and is back after a rollback."""
    peer, port = "cyrus", c.peers.port("cyrus")
    gateway = c.gateway({"old": {"imap": port, "admin": harness.admin_of(peer)}}).start()
    user, other = c.user(), c.user()
    harness.seed(user, port, messages=30, folders=3)
    owner = harness.Client(port, other)
    for line in ("CREATE INBOX", "CREATE INBOX.Team", "SETACL INBOX.Team %s lrsw" % user,
                 "CREATE INBOX.Seen", "SETACL INBOX.Seen %s l" % user):
        owner.ask(line)
    c.check.need(owner.append("INBOX.Team", harness.message("for-the-team")).startswith("OK"), "the other user has mail")
    shared, closed = "user.%s.Team" % other, "user.%s.Seen" % other
    session = harness.Client(gateway.imap, user)
    told = b"".join(b"".join(x) for x in session.ask("NAMESPACE")[0])
    c.check(b'"user."' in told and b'"INBOX."' in told, "NAMESPACE names the other users' namespace", told)
    names = names_of(session, 'LIST "" *')
    c.check({shared, closed, "INBOX"} <= names, "LIST shows what the source shows", names)
    seen = session.select(shared)
    c.check(seen["exists"] == 1, "the other user's mailbox opens", seen)
    got = session.fetch("1:*", "UID FLAGS BODY.PEEK[]")
    c.check([b"for-the-team" in m[b"BODY[]"] for m in got.values()] == [True], "and its message is read", got)
    uid = next(iter(got))
    tagged = session.ask("UID STORE %d +FLAGS (\\Flagged)" % uid)[1]
    c.check(tagged.startswith(b"OK"), "a flag that the rights allow is set", tagged)
    owner.select("INBOX.Team")
    flags = owner.fetch("1:*", "UID FLAGS")[uid][b"FLAGS"]
    c.check(b"\\Flagged" in [bytes(f) for f in flags], "and reaches the owner", flags)
    reply = session.append(shared, harness.message("not-allowed"))
    c.check(reply.startswith("NO"), "what the rights forbid is refused", reply)
    tagged = session.select(closed)["tagged"]
    c.check(tagged.startswith("NO"), "a mailbox that may only be listed does not open", tagged)
    seen = session.select(shared)
    report = gateway.cli("verify", user)
    c.check(shared in report.stdout, "verify names it among what is not moved", report.stdout + report.stderr)
    refused = gateway.cli("cutover", user)
    c.check(refused.returncode != 0 and "shared" in refused.stdout + refused.stderr,
            "the cutover refuses until it is accepted", refused.stdout + refused.stderr)
    done = gateway.cli("cutover", user, "--accept", "shared,acl")
    c.check.need(done.returncode == 0, "then it goes", done.stdout + done.stderr)
    tagged = session.ask("UID STORE %d -FLAGS (\\Flagged)" % uid)[1]
    c.check(tagged.startswith(b"NO"), "a session in it is refused afterwards", tagged)
    local = harness.Client(gateway.imap, user)
    names = names_of(local, 'LIST "" *')
    c.check("INBOX" in names and not {n for n in names if n.startswith("user")}, "it is not shown once the mail is here",
            names)
    c.check(local.select(shared)["tagged"].startswith("NO"), "nor does it open")
    local.logout()
    back = gateway.cli("rollback", user)
    c.check.need(back.returncode == 0, "the rollback is instant", back.stdout + back.stderr)
    again = harness.Client(gateway.imap, user)
    c.check(again.select(shared) == seen, "and there it is again, with the numbers it had")
    again.logout()
    owner.logout()


def filled_copy(c, gateway, user):
    """A user of Dovecot whose copy has every body; returns them, by UID, as the source gives them."""
    direct = harness.Client(c.peers.port("dovecot"), user)
    direct.select(how="EXAMINE")
    want = direct.bodies()
    direct.logout()
    gateway.cli("user", "add", user, "--upstream", "old", "--password-file", gateway.folder + "/password")
    filled = gateway.cli("sync", user)
    c.check.need(filled.returncode == 0, "the copy is filled", filled.stdout + filled.stderr)
    return want


def case_dovecot_damage_is_fetched_again(c):
    """Stored bytes turn on the disk: while the source has them, clients see nothing of it, before and after a cutover."""
    relay, gateway, user = between(c, "dovecot", 40)
    want = filled_copy(c, gateway, user)
    for when in ("in front of the source", "after the cutover"):
        session = harness.Client(gateway.imap, user)
        session.select()
        turned = harness.damage_store(gateway.data)
        c.check.need(turned > 0, "%s: stored messages are damaged on the disk" % when, turned)
        c.check(session.bodies() == want, "%s: every byte is the source's" % when)
        relay.reset()
        c.check(session.bodies() == want, "%s: and again" % when)
        c.check(relay.read()["body_bytes"] == 0, "%s: without asking again: they were stored" % when, relay.read())
        session.logout()
        report = gateway.cli("doctor", user, "--repair", "--json").json
        c.check(report and report["clean"], "%s: after a repair doctor is clean" % when, report)
        if when == "in front of the source":
            done = gateway.cli("cutover", user, "--accept", "sieve")
            c.check.need(done.returncode == 0, "the account is cut over", done.stdout + done.stderr)


SORTS = ("ARRIVAL", "REVERSE ARRIVAL", "DATE", "REVERSE DATE SIZE", "FROM DATE", "TO ARRIVAL", "CC", "SIZE", "SUBJECT",
         "REVERSE SUBJECT REVERSE DATE")


UMLAUTS = ["=?utf-8?q?=C3=84pfel?=", "re: =?iso-8859-1?q?=C4pfel?="]


def conversations(r, count, more_subjects):
    """Answers that come before what they answer, to what is not there, in more than one order, of one subject."""
    subjects = ["apples", "Re: apples", "Fwd: [list] apples (fwd)", "pears"] + more_subjects
    for i in range(count):
        lines = ["From: %s@x" % r.choice("abc"), "Date: %d Mar 2020 %02d:00:00 %+03d00" %
                 (r.randint(1, 28), r.randint(0, 23), r.randint(-11, 12))]
        if r.random() < 0.9:
            lines.append("Message-ID: <%d@c>" % i)
        if r.random() < 0.5:
            lines.append("Subject: " + r.choice(subjects))
        if r.random() < 0.6:
            known = sorted(r.sample(range(count), r.randint(1, 4)))
            lines.append("References: " + " ".join("<%d@c>" % k for k in known))
        elif r.random() < 0.3:
            lines.append("In-Reply-To: <%d@c>" % r.randrange(count))
        yield ("\r\n".join(lines) + "\r\n\r\n%d\r\n" % i).encode()


def sorts_as(c, peer, more_subjects):
    """SORT and THREAD of the gateway's copy, beside those of the server that has the mail."""
    relay, gateway, user = between(c, peer, 600)
    session, direct = harness.Client(gateway.imap, user), harness.Client(c.peers.port(peer), user)
    for message in conversations(random.Random(peer), 150, more_subjects):
        reply = direct.append("INBOX", message)
        c.check.need(reply.startswith("OK"), "the source takes a conversation's message", reply)
    session.select(how="EXAMINE")
    direct.select(how="EXAMINE")
    commands = ["UID SORT (%s) UTF-8 ALL" % by for by in SORTS]
    commands += ["SORT (SUBJECT) UTF-8 UNSEEN", "UID THREAD ORDEREDSUBJECT UTF-8 ALL", "UID THREAD REFERENCES UTF-8 ALL",
                 "THREAD REFERENCES UTF-8 1:20"]
    for command in commands:
        ours, theirs = (re.findall(rb"^\* ((?:SORT|THREAD)[^\r]*)", b"\r\n".join(sum(s.ask(command)[0], [])), re.M)
                        for s in (session, direct))
        c.check(len(ours) == 1 and ours == theirs, "%s: %s" % (peer, command), (ours, theirs))
    session.logout()
    direct.logout()


def case_cyrus_sorts_alike(c):
    sorts_as(c, "cyrus", [])  # which puts an umlaut elsewhere than RFC 5051 does


def case_dovecot_sorts_alike(c):
    sorts_as(c, "dovecot", UMLAUTS)


def case_dovecot_lost_dictionary(c):
    """The dictionary that small messages need turns on the disk; the source has the messages."""
    relay = c.relay(c.peers.port("dovecot"))
    gateway = c.gateway({"old": {"imap": relay.port, "admin": harness.admin_of("dovecot")}},
                        extra="[storage]\nsegment_size = %d" % (1 << 20))
    user = c.user()
    harness.seed(user, c.peers.port("dovecot"), messages=800, folders=1)
    want = filled_copy(c, gateway, user)
    packed = gateway.cli("compact", user, "--json")
    c.check.need(packed.returncode == 0 and packed.json["log_bytes"] < packed.json["log_bytes_before"],
                 "compact makes the log smaller without a server", packed.stdout + packed.stderr)
    turned = harness.damage_store(gateway.data, kinds=harness.DICTIONARY_KINDS)
    c.check.need(turned > 0, "the dictionary is damaged on the disk", turned)
    report = gateway.cli("doctor", user, "--json").json
    c.check(report and any("dictionary" in p["what"] for p in report["problems"]), "doctor names it", report)
    relay.reset()
    done = gateway.cli("doctor", user, "--repair", "--json")
    c.check(done.json and done.json["clean"] and done.json["bodies_fetched"] > 0,
            "a repair fetches the letters from the source, and doctor is clean", done.stdout + done.stderr)
    fetched = relay.read()["bodies"]
    gateway.start()
    session = harness.Client(gateway.imap, user)
    session.select()
    relay.reset()
    c.check(session.bodies() == want, "every byte is the source's (%d were fetched)" % fetched)
    c.check(relay.read()["body_bytes"] == 0, "and is here", relay.read())
    session.logout()
