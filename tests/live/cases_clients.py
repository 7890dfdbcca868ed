"""clients - mbsync and offlineimap download nothing again, counted between them and the gateway."""
import os
import subprocess

import harness

MBSYNC = """IMAPAccount a
Host 127.0.0.1
Port %(port)d
User %(user)s
Pass secret
SSLType None
AuthMechs LOGIN
DisableExtensions COMPRESS=DEFLATE

IMAPStore remote
Account a

MaildirStore local
Path %(folder)s/mbsync/
Inbox %(folder)s/mbsync/INBOX
SubFolders Verbatim

Channel c
Far :remote:
Near :local:
Patterns *
Create Near
Sync All
SyncState *
"""
OFFLINEIMAP = """[general]
accounts = a
metadata = %(folder)s/offlineimap-state
ui = quiet
[Account a]
localrepository = local
remoterepository = remote
[Repository local]
type = Maildir
localfolders = %(folder)s/offlineimap
[Repository remote]
type = IMAP
remotehost = 127.0.0.1
remoteport = %(port)d
remoteuser = %(user)s
remotepass = secret
ssl = no
starttls = no
auth_mechanisms = LOGIN
"""


class MailClients:
    """Both clients of one user, with their own folders, behind one counting relay."""

    def __init__(self, folder, user, relay):
        self.relay, self.folder = relay, folder
        os.makedirs(folder + "/mbsync", exist_ok=True)
        values = {"folder": folder, "user": user, "port": relay.port}
        self.commands = {}
        for name, text in (("mbsync", MBSYNC), ("offlineimap", OFFLINEIMAP)):
            path = "%s/%s.conf" % (folder, name)
            with open(path, "w") as out:
                out.write(text % values)
            os.chmod(path, 0o600)
            self.commands[name] = [name, "-c", path, "-a" if name == "mbsync" else "-o"]

    def run(self, name):
        """(exit status, what the relay counted, output)"""
        self.relay.reset()
        done = subprocess.run(self.commands[name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=dict(os.environ, HOME=self.folder), timeout=harness.WAIT * 5)
        return done.returncode, self.relay.read(), done.stdout.decode(errors="replace")

    def messages(self, name):
        return sum(len(files) for at, _, files in os.walk("%s/%s" % (self.folder, name))
                   if os.path.basename(at) in ("cur", "new"))


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
