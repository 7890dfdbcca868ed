#!/usr/bin/env python3
"""mailboxes - one account with 5,000 mailboxes of one small message each: Fairlead, Dovecot (mdbox) and Cyrus.

  mailboxes.py [--binary build/release/fairlead] [--servers fairlead,dovecot,cyrus] [--mailboxes 5000] [--repeat 5]
               [--json FILE]

All servers run without waiting for the disk (libeatmydata), since what grows with the number of mailboxes is asked
for. Wall seconds are the median of --repeat runs, CPU is that of the server's processes. `cold`: the page cache was
dropped before the login and Fairlead was restarted.
"""
import os
import statistics
import sys

sys.dont_write_bytecode = True
import command_line  # noqa: E402
import storage  # noqa: E402
from storage import harness, load  # noqa: E402

USER = "user4"


class Rival(storage.Rival):
    def begin(self):
        self.peers.run("wipe", self.peer)
        self.peers.env["PEERS_FAST"] = "1"
        self.peers.run("start", self.peer)
        self.port, self.pids = self.peers.port(self.peer), self.peers.pids(self.peer)

    def name_of(self, folder, number):
        name = "%s %d/mailbox of some length %d" % ("Folder", folder, number)
        return "INBOX." + name.replace("/", ".") if self.name == "cyrus" else name


class Fairlead(storage.Fairlead):
    def begin(self):
        self.gateway = harness.Gateway(self.folder, self.binary, {})
        done = self.gateway.cli("user", "add", USER, "--local", "--password-file", self.folder + "/password")
        if done.returncode:
            raise harness.Bad("user add: " + done.stderr)
        self.gateway.env["LD_PRELOAD"] = "libeatmydata.so"
        self.start()

    def name_of(self, folder, number):
        return "Folder %d/mailbox of some length %d" % (folder, number)


def measure_create(server, table, count):
    client = load.Connection(server.port, USER)
    names, tenth = [server.name_of(number % 50, number) for number in range(count)], max(1, count // 10)
    for label, part in (("first", names[:tenth]), (None, names[tenth:-tenth]), ("last", names[-tenth:])):
        before, spent = load.cpu(server.pids), 0
        for name in part:
            spent += client.timed('CREATE "%s"' % name)[0]
        if label:
            table.add(server.name, "CREATE, %s tenth of %d" % (label, count), len(part) / spent, "/s",
                      (load.cpu(server.pids) - before) * 1000 / len(part))
    message = load.letter(600)
    before = load.cpu(server.pids)
    seconds = 0
    for name in names:
        seconds += load.append([client], name, message, 1)
    table.add(server.name, "APPEND, one to each", count / seconds, "/s",
              (load.cpu(server.pids) - before) * 1000 / count)
    client.close()


# name, command, cold, the bound in seconds
COMMANDS = (
    ("LIST", 'LIST "" "*"', False, 0.02),
    ("LIST %", 'LIST "" "%"', False, None),
    ("LIST of subscribed", 'LIST (SUBSCRIBED) "" "*"', False, None),
    ("LIST with STATUS, first", 'LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN UIDNEXT UIDVALIDITY))', True, None),
    ("LIST with STATUS", 'LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN UIDNEXT UIDVALIDITY))', False, None),
    ("LIST, cold", 'LIST "" "*"', True, None),
)


def measure(server, table, repeat, name, command, cold, bound):
    walls, cpus, logins = [], [], []
    for _ in range(repeat):
        if cold:
            load.drop_page_cache()
            server.restart()
        client = load.Connection(server.port)
        logins.append(client.timed('LOGIN "%s" "secret"' % USER)[0])
        before = load.cpu(server.pids)
        wall, size = client.timed(command)
        walls.append(wall)
        cpus.append(load.cpu(server.pids) - before)
        client.close()
    table.add(server.name, name, statistics.median(walls), "s", statistics.median(cpus), bound)
    if cold:
        table.add(server.name, name + ": its LOGIN", statistics.median(logins), "s")
    return size


def main():
    given = command_line.options(__doc__, servers="fairlead,dovecot,cyrus", mailboxes=5000, repeat=5,
                                 root="build/bench/mailboxes").parse_args()
    root = os.path.abspath(given.root)
    peers, table, servers = harness.Peers(root), storage.Table(None), []
    for name in given.servers.split(","):
        servers.append(Fairlead(os.path.join(root, "fairlead"), given.binary) if name == "fairlead"
                       else Rival(name, peers))
    os.makedirs(root, exist_ok=True)
    for server in servers:
        server.begin()
        try:
            measure_create(server, table, given.mailboxes)
            for name, command, cold, bound in COMMANDS:
                measure(server, table, given.repeat, name, command, cold, bound)
        finally:
            server.stop()
    storage.show(table, servers)
    command_line.keep(given, table.rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
