#!/usr/bin/python3
"""One Kafka for all end-to-end tests of a ctest run that can share it: topics bear a name of their own test's anyway.

  shared_kafka.py start FILE   starts it and returns when it answers; FILE then tells its port (ctest's fixture, before the tests)
  shared_kafka.py stop FILE    ends it (ctest's fixture, after them)

In between a process of this script's (`serve`) holds it. That one also ends, and Kafka with it, when ctest does, however it does:
an interrupted run leaves nothing behind. Where Kafka cannot be had nothing is started, and each test says so itself.
"""

import json
import os
import select
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from harness import kafka, procs  # noqa: E402


def holder(file):
    """Process id of who holds the Kafka that the file tells of; None when there is none."""
    try:
        with open(file) as f:
            pid = json.load(f)["holder"]
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return pid if os.path.basename(__file__).encode() in f.read() else None
    except (OSError, ValueError, KeyError):
        return None


def stop(file):
    pid = holder(file)
    if pid is not None:
        ended = os.pidfd_open(pid)
        os.kill(pid, 15)
        if not select.select([ended], [], [], 60)[0]:
            sys.exit("process %d does not end" % pid)
    if os.path.exists(file):
        os.unlink(file)


def start(file):
    stop(file)  # of a run that was killed
    why = kafka.available()
    if why:
        print("no Kafka: " + why)
        return
    log = file + ".log"
    with open(log, "w") as out:
        child = subprocess.Popen([sys.executable, os.path.abspath(__file__), "serve", file, str(os.getppid())], stdin=subprocess.DEVNULL,
                                 stdout=out, stderr=out, start_new_session=True)
    procs.wait_for(lambda: os.path.exists(file) or child.poll() is not None, 240, "Kafka to answer", 0.1)
    if not os.path.exists(file):
        sys.exit("Kafka did not start:\n" + procs.tail(log))


def serve(file, parent):
    ended = os.pidfd_open(parent)
    server = kafka.Kafka(heap_mb=768, lasts=True).start()
    try:
        with open(file + ".new", "w") as f:
            json.dump({"port": server.port, "holder": os.getpid()}, f)
        os.rename(file + ".new", file)
        while not select.select([ended], [], [], 1)[0]:
            if server.ended():
                sys.exit("Kafka ended:\n" + procs.tail(server.log))
    finally:
        server.stop()


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    elif len(sys.argv) == 3 and sys.argv[1] in ("start", "stop"):
        {"start": start, "stop": stop}[sys.argv[1]](os.path.abspath(sys.argv[2]))
    else:
        sys.exit(__doc__)
