"""The binaries are hardened (CMakeLists.txt), and this test would see each property that is missing.

Read with readelf: what the compiler and the linker were asked for is not asked again, only what came out. That indirect jumps have
marked targets is read from the first bytes of all functions: Debian 12's start files have no mark, so the linker sets none for the whole.
"""

import os
import platform
import re
import subprocess

import pytest

BUILD = os.environ["WEIR_BUILD"]
BINARIES = [os.environ["WEIR_BIN"], os.path.join(BUILD, "bench", "weir-bench")]
OPTIMISED = os.environ["WEIR_BUILD_TYPE"] != "Debug"
X86 = platform.machine() == "x86_64"
ENDBR64 = b"\xf3\x0f\x1e\xfa"


def readelf(*args):
    return subprocess.run(["readelf", "-W", *args], stdout=subprocess.PIPE, check=True, env={**os.environ, "LC_ALL": "C"}).stdout.decode()


def unmarked(path, prefix):
    """Global functions whose name begins with prefix and that do not begin with endbr64."""
    sections = [(int(m.group(1), 16), int(m.group(2), 16), int(m.group(3), 16)) for m in re.finditer(
        r"PROGBITS +([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) ", readelf("-S", path))]
    found, missing = 0, []
    with open(path, "rb") as f:
        for m in re.finditer(r"^ *\d+: ([0-9a-f]+) +\d+ FUNC +GLOBAL \w+ +\d+ (%s\w*)$" % prefix, readelf("-s", path), re.M):
            address = int(m.group(1), 16)
            offset = next(at + address - start for start, at, size in sections if start <= address < start + size)
            f.seek(offset)
            found += 1
            if f.read(4) != ENDBR64:
                missing.append(m.group(2))
    return missing if found else ["no function at all"]


def missing(path, prefix="weir_"):
    """Names of what a binary lacks."""
    header, segments, dynamic, symbols = (readelf(option, path) for option in ("-h", "-l", "-d", "--dyn-syms"))
    stack = re.search(r"GNU_STACK.* ([RWE ]{3}) 0x", segments)
    has = {
        "pie": re.search(r"Type: +DYN", header) and "PIE" in dynamic,
        "relro": "GNU_RELRO" in segments,
        "now": re.search(r"FLAGS.*\b(BIND_NOW|NOW)\b", dynamic),
        "noexecstack": stack and "E" not in stack.group(1),
        "stack-protector": " __stack_chk_fail@" in symbols,
        "fortify": re.search(r" __\w+_chk@", symbols) or not OPTIMISED,
        "cf-protection": not X86 or not unmarked(path, prefix),
    }
    return {name for name, ok in has.items() if not ok}


@pytest.mark.parametrize("path", BINARIES, ids=os.path.basename)
def test_binary_is_hardened(path):
    assert missing(path, "weir_" if path == BINARIES[0] else "(?:weir|bench)_") == set()
    assert "TEXTREL" not in readelf("-d", path), "code is written to while it is loaded"


ALL = {
    "pie": ["-fPIE", "-pie"], "relro": ["-Wl,-z,relro"], "now": ["-Wl,-z,now"], "noexecstack": ["-Wl,-z,noexecstack"],
    "stack-protector": ["-fstack-protector-strong"], "fortify": ["-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"],
    "cf-protection": ["-fcf-protection"],
}
WITHOUT = {
    "pie": ["-fno-pie", "-no-pie"], "relro": ["-Wl,-z,norelro"], "now": ["-Wl,-z,lazy"], "noexecstack": ["-Wl,-z,execstack"],
    "stack-protector": ["-fno-stack-protector"], "fortify": ["-U_FORTIFY_SOURCE"], "cf-protection": ["-fcf-protection=none"],
}
PROGRAM = """
#include <stdio.h>
#include <string.h>
void weir_copy(char *to, const char *from) { char text[64]; strcpy(text, from); strcpy(to, text); }
int main(int argc, char **argv) { char text[8]; weir_copy(text, argv[argc - 1]); return puts(text); }
"""


@pytest.mark.skipif(not X86, reason="-fcf-protection is x86's")
@pytest.mark.parametrize("left_out", [None, *ALL])
def test_each_property_is_missed(tmp_path, left_out):
    """A small program with one property switched off lacks that one, and no other."""
    source, program = tmp_path / "program.c", tmp_path / "program"
    source.write_text(PROGRAM)
    flags = [flag for name, with_it in ALL.items() for flag in (WITHOUT[name] if name == left_out else with_it)]
    subprocess.run(["cc", "-O2", *flags, str(source), "-o", str(program)], check=True, stderr=subprocess.DEVNULL)
    lacks = missing(str(program))
    expected = {left_out} if left_out else set()
    assert lacks - ({"fortify"} if not OPTIMISED else set()) == expected - ({"fortify"} if not OPTIMISED else set())
