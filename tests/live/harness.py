"""harness - what live cases are made of: real peers, a gateway process with its configuration, an IMAP client, a verdict.

Everything listens on free ports of 127.0.0.1. Waits are for an event under a deadline, never for time to pass.
"""
import contextlib
import glob
import hashlib
import json
import os
import re
import select
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PEERS = os.path.join(ROOT, "fixtures", "peers")
sys.path.insert(0, PEERS)
import rawimap  # noqa: E402
import seed_mail  # noqa: E402
import snapshot  # noqa: E402
from relay import Relay  # noqa: E402,F401  (for the cases)

WAIT = float(os.environ.get("FAIRLEAD_WAIT", "60"))  # seconds: the bound of every wait


class Bad(Exception):
    """An expectation that the rest of the case builds on did not hold."""


class Verdict:
    """Prints each expectation as it is checked."""

    def __init__(self):
        self.bad, self.good = [], 0

    def __call__(self, held, what, seen=None):
        if held:
            self.good += 1
            print("ok   " + what, flush=True)
        else:
            self.bad.append(what)
            print("BAD  " + what + ("" if seen is None else ": " + str(seen)[:2000]), flush=True)
        return bool(held)

    def need(self, held, what, seen=None):
        if not self(held, what, seen):
            raise Bad(what)


def state_root(binary):
    """Outside the checkout, which the servers' own users may not be able to enter; one for each build."""
    mark = hashlib.sha256(os.path.abspath(binary).encode()).hexdigest()[:8]
    return os.path.join(tempfile.gettempdir(), "fairlead-live-%d-%s" % (os.getuid(), mark))


# ---- peers

USERS = 144  # accounts at each peer: twelve for each suite


