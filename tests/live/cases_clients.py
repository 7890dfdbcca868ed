"""clients - mbsync and offlineimap download nothing again, counted between them and the gateway."""
import harness
from mail_clients import MailClients


def proof(c, peer):
    user, port = c.user(), c.peers.port(peer)
    harness.seed(user, port, messages=150, folders=20)
    gateway = c.front(peer)
    password = [] if harness.admin_of(peer) else ["--password-file", gateway.folder + "/password"]
    gateway.cli("user", "add", user, "--upstream", "old", *password)
    gateway.start()
    clients = MailClients(gateway.folder, user, c.relay(gateway.imap))

    def both(when, bodies):
        for name in clients.commands:
            status, moved, told = clients.run(name)
            c.check(status == 0, "%s, %s: ends well" % (name, when), (status, told[-1500:]))
            if bodies is None:
                c.check(moved["bodies"] > 50, "%s, %s: fetches %d bodies" % (name, when, moved["bodies"]), moved)
            else:
                c.check(moved["bodies"] == bodies, "%s, %s: fetches %d bodies" % (name, when, bodies), moved)

    both("at first", None)
    have = {name: clients.messages(name) for name in clients.commands}
    both("again", 0)
    for verb in (["sync", user], ["verify", "--full", user], ["cutover", user]):
        done = gateway.cli(*verb)
        c.check.need(done.returncode == 0, " ".join(verb), done.stderr)
    both("after the move", 0)
    c.check({name: clients.messages(name) for name in clients.commands} == have, "nobody lost or gained a message", have)
    session = harness.Client(gateway.imap, user)
    session.append("INBOX", harness.message("new-after-the-move"))
    session.logout()
    both("after one new message", 1)


def case_cyrus(c):
    proof(c, "cyrus")


def case_courier(c):
    proof(c, "courier")


def case_dovecot(c):
    proof(c, "dovecot")
