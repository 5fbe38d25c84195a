#!/usr/bin/python3
"""Can the simulator fail? Breaks one rule at a time in a copy of the tree and says at which seed it is seen.

mutate.py [--seeds 1000] [--only REGEX of names and files] [--keep DIR]: builds weir_sim in a scratch copy, first as it is (it must hold), then
with each mutation of mutations.py. Exits with 1 when one is not caught, does not build, or no longer fits its file.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

from mutations import MUTATIONS

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ("cmake", "config", "aggregators", "consumers", "pipeline", "bench", "packaging", "tests")


def copy_tree(to):
    for folder in FOLDERS:
        shutil.copytree(os.path.join(ROOT, folder), os.path.join(to, folder), ignore=shutil.ignore_patterns("__pycache__"),
                        copy_function=shutil.copy)  # fresh times: what was built from a mutation is built again
    shutil.copy(os.path.join(ROOT, "CMakeLists.txt"), to)


def configure(tree, build):
    arguments = ["cmake", "-S", tree, "-B", build, "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DWEIR_TESTS=ON", "-DWEIR_WERROR=OFF"]
    if shutil.which("ninja"):
        arguments += ["-G", "Ninja"]
    if shutil.which("ccache"):
        arguments += ["-DCMAKE_C_COMPILER_LAUNCHER=ccache", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"]
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)


def compile_simulator(build):
    done = subprocess.run(["cmake", "--build", build, "--target", "weir_sim", "-j2"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    return done.returncode == 0, done.stdout


def run_seeds(build, seeds):
    """What the first failing seed says, or None when all hold."""
    program = os.path.join(build, "tests", "sim", "weir_sim")
    done = subprocess.run([program, "--seeds", str(seeds)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=1200, errors="replace")
    if done.returncode == 0:
        return None
    said = re.search(r"^seed .*$", done.stdout, re.M)
    return said[0] if said else "ends with %d: %s" % (done.returncode, done.stdout.strip()[-100:])


def break_it(tree, file, right, wrong):
    path = os.path.join(tree, file)
    with open(path, encoding="utf-8") as f:
        text = f.read()
    if text.count(right) != 1:
        return None
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace(right, wrong))
    return text


def try_mutation(tree, build, seeds, mutation):
    """True when it is caught."""
    name, file, right, wrong = mutation
    before = break_it(tree, file, right, wrong)
    if before is None:
        print("%-62s does not fit %s any more" % (name, file), flush=True)
        return False
    try:
        built, words = compile_simulator(build)
        said = run_seeds(build, seeds) if built else None
    finally:
        with open(os.path.join(tree, file), "w", encoding="utf-8") as f:
            f.write(before)
    if not built:
        print("%-62s does not build\n%s" % (name, words[-2000:]), flush=True)
        return False
    print("%-62s %s" % (name, said or "NOT CAUGHT by %d seeds" % seeds), flush=True)
    return said is not None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep", help="work here, and leave it")
    args = parser.parse_args()
    work = args.keep or tempfile.mkdtemp(prefix="weir-mutate-")
    tree, build = os.path.join(work, "tree"), os.path.join(work, "build")
    try:
        shutil.rmtree(tree, ignore_errors=True)
        os.makedirs(tree)
        copy_tree(tree)
        configure(tree, build)
        built, words = compile_simulator(build)
        if not built:
            print(words[-3000:])
            return 1
        said = run_seeds(build, args.seeds)
        if said:
            print("as it is it does not hold: " + said)
            return 1
        chosen = [m for m in MUTATIONS if re.search(args.only, m[0] + " " + m[1])]
        missed = [m[0] for m in chosen if not try_mutation(tree, build, args.seeds, m)]
        print("%d of %d mutations are caught" % (len(chosen) - len(missed), len(chosen)))
        return 1 if missed else 0
    finally:
        if not args.keep:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
