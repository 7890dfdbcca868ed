"""local - an account with no upstream: mail goes in and comes out, and sessions tell one another."""
import glob
import hashlib
import os
import re
import shutil
import subprocess

import harness


def account(c, name="local1", **options):
    return add_account(c, c.gateway({}, **options), name)


def add_account(c, gateway, name):
    done = gateway.cli("user", "add", name, "--local", "--password-file", gateway.folder + "/password")
    c.check.need(done.returncode == 0, "a local user is added", done.stderr)
    return gateway.start()


def case_two_sessions(c):
    gateway = account(c)
    one, two = harness.Client(gateway.imap, "local1"), harness.Client(gateway.imap, "local1")
    for name in ("Sent", "Archive/2024"):
        tagged = one.ask('CREATE "%s"' % name)[1]
        c.check(tagged.startswith(b"OK"), "CREATE " + name, tagged)
    listed = [b"".join(x) for x in one.ask('LIST "" "*"')[0]]
    c.check(len(listed) >= 3, "LIST tells them", listed)
    two.select()
    two.idle()
    reply = one.append("INBOX", harness.message("first"), "\\Seen")
    c.check(re.match(r"OK \[APPENDUID \d+ 1\]", reply), "APPENDUID tells the first UID", reply)
    c.check(two.until(rb"^\* 1 EXISTS"), "a session in IDLE is told of it")
    two.done()
    figures = one.select()
    c.check(figures["exists"] == 1 and figures["uidnext"] == 2, "SELECT counts it", figures)
    one.ask("STORE 1 +FLAGS (\\Flagged Word)")
    told = [b"".join(x) for x in two.ask("NOOP")[0]]
    c.check(any(rb"\Flagged" in x and b"FETCH" in x for x in told), "the other session is told of the flag", told)
    one.ask('COPY 1 "Sent"')
    one.ask('MOVE 1 "Archive/2024"')
    told = [b"".join(x) for x in two.ask("NOOP")[0]]
    c.check(any(b"1 EXPUNGE" in x for x in told), "and of the move", told)
    for name in ("Sent", "Archive/2024"):
        one.select(name)
        got = one.fetch("1:*", "UID FLAGS BODY.PEEK[]")
        c.check([hashlib.sha256(v[b"BODY[]"]).digest() for v in got.values()] ==
                [hashlib.sha256(harness.message("first")).digest()], "%s holds the bytes" % name)
    one.logout()
    two.logout()


def case_a_restart_keeps_everything(c):
    gateway = account(c)
    session = harness.Client(gateway.imap, "local1")
    for number in range(20):
        session.append("INBOX", harness.message("m%d" % number, "x" * 1000 * number + "\r\n"))
    session.select()
    session.ask("STORE 3,5 +FLAGS.SILENT (\\Deleted)")
    session.ask("EXPUNGE")
    before, bodies = session.select(), session.bodies()
    gateway.kill()
    gateway.start()
    session = harness.Client(gateway.imap, "local1")
    after = session.select()
    c.check(before == after, "a kill changes no figure of SELECT", (before, after))
    c.check(bodies == session.bodies(), "and no byte")
    session.logout()
    c.check(gateway.cli("doctor", "local1").returncode == 0, "the store is clean")


def formats(gateway):
    """Of the segments of all accounts: docs/storage-format.md, "Segment"."""
    found = []
    for path in sorted(glob.glob(os.path.join(gateway.data, "accounts", "*", "*", "log", "*.log"))):
        with open(path, "rb") as log:
            found.append(2 if log.read(64)[56] & 1 else 1)
    return found


