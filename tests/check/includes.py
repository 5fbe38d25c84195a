"""Dependencies point one way: config <- aggregators <- consumers <- pipeline <- bench, tests.

Reads the #include lines of every C, C++ and header file; one that names a folder above its own is an error, and so is a
project header included by a relative path or with angle brackets. A folder's `_priv.h` stays in it and its rooms (tests
may look).
"""

import os
import re
import sys

ORDER = ["config", "aggregators", "consumers", "pipeline"]
TOP = ["bench", "tests"]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def layer(path):
    folder = path.split("/", 1)[0]
    return ORDER.index(folder) if folder in ORDER else len(ORDER) if folder in TOP else None


def mistakes(root):
    for folder in ORDER + TOP:
        for directory, _, names in os.walk(os.path.join(root, folder)):
            for name in sorted(names):
                if name.endswith((".c", ".h", ".cpp", ".hpp")):
                    path = os.path.relpath(os.path.join(directory, name), root)
                    yield from of_file(root, path)


def of_file(root, path):
    mine = layer(path)
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
        for number, line in enumerate(f, 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            bracket, target = found.groups()
            theirs = layer(target) if "/" in target else None
            where = "%s:%d: " % (path, number)
            if target.startswith(".."):
                yield where + "includes by a relative path: " + target
            elif theirs is not None and not os.path.exists(os.path.join(root, target)):
                continue  # a system header in a folder of the same name, or made by the build
            elif theirs is not None and bracket == "<":
                yield where + "a project header in angle brackets: " + target
            elif theirs is not None and theirs > mine:
                yield where + "%s must not include from %s: %s" % (path.split("/")[0], target.split("/")[0], target)
            elif theirs is not None and target.endswith("_priv.h") and not path.startswith("tests/") \
                    and not (os.path.dirname(path) + "/").startswith(os.path.dirname(target) + "/"):
                yield where + "a private header of another module: " + target


if __name__ == "__main__":
    found = list(mistakes(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(found) or "includes point one way")
    sys.exit(1 if found else 0)
