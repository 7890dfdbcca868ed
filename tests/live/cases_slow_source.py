"""slow_source - an old server whose answers come late, or never: what is asked before a change of owner is void after it."""
import threading

import harness


def between(c, messages=20):
    user = c.user()
    harness.seed(user, c.peers.port("dovecot"), messages=messages, folders=2)
    relay = c.relay(c.peers.port("dovecot"))
    gateway = c.gateway({"old": {"imap": relay.port, "admin": harness.admin_of("dovecot")}})
    done = gateway.cli("user", "add", user, "--upstream", "old")
    c.check.need(done.returncode == 0, "the user is added", done.stderr)
    done = gateway.cli("sync", user)
    c.check.need(done.returncode == 0, "sync", done.stderr)
    gateway.start()
    return relay, gateway, user


def in_the_background(function):
    result = {}
    thread = threading.Thread(target=lambda: result.update(value=function()), daemon=True)
    thread.start()
    return lambda: (thread.join(harness.WAIT), result.get("value"))[1]


def alive(c, gateway, user, what):
    session = harness.Client(gateway.imap, user)
    tagged = session.ask("NOOP")[1]
    c.check(tagged.startswith(b"OK"), what, tagged)
    session.logout()


def case_a_mailbox_is_deleted_under_a_slow_select(c):
    relay, gateway, user = between(c)
    slow, quick = harness.Client(gateway.imap, user), harness.Client(gateway.imap, user)
    quick.ask('CREATE "INBOX.Doomed"')
    relay.hold(lambda line: b"Doomed" in line and (b"SELECT" in line or b"EXAMINE" in line))
    answer = in_the_background(lambda: slow.ask('SELECT "INBOX.Doomed"')[1])
    c.check.need(relay.held.wait(harness.WAIT), "a SELECT waits for the source")
    deleted = in_the_background(lambda: quick.ask('DELETE "INBOX.Doomed"')[1])
    deleted()
    relay.release.set()
    tagged = answer()
    c.check(tagged is not None and tagged.startswith((b"OK", b"NO")), "the SELECT gets an answer", tagged)
    alive(c, gateway, user, "and everybody is still served")


def case_an_answer_from_before_the_commit(c):
    relay, gateway, user = between(c)
    slow, quick = harness.Client(gateway.imap, user), harness.Client(gateway.imap, user)
    quick.select()
    # Another mailbox takes another connection to the source, which gets stuck in its login.
    relay.hold(lambda line: b"LOGIN" in line.upper() or b"AUTHENTICATE" in line.upper())
    first = in_the_background(lambda: slow.ask('SELECT "INBOX.Sent"')[1])
    c.check.need(relay.held.wait(harness.WAIT), "a SELECT waits for the source")
    done = gateway.cli("cutover", user)
    c.check.need(done.returncode == 0, "the cutover commits meanwhile", done.stderr)
    before = quick.select("INBOX.Sent")
    reply = quick.append("INBOX.Sent", harness.message("after-the-commit"))
    c.check(reply.startswith("OK"), "mail comes after the commit", reply)
    quick.ask("NOOP")
    quick.ask("UID STORE 1:* +FLAGS (Kept)")
    relay.release.set()
    tagged = first()
    c.check(tagged is not None and tagged.startswith(b"OK"), "the SELECT is answered by the new owner", tagged)
    quick.ask("NOOP")
    got = quick.fetch("1:*", "UID FLAGS", uid=False)
    c.check(len(got) == before["exists"] + 1, "what came after the commit is still there", (len(got), before))
    lost = [n for n, m in got.items() if b"kept" not in {bytes(f).lower() for f in m[b"FLAGS"]}]
    c.check(not lost, "no flag set after the commit is taken back", lost)


def case_the_source_dies_in_the_freeze(c):
    relay, gateway, user = between(c)
    session = harness.Client(gateway.imap, user)
    session.select()
    seen = {"inventory": False}

    def in_the_freeze(line):
        seen["inventory"] = seen["inventory"] or b"GETMETADATA" in line
        return seen["inventory"] and b" LIST " in line
    relay.hold(in_the_freeze)
    cutover = in_the_background(lambda: gateway.cli("cutover", user))
    c.check.need(relay.held.wait(harness.WAIT), "the final delta waits for the source")
    target, relay.target = relay.target, None
    relay.cut()
    relay.release.set()
    done = cutover()
    c.check(done is not None and done.returncode in (1, 3), "the cutover says that it did not happen", done and done.returncode)
    relay.target = target
    tagged = session.ask("UID STORE 1:* +FLAGS (Thawed)")[1]
    c.check(tagged.startswith(b"OK"), "the account is thawed: writes go to the source again", tagged)
    done = gateway.cli("cutover", user)
    c.check(done.returncode == 0, "and the cutover can be run again", done.stderr)
    alive(c, gateway, user, "everybody is still served")