def case_finalize_format(c):
    """A data directory of an older build goes on in its format until the operator says so; nothing is lost by it."""
    fresh = account(c)
    session = harness.Client(fresh.imap, "local1")
    session.append("INBOX", harness.message("one"))
    session.logout()
    c.check(formats(fresh) == [2], "a new data directory begins with format 2", formats(fresh))
    gateway = c.gateway({})
    with open(os.path.join(gateway.data, "format"), "w") as out:
        out.write("1\n")
    add_account(c, gateway, "local1")
    session = harness.Client(gateway.imap, "local1")
    for i in range(30):
        session.append("INBOX", harness.message("old%d" % i, "word " * 40 + "\r\n"))
    session.select()
    session.ask("STORE 3:9 +FLAGS.SILENT (\\Deleted Kept)")
    session.ask("EXPUNGE")
    c.check(formats(gateway) == [1], "one that was of format 1 goes on with it", formats(gateway))
    done = gateway.cli("finalize-format", "--json")
    c.check(done.returncode == 0 and done.json == {"before": 1, "format": 2}, "finalize-format with the server running",
            done.stdout + done.stderr)
    session.append("INBOX", harness.message("between"))
    session.select()
    figures, bodies = session.select(), session.bodies()
    session.logout()
    gateway.stop()
    gateway.start()
    session = harness.Client(gateway.imap, "local1")
    c.check(session.select() == figures and session.bodies() == bodies, "the account is what it was")
    for i in range(30):
        session.append("INBOX", harness.message("new%d" % i, "word " * 40 + "\r\n"))
    c.check(sorted(set(formats(gateway))) == [1, 2], "new mail is of format 2, beside the old", formats(gateway))
    figures, bodies = session.select(), session.bodies()
    c.check(len(bodies) == 54, "both are read", len(bodies))
    gateway.kill()
    gateway.start()
    session = harness.Client(gateway.imap, "local1")
    c.check(session.select() == figures and session.bodies() == bodies, "and after a kill")
    session.logout()
    c.check(gateway.cli("doctor", "local1").returncode == 0, "the store is clean")
    again = gateway.cli("finalize-format")
    c.check(again.returncode == 0 and "already" in again.stdout, "a second time changes nothing", again.stdout)


def as_root(*command):
    """Whether it worked."""
    sudo = [] if os.getuid() == 0 else ["sudo", "-n"]
    return subprocess.run([*sudo, *command], stdin=subprocess.DEVNULL, capture_output=True).returncode == 0


def case_no_space(c):
    """The disk fills up: an answer, no loss, and it goes on when there is room again."""
    gateway = c.gateway({})
    small = "size=6m,uid=%d,gid=%d,mode=700" % (os.getuid(), os.getgid())
    if not as_root("mount", "-t", "tmpfs", "-o", small, "tmpfs", gateway.data):
        return c.check(True, "not tried: this machine lets nobody mount a small disk")
    try:
        no_space(c, gateway)
    finally:
        gateway.stop()
        as_root("umount", "--lazy", gateway.data)


def no_space(c, gateway):
    add_account(c, gateway, "local1")
    session = harness.Client(gateway.imap, "local1")
    c.check(session.append("INBOX", harness.message("before")).startswith("OK"), "a message fits")
    ballast = os.path.join(gateway.data, "ballast")
    with open(ballast, "wb") as out:
        out.write(bytes(2 << 20))
    refused, accepted = "OK", 1
    while refused.startswith("OK") and accepted < 200:
        refused = session.append("INBOX", os.urandom(60000).hex().encode() + b"\r\n")
        accepted += refused.startswith("OK")
    c.check(refused.startswith("NO"), "when nothing fits any more the answer is NO", refused)
    exists = session.select()["exists"]
    c.check(exists == accepted, "what was refused is not there, what was accepted is", (exists, accepted))
    bodies = session.bodies()
    c.check(len(bodies) == accepted, "with a full disk mail can be read")
    session.drop()
    os.remove(ballast)
    session = harness.Client(gateway.imap, "local1")
    reply = session.append("INBOX", harness.message("after"))
    c.check(reply.startswith("OK"), "with room again a message is accepted", reply)
    session.select()
    bodies = session.bodies()
    c.check(len(bodies) == accepted + 1, "and nothing was lost", (len(bodies), accepted))
    session.logout()
    c.check(gateway.stop() == 0, "the gateway ends in order", gateway.errors())
    c.check(gateway.cli("doctor", "local1").returncode == 0, "the store is clean")
    gateway.start()
    session = harness.Client(gateway.imap, "local1")
    session.select()
    c.check(session.bodies() == bodies, "a restart finds the same messages")
    session.logout()