class Peers:
    """The servers under one root. Every case has users of its own, so they can be shared."""

    def __init__(self, root):
        self.root = os.path.join(root, "peers")
        self.env = dict(os.environ, PEERS_ROOT=self.root, PEERS_FAST="1", PEERS_USERS=str(USERS))

    def run(self, *arguments):
        os.makedirs(self.root, mode=0o755, exist_ok=True)
        done = subprocess.run([os.path.join(PEERS, "peers"), *arguments], env=self.env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
        if done.returncode:
            raise Bad("peers %s: %s" % (" ".join(arguments), done.stderr.strip()))
        return done.stdout.strip()

    def port(self, name, protocol="imap"):
        return int(self.run("port", name, protocol))

    def pids(self, name):
        return [int(pid) for pid in self.run("pids", name).split()]

    def file(self, name):
        return os.path.join(self.root, name)


def spec(user, port, password="secret"):
    return "%s:%s@127.0.0.1:%d" % (user, password, port)


def seed(user, port, messages=400, folders=20, number=5, expunge=0.08):
    """Fills an account (seed_mail load); what the server refuses is of no interest here."""
    subprocess.run([sys.executable, "-B", os.path.join(PEERS, "seed_mail.py"), "load", spec(user, port), "--messages",
                    str(messages), "--folders", str(folders), "--seed", str(number), "--expunge", str(expunge)],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def touch(user, port, fraction=0.01, folders=20):
    subprocess.run([sys.executable, "-B", os.path.join(PEERS, "seed_mail.py"), "touch", spec(user, port), "--fraction",
                    str(fraction), "--folders", str(folders)], check=True, stdout=subprocess.DEVNULL)


def take(user, port, pop3=None):
    return snapshot.take(spec(user, port), spec(user, pop3) if pop3 else None, True, False, None)


def differences(a, b, ignore=("msg.bodystructure",)):
    """{attribute: [how many differ, of how many, examples]} of those that differ."""
    counts, examples = snapshot.diff(a, b, {}, set(ignore), 2)
    return {name: [bad, of, examples[name]] for name, (bad, of) in counts.items() if bad}


# ---- the gateway

# Kinds of frames that end in a message's stored bytes.
BODY_KINDS = (2,)
DICTIONARY_KINDS = (13,)


class Gateway:
    """One configuration, its data directory, and the server process when it runs.

    upstreams: {name: {"imap": port or URL, "pop3": port, "sieve": port, "limits": "...", "tls": "...", "admin": "..."}}, the first is the default one.
    """

    def __init__(self, folder, binary, upstreams, extra="", auth="", route=True, canonical="",
                 plaintext=True):
        self.folder, self.binary, self.process, self.ports = folder, binary, None, []
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(os.path.join(folder, "data"))
        self.data = os.path.join(folder, "data")
        self.config = os.path.join(folder, "fairlead.toml")
        subprocess.run([os.path.join(PEERS, "certificates"), folder], check=True)
        for name, text in (("admin", "mastersecret\n"), ("password", "secret\n")):
            with open(os.path.join(folder, name), "w") as out:
                out.write(text)
            os.chmod(os.path.join(folder, name), 0o600)
        lines = ['data_dir = "%s"' % self.data, "[tls]", 'certificate = "%s/cert.pem"' % folder,
                 'key = "%s/key.pem"' % folder]
        for security in ("starttls", "tls"):
            lines += ["[[listen]]", 'protocol = "imap"', 'address = "127.0.0.1:0"', 'security = "%s"' % security]
        lines += ["[auth]", "allow_plaintext = " + ("true" if plaintext else "false"), auth]
        for name, upstream in upstreams.items():
            lines += ["[[upstream]]", 'name = "%s"' % name]
            for protocol in ("imap", "pop3", "sieve"):
                if protocol in upstream:
                    at = upstream[protocol]
                    url = at if isinstance(at, str) else "%s://127.0.0.1:%d" % (protocol, at)
                    lines.append('%s = "%s"' % (protocol, url))
            lines.append("tls = " + upstream.get("tls", "{ off = true }"))
            if upstream.get("limits"):
                lines.append("limits = " + upstream["limits"])
            if upstream.get("admin"):
                user, method = upstream["admin"]
                lines.append('admin = { user = "%s", password_file = "%s/admin", method = "%s" }' %
                             (user, folder, method))
        if route and upstreams:
            lines += ["[routing]", 'default_upstream = "%s"' % next(iter(upstreams))]
            if canonical:
                lines.append("canonical = " + canonical)
        with open(self.config, "w") as out:
            out.write("\n".join(lines) + "\n" + extra + "\n")
        self.env = dict(os.environ)
        self.env.setdefault("ASAN_OPTIONS", "abort_on_error=0:exitcode=99")

    def cli(self, *arguments, wait=WAIT * 5):
        """Runs a verb; the result has returncode, stdout, stderr and, with --json, a property json."""
        done = subprocess.run([self.binary, "--config", self.config, *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=wait, env=self.env)
        done.json = None
        if "--json" in arguments:
            with contextlib.suppress(ValueError):
                done.json = json.loads(done.stdout)
        return done

    def start(self, wrapper=()):
        self.log = open(os.path.join(self.folder, "serve.log"), "ab")
        self.process = subprocess.Popen([*wrapper, self.binary, "serve", "--config", self.config], env=self.env,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log)
        line = self._line(time.monotonic() + WAIT)
        if line is None:
            raise Bad("the gateway did not say ready: " + self.errors())
        ready = json.loads(line)
        # In the order of the configuration: imap with STARTTLS, imap with TLS.
        self.ports = [int(at["address"].rsplit(":", 1)[1]) for at in ready["listen"]]
        return self

    def _line(self, deadline):
        text = b""
        while time.monotonic() < deadline:
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                data = os.read(self.process.stdout.fileno(), 4096)
                if not data:
                    return None
                text += data
                for line in text.splitlines():
                    if b'"ready":true' in line.replace(b" ", b""):
                        return line
            elif self.process.poll() is not None:
                return None
        return None

    def stop(self):
        """Asks it to end; returns the exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.kill()
            return "no end within %g s" % WAIT
        self._closed()
        return status

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._closed()

    def _closed(self):
        self.process.stdout.close()
        self.log.close()
        self.process = None

    def errors(self):
        with open(os.path.join(self.folder, "serve.log"), errors="replace") as log:
            return log.read()[-1500:]

    @property
    def imap(self):
        return self.ports[0]

    @property
    def imaps(self):
        return self.ports[1]


def admin_of(peer):
    """How a gateway acts for a user of this peer; None on Courier, which has no such login."""
    if peer.startswith("cyrus"):
        return ("proxy", "authzid")
    if peer.startswith("dovecot"):
        return ("master", "separator")
    return None


# ---- a client

class Client(rawimap.Imap):
    """An IMAP session of a case: rawimap with short waits, and what a case asks most."""

    def __init__(self, port, user=None, password="secret", tls=False):
        super().__init__("127.0.0.1", port, tls, timeout=WAIT)
        if user is not None:
            self.login(user, password)

    def ask(self, line):
        """(untagged responses as lists of chunks, tagged line); never raises for NO and BAD."""
        return self.cmd(line, ok=False)

    def select(self, name="INBOX", how="SELECT", parameters=""):
        """Figures of the reply: exists, uidvalidity, uidnext, highestmodseq, tagged."""
        untagged, tagged = self.ask("%s %s%s" % (how, rawimap.quote(name).decode("latin-1"), parameters))
        seen = {"tagged": tagged.decode("latin-1")}
        text = b"\n".join(b"".join(chunks) for chunks in untagged)
        for name, pattern in (("exists", rb"\* (\d+) EXISTS"), ("uidvalidity", rb"UIDVALIDITY (\d+)"),
                              ("uidnext", rb"UIDNEXT (\d+)"), ("highestmodseq", rb"HIGHESTMODSEQ (\d+)")):
            found = re.search(pattern, text, re.I)
            seen[name] = int(found.group(1)) if found else None
        return seen

    def append(self, name, message, flags=""):
        """The tagged line."""
        tag = self.start(b"APPEND %s (%s) {%d}" % (rawimap.quote(name), flags.encode(), len(message)))
        chunks = self._response()
        while chunks[0].startswith(b"* "):
            chunks = self._response()
        if not chunks[0].startswith(b"+"):
            return chunks[0].split(b" ", 1)[1].decode("latin-1")
        self.send(message + b"\r\n")
        return self.finish(tag)[1].decode("latin-1")

    def fetch(self, numbers, items, uid=True):
        """{uid or sequence number: {ITEM: value}}"""
        untagged, tagged = self.ask("%sFETCH %s (%s)" % ("UID " if uid else "", numbers, items))
        if not tagged.upper().startswith(b"OK"):
            raise Bad("FETCH %s %s: %r" % (numbers, items, tagged))
        found = {}
        for chunks in untagged:
            pair = rawimap.fetch_pairs(chunks)
            if pair:
                found[int(pair[1][b"UID"]) if uid and b"UID" in pair[1] else pair[0]] = pair[1]
        return found

    def bodies(self):
        """{uid: SHA-256 of its bytes} of the mailbox that is selected."""
        return {uid: hashlib.sha256(got[b"BODY[]"] or b"").hexdigest()
                for uid, got in self.fetch("1:*", "UID BODY.PEEK[]").items()}

    def starttls(self, ahead=b""):
        """Turns the connection into TLS; `ahead` is sent with the command, as an attacker on the way would."""
        tag = self.start(b"STARTTLS\r\n" + ahead if ahead else b"STARTTLS")
        _, tagged = self.finish(tag)
        if not tagged.startswith(b"OK"):
            raise Bad("STARTTLS: %r" % tagged)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.buf, self.pos, self.s = b"", 0, context.wrap_socket(self.s)

    def idle(self):
        self.idle_tag = self.start(b"IDLE")
        self.plus()

    def until(self, pattern, wait=WAIT):
        """The next untagged line that matches, or None."""
        self.s.settimeout(wait)
        try:
            while True:
                line = b"".join(self._response())
                if re.search(pattern, line, re.I):
                    return line
        except (TimeoutError, rawimap.ImapError):
            return None
        finally:
            self.s.settimeout(WAIT)

    def done(self):
        self.send(b"DONE\r\n")
        return self.finish(self.idle_tag)

    def drop(self):
        self.s.close()


def folder_of(data, user):
    """Where the gateway keeps a user's mail: its name spreads over 256 folders."""
    mark = 2166136261
    for byte in user.encode():
        mark = (mark ^ byte) * 16777619 & 0xffffffff
    return os.path.join(data, "accounts", "%02x" % ((mark ^ mark >> 8 ^ mark >> 16 ^ mark >> 24) & 255), user)


def damage_store(data, least=0, most=1 << 40, kinds=BODY_KINDS):
    """Turns one byte near the end of every body (or frame of these kinds) in the stores under `data` whose stored length
    is in these bounds, as a failing disk would; the number of them. docs/storage-format.md, "Frame"."""
    turned = 0
    for path in sorted(glob.glob(os.path.join(data, "accounts", "*", "*", "log", "*.log"))):
        with open(path, "r+b") as log:
            bytes_ = log.read()
            magic, at = bytes_[128:136], 128
            while bytes_[at:at + 8] == magic and at + 48 <= len(bytes_):
                kind, length = bytes_[at + 9], int.from_bytes(bytes_[at + 12:at + 16], "little")
                end = at + 48 + length
                if kind in kinds and least <= length <= most:
                    log.seek(end - 5)
                    log.write(bytes([bytes_[end - 5] ^ 0x20]))
                    turned += 1
                at = end
    return turned


def message(name, body="A line.\r\n"):
    """A small message that can be found again by its name."""
    return ("From: a@example.org\r\nTo: b@example.org\r\nSubject: %s\r\nMessage-ID: <%s@example.org>\r\n\r\n%s" %
            (name, name, body)).encode()


def together(*functions):
    """Runs them in threads and raises what the first of them raised."""
    failures = []

    def guarded(function):
        try:
            function()
        except Exception as failure:  # handed to the caller below
            failures.append(failure)
    threads = [threading.Thread(target=guarded, args=(f,)) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
