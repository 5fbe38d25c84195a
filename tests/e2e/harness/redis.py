"""A private redis-server on a free port, with the ways to hurt it: kill, restart, cut back its append-only file."""

import glob
import os
import shutil
import signal

from . import procs


class Redis:
    def __init__(self, appendonly=False, fsync="everysec"):
        self.dir = procs.directory("redis")
        self.port = procs.free_port()
        self.log = os.path.join(self.dir, "redis.log")
        self.url = "redis://127.0.0.1:%d" % self.port
        self._appendonly = appendonly
        self._fsync = fsync
        self._child = None

    def start(self):
        self._child = procs.start(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.dir, "--save", "",
             "--appendonly", "yes" if self._appendonly else "no", "--appendfsync", self._fsync,
             "--aof-load-truncated", "yes", "--aof-use-rdb-preamble", "no", "--auto-aof-rewrite-percentage", "0",
             "--loglevel", "notice"], self.log)
        procs.wait_for(self._answers, 30, lambda: "Redis to answer:\n" + procs.tail(self.log))
        return self

    def _answers(self):
        import redis
        if self._child.poll() is not None:
            raise RuntimeError("redis-server ended:\n" + procs.tail(self.log))
        try:
            return self.client().ping()
        except redis.exceptions.RedisError:
            return False

    def client(self):
        import redis
        return redis.Redis(host="127.0.0.1", port=self.port, socket_timeout=30)

    def kill(self):
        """kill -9."""
        procs.stop(self._child, signal.SIGKILL)
        self._child = None

    def aof(self):
        """Path of the append-only file that is written now."""
        return sorted(glob.glob(os.path.join(self.dir, "appendonlydir", "*.incr.aof")))[-1]

    def cut(self, size):
        """Cuts the append-only file of a stopped server back to `size` bytes; Redis drops a half command at its end."""
        path = self.aof()
        assert self._child is None and 0 < size <= os.path.getsize(path)
        with open(path, "r+b") as f:
            f.truncate(size)

    def stop(self):
        procs.stop(self._child, signal.SIGKILL)
        self._child = None
        if not os.environ.get("WEIR_E2E_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)
