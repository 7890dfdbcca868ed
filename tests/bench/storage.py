#!/usr/bin/env python3
"""storage - one mailbox of 98,000 small messages and a realistic one: Fairlead, Dovecot (mdbox, zstd) and Cyrus.

  storage.py [--binary build/release/fairlead] [--servers fairlead,dovecot,cyrus] [--only WORD] [--repeat 3]
             [--messages 98000] [--appends 2000] [--json FILE] [--fresh]

All in one run on one machine, real IMAP on loopback without TLS. A row's wall seconds are the median of --repeat runs;
CPU is user + system of the server's processes during the command. `cold`: the page cache was dropped before the login
(where that is permitted) and Fairlead was restarted, so that it has nothing in memory either. Mail stays prepared
under build/bench between runs (--fresh loads it again). With --only, rows whose name has WORD.
"""
import os
import shutil
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import command_line  # noqa: E402
import harness  # noqa: E402
import load  # noqa: E402

BIG, REAL, EMPTY = "user1", "user2", "user3"
APPENDERS = ["user%d" % n for n in range(11, 31)]
REALISTIC = 1500
SEED = os.path.join(harness.PEERS, "seed_mail.py")


class Rival:
    """Dovecot or Cyrus as fixtures/peers runs it, with its default care for the disk."""

    def __init__(self, name, peers):
        self.name, self.peer, self.peers = name, {"dovecot": "dovecot-target"}.get(name, name), peers

    def prepare(self, messages):
        folder = self.peers.file(self.peer)
        mark = os.path.join(folder, "prepared")
        if os.path.exists(mark) and open(mark).read() == str(messages):
            return
        self.peers.run("wipe", self.peer)
        self.peers.env["PEERS_FAST"] = "1"  # filled without waiting for the disk
        self.peers.run("start", self.peer)
        fill(self.peers.port(self.peer), messages, 500)
        self.peers.run("stop", self.peer)
        with open(mark, "w") as out:
            out.write(str(messages))

    def start(self):
        self.peers.env.pop("PEERS_FAST", None)
        self.peers.run("start", self.peer)
        self.port, self.pids = self.peers.port(self.peer), self.peers.pids(self.peer)

    def stop(self):
        self.peers.run("stop", self.peer)

    def restart(self):
        pass  # a session's process starts with nothing

    def settle(self, user):
        pass

    def disk(self, user):
        return sum(used(at) for at in self.peers.run("folders", self.peer, user).splitlines())


class Fairlead:
    name = "fairlead"

    def __init__(self, folder, binary):
        self.folder, self.binary, self.gateway = folder, binary, None

    def prepare(self, messages):
        mark = os.path.join(self.folder, "prepared")
        self.gateway = Kept(self.folder, self.binary)
        if os.path.exists(mark) and open(mark).read() == str(messages):
            return
        shutil.rmtree(self.gateway.data, ignore_errors=True)
        os.makedirs(self.gateway.data, mode=0o700)
        for user in [BIG, REAL, EMPTY, *APPENDERS]:
            done = self.gateway.cli("user", "add", user, "--local", "--password-file", self.folder + "/password")
            if done.returncode:
                raise harness.Bad("user add: " + done.stderr)
        self.gateway.env["LD_PRELOAD"] = "libeatmydata.so"
        self.gateway.start()
        del self.gateway.env["LD_PRELOAD"]
        fill(self.gateway.imap, messages, 1)
        self.gateway.stop()
        with open(mark, "w") as out:
            out.write(str(messages))

    def start(self):
        self.gateway.start()
        self.port, self.pids = self.gateway.imap, [self.gateway.process.pid]

    def stop(self):
        self.gateway.stop()

    def restart(self):
        self.stop()
        self.start()

    def settle(self, user):
        """What maintenance does in its time; nothing that was replaced is kept."""
        done = self.gateway.cli("compact", user)
        if done.returncode:
            raise harness.Bad("compact: " + done.stderr)

    def disk(self, user):
        return used(harness.folder_of(self.gateway.data, user))


