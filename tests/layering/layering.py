#!/usr/bin/env python3
"""layering RULE - house rules that no compiler checks (style: dependency rule, coroutines, smells). Run in the root.

  includes    every include follows the table below
  asio        Asio only in wire/net, imapc, pop3c, gateway
  beast       Beast in three files of gateway/admin at most: each costs seconds and gigabytes to compile
  text        #pragma once, no work left for later in comments, no path of one machine
  coroutines  what g++ 12 miscompiles, and tasks without an owner
  format      clang-format 14 has nothing to change
  self        each rule finds what it is there to find
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

# Folder: the folders it may include besides itself. The longest prefix of a file's path decides.
MAY = {
    "wire/base": [],
    "wire/mail": ["wire/base"],
    "wire/imap": ["wire/base", "wire/mail"],
    "wire/pop3": ["wire/base"],
    "wire/net": ["wire/base"],
    "quirks": ["wire"],
    "storage": ["wire/base"],
    "imapc": ["wire", "quirks"],
    "pop3c": ["wire", "quirks"],
    "gateway/config": ["wire", "quirks", "storage", "imapc", "pop3c"],
    "gateway/control": ["wire", "quirks", "storage", "imapc", "pop3c", "gateway/config"],
    "gateway/derived": ["wire", "storage"],
    "gateway/source": ["wire", "quirks", "storage", "imapc", "pop3c", "gateway/config", "gateway/control",
                       "gateway/derived"],
    "gateway/imap": ["wire", "quirks", "storage", "gateway/config", "gateway/control", "gateway/derived",
                     "gateway/source"],
    "gateway/pop3": ["wire", "quirks", "storage", "gateway/config", "gateway/control", "gateway/source"],
    "gateway/migrate": ["wire", "quirks", "storage", "gateway/config", "gateway/control", "gateway/source"],
    # `who` and `kick` are about the live sessions.
    "gateway/admin": ["wire", "quirks", "storage", "gateway/config", "gateway/control", "gateway/source",
                      "gateway/migrate", "gateway/imap"],
    "gateway": ["wire", "quirks", "storage", "imapc", "pop3c", "gateway"],
}
# probe asks an upstream what it is: it speaks to it as a client, and there is no account and no copy in between.
ALSO = {"gateway/migrate/probe.cpp": ["imapc"], "gateway/migrate/identity.cpp": ["imapc"],
        "gateway/migrate/sieve.cpp": ["imapc"], "gateway/admin/probe_pop3.cpp": ["pop3c"]}
ROOTS = ("wire/", "quirks/", "storage/", "imapc/", "pop3c/", "gateway/", "tests/")
ASIO_FOLDERS = ("wire/net/", "imapc/", "pop3c/", "gateway/")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)


def folder_of(path):
    return max((f for f in MAY if path.startswith(f + "/")), key=len, default=None)


def strip(text):
    """Without comments and literals, line numbers kept."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)

    def blank(found):
        lines = "\n" * found.group(0).count("\n")
        return lines if found.group(0).startswith("/") else '""' + lines
    return pattern.sub(blank, re.sub(r"(?<=\d)'(?=\d)", "", text))


def lines(text, pattern):
    return [(text.count("\n", 0, m.start()) + 1, m) for m in re.finditer(pattern, text, re.M)]


def includes(files):
    for path, text in files.items():
        home = folder_of(path)
        if home is None:
            continue
        own = path[:-4] + ".h" if path.endswith(".cpp") else None
        if own in files and (INCLUDE.findall(text) or [""])[0] != own:
            yield path, 1, "include %s first: that proves that it stands alone" % own
        for number, m in lines(text, INCLUDE.pattern):
            what = m.group(1)
            if not what.startswith(ROOTS):
                if '"' in m.group(0):
                    yield path, number, 'include "%s" by its path from the root' % what
                continue
            target = folder_of(what)
            if what.startswith("tests/") or target is None or not (
                    target == home or any((target + "/").startswith(f + "/") for f in MAY[home] + ALSO.get(path, []))):
                yield path, number, "%s may not include %s" % (home, what)


def asio(files):
    for path, text in files.items():
        if path.startswith("tests/") or path.startswith(ASIO_FOLDERS):
            continue
        for number, m in lines(text, INCLUDE.pattern):
            if m.group(1).startswith(("boost/asio", "boost/beast")):
                yield path, number, "Asio outside " + ", ".join(ASIO_FOLDERS)