def case_tls(c):
    gateway = account(c, plaintext=False)
    session = harness.Client(gateway.imap)
    capabilities = b"".join(sum(session.ask("CAPABILITY")[0], [])).upper()
    c.check(b"STARTTLS" in capabilities and b"LOGINDISABLED" in capabilities, "without TLS no login is offered", capabilities)
    tagged = session.ask('LOGIN "local1" "secret"')[1]
    c.check(tagged.startswith((b"NO", b"BAD")), "nor accepted", tagged)
    # A command that an attacker put behind STARTTLS: refused with it, or thrown away, never carried out inside TLS.
    attacked = harness.Client(gateway.imap)
    try:
        attacked.starttls(ahead=b'x1 LOGIN "local1" "secret"\r\n')
        untagged, tagged = attacked.ask("NOOP")
        c.check(tagged.startswith(b"OK") and not untagged, "what came before the handshake is thrown away", untagged)
        tagged = attacked.ask("SELECT INBOX")[1]
        c.check(not tagged.startswith(b"OK"), "and nobody is logged in by it", tagged)
    except harness.Bad as refusal:
        c.check("BAD" in str(refusal), "a command behind STARTTLS in one packet is BAD", refusal)
    attacked.drop()
    session.starttls()
    session.login("local1", "secret")
    c.check(session.select()["tagged"].startswith("OK"), "inside TLS the login is accepted")
    session.logout()
    session = harness.Client(gateway.imaps, "local1", tls=True)
    c.check(session.select()["tagged"].startswith("OK"), "and on the TLS port")
    session.logout()


def case_damage_without_a_source(c):
    """Bytes on the disk turn under a running gateway: an answer, never wrong bytes, and the rest of the mail."""
    gateway = account(c)
    session = harness.Client(gateway.imap, "local1")
    texts = {1: harness.message("small"), 2: os.urandom(30000).hex().encode(), 3: os.urandom(1500000).hex().encode(),
             4: harness.message("last")}
    for uid in sorted(texts):
        c.check.need(session.append("INBOX", texts[uid]).startswith("OK"), "message %d is accepted" % uid)
    turned = harness.damage_store(gateway.data, least=10000)
    c.check.need(turned == 2, "two stored messages are damaged on the disk", turned)
    session.select()
    for what in ("BODY.PEEK[]", "BODY.PEEK[TEXT]", "BODY.PEEK[]"):
        untagged, tagged = session.ask("UID FETCH 1:4 (UID %s)" % what)
        c.check(tagged.startswith(b"NO [CORRUPTION]"), "%s of all says that some are damaged" % what, tagged)
        got = [harness.rawimap.fetch_pairs(chunks) for chunks in untagged]
        uids = sorted(int(pair[1][b"UID"]) for pair in got if pair)
        c.check(uids == [1, 4], "and gives those that are not", uids)
    found = b"".join(sum(session.ask("UID SEARCH TEXT small")[0], []))
    c.check(b"SEARCH 1" in found, "SEARCH finds what can be read", found)
    with open(os.path.join(gateway.folder, "serve.log"), errors="replace") as log:
        lines = [line for line in log if "damaged message" in line]
    c.check(len(lines) == 2, "each damage is one line of the log, however often it is met", lines)
    c.check(all("INBOX" in line and "UID" in line and ".log at" in line for line in lines), "with the place", lines)
    c.check(not session.append("INBOX", harness.message("after")).startswith("NO"), "the session goes on")
    session.logout()
    report = gateway.cli("doctor", "local1", "--json").json
    c.check(report and not report["clean"] and report["problems"], "doctor names the damage", report)
    backup = os.path.join(gateway.folder, "nowhere")
    done = gateway.cli("doctor", "local1", "--repair", "--from", backup, "--json")
    c.check(done.returncode != 0, "an older copy that is not there is told", done.stderr)
    report = gateway.cli("doctor", "local1", "--repair", "--json").json
    whats = [p["what"] for p in report["problems"]] if report else None
    c.check(whats == ["2 messages whose bodies are missing"], "after a repair only what is lost is left", report)
    session = harness.Client(gateway.imap, "local1")
    c.check(session.select()["exists"] == 5, "nothing was dropped from the mailbox")
    got = session.fetch("1,4,5", "UID BODY.PEEK[]")
    c.check(got[1][b"BODY[]"] == texts[1] and got[4][b"BODY[]"] == texts[4], "what can be read is as it was")
    session.logout()


