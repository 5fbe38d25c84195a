"""Child processes and temporary directories that never outlive the tests.

Each child is started with the kernel's parent-death signal, so that even a killed runner leaves nothing behind; a runner
that is asked to stop (SIGTERM) ends through SystemExit, so that fixtures and atexit still tidy up. Only processes started
here are ever signalled, by their id.
"""

import atexit
import ctypes
import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_children = []
_directories = []


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def start(args, log_path, env=None, cwd=None):
    """Starts a child with stdout and stderr appended to log_path."""
    with open(log_path, "ab") as log:
        child = subprocess.Popen(
            args, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=cwd, preexec_fn=_die_with_parent)
    _children.append(child)
    return child


def stop(child, sig=signal.SIGTERM, grace_s=10.0):
    """Signals a child and waits; kills it when it takes longer than grace_s. Returns its exit code."""
    if child is None:
        return None
    if child.poll() is None:
        child.send_signal(sig)
        try:
            child.wait(grace_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if child in _children:
        _children.remove(child)
    return child.returncode


def directory(name):
    """A temporary directory, removed at exit (kept when WEIR_E2E_KEEP is set)."""
    if not _directories:
        _sweep()
    path = tempfile.mkdtemp(prefix="weir-e2e-%d-%s-" % (os.getpid(), name))
    _directories.append(path)
    return path


def _sweep():
    """Removes what runners that were killed with -9 could not remove: directories that name a process long gone."""
    for path in glob.glob(os.path.join(tempfile.gettempdir(), "weir-e2e-[0-9]*-*")):
        if not os.path.exists("/proc/" + os.path.basename(path).split("-")[2]):
            shutil.rmtree(path, ignore_errors=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, timeout_s, what, step_s=0.02):
    """Waits until condition() is true and returns its value; raises TimeoutError that names `what`."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError("waited %.0f s for %s" % (timeout_s, what() if callable(what) else what))
        time.sleep(step_s)


def tail(path, lines=30):
    try:
        with open(path, "rb") as f:
            return b"\n".join(f.read().splitlines()[-lines:]).decode("utf-8", "replace")
    except OSError as e:
        return str(e)


@atexit.register
def _tidy():
    for child in list(_children):
        if child.poll() is None:
            child.kill()
            child.wait()
    if not os.environ.get("WEIR_E2E_KEEP"):
        for path in _directories:
            shutil.rmtree(path, ignore_errors=True)


def _asked_to_stop(signum, frame):
    sys.exit(128 + signum)


signal.signal(signal.SIGTERM, _asked_to_stop)