def beast(files):
    users = sorted(p for p, text in files.items()
                   if not p.startswith("tests/") and re.search(r"#\s*include\s*<boost/beast", text))
    for path in users:
        if not path.startswith("gateway/admin/"):
            yield path, 1, "Beast outside gateway/admin"
    if len(users) > 3:
        yield users[3], 1, "Beast in more than three files: " + ", ".join(users)


def text(files):
    # Assembled, so that this file does not find itself.
    later = r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r")\b"
    machine = r"""(?:^|[\s"'(=:])/(?:work|farm|root|home/\w+|Users)/"""
    for path, content in files.items():
        if path.endswith(".h") and not re.search(r"^#pragma once$", content, re.M):
            yield path, 1, "no #pragma once"
        if path.endswith(".h") and not content.startswith("//"):
            yield path, 1, "a header opens by saying what it is"
        for number, m in lines(content, later):
            yield path, number, "work left for later: " + m.group(0)
        for number, m in lines(content, machine):
            yield path, number, "a path of one machine: " + m.group(0).strip()


def coroutines(files):
    for path, content in files.items():
        # Measurements sample over time.
        python_test = path.startswith("tests/") and path.endswith(".py") and not path.startswith("tests/bench/")
        if python_test and path != "tests/layering/layering.py":
            for number, _ in lines(content, r"\btime\.sleep\("):
                yield path, number, "a test that sleeps"
        if not path.endswith((".h", ".cpp")):
            continue
        code = strip(content)
        for pattern, why in (
                (r"\?[^;:?{}]*\bco_await\b|\?(?:[^;?{}]|::)*[^:]:(?!:)[^;{}()]*\bco_await\b",
                 "co_await in a conditional expression: g++ 12 frees it twice"),
                (r"\bco_await\b[^;?{}]*\([^;?{}]*\?[^;{}]*[^:]:(?!:)[^;{}]*;",
                 "a conditional expression among co_await's arguments: g++ 12 destroys it twice; name the value first"),
                (r"\bco_await\s+[\w:.>-]+\(\s*\{", "co_await f({...}): name the value first"),
                (r"[\w>]\s*\{\s*co_await\b(?![^;{}]*;)", "co_await in a brace initialiser: await into locals first"),
                (r"\bco_await\s+[\w:.>-]+\([^;]*[(,]\s*\[[^\]]*\]\s*(?:\(|\{)", "a lambda among co_await's arguments: "
                 "name it first")):
            for number, _ in lines(code, pattern):
                yield path, number, why
        if not path.startswith("wire/net/spawn"):
            for number, _ in lines(code, r"\b(?:asio|net)::detached\b"):
                yield path, number, "a task without an owner: use wire::net's spawn"
        for number, _ in lines(code, r"catch\s*\(\.\.\.\)\s*\{\s*\}"):
            yield path, number, "an error swallowed"
        # Programs in tests/live find their servers in the environment that the driver sets.
        if path.startswith("tests/") and not path.startswith("tests/live/"):
            for number, _ in lines(code, r"\bthis_thread::sleep|\busleep\b|\bDISABLED_|\bGTEST_SKIP\b"):
                yield path, number, "a test that sleeps or is switched off"


def format_(files):
    tool = shutil.which("clang-format-14") or shutil.which("clang-format")
    if tool is None:
        yield "clang-format-14", 0, "is not installed"
        return
    sources = [p for p in files if p.endswith((".h", ".cpp"))]
    if not sources:
        return
    done = subprocess.run([tool, "--dry-run", "--Werror"] + sources, capture_output=True, text=True)
    for path in dict.fromkeys(re.findall(r"^([^:\s]+):\d+:\d+: error", done.stderr, re.M)):
        yield path, 0, "is not formatted: %s -i %s" % (os.path.basename(tool), path)
    if done.returncode and not re.search(r": error", done.stderr):
        yield tool, 0, done.stderr[:500]


RULES = {"includes": includes, "asio": asio, "beast": beast, "text": text, "coroutines": coroutines, "format": format_}