def case_an_older_directory_is_put_back(c):
    """Append, copy the directory, append more, kill, put the copy back: no UID denotes two messages."""
    gateway = account(c)
    session = harness.Client(gateway.imap, "local1")
    for number in range(5):
        session.append("INBOX", harness.message("old%d" % number))
    store = glob.glob(os.path.join(gateway.data, "accounts", "*", "*"))[0]
    copy = os.path.join(gateway.folder, "copy")
    shutil.copytree(store, copy)
    for number in range(3):
        session.append("INBOX", harness.message("lost%d" % number))
    before = session.select()
    gateway.kill()
    shutil.rmtree(store)
    shutil.copytree(copy, store)
    gateway.start()
    session = harness.Client(gateway.imap, "local1")
    session.ask("ENABLE QRESYNC")
    after = session.select()
    c.check(after["exists"] == 5 and after["uidvalidity"] == before["uidvalidity"],
            "what the copy held is there under its UIDs, and no cache is void", (before, after))
    c.check(after["uidnext"] > before["uidnext"] and after["highestmodseq"] > before["highestmodseq"],
            "numbers go on above all that was shown", (before, after))
    known = " (QRESYNC (%d %d))" % (before["uidvalidity"], before["highestmodseq"])
    untagged, tagged = session.ask("SELECT INBOX" + known)
    told = b"".join(sum(untagged, []))
    c.check(re.search(rb"VANISHED \(EARLIER\) 6:\d+", told), "a client is told that what is lost is gone", told)
    reply = session.append("INBOX", harness.message("new"))
    uid = int(re.search(r"APPENDUID \d+ (\d+)", reply).group(1))
    c.check(uid >= after["uidnext"], "a new message gets a UID that nobody ever saw", reply)
    with open(os.path.join(gateway.folder, "serve.log"), errors="replace") as log:
        c.check(any("older copy" in line for line in log), "the log says so")
    session.logout()
    report = gateway.cli("doctor", "local1", "--json").json
    c.check(report and report["clean"] and report.get("restored"), "doctor tells it, and the store is clean", report)
    gateway.kill()
    gateway.start()
    session = harness.Client(gateway.imap, "local1")
    c.check(session.select()["uidnext"] == uid + 1, "a kill after that changes nothing more")


