"""weir as an operator runs it, and its carrier simulator as a carrier: started, hurt, stopped, their logs read.

The binary is the one that WEIR_BIN names, build/weir by default. Settings are written as JSON, which YAML contains.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import urllib.parse
import urllib.request

from . import procs

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def binary():
    return os.path.abspath(os.environ.get("WEIR_BIN") or os.path.join(_ROOT, "build", "weir"))


def run(*args, timeout_s=60, input_text=None):
    """A command of weir that ends by itself: exit code, stdout, stderr."""
    done = subprocess.run([binary()] + list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, timeout=timeout_s)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def logfmt(line):
    """A logfmt line as a dict; words without '=' are left out."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    return dict(w.split("=", 1) for w in words if "=" in w)


class Weir:
    """One weir process with settings of its own; the same object is started again after a kill."""

    def __init__(self, settings, name="weir", directory=None):
        self.dir = directory or procs.directory(name)
        self.name = name
        self.settings = settings
        self.config = os.path.join(self.dir, name + ".yaml")
        self.log = os.path.join(self.dir, name + ".log")
        self.child = None
        self._started_at = 0
        with open(self.config, "w") as f:
            json.dump(settings, f, indent=1)

    def start(self, ready_s=60, args=()):
        """Starts and waits until it says that it is ready; ready_s 0 does not wait."""
        self._started_at = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        env = dict(os.environ)
        env.setdefault("ASAN_OPTIONS", "abort_on_error=1:detect_leaks=0")
        self.child = procs.start([binary(), "run", "--config", self.config] + list(args), self.log, env=env)
        if ready_s:
            self.wait_ready(ready_s)
        return self

    def wait_ready(self, timeout_s=60):
        def ready():
            if self.child.poll() is not None:
                raise RuntimeError("weir ended with %s:\n%s" % (self.child.returncode, procs.tail(self.log)))
            return self.said("ready", since_start=True)
        procs.wait_for(ready, timeout_s, lambda: "weir to be ready:\n" + procs.tail(self.log))

    def text(self, since_start=False):
        try:
            with open(self.log, "rb") as f:
                f.seek(self._started_at if since_start else 0)
                return f.read().decode("utf-8", "replace")
        except OSError:
            return ""

    def said(self, event, since_start=False):
        """Log lines of an event, as dicts."""
        word = re.compile(r"\bevent=%s\b" % re.escape(event))
        return [logfmt(line) for line in self.text(since_start).splitlines() if word.search(line)]

    def running(self):
        return self.child is not None and self.child.poll() is None

    def kill(self):
        """kill -9."""
        assert self.running(), "weir ended by itself with %s:\n%s" % (
            self.child and self.child.returncode, procs.tail(self.log))
        procs.stop(self.child, signal.SIGKILL)
        self.child = None

    def stop(self, grace_s=30):
        """SIGTERM; returns the exit code."""
        code = procs.stop(self.child, signal.SIGTERM, grace_s)
        self.child = None
        return code

    def end(self):
        """For fixtures: gone, whatever state it was in."""
        if self.child is not None:
            procs.stop(self.child, signal.SIGKILL)
            self.child = None

    def pause(self):
        os.kill(self.child.pid, signal.SIGSTOP)

    def resume(self):
        os.kill(self.child.pid, signal.SIGCONT)

    def wait_exit(self, timeout_s):
        return self.child.wait(timeout_s)


class CarrierSim:
    """`weir carrier-sim`: a carrier's API with latency, errors and outages."""

    def __init__(self, seed=1, latency_ms="1-5", error_rate=0.0, extra=()):
        self.dir = procs.directory("sim")
        self.log = os.path.join(self.dir, "sim.log")
        self._args = ["--seed", str(seed), "--latency-ms", latency_ms, "--error-rate", str(error_rate)] + list(extra)
        self.child = None
        self.port = 0

    def start(self):
        port_file = os.path.join(self.dir, "port")
        self.child = procs.start([binary(), "carrier-sim", "--port-file", port_file] + self._args, self.log)

        def port():
            if self.child.poll() is not None:
                raise RuntimeError("the carrier simulator ended:\n" + procs.tail(self.log))
            try:
                with open(port_file) as f:
                    return int(f.read().strip() or 0)
            except (OSError, ValueError):
                return 0
        self.port = procs.wait_for(port, 10, lambda: "the carrier simulator:\n" + procs.tail(self.log))
        return self

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def _call(self, path, method="GET"):
        request = urllib.request.Request(self.url + path, method=method, data=b"" if method == "POST" else None)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read().decode()

    def state(self):
        """{ICCID: (suspended?, number of PUTs)} of every card that the carrier was asked about."""
        return parse_sim_state(json.loads(self._call("/sim/state")))

    def counters(self):
        return json.loads(self._call("/sim/counters"))

    def outage(self, on):
        self._call("/sim/outage?on=%d" % (1 if on else 0), "POST")

    def end(self):
        procs.stop(self.child, signal.SIGKILL)
        self.child = None


def parse_sim_state(state):
    """The simulator's state in one form, whether it lists cards or maps them by ICCID."""
    cards = state.get("cards", state) if isinstance(state, dict) else state
    rows = cards.items() if isinstance(cards, dict) else [(c.get("iccid"), c) for c in cards]
    out = {}
    for iccid, row in rows:
        if isinstance(row, str):
            row = {"status": row}
        puts = row.get("changed", 0) + row.get("repeated", 0)
        out[iccid] = (str(row.get("status", "")).upper() not in ("ACTIVATED", "ACTIVE", "1"), puts)
    return out
