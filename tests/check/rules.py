"""Which test holds which rule of the domain contract: a table from `rule XXX-n` in the tests, and the gaps.

A gap fails. The families and their sizes stand here, so that a rule without any test cannot hide.
"""

import os
import re
import sys

RULES = {"REC": 10, "CYC": 4, "LIFE": 7, "SUS": 6, "POOL": 8, "ALR": 2, "CMD": 5, "ROL": 4}
NOT_YET = ["REC-8", "REC-10"]  # known, and no test's matter until they are built
MUST = [rule for family, count in RULES.items() for rule in ("%s-%d" % (family, n) for n in range(1, count + 1)) if rule not in NOT_YET]
NOT_HOLDING = ["test_oracle.py"]  # tests the oracle, not weir
MENTION = re.compile(r"\brules?\s+((?:[A-Z]{3,4}-\d+(?:\s*(?:,|and|,\s*rule)\s*)?)+)")
NAME = re.compile(r"[A-Z]{3,4}-\d+")


def mentions(root):
    """{rule: set of test files}"""
    out = {}
    tests = os.path.join(root, "tests")
    for directory, folders, names in os.walk(tests):
        if directory == tests and "check" in folders:
            folders.remove("check")  # this very file
        for name in names:
            if name.endswith((".c", ".cpp", ".py", ".mjs", ".h")) and name not in NOT_HOLDING:
                with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as f:
                    for found in MENTION.finditer(f.read()):
                        for rule in NAME.findall(found[1]):
                            out.setdefault(rule, set()).add(name)
    return out


if __name__ == "__main__":
    held = mentions(sys.argv[1] if len(sys.argv) > 1 else ".")
    known = ["%s-%d" % (family, n) for family, count in RULES.items() for n in range(1, count + 1)]
    for rule in known:
        print("%-8s %s" % (rule, ", ".join(sorted(held.get(rule, []))) or "-"))
    unknown = sorted(set(held) - set(known))
    gaps = [rule for rule in MUST if rule not in held]
    if unknown:
        print("no such rule: " + ", ".join(unknown))
    if gaps:
        print("no test mentions: " + ", ".join(gaps))
    print("%d of %d rules are held by tests" % (sum(rule in held for rule in known), len(known)))
    sys.exit(1 if gaps or unknown else 0)
