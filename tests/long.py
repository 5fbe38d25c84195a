#!/usr/bin/python3
"""What is too long for each change: `make test-long`. Small steps; each says how it ended, and is not run again once it passed.

What passed is kept by commit in build/long/<commit>/: an interrupted run goes on where it was. Changes that are not committed are part
of the name. The tests are those of `make test`; here they are larger, or run under a sanitizer, or for longer.

long.py [--only REGEX] [--list]   from the top of the source tree; exit code 1 when a step failed
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SANITIZERS = {"ASAN_OPTIONS": "abort_on_error=1:detect_leaks=0", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
              "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"}
SMALL = {"WEIR_E2E_RECORDS": "50000", "WEIR_E2E_KILLS": "3"}  # a sanitizer makes everything several times slower
# How each step's own tools say how it ended.
CLOSING = re.compile(r"^\d+% tests passed|^Total Test time|^\d+ of \d+ mutations|^\d+ seeds|^fuzzing \w+ for|^stat::number_of_executed_units"
                     r"|\(Skipped\)|skipped")


def e2e(preset, test, **environment):
    return ["ctest", "--preset", preset, "--timeout", "3600", "-R", r"^e2e\.%s$" % test], environment


def steps():
    """(name, command, more environment) in the order in which they run."""
    yield "build", ["make", "build-tests"], {}
    yield "exactness-of-a-million", *e2e("release", "exactness", WEIR_E2E_RECORDS="1000000")
    yield "kills", *e2e("release", "kill", WEIR_E2E_KILLS="200")
    yield "kills-of-pools", *e2e("release", "pools", WEIR_E2E_POOL_KILLS="40")
    yield "kills-of-brokers", *e2e("release", "direct_cluster", WEIR_E2E_BROKER_KILLS="10", WEIR_E2E_MOVES="60")
    yield "redis-away", *e2e("release", "redis_rollback", WEIR_E2E_AWAY_S="60")
    for preset, target, tests in (("asan-ubsan", "asan", "bad_input requests pools rollups cli stages"),
                                  ("tsan", "tsan", "two_processes redis_rollback stages pools requests")):
        yield target + "-build", ["make", "build-" + target], {}
        for test in tests.split():
            yield "%s-%s" % (target, test), *e2e(preset, test, **SMALL)
    for first in range(1, 100001, 10000):
        yield "seeds-%d" % first, ["build/tests/sim/weir_sim", "--from", str(first), "--seeds", "10000"], {}
    yield "mutations", ["tests/sim/mutate.py"], {}
    for part in range(1, 13):
        yield "fuzz-%d-of-12" % part, ["tests/fuzz/run.sh", "300"], {}


def state_of_the_tree():
    """The commit, and what was changed since."""
    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    commit = git("rev-parse", "--short=12", "HEAD").decode().strip()
    changes = git("diff", "HEAD") + git("ls-files", "--others", "--exclude-standard")
    return commit + ("-" + hashlib.sha256(changes).hexdigest()[:8] if changes else "")


def run(name, command, environment, directory):
    """True when it passes, or passed before."""
    passed, log = (os.path.join(directory, name + suffix) for suffix in (".passed", ".log"))
    if os.path.exists(passed):
        print("%-24s passed before" % name, flush=True)
        return True
    print("%-24s ..." % name, flush=True)
    began = time.monotonic()
    with open(log, "w") as out:
        code = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                              env={**os.environ, **SANITIZERS, **environment}).returncode
    with open(log, errors="replace") as f:
        lines = f.read().splitlines()
    for line in [x for x in lines if CLOSING.search(x)][-8:] if code == 0 else lines[-60:]:
        print("    " + line)
    print("%-24s %s after %d s" % (name, "passed" if code == 0 else "FAILED with %d" % code, time.monotonic() - began), flush=True)
    if code == 0:
        open(passed, "w").close()
    return code == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="names of steps")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    chosen = [step for step in steps() if re.search(args.only, step[0])]
    if args.list:
        print("\n".join(step[0] for step in chosen))
        return 0
    directory = os.path.join(ROOT, "build", "long", state_of_the_tree())
    os.makedirs(directory, exist_ok=True)
    failed = [step[0] for step in chosen if not run(*step, directory)]
    print("%d of %d steps passed%s" % (len(chosen) - len(failed), len(chosen), "; failed: " + ", ".join(failed) if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