# Rule, path, text, how many findings.
CASES = [
    (includes, "storage/a.h", '#include "wire/imap/framer.h"\n', 1),
    (includes, "storage/a.h", '#include "wire/base/ids.h"\n', 0),
    (includes, "wire/mail/a.h", '#include "wire/imap/a.h"\n', 1),
    (includes, "wire/imap/a.h", '#include "wire/mail/a.h"\n', 0),
    (includes, "imapc/a.h", '#include "pop3c/a.h"\n', 1),
    (includes, "imapc/a.h", '#include "storage/a.h"\n', 1),
    (includes, "quirks/a.h", '#include "gateway/imap/a.h"\n', 1),
    (includes, "gateway/source/a.h", '#include "gateway/migrate/a.h"\n', 1),
    (includes, "gateway/imap/a.h", '#include "imapc/a.h"\n', 1),
    (includes, "gateway/migrate/probe.cpp", '#include "imapc/list.h"\n', 0),
    (includes, "gateway/migrate/plan.cpp", '#include "imapc/list.h"\n', 1),
    (includes, "gateway/main.cpp", '#include "gateway/admin/a.h"\n', 0),
    (includes, "gateway/imap/a.cpp", '#include "a.h"\n', 1),
    (asio, "storage/a.cpp", "#include <boost/asio/post.hpp>\n", 1),
    (asio, "imapc/a.cpp", "#include <boost/asio/post.hpp>\n", 0),
    (beast, "gateway/imap/a.cpp", "#include <boost/beast/http.hpp>\n", 1),
    (text, "wire/base/a.h", "// A.\nint a;\n", 1),
    (text, "wire/base/a.h", "#pragma once\n", 1),
    (text, "wire/base/a.h", "// A.\n#pragma once\n// TO" "DO: later\n", 1),
    (text, "dev", 'x="/wo' 'rk/main"\n', 1),
    (coroutines, "imapc/a.cpp", "auto x = b ? co_await f() : y;\n", 1),
    (coroutines, "imapc/a.cpp", "auto x = b ? y : co_await f();\n", 1),
    (coroutines, "imapc/a.cpp", "auto x = co_await f(a, b ? c->d() : e.front());\n", 1),
    (coroutines, "imapc/a.cpp", "co_await f({1, 2});\n", 1),
    (coroutines, "imapc/a.cpp", "auto x = A{co_await f(), 2};\n", 1),
    (coroutines, "imapc/a.cpp", "co_await f(a, [&] { return 1; });\n", 1),
    (coroutines, "imapc/a.cpp", "if (x) {\n  co_await f();\n}\nfor (;;) { co_await g(); }\n", 0),
    (coroutines, "imapc/a.cpp", "case 1: co_await f(); // b ? co_await f() : y\n", 0),
    (coroutines, "imapc/a.cpp", 'log("a ? b : c"); co_await f(ns::g(1));\n', 0),
    (coroutines, "imapc/a.cpp", "co_spawn(x, f(), asio::detached);\n", 1),
    (coroutines, "wire/net/spawn.cpp", "co_spawn(x, f(), asio::detached);\n", 0),
    (coroutines, "tests/unit/a_test.cpp", "std::this_thread::sleep_for(1s);\n", 1),
    (coroutines, "tests/unit/a_test.cpp", "co_await sleep_for(clock, 1s);\n", 0),
    (coroutines, "tests/live/a.py", "time.sleep(1)\n", 1),
]


def self_check():
    for rule, path, content, want in CASES:
        got = list(rule({path: content}))
        if (len(got) > 0) != (want > 0):
            yield "tests/layering/layering.py", 0, "%s(%r) found %r" % (rule.__name__, content, got)
    if shutil.which("clang-format-14") or shutil.which("clang-format"):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(".clang-format", folder)
            bad = os.path.join(folder, "a.cpp")
            with open(bad, "w") as out:
                out.write("int  a ;\n")
            if not list(format_({bad: ""})):
                yield "tests/layering/layering.py", 0, "format does not see an unformatted file"


def tracked():
    """The project's text files; without git (a tarball) whatever lies here outside build/."""
    done = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True)
    names = done.stdout.splitlines()
    if done.returncode:
        names = [os.path.relpath(os.path.join(folder, name)) for folder, _, inside in os.walk(".") for name in inside]
    files = {}
    for name in names:
        if name.startswith(("build/", ".git/")) or not os.path.isfile(name):
            continue
        if name.endswith((".h", ".cpp", ".py", ".md", ".txt", ".toml", ".json", ".clang-tidy")) or "." not in \
                os.path.basename(name) or name.startswith(".ci/"):
            with open(name, encoding="utf-8", errors="replace") as source:
                files[name] = source.read()
    return files


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in list(RULES) + ["self"]:
        sys.exit(__doc__)
    found = list(self_check() if sys.argv[1] == "self" else RULES[sys.argv[1]](tracked()))
    for path, number, why in found:
        print("%s:%d: %s" % (path, number, why))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