class Kept(harness.Gateway):
    """A gateway whose data directory survives."""

    def __init__(self, folder, binary):
        data, aside = os.path.join(folder, "data"), folder + ".data"
        if os.path.isdir(data):
            os.rename(data, aside)
        mark = os.path.join(folder, "prepared")
        prepared = open(mark).read() if os.path.exists(mark) else None
        super().__init__(folder, binary, {}, extra="[storage]\nreplaced_linger = 0\nreplaced_keep = 0")
        if os.path.isdir(aside):
            os.rmdir(self.data)
            os.rename(aside, self.data)
            if prepared:
                with open(mark, "w") as out:
                    out.write(prepared)


def fill(port, messages, multi):
    """The accounts that are measured; 2 % more are loaded and expunged, so that UIDs have gaps."""
    for user, options in ((BIG, ["--messages", str(messages * 100 // 98), "--folders", "1", "--small", "--expunge",
                                 "0.02", "--multi", str(multi)]),
                          (REAL, ["--messages", str(REALISTIC), "--folders", "12", "--expunge", "0"])):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-B", SEED, "load", harness.spec(user, port), *options],
                              capture_output=True, text=True)
        if done.returncode:
            raise harness.Bad("loading: " + done.stderr[-1000:])
        print("  %s (%.0f s)" % (done.stdout.strip().splitlines()[0], time.perf_counter() - start), flush=True)


def used(path):
    """Bytes on disk, blocks counted."""
    done = subprocess.run(["du", "-s", "-B1", path], capture_output=True, text=True)
    return int(done.stdout.split()[0]) if done.stdout else 0


def mail_bytes(port, user):
    """(messages, bytes) of all mailboxes, as the server says."""
    client = harness.Client(port, user)
    untagged, _ = client.ask('LIST "" "*"')
    count = size = 0
    for chunks in untagged:
        name = harness.rawimap.parse(chunks)[-1]
        client.select(name.decode("latin-1"), "EXAMINE")
        for line in client.ask("FETCH 1:* RFC822.SIZE")[0]:
            found = harness.rawimap.fetch_pairs(line)
            if found:
                count, size = count + 1, size + int(found[1][b"RFC822.SIZE"])
    client.drop()
    return count, size


# name, command, cold, the bound on server CPU (or wall, for SELECT) in seconds
COMMANDS = (
    ("FETCH 1:* FLAGS", "FETCH 1:* (UID FLAGS)", False, 0.03),
    ("FETCH 1:* FLAGS cold", "FETCH 1:* (UID FLAGS)", True, None),
    ("FETCH 1:* SIZE DATE", "FETCH 1:* (UID RFC822.SIZE INTERNALDATE)", False, None),
    ("ENVELOPE of all, first", "FETCH 1:* (UID ENVELOPE)", True, None),
    ("ENVELOPE of all, cold", "FETCH 1:* (UID ENVELOPE)", True, 0.15),
    ("ENVELOPE of all", "FETCH 1:* (UID ENVELOPE)", False, None),
    ("STORE on all, silent", "STORE 1:* +FLAGS.SILENT (\\Flagged)", False, 0.01),
    ("STORE on all", "STORE 1:* -FLAGS (\\Flagged)", False, None),
    ("SEARCH UNSEEN", "SEARCH UNSEEN", False, None),
    ("SEARCH SUBJECT", 'SEARCH SUBJECT "zzznothing"', False, None),
    ("SEARCH TEXT", 'SEARCH TEXT "zzznothing"', False, None),
    ("SEARCH BODY first", 'SEARCH BODY "zzznothing"', True, None),
    ("SEARCH BODY", 'SEARCH BODY "zzznothing"', False, 0.5),
    ("SORT SUBJECT", "UID SORT (SUBJECT) UTF-8 ALL", False, None),
    ("SORT DATE", "UID SORT (DATE) UTF-8 ALL", False, None),
    ("THREAD REFERENCES", "UID THREAD REFERENCES UTF-8 ALL", False, None),
    ("STATUS", "STATUS INBOX (MESSAGES UNSEEN UIDNEXT)", False, None),
    ("FETCH 20,000 bodies", "FETCH 1:20000 (BODY.PEEK[])", False, None),
)


