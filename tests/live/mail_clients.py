"""mail_clients - mbsync and offlineimap behind a counting relay, each with folders of its own."""
import os
import subprocess

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
fsync = false
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
                              stderr=subprocess.STDOUT, env=dict(os.environ, HOME=self.folder), timeout=600)
        return done.returncode, self.relay.read(), done.stdout.decode(errors="replace")

    def messages(self, name):
        return sum(len(files) for at, _, files in os.walk("%s/%s" % (self.folder, name))
                   if os.path.basename(at) in ("cur", "new"))
