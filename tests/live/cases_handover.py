"""handover - across the commit a session keeps its connection, mailbox, sequence numbers and running IDLE."""
import harness


def handover(c, peer):
    check, user, port = c.check, c.user(), c.peers.port(peer)
    harness.seed(user, port, messages=120, folders=6)
    gateway = c.front(peer)
    password = [] if harness.admin_of(peer) else ["--password-file", gateway.folder + "/password"]
    done = gateway.cli("user", "add", user, "--upstream", "old", *password)
    check.need(done.returncode == 0, "the user is added", done.stderr)
    gateway.start()
    done = gateway.cli("sync", user)
    check.need(done.returncode == 0, "sync", done.stderr)

    sessions = {name: harness.Client(gateway.imap, user) for name in ("idle", "selected", "examined", "authenticated", "late")}
    greeted = harness.Client(gateway.imap)
    modseq = " (CONDSTORE)" if b"CONDSTORE" in sessions["selected"].caps else ""
    figures = {name: sessions[name].select(how="EXAMINE" if name == "examined" else "SELECT", parameters=modseq)
               for name in ("idle", "selected", "examined", "late")}
    numbers = {name: sessions[name].fetch("1:*", "UID FLAGS", uid=False) for name in ("idle", "selected", "examined")}
    sessions["idle"].idle()

    result = {}
    harness.together(lambda: result.update(cutover=gateway.cli("cutover", user)),
                     lambda: result.update(reads=[sessions["late"].ask("UID FETCH 1:* (UID FLAGS)")[1] for _ in range(30)]))
    check.need(result["cutover"].returncode == 0, "cutover commits with five sessions open", result["cutover"].stderr)
    check(all(tagged.startswith(b"OK") for tagged in result["reads"]), "reads in the freeze are answered", result["reads"])

    selected = sessions["selected"]
    check(selected.fetch("1:*", "UID FLAGS", uid=False) == numbers["selected"], "sequence numbers, UIDs and flags stay as they were")
    uid = min(got[b"UID"] and int(got[b"UID"]) for got in numbers["selected"].values())
    items = "UID FLAGS MODSEQ" if modseq else "UID FLAGS"
    untagged, tagged = selected.ask("UID STORE %d +FLAGS (Handover)" % uid)
    check(tagged.startswith(b"OK"), "the next STORE is accepted", tagged)
    got = selected.fetch(uid, items)[uid]
    check(b"handover" in {bytes(f).lower() for f in got[b"FLAGS"]}, "its flag is there", got)
    if modseq:
        check(int(got[b"MODSEQ"][0]) > figures["selected"]["highestmodseq"],
              "its MODSEQ is above the HIGHESTMODSEQ that the session knew", (got, figures["selected"]))
    check(sessions["idle"].until(rb"^\* \d+ FETCH .*handover") is not None, "the session in IDLE is told of it")
    reply = sessions["authenticated"].append("INBOX", harness.message("after"))
    check(reply.startswith("OK"), "a session without mailbox appends", reply)
    check(sessions["idle"].until(rb"^\* %d EXISTS" % (figures["idle"]["exists"] + 1)) is not None, "and IDLE tells of that too")
    check(sessions["idle"].done()[1].startswith(b"OK"), "the IDLE that began before the move ends in order")
    untagged, tagged = sessions["examined"].ask("STORE 1 +FLAGS (\\Seen)")
    check(tagged.startswith((b"NO", b"BAD")), "what was only examined is still read-only", tagged)
    greeted.login(user, "secret")
    check(greeted.select()["exists"] == figures["idle"]["exists"] + 1, "a connection that had not logged in logs in now")

    source = harness.Client(port, user)
    seen = source.select(how="EXAMINE")
    check(seen["exists"] == figures["idle"]["exists"] and seen["uidnext"] in (None, figures["idle"]["uidnext"]),
          "none of it went to the source", seen)
    flags = source.fetch(uid, "UID FLAGS")[uid][b"FLAGS"]
    check(b"handover" not in {bytes(f).lower() for f in flags}, "nor did the flag", flags)
    source.logout()
    for session in [*sessions.values(), greeted]:
        session.logout()


def case_cyrus(c):
    handover(c, "cyrus")


def case_courier(c):
    handover(c, "courier")


def case_dovecot(c):
    handover(c, "dovecot")


def case_writes_during_the_move(c):
    """A client that never stops appending: each OK is one message, in the owner's store, once."""
    user, port = c.user(), c.peers.port("dovecot")
    harness.seed(user, port, messages=200, folders=6)
    gateway = c.front("dovecot").start()
    harness.Client(gateway.imap, user).logout()
    session = harness.Client(gateway.imap, user)
    accepted, state = [], {"run": True, "refused": 0}

    def write():
        number = 0
        while state["run"]:
            reply = session.append("INBOX", harness.message("live-%04d" % number))
            if reply.startswith("OK"):
                accepted.append("live-%04d" % number)
            else:
                state["refused"] += 1
            number += 1

    def move():
        try:
            state["done"] = [gateway.cli(*verb) for verb in (["sync", user], ["cutover", user])]
        finally:
            state["run"] = False
    harness.together(write, move)
    for done in state["done"]:
        c.check.need(done.returncode == 0, "the move succeeds under writes", done.stderr)
    c.check(len(accepted) > 5, "%d writes were accepted, %d refused" % (len(accepted), state["refused"]))
    session.select()
    found = [b"".join(x) for x in session.ask("FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]")[0]]
    names = sorted(line.split(b"live-")[1][:4].decode() for line in found if b"live-" in line)
    want = sorted(name[5:] for name in accepted)
    c.check(set(want) <= set(names), "no acknowledged message is missing", sorted(set(want) - set(names)))
    c.check(len(names) == len(set(names)), "none is doubled", [n for n in names if names.count(n) > 1])
    session.logout()
