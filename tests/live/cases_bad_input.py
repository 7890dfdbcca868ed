"""bad_input - it gets an answer, and costs nobody else anything."""
import os
import socket

import harness


def works(c, gateway, user, what):
    """Another session of another user is served as if nothing had been."""
    session = harness.Client(gateway.imap, user)
    c.check(session.select()["tagged"].startswith("OK"), what + ": another user is served")
    session.logout()


def login(gateway, user, password="secret"):
    session = harness.Client(gateway.imap)
    tagged = session.ask('LOGIN "%s" "%s"' % (user, password))[1].decode("latin-1")
    session.drop()
    return tagged


def raw(gateway, *pieces):
    """Sends bytes as they are; the lines that come back until the server closes or has nothing more to say."""
    s = socket.create_connection(("127.0.0.1", gateway.imap), harness.WAIT)
    s.settimeout(5)
    got = b""
    try:
        got += s.recv(65536)
        for piece in pieces:
            s.sendall(piece)
        while not any(line.startswith((b"a1 ", b"* BYE")) for line in got.split(b"\r\n")[1:]):
            data = s.recv(65536)
            if not data:
                break
            got += data
    except (ConnectionError, TimeoutError) as failure:
        got += b"(" + type(failure).__name__.encode() + b")"
    s.close()
    return got.split(b"\r\n", 1)[-1].decode("latin-1")


def case_credentials(c):
    user, other = c.user(), c.user()
    gateway = c.front("dovecot").start()
    reply = login(gateway, user, "wrong")
    c.check(reply.startswith("NO") and "AUTHENTICATIONFAILED" in reply, "a wrong password is NO [AUTHENTICATIONFAILED]", reply)
    reply = login(gateway, "nobody-here")
    c.check(reply.startswith("NO"), "an unknown user is NO", reply)
    c.check("AUTHENTICATIONFAILED" in reply, "and cannot be told from a wrong password", reply)
    for name in ("", "../../etc/passwd", "a" * 5000, "user\\\"x"):
        reply = login(gateway, name.replace("\\", "\\\\").replace('"', '\\"'))
        c.check(reply.startswith(("NO", "BAD")), "the name %.20r is refused" % name, reply)
    works(c, gateway, other, "after wrong credentials")
    c.check(sorted(u["user"] for u in gateway.cli("user", "list", "--json").json["users"]) == [other],
            "no refused name became an account")


def case_an_upstream_that_is_down(c):
    user, other = c.user(), c.user()
    relay = c.relay(c.peers.port("dovecot"))
    gateway = c.gateway({"old": {"imap": c.peers.port("dovecot"), "admin": harness.admin_of("dovecot")},
                         "gone": {"imap": relay.port, "admin": harness.admin_of("dovecot")}})
    c.check(gateway.cli("user", "add", user, "--upstream", "gone").returncode == 0, "a user behind a relay is added")
    gateway.start()
    c.check(login(gateway, user).startswith("OK"), "while the upstream is up its user logs in")
    relay.target = None
    relay.cut()
    reply = login(gateway, user)
    c.check(reply.startswith("NO") and "UNAVAILABLE" in reply, "when it is down the login is NO [UNAVAILABLE]", reply)
    works(c, gateway, other, "with one upstream down")
    done = gateway.cli("sync", user)
    c.check(done.returncode == 3, "sync exits 3: not now", (done.returncode, done.stderr))
    relay.target = c.peers.port("dovecot")
    c.check(login(gateway, user).startswith("OK"), "when it is back its user logs in")


def case_an_upstream_that_drops_connections(c):
    """Under load a server ends some connections before it has greeted: a login survives one, and not two."""
    relay = c.relay(c.peers.port("dovecot"))
    gateway = c.gateway({"busy": {"imap": relay.port, "admin": harness.admin_of("dovecot")}}).start()
    relay.refuse = 1
    tagged = login(gateway, c.user())
    c.check(tagged.startswith("OK"), "a password is asked once more where the connection broke", tagged)
    relay.refuse = 2
    user = c.user()
    tagged = login(gateway, user)
    c.check(tagged.startswith("NO [UNAVAILABLE]"), "and only once", tagged)
    relay.refuse = 0
    c.check(login(gateway, user).startswith("OK"), "which is no verdict on the password")
    relay.refuse = 1
    tagged = login(gateway, user, "wrong")
    c.check(tagged.startswith("NO [AUTHENTICATIONFAILED]"), "a wrong one is wrong the second time, too", tagged)


def case_certificates(c):
    user = c.user()
    target = c.peers.port("dovecot")
    authority = c.peers.file("ca.pem")
    fronts = {name: c.relay(target, certificate=c.peers.file(name + ".pem"), key=c.peers.file("key.pem"))
              for name in ("cert", "expired", "stranger")}
    for name, front in fronts.items():
        gateway = c.gateway({"old": {"imap": "imaps://localhost:%d" % front.port, "admin": harness.admin_of("dovecot"),
                                     "tls": '{ verify = true, ca_file = "%s" }' % authority}})
        gateway.start()
        reply = login(gateway, user)
        if name == "cert":
            c.check(reply.startswith("OK"), "a valid certificate is accepted", reply)
        else:
            c.check(reply.startswith("NO"), "%s: no login" % name, reply)
            done = gateway.cli("probe", "old", "--user", user, "--password-file", gateway.folder + "/password")
            c.check(done.returncode in (1, 3), "%s: nor a probe" % name, (done.returncode, done.stderr))
            told = done.stderr + done.stdout
            c.check("certificate" in told.lower(), "%s: and it says why" % name, told)
            c.check(front.read()["up"] < 3000, "%s: no password went through" % name, front.read())


