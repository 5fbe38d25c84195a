"""The console in Debian's Chromium against a running weir: tests/console/weir.test.mjs, given a fleet, a server and a carrier."""

import os
import subprocess

import pytest

from harness import api

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "console", "run.sh")


@pytest.fixture
def fleet(world):
    fleet = api.Fleet(world)
    yield fleet
    fleet.end()


def test_console(fleet):
    """rule ROL-4: what the console shows is what weir stored; what it asks for reaches the carrier."""
    serve = fleet.serve()
    env = {**os.environ, "WEIR_URL": "http://127.0.0.1:%d/" % serve.port, "WEIR_OPERATE": api.OPERATE, "WEIR_READ": api.READ,
           "WEIR_CARD": fleet.SINGLE[3], "WEIR_OTHER": fleet.SINGLE[4], "WEIR_CONSOLE_TESTS": "weir.test.mjs",
           "WEIR_SCREENSHOTS": os.path.join(serve.dir, "screenshots")}
    done = subprocess.run([RUN, "--test-reporter=spec"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, timeout=240)
    text = done.stdout.decode(errors="replace")
    if done.returncode == 77:
        pytest.skip(text.strip())
    print(text)
    assert done.returncode == 0, text[-6000:]
