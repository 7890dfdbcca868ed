"""upstream - what the source is asked, and by how many at once."""
import socket
import threading

import harness
from cases_adaptor import between


def headers_come_alone(c, peer):
    """ENVELOPE and the like fetch headers, once; LIST with STATUS does not ask one mailbox after the other."""
    relay, gateway, user = between(c, peer, 80)
    direct = harness.Client(c.peers.port(peer), user)
    direct.select(how="EXAMINE")
    total = sum(int(got[b"RFC822.SIZE"]) for got in direct.fetch("1:*", "UID RFC822.SIZE").values())
    want = direct.fetch("1:*", "UID BODY.PEEK[HEADER]")
    direct.logout()
    session = harness.Client(gateway.imap, user)
    session.select()
    relay.reset()
    envelopes = session.fetch("1:*", "UID ENVELOPE")
    moved = relay.read()
    c.check(len(envelopes) == len(want) and moved["bodies"] == 0, "%s: ENVELOPEs bring no body" % peer, moved)
    c.check(moved["down"] < total / 2, "%s: and less than half the bytes" % peer, (moved, total))
    c.check(moved["trips"] <= 2, "%s: in two round trips at most" % peer, moved)
    relay.reset()
    got = session.fetch("1:*", "UID BODY.PEEK[HEADER]")
    c.check({u: f[b"BODY[HEADER]"] for u, f in got.items()} == {u: f[b"BODY[HEADER]"] for u, f in want.items()},
            "%s: the headers are the source's" % peer)
    c.check(relay.read()["down"] == 0, "%s: and were there already" % peer, relay.read())
    session.bodies()
    c.check(session.fetch("1:*", "UID ENVELOPE") == envelopes, "%s: with the bodies the ENVELOPEs are the same" % peer)
    folders = len(session.ask('LIST "" "*"')[0])
    first = session.ask('LIST "" "*" RETURN (STATUS (MESSAGES UIDNEXT UNSEEN))')[0]
    relay.reset()
    again = session.ask('LIST "" "*" RETURN (STATUS (MESSAGES UIDNEXT UNSEEN))')[0]
    moved = relay.read()
    c.check(again == first and len(again) >= 2 * folders - 1, "%s: LIST tells every STATUS" % peer, again)
    c.check(moved["trips"] <= 3, "%s: of %d mailboxes in three round trips at most" % (peer, folders), moved)
    session.logout()


def case_cyrus_headers_come_alone(c):
    headers_come_alone(c, "cyrus")


def case_the_limit_of_an_upstream(c):
    """One connection for everybody: a session waits for another user's to become free, and both are served."""
    gateway = c.gateway({"old": {"imap": c.peers.port("dovecot"), "admin": harness.admin_of("dovecot"),
                                 "limits": "{ sessions = 1, migration = 1, per_user = 3 }"}})
    gateway.start()
    users = [c.user(), c.user()]
    for user in users:
        harness.seed(user, c.peers.port("dovecot"), messages=20, folders=2)
    sessions = [harness.Client(gateway.imap, user) for user in users]
    for turn in range(2):
        for user, session in zip(users, sessions):
            seen = session.select()
            c.check(seen["tagged"].startswith("OK"), "%s is served in turn %d" % (user, turn), seen)
    # The first one's IDLE keeps the only connection: it has to give it to the other.
    sessions[0].idle()
    seen = sessions[1].select()
    c.check(seen["tagged"].startswith("OK"), "also while the other is in IDLE", seen)
    sessions[0].done()
    for user in users:
        done = gateway.cli("sync", user)
        c.check(done.returncode == 0, "a sync waits its turn and is served", done.stderr)
    for session in sessions:
        session.logout()


class ForgetfulServer:
    """An IMAP server that takes an administrator's login and forgets for whom: every session is the administrator's."""

    ANSWERS = {
        "CAPABILITY": ["CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN ACL"],
        "LIST": ['LIST () "/" INBOX'],
        "LSUB": [],
        "STATUS": ["STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 7)"],
        "SELECT": ["FLAGS (\\Seen)", "0 EXISTS", "0 RECENT", "OK [UIDVALIDITY 7] ", "OK [UIDNEXT 1] "],
        "EXAMINE": ["FLAGS (\\Seen)", "0 EXISTS", "0 RECENT", "OK [UIDVALIDITY 7] ", "OK [UIDNEXT 1] "],
        "GETACL": ["ACL INBOX proxy lrswipkxtecda"],
        "LOGOUT": ["BYE"],
    }

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client, client.makefile("rwb") as lines:
            lines.write(b"* OK ready\r\n")
            lines.flush()
            for line in lines:
                tag, word = line.decode("latin-1").split()[:2]
                for answer in self.ANSWERS.get(word.upper(), []):
                    lines.write(b"* %s\r\n" % answer.encode())
                lines.write(b"%s OK done\r\n" % tag.encode())
                lines.flush()
                if word.upper() == "LOGOUT":
                    return


def case_an_administrator_who_stays_himself(c):
    """A source that ignores in whose name an administrator logs in: probe tells, and the cutover refuses."""
    server = ForgetfulServer()
    gateway = c.gateway({"old": {"imap": server.port, "admin": ("proxy", "authzid")}})
    told = gateway.cli("probe", "old", "--user", "anna", "--json")
    c.check(told.json and told.json["is_the_user"] is False, "probe says that the session is not the user's",
            told.stdout + told.stderr)
    c.check(told.json and "administrator" in told.json["identity_evidence"], "and why", told.stdout)
    for verb in (["user", "add", "anna", "--upstream", "old"], ["sync", "anna"]):
        done = gateway.cli(*verb)
        c.check.need(done.returncode == 0, " ".join(verb), done.stderr + done.stdout)
    done = gateway.cli("cutover", "anna")
    said = done.stdout + done.stderr
    c.check(done.returncode == 1 and "is not that of 'anna'" in said, "the cutover refuses", said)
    server.listener.close()
