"""How headers are included.

Reads the #include lines of every C, C++ and header file; a project header included by a relative path or with angle
brackets is an error. A folder's `_priv.h` stays in it and in the folders below it (tests may look). Which folder may
include which is rooms.py's matter.
"""

import os
import re
import sys

FOLDERS = ["config", "aggregators", "consumers", "pipeline", "bench", "packaging", "tests"]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def mistakes(root):
    for folder in FOLDERS:
        for directory, _, names in os.walk(os.path.join(root, folder)):
            for name in sorted(names):
                if name.endswith((".c", ".h", ".cpp", ".hpp")):
                    yield from of_file(root, os.path.relpath(os.path.join(directory, name), root))


def of_file(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
        for number, line in enumerate(f, 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            bracket, target = found.groups()
            where = "%s:%d: " % (path, number)
            if target.startswith(".."):
                yield where + "includes by a relative path: " + target
            elif target.split("/")[0] not in FOLDERS or not os.path.exists(os.path.join(root, target)):
                continue  # a system header in a folder of the same name, or made by the build
            elif bracket == "<":
                yield where + "a project header in angle brackets: " + target
            elif target.endswith("_priv.h") and not path.startswith("tests/") \
                    and not (os.path.dirname(path) + "/").startswith(os.path.dirname(target) + "/"):
                yield where + "a private header of another module: " + target


if __name__ == "__main__":
    found = list(mistakes(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(found) or "headers are included as they should be")
    sys.exit(1 if found else 0)