def case_descriptors(c):
    """More accounts than descriptors: idle ones make room, and when all are in use the answer is NO or BYE, at once."""
    budget, users = 40, 60
    gateway = c.gateway({}, extra="[limits]\ndescriptors = %d" % budget)
    gateway.start()

    def add(numbers):
        for number in numbers:
            done = gateway.cli("user", "add", "many%d" % number, "--local", "--password-file",
                               gateway.folder + "/password")
            c.check.need(done.returncode == 0, "user %d is added" % number, done.stderr) if done.returncode else None
    harness.together(*(lambda k=k: add(range(k, users, 4)) for k in range(4)))
    base = len(os.listdir("/proc/%d/fd" % gateway.process.pid))
    most = base
    for number in range(users):
        session = harness.Client(gateway.imap, "many%d" % number)
        session.append("INBOX", harness.message("to %d" % number))
        most = max(most, len(os.listdir("/proc/%d/fd" % gateway.process.pid)))
        session.logout()
    c.check(True, "%d accounts one after the other" % users)
    c.check(most - base <= budget, "never open more descriptors than allowed", (base, most))
    # Clients first, who leave an eighth of the budget; then each wants its account.
    waiting, byes = [], []
    for _ in range(budget):
        session = harness.Client(gateway.imap)
        greeting = b"".join(session.greeting)
        if greeting.startswith(b"* BYE"):
            byes.append(greeting)
            session.drop()
        else:
            waiting.append(session)
    c.check(len(waiting) == budget - budget // 8, "clients leave room for accounts", len(waiting))
    c.check(byes and all(b"[UNAVAILABLE]" in bye for bye in byes), "the others hear BYE [UNAVAILABLE]", byes[:2])
    held, refused = [], []
    for number, session in enumerate(waiting):
        tagged = session.ask('LOGIN "many%d" "secret"' % number)[1]
        (held if tagged.startswith(b"OK") else refused).append((session, tagged))
    c.check(len(held) == budget // 8 // 3, "as many accounts as fit are opened", len(held))
    c.check(refused and all(tagged.startswith(b"NO [UNAVAILABLE]") for _, tagged in refused),
            "the other logins hear NO [UNAVAILABLE]", [tagged for _, tagged in refused[:2]])
    for session, _ in refused:
        session.logout()
    held = [session for session, _ in held]
    c.check(len(os.listdir("/proc/%d/fd" % gateway.process.pid)) - base <= budget, "still within the budget")
    c.check(all(s.select()["exists"] == 1 for s in held), "those who are in go on working")
    c.check("many open files" not in gateway.errors(), "no open failed for want of descriptors", gateway.errors())
    for session in held:
        session.logout()
    session = harness.Client(gateway.imap, "many%d" % (users - 1))
    c.check(session.select()["exists"] == 1, "when they have left there is room again")
    session.logout()


def case_backup_holds_a_store(c):
    """backup begin|end, with a server running and alone; a copy made in between is whole and says that it is pinned."""
    gateway = account(c)
    session = harness.Client(gateway.imap, "local1")
    session.append("INBOX", harness.message("first"))
    done = gateway.cli("backup", "begin", "local1", "--json")
    c.check.need(done.returncode == 0 and done.json["pinned"], "backup begin pins the account", done.stderr)
    report = gateway.cli("doctor", "local1", "--json").json
    c.check([p["name"] for p in report["pins"]] == ["backup"], "doctor shows the pin", report)
    c.check(report["clean"] and report["retired_bytes"] == 0 and "shared_bytes" in report, "and the bytes", report)
    directory = done.json["directory"]
    copy = os.path.join(gateway.folder, "copy")
    shutil.copytree(directory, copy)
    c.check(sorted(os.listdir(copy)) == sorted(os.listdir(directory)), "the directory can be copied")
    reply = session.append("INBOX", harness.message("second"))
    c.check(reply.startswith("OK"), "mail still comes in", reply)
    session.logout()
    done = gateway.cli("backup", "end", "local1", "--json")
    c.check(done.returncode == 0 and not done.json["pinned"], "backup end takes it back", done.stderr)
    c.check(gateway.cli("backup", "end", "local1").returncode == 1, "once only")
    gateway.stop()
    c.check(gateway.cli("backup", "begin", "local1").returncode == 0, "alone it is the same")
    report = gateway.cli("doctor", "local1", "--json").json
    c.check(len(report["pins"]) == 1 and report["pins"][0]["age_seconds"] < 600, "and so it is shown", report)
    c.check(gateway.cli("backup", "end", "local1").returncode == 0, "and taken back")
    c.check(gateway.cli("backup", "begin", "nobody").returncode == 1, "an unknown user is refused")