def case_literals_and_lines(c):
    user, other = c.user(), c.user()
    gateway = c.front("dovecot").start()
    for what, line in (("2^63", b"a1 LOGIN {9223372036854775808}\r\n"), ("2^63 - 1", b"a1 LOGIN {9223372036854775807}\r\n"),
                       ("2^64 + 1", b"a1 LOGIN {18446744073709551617+}\r\n"), ("-1", b"a1 LOGIN {-1}\r\n")):
        reply = raw(gateway, line)
        c.check(("BAD" in reply or "BYE" in reply or "NO" in reply) and "+ " not in reply,
                "a literal of %s is refused before it is sent" % what, reply)
    session = harness.Client(gateway.imap, user)
    session.send(b"a1 APPEND INBOX {9223372036854775808}\r\n")
    line = b"".join(session._response())
    c.check(b"NO" in line or b"BAD" in line or b"BYE" in line, "a literal of 2^63 is refused to APPEND", line)
    session.drop()
    reply = raw(gateway, b"a1 NOOP " + b"x" * 8_000_000)
    c.check("BAD" in reply or "BYE" in reply or "Error" in reply, "a line without end is cut off", reply[-200:])
    reply = raw(gateway, b"a1 SEARCH " + b"(" * 5000 + b")" * 5000 + b"\r\n")
    c.check("BAD" in reply or "NO" in reply, "5,000 nested lists are refused", reply[-200:])
    reply = raw(gateway, b"a1 \x00NOOP\r\n")
    c.check("BAD" in reply or "BYE" in reply, "NUL in a command is refused", reply)
    reply = raw(gateway, os.urandom(4096).replace(b"a1", b"zz") + b"\r\na1 NOOP\r\n")
    c.check("BAD" in reply or "BYE" in reply or "OK" in reply, "noise gets an answer", reply[:200])
    works(c, gateway, other, "after hostile lines")


def case_names_and_messages(c):
    user = c.user()
    gateway = c.front("dovecot").start()
    session = harness.Client(gateway.imap, user)
    for name in ("INBOX.&Jjo", "INBOX.&Jjo!-", "INBOX.a&b", "INBOX.&AAAA-"):
        for command in ("CREATE", "SELECT"):
            tagged = session.ask('%s "%s"' % (command, name))[1]
            c.check(tagged.startswith((b"NO", b"BAD")), "%s %s, not mUTF-7, is refused" % (command, name), tagged)
    c.check(session.ask("NOOP")[1].startswith(b"OK"), "and the session goes on")
    for where in ("upstream", "local"):
        reply = session.append("INBOX", b"\r\nNo header here.\r\n")
        c.check(reply.startswith("OK"), "%s: a message without header is accepted" % where, reply)
        session.select()
        got = session.fetch("*", "UID ENVELOPE BODYSTRUCTURE BODY.PEEK[] BODY.PEEK[HEADER]")
        got = got[max(got)]
        c.check(got[b"BODY[]"] == b"\r\nNo header here.\r\n", "%s: its bytes are kept" % where, got)
        c.check(not any(got[b"ENVELOPE"]), "%s: its ENVELOPE is ten times NIL" % where, got[b"ENVELOPE"])
        c.check([bytes(x).lower() for x in got[b"BODYSTRUCTURE"][:2]] == [b"text", b"plain"],
                "%s: its BODYSTRUCTURE is text/plain" % where, got[b"BODYSTRUCTURE"])
        exists = session.select()["exists"]
        reply = session.append("INBOX", b"Subject: nul\r\n\r\na\x00b\r\n")
        c.check(reply.startswith(("NO", "BAD")), "%s: NUL in an APPEND is refused (RFC 3501 9: CHAR8)" % where, reply)
        c.check(session.select()["exists"] == exists, "%s: and nothing of it is kept" % where)
        if where == "upstream":
            for verb in (["sync", user], ["cutover", user]):
                done = gateway.cli(*verb)
                c.check.need(done.returncode == 0, " ".join(verb), done.stderr)
    session.logout()


def case_a_removed_user_looks_like_any_other(c):
    """The refusal of a removed user takes the way of everybody's wrong password: its time tells nothing."""
    relay = c.relay(c.peers.port("dovecot"))
    gateway = c.gateway({"old": {"imap": relay.port, "admin": harness.admin_of("dovecot")}}).start()
    user = c.user()
    c.check(login(gateway, user).startswith("OK"), "a user is enrolled")
    done = gateway.cli("user", "remove", user)
    c.check.need(done.returncode == 0, "and removed", done.stderr)
    asked = {}
    for who, name, password in (("removed", user, "wrong"), ("unknown", "nobody-here", "wrong"), ("right", user, "secret")):
        relay.reset()
        tagged = login(gateway, name, password)
        asked[who] = (tagged.split(" ")[0], relay.read()["connections"])
    c.check(asked["removed"] == asked["unknown"] == ("NO", 1), "the source is asked for both", asked)
    c.check(asked["right"][0] == "NO", "the right password of a removed user is refused", asked)
