#!/usr/bin/python3
"""Instructions a record, counted by callgrind: a slow-down shows even on a machine whose times mean nothing.

Runs `weir-bench core` on small fleets and compares what a record costs in each part with bench/instructions.json. More than the
file's tolerance either way is a failure: more must be explained, less is to be kept. Counts belong to a compiler and an
instruction set; with others the check is skipped (exit code 77). After a change that is meant: bench/instructions.py --write.
Usage: bench/instructions.py [--bench FILE] [--write]
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
COUNTS = os.path.join(HERE, "instructions.json")
RECORDS = 21000
SKIPPED = 77
PARTS = {"decode": "weir_decode", "fold": "weir_partition_fold", "tick": "weir_partition_tick", "tell": "weir_partition_publish",
         "flush": "weir_partition_encode"}
WORKLOADS = ["steady", "chatty", "hot_pool", "storm"]


def versions(bench):
    """What the counts belong to: compiler and instruction set."""
    out = subprocess.run([bench, "workload", "steady", "--json"], stdout=subprocess.PIPE, check=True).stdout
    found = json.loads(out.decode().splitlines()[-1])["versions"]
    return {name: found[name] for name in ("compiler", "instructions")}


def start(bench, workload, directory):
    """callgrind on one workload; counts only while records flow, not while the fleet is made."""
    out = os.path.join(directory, workload)
    child = subprocess.Popen(["valgrind", "--tool=callgrind", "--toggle-collect=segment_run", "--callgrind-out-file=" + out, bench, "core",
                              "--workload", workload, "--cards", "5000", "--records", str(RECORDS), "--seed", "1", "--json"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return workload, out, child


def counts(path):
    """{part: instructions a record} of one callgrind file, with all that a part calls."""
    text = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", "--auto=no", path], stdout=subprocess.PIPE, check=True,
                          env={**os.environ, "LC_ALL": "C"}).stdout.decode()
    found = {}
    for part, function in PARTS.items():
        line = re.search(r"^\s*([\d,]+) \([^)]*\)\s+\S*:%s(?:'\d+)?(?: \[|$)" % function, text, re.M)
        found[part] = round(int(line.group(1).replace(",", "")) / RECORDS, 1) if line else 0.0
    return found


def measure(bench):
    found = {}
    with tempfile.TemporaryDirectory(prefix="weir-instructions-") as directory:
        for workload in WORKLOADS:
            name, out, child = start(bench, workload, directory)
            _, errors = child.communicate(timeout=300)
            if child.returncode:
                sys.exit("%s: exit code %d: %s" % (name, child.returncode, errors.decode(errors="replace")[-2000:]))
            found[name] = counts(out)
    return found


def compare(kept, found):
    """Lines of what differs by more than the tolerance; parts below 20 instructions are noise."""
    for workload, parts in kept["counts"].items():
        for part, before in parts.items():
            now = found[workload][part]
            change = 100 * (now - before) / before if before else 0
            print("%-9s %-7s %8.1f %8.1f %+6.1f %%" % (workload, part, before, now, change))
            if max(now, before) >= 20 and abs(change) > kept["tolerance_percent"]:
                yield "%s %s: %.1f instructions a record, kept are %.1f (%+.1f %%)" % (workload, part, now, before, change)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", default=os.path.join(os.path.dirname(HERE), "build", "bench", "weir-bench"))
    parser.add_argument("--write", action="store_true", help="keep today's counts")
    args = parser.parse_args()
    if shutil.which("valgrind") is None or shutil.which("callgrind_annotate") is None:
        print("skipped: no valgrind here")
        return SKIPPED
    kept = {"tolerance_percent": 3, "versions": None, "counts": {}}
    if os.path.exists(COUNTS):
        with open(COUNTS) as f:
            kept = json.load(f)
    built = versions(args.bench)
    if args.write:
        with open(COUNTS, "w") as f:
            json.dump({**kept, "versions": built, "records": RECORDS, "counts": measure(args.bench)}, f, indent=1)
            f.write("\n")
        return 0
    if kept["versions"] != built:
        print("skipped: counts are of %s, this build is of %s" % (kept["versions"], built))
        return SKIPPED
    wrong = list(compare(kept, measure(args.bench)))
    print("\n".join(wrong) or "as kept")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
