"""Manual pages: clean for groff, complete against the program's own tables."""

import os
import re
import shutil
import subprocess

import pytest

PAGES = {name: os.path.join(os.environ["WEIR_BUILD"], "packaging", name) for name in ("weir.1", "weir.yaml.5")}


def program(*arguments):
    return subprocess.run([os.environ["WEIR_BIN"]] + list(arguments), stdout=subprocess.PIPE, timeout=60).stdout.decode()


def formatted(name):
    if not shutil.which("man") or not shutil.which("groff"):
        pytest.skip("man and groff are not installed")
    env = dict(os.environ, MANWIDTH="130", LC_ALL="C.UTF-8", MAN_KEEP_FORMATTING="")
    done = subprocess.run(["man", "--warnings=w", "-l", PAGES[name]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env,
                          timeout=60)
    assert (done.returncode, done.stderr.decode()) == (0, "")
    return done.stdout.decode()


def test_commands_and_options():
    text = " ".join(formatted("weir.1").split())
    commands = [line.split()[0] for line in program("help").splitlines() if line.startswith("  ")]
    assert len(commands) >= 8
    for command in commands:
        if command != "help":
            usage = [line for line in program(command, "--help").splitlines() if line.strip()]
            for line in usage:
                assert " ".join(line.split()) in text, "%s: not in the page: %s" % (command, line)


def test_settings():
    text = " ".join(formatted("weir.yaml.5").split())
    rows = re.findall(r"^- `([^`]+)` \(([^`]*?)(?:, default `([^`]+)`)?\):\n  (.+)$", program("check", "--list"), re.M)
    assert len(rows) > 40
    for name, kind, default, meaning in rows:
        assert name in text and " ".join(meaning.replace("`", "").split()) in text, name
        assert kind.partition(", ")[2] in text and default in text, name


def test_no_hyphen_is_typographic():
    """Options and settings can be copied from the page."""
    for name in PAGES:
        assert not set(formatted(name)) & set("‐−‘’“”"), name
