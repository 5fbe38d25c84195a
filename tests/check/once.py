"""What stands in one place stays there: clocks, random numbers, growing arrays, hashes, HTTP servers, option parsing.

Each row is a pattern of code that only its home may hold; a second copy is an error. The simulator's model shares no code with
weir and is left out.
"""

import os
import re
import subprocess
import sys

HOMES = [
    (r"\bclock_gettime\s*\(|\bgettimeofday\s*\(", "config/base/clock.c", "clocks are read by clock.h"),
    (r"0xbf58476d1ce4e5b9|6364136223846793005|\b(?:s?rand|random)\(\)", "config/base/random.h", "random numbers come from random.h"),
    (r"(\w+(?:(?:->|\.)\w+)*) = \1 (?:== 0 )?\? [^;]*\* 2[^;]*;\s*[^;]* =\s*(?:weir_)?realloc\(", "config/base/vec.h",
     "arrays grow by WEIR_VEC_ROOM"),
    (r"0x5bd1e995", "config/base/murmur2.c", "keys are hashed by murmur2.h"),
    (r"\bMHD_start_daemon\s*\(", "pipeline/http/daemon.c", "servers start by pipeline/http/daemon.h"),
    (r"\bgetopt(?:_long)?\s*\(", "config/base/options.c", "options are parsed by options.h"),
    (r"/proc/(?:self|%d)/statm", "config/base/process.c", "memory is told by process.h"),
]
MODEL = re.compile(r"tests/sim/model")


def mistakes(root):
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z", "*.c", "*.h", "*.cpp"], stdout=subprocess.PIPE, check=True).stdout
    for path in listed.decode().split("\0"):
        if not path or MODEL.match(path) or not os.path.exists(os.path.join(root, path)):
            continue
        with open(os.path.join(root, path), encoding="utf-8") as f:
            text = f.read()
        for pattern, home, what in HOMES:
            for found in re.finditer(pattern, text) if path != home else ():
                yield "%s:%d: %s: %s" % (path, text.count("\n", 0, found.start()) + 1, what, found[0].split("\n")[0].strip())


if __name__ == "__main__":
    found = list(mistakes(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(found) or "each thing stands once")
    sys.exit(1 if found else 0)