class Table:
    def __init__(self, only):
        self.rows, self.only = [], only

    def wants(self, name):
        return self.only is None or self.only.lower() in name.lower()

    def add(self, server, name, value, unit, cpu=None, bound=None):
        self.rows.append({"row": name, "server": server, "value": value, "unit": unit, "cpu": cpu, "bound": bound})
        print("%-9s %-34s %12.4g %-6s %s" % (server, name, value, unit, "" if cpu is None else "cpu %.4f s" % cpu),
              flush=True)


def measure_command(server, table, repeat, name, command, cold, bound):
    walls, cpus = [], []
    for _ in range(1 if "first" in name else repeat):
        if cold:
            load.drop_page_cache()
            server.restart()
        client = load.Connection(server.port, BIG)
        client.ask("SELECT INBOX")
        if any(word in name for word in ("ENVELOPE", "SEARCH", "SORT", "THREAD", "bodies")):
            client.s.settimeout(1200)
        before = load.cpu(server.pids)
        walls.append(client.timed(command)[0])
        cpus.append(load.cpu(server.pids) - before)
        client.close()
        if "STORE" in name:  # each run shall have something to do
            client = load.Connection(server.port, BIG)
            client.ask("SELECT INBOX")
            client.ask("STORE 1:* %sFLAGS.SILENT (\\Flagged)" % ("-" if "+FLAGS" in command else "+"))
            client.close()
    table.add(server.name, name, statistics.median(walls), "s", statistics.median(cpus), bound)
    if "first" in name:
        settle(server)


def settle(server):
    """Until the server has worked off what it does in the background, at low priority: caches that a command asked for."""
    idle, before = 0, load.cpu(server.pids)
    while idle < 3:
        time.sleep(1)
        now = load.cpu(server.pids)
        idle = idle + 1 if now - before < 0.005 else 0
        before = now


def measure_select(server, table, repeat):
    for name, cold, bound in (("SELECT cold", True, None), ("SELECT", False, None)):
        if not table.wants(name):
            continue
        logins, walls, cpus = [], [], []
        for _ in range(max(repeat, 5)):
            if cold:
                load.drop_page_cache()
                server.restart()
            client = load.Connection(server.port)
            start = time.perf_counter()
            client.ask('LOGIN "%s" "secret"' % BIG)
            logins.append(time.perf_counter() - start)
            before = load.cpu(server.pids)
            walls.append(client.timed("SELECT INBOX")[0])
            cpus.append(load.cpu(server.pids) - before)
            client.close()
        table.add(server.name, name, statistics.median(walls), "s", statistics.median(cpus), bound)
        table.add(server.name, name + ": its LOGIN", statistics.median(logins), "s")


def measure_append(server, table, count):
    message = load.letter(4096)
    for name, users, depth, bound in (("APPEND 4 KB, one connection", 1, 1, 1500),
                                      ("APPEND 4 KB, one, 16 under way", 1, 16, None),
                                      ("APPEND 4 KB, 20 users", 20, 1, 5000)):
        if not table.wants(name):
            continue
        clients = [load.Connection(server.port, user) for user in APPENDERS[:users]]
        mailbox = "INBOX.bench" if server.name == "cyrus" else "bench"
        for client in clients:
            try:
                client.ask("DELETE " + mailbox)
            except load.Failed:
                pass
            client.ask("CREATE " + mailbox)
        load.append(clients, mailbox, message, 20 * users, depth)
        before = load.cpu(server.pids)
        seconds = load.append(clients, mailbox, message, count * (2 if users > 1 else 1), depth)
        n = count * (2 if users > 1 else 1)
        spent = (load.cpu(server.pids) - before) * 1000 / n
        table.add(server.name, name, n / seconds, "/s", spent, bound)
        for client in clients:
            client.ask("DELETE " + mailbox)
            client.close()


