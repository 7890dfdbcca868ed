#!/usr/bin/env python3
"""The judge judged: each kind of damage to a snapshot is seen by the counter that is there for it, and by no accident."""
import copy
import hashlib
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fixtures", "peers"))
import snapshot  # noqa: E402


def record():
    """Two mailboxes and a POP3 listing, all values different."""
    def digest(number):
        return hashlib.sha256(b"%d" % number).hexdigest()

    def mailbox(base, use):
        return {"attrs": [], "special_use": use, "subscribed": True, "uidvalidity": base, "uidnext": base + 50,
                "highestmodseq": base + 60, "exists": 12, "messages": [
                    {"uid": base + i, "flags": ["\\Seen", "Word%d" % i], "date": 1000 + i, "date_zone": "+0100",
                     "size": 500 + i, "envelope": digest(i), "bodystructure": digest(-i), "modseq": base + i,
                     "body": digest(base + i), "len": 500 + i} for i in range(1, 13)]}
    return {"server": "x", "prefix": "INBOX.", "delimiter": ".", "caps": ["IMAP4REV1", "SPECIAL-USE"],
            "mailboxes": {"INBOX": mailbox(1000, []), "INBOX.Sent": mailbox(2000, ["\\sent"])},
            "pop3": [{"n": i, "uidl": "u%d" % i, "size": 500 + i, "body": digest(1000 + i)} for i in range(1, 13)]}


def damages():
    def messages(b):
        return b["mailboxes"]["INBOX"]["messages"]

    def of_mailbox(key, value):
        return lambda b: b["mailboxes"]["INBOX"].update({key: value})

    def of_message(key, value):
        return lambda b: messages(b)[5].update({key: value})

    def swap(key):
        def change(b):
            x = messages(b)
            x[0][key], x[1][key] = x[1][key], x[0][key]
        return change

    def change_order(b):
        messages(b)[0], messages(b)[1] = messages(b)[1], messages(b)[0]
    yield "nothing", lambda b: None, set()
    for key, value in (("uidvalidity", 1), ("uidnext", 1), ("highestmodseq", 1), ("special_use", ["\\junk"]),
                       ("subscribed", False)):
        yield key, of_mailbox(key, value), {"mailbox." + key}
    yield "unreadable", of_mailbox("error", "x"), {"mailbox.unreadable_in_B"}
    for key, value in (("flags", ["x"]), ("date", 1), ("date_zone", "+9999"), ("size", 1), ("body", "z"),
                       ("modseq", 10 ** 9), ("envelope", "z"), ("bodystructure", "z")):
        yield key, of_message(key, value), {"msg." + key}
    yield "case of a keyword", of_message("flags", ["\\Seen", "WORD6"]), {"msg.flags_case"}
    yield "a mailbox gone", lambda b: b["mailboxes"].pop("INBOX.Sent"), {"mailbox.missing"}
    yield "a mailbox more", lambda b: b["mailboxes"].update({"INBOX.X": b["mailboxes"]["INBOX.Sent"]}), {"mailbox.extra"}
    yield "a message gone", lambda b: messages(b).pop(3), {"msg.missing"}
    yield "a message more", lambda b: messages(b).append(dict(messages(b)[0], uid=10 ** 9)), {"msg.extra"}
    yield "a UID twice", lambda b: messages(b).append(dict(messages(b)[0])), {"mailbox.uids_strictly_ascend"}
    yield "UIDs shifted", lambda b: [m.update(uid=m["uid"] + 1) for m in messages(b)], {"msg.uid"}
    yield "UIDs swapped", swap("uid"), {"msg.uid"}
    yield "order", change_order, {"msg.order"}
    yield "POP3 rotated", lambda b: b["pop3"].insert(0, b["pop3"].pop()), {"pop3.uidl", "pop3.order_or_body"}
    yield "a UIDL", lambda b: b["pop3"][0].update(uidl="q"), {"pop3.uidl", "pop3.uidl_to_body"}
    yield "POP3 not taken", lambda b: b.update(pop3=None), {"pop3.not_taken_in_B"}
    yield "POP3 short", lambda b: b["pop3"].pop(), {"pop3.count", "pop3.uidl_to_body"}


def main():
    failed = 0
    for name, damage, want in damages():
        a, b = record(), copy.deepcopy(record())
        damage(b)
        seen = {key for key, value in snapshot.diff(a, b, {}, set(), 1)[0].items() if value[0]}
        good = want <= seen if want else not seen
        failed += not good
        print("%-4s %s: saw %s" % ("ok" if good else "BAD", name, sorted(seen)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
