"""command_line - what the benchmarks that drive servers share: their options, and what is done with their figures."""
import argparse
import json
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "live"))


def options(doc, **defaults):
    """A parser with --binary, --json and an option for each of `defaults`, of its type."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="build/release/fairlead", type=os.path.abspath)
    parser.add_argument("--json")
    for name, value in defaults.items():
        parser.add_argument("--" + name, default=value, type=type(value))
    return parser


def keep(given, figures):
    """Writes what was measured where --json says."""
    if given.json:
        with open(given.json, "w") as out:
            json.dump(figures, out, indent=1)