def measure_disk(server, table):
    for name, user in (("disk per mail byte, small", BIG), ("disk per mail byte, realistic", REAL)):
        if table.wants(name):
            count, size = mail_bytes(server.port, user)
            server.settle(user)
            taken = server.disk(user)
            if taken > 0:  # Cyrus files mail by numbers that are not the user's name
                table.add(server.name, name, taken / size, "x")


def measure_syncs(table, folder):
    """What the disk allows: 4 KB appended to a file and fdatasync, one file and 20 in turn by 20 threads."""
    import threading
    for files in (1, 20):
        name = "fdatasync of 4 KB, %d file%s" % (files, "s" if files > 1 else "")
        if not table.wants(name):
            continue
        paths = [os.path.join(folder, "sync-%d" % n) for n in range(files)]
        done = [0] * files
        until = time.perf_counter() + 2

        def work(n):
            fd = os.open(paths[n], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            block = os.urandom(4096)
            while time.perf_counter() < until:
                os.write(fd, block)
                os.fdatasync(fd)
                done[n] += 1
            os.close(fd)
        threads = [threading.Thread(target=work, args=(n,)) for n in range(files)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for path in paths:
            os.unlink(path)
        table.add("disk", name, sum(done) / 2, "/s")


def show(table, servers):
    """Markdown: value (CPU seconds; of APPEND for 1,000), and the ratio of ours to the best rival."""
    print()
    for row in table.rows:
        if row["server"] == "disk":
            print("%s: %.0f /s" % (row["row"], row["value"]))
    print("\n| | %s | ours / best rival |\n|%s" % (" | ".join(s.name for s in servers), "---|" * (len(servers) + 2)))
    names = list(dict.fromkeys(row["row"] for row in table.rows if row["server"] != "disk"))
    for name in names:
        by = {row["server"]: row for row in table.rows if row["row"] == name}
        cells, rate = [], any(row["unit"] == "/s" for row in by.values())
        for server in servers:
            row = by.get(server.name)
            if row is None:
                cells.append("")
            elif row["cpu"] is None:
                cells.append("%.4g %s" % (row["value"], row["unit"]))
            else:
                cells.append("%.4g %s (%.4f)" % (row["value"], row["unit"], row["cpu"]))
        ratio = ""
        rivals = [by[s.name] for s in servers if s.name != "fairlead" and s.name in by]
        if "fairlead" in by and rivals:
            best = (max if rate else min)(row["value"] for row in rivals)
            ratio = "%.3g" % (by["fairlead"]["value"] / best)
            if by["fairlead"]["cpu"] is not None:
                ratio += " (%.3g)" % (by["fairlead"]["cpu"] / min(row["cpu"] for row in rivals))
        print("| %s | %s | %s |" % (name, " | ".join(cells), ratio))


def main():
    parser = command_line.options(__doc__, servers="fairlead,dovecot,cyrus", messages=98000, appends=2000, repeat=3,
                                  root="build/bench")
    parser.add_argument("--only")
    parser.add_argument("--fresh", action="store_true")
    given = parser.parse_args()
    root, binary = os.path.abspath(given.root), given.binary
    peers, table, servers = harness.Peers(root), Table(given.only), []
    for name in given.servers.split(","):
        servers.append(Fairlead(os.path.join(root, "fairlead"), binary) if name == "fairlead" else Rival(name, peers))
    if given.fresh:
        for server in servers:
            if isinstance(server, Rival):
                peers.run("wipe", server.peer)
            else:
                shutil.rmtree(server.folder, ignore_errors=True)
    os.makedirs(root, exist_ok=True)
    if not load.drop_page_cache():
        print("the page cache cannot be dropped here: cold figures are warm ones")
    measure_syncs(table, root)
    for server in servers:
        print(server.name, flush=True)
        server.prepare(given.messages)
        server.start()
        try:
            measure_select(server, table, given.repeat)
            for name, command, cold, bound in COMMANDS:
                if table.wants(name):
                    measure_command(server, table, given.repeat, name, command, cold, bound)
            measure_append(server, table, given.appends)
            measure_disk(server, table)
        finally:
            server.stop()
    show(table, servers)
    command_line.keep(given, table.rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
