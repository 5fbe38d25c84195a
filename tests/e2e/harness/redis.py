"""A private redis-server on a free port, with the ways to hurt it: kill, restart, cut back its append-only file; and a private Redis Cluster, with the ways to move slots and to lose a master."""

import glob
import os
import shutil
import signal
import subprocess

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


class ClusterNode:
    """One node of a RedisCluster: a server in a directory of its own, and what MONITOR says of it from the start."""

    def __init__(self):
        self.dir = procs.directory("node")
        self.log = os.path.join(self.dir, "redis.log")
        self.seen = os.path.join(self.dir, "monitor")
        self.port, self.id = _port_with_bus(), None
        self._child = self._monitor = None

    def start(self):
        self._child = procs.start(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.dir, "--save", "", "--appendonly", "no",
             "--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no",
             "--repl-diskless-sync-delay", "0"], self.log)
        procs.wait_for(self._answers, 30, lambda: "Redis to answer:\n" + procs.tail(self.log))
        self.id = self.client().execute_command("CLUSTER", "MYID").decode()

    def watch(self):
        """From now on commands that are executed here are kept; see writes_of."""
        self._monitor = procs.start(["redis-cli", "-p", str(self.port), "monitor"], self.seen)
        procs.wait_for(lambda: "OK" in procs.tail(self.seen, 1), 10, "MONITOR to begin")

    def writes_of(self, command, end_of_key):
        """Keys of a command that was executed here, ending so, once for each time."""
        with open(self.seen, errors="replace") as f:
            words = [line.split('"') for line in f]
        return [w[3] for w in words if len(w) > 3 and w[1] == command and w[3].endswith(end_of_key)]

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

    def running(self):
        return self._child is not None

    def kill(self):
        """kill -9."""
        procs.stop(self._child, signal.SIGKILL)
        self._child = None

    def stop(self):
        procs.stop(self._monitor, signal.SIGKILL)
        procs.stop(self._child, signal.SIGKILL)
        self._monitor = self._child = None
        if not os.environ.get("WEIR_E2E_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)


def _port_with_bus():
    """A free port; the cluster's bus is 10,000 above."""
    while True:
        port = procs.free_port()
        if port < 55000:
            return port


class RedisCluster:
    """Masters that share the slots evenly, and replicas of the first of them; weir is told of node 0 alone."""

    def __init__(self, masters=3, replicas=0):
        self.nodes = [ClusterNode() for _ in range(masters + replicas)]
        self._masters = masters
        self.url = "redis://127.0.0.1:%d" % self.nodes[0].port

    def start(self):
        for node in self.nodes:
            node.start()
        done = subprocess.run(
            ["redis-cli", "--cluster", "create"] + ["127.0.0.1:%d" % n.port for n in self.nodes[:self._masters]] + ["--cluster-yes"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        if done.returncode:
            raise RuntimeError("no cluster:\n" + done.stdout.decode("utf-8", "replace"))
        for i, replica in enumerate(self.nodes[self._masters:]):
            replica.client().execute_command("CLUSTER", "MEET", "127.0.0.1", self.nodes[i].port)
            procs.wait_for(lambda: self.nodes[i].id.encode() in self._known(replica), 30, "a replica to know its master")
            replica.client().execute_command("CLUSTER", "REPLICATE", self.nodes[i].id)
        procs.wait_for(self._agreed, 60, "the cluster's nodes to agree")
        return self

    @staticmethod
    def _known(node):
        return node.client().execute_command("CLUSTER", "NODES")

    def _agreed(self):
        for node in self.nodes:
            info = node.client().execute_command("CLUSTER", "INFO")
            info = info if isinstance(info, dict) else dict(
                line.split(":", 1) for line in info.decode().split("\r\n") if ":" in line)
            if info["cluster_state"] != "ok" or int(info["cluster_known_nodes"]) != len(self.nodes):
                return False
        return all(r.client().info("replication").get("master_link_status") == "up" for r in self.nodes[self._masters:])

    def client(self):
        """A client that follows slots."""
        import redis
        alive = [n for n in self.nodes if n.running()]
        return redis.RedisCluster(host="127.0.0.1", port=alive[0].port, socket_timeout=30)

    def slot(self, key):
        return next(n for n in self.nodes if n.running()).client().execute_command("CLUSTER", "KEYSLOT", key)

    def owner(self, slot):
        """The node that holds a slot, as the first living node sees it."""
        for first, last, master, *_ in next(n for n in self.nodes if n.running()).client().execute_command("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(n for n in self.nodes if n.port == master[1])
        raise AssertionError("nobody holds slot %d" % slot)

    def begin_move(self, slot, to):
        """The slot is on its way: from now on keys that its node does not have are asked for at `to`."""
        source = self.owner(slot)
        to.client().execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.client().execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id)
        return source

    def move_keys(self, slot, source, to, most=None):
        """Moves keys of a slot that is on its way, at most so many."""
        client = source.client()
        while most is None or most > 0:
            keys = client.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100 if most is None else min(most, 100))
            if not keys:
                return
            client.execute_command("MIGRATE", "127.0.0.1", to.port, "", 0, 10000, "KEYS", *keys)
            most = None if most is None else most - len(keys)

    def end_move(self, slot, source, to):
        self.move_keys(slot, source, to)
        for node in [to, source] + [n for n in self.nodes if n.running() and n not in (to, source)]:
            if node.client().info("replication")["role"] == "master":
                node.client().execute_command("CLUSTER", "SETSLOT", slot, "NODE", to.id)

    def stop(self):
        for node in self.nodes:
            node.stop()
