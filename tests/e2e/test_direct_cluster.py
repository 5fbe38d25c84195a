"""The direct source on a cluster of three nodes whose leaders move and whose brokers are killed under load.

WEIR_E2E_MOVES and WEIR_E2E_BROKER_KILLS set how many; the load goes on until all are done.
"""

import json
import os
import re
import subprocess
import threading
import time

import pytest

from confluent_kafka import Producer

from conftest import number
from harness import kafka as kafka_module
from harness import procs
from test_direct import PARTITIONS, dump, dump_binary


@pytest.fixture(scope="module")
def cluster():
    why = kafka_module.available()
    if why:
        pytest.skip("Kafka's jars cannot be had: " + why)
    cluster = kafka_module.Cluster().start()
    yield cluster
    cluster.stop()


def follow(cluster, source, topic):
    """A dump that goes on until each partition's message `stop`."""
    directory = procs.directory("follow")
    config = os.path.join(directory, "dump.json")
    with open(config, "w") as f:
        json.dump({"kafka": {"brokers": cluster.brokers, "group": "follow-" + source + topic, "source": source}}, f)
    env = {k: v for k, v in os.environ.items() if k != "WEIR_KAFKA_SOURCE"}
    out = open(os.path.join(directory, "out"), "wb")
    err = open(os.path.join(directory, "err"), "wb")
    return subprocess.Popen([dump_binary(), config, str(PARTITIONS), "-1", topic], stdout=out, stderr=err,
                            env={**env, "WEIR_DUMP_UNTIL": "stop"}), out.name, err.name


class Load(threading.Thread):
    """Numbered messages, acknowledged by all replicas, until it is told to stop."""

    def __init__(self, brokers, topic):
        super().__init__(daemon=True)
        self.producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True, "linger.ms": 5, "acks": "all",
                                  "compression.type": "lz4", "message.timeout.ms": 120000, "log_level": 0})
        self.topic, self.ended, self.lost, self.sent = topic, threading.Event(), [], 0

    def _told(self, error, _):
        if error is not None:
            self.lost.append(error)

    def run(self):
        while not self.ended.is_set():
            for _ in range(60):
                self.producer.produce(self.topic, value=b"%d" % self.sent, partition=self.sent % PARTITIONS, on_delivery=self._told)
                self.sent += 1
            self.producer.poll(0)
            time.sleep(0.02)
        self.producer.flush(120)
        for p in range(PARTITIONS):
            self.producer.produce(self.topic, value=b"stop", partition=p, on_delivery=self._told)
        self.producer.flush(120)


class Lines:
    """Counts what a follower has written out until now."""

    def __init__(self, path):
        self.file, self.rest, self.counts = open(path, "rb"), b"", [0] * PARTITIONS

    def of_partitions(self):
        *lines, self.rest = (self.rest + self.file.read()).split(b"\n")
        for line in lines:
            self.counts[int(line.split(b" ", 2)[1])] += 1
        return list(self.counts)


def gap_ms(path):
    with open(path) as f:
        return int(re.search(r"max_gap_ms=(\d+)", f.read()).group(1))


def disturbed(cluster, topic, disturb):
    """Runs `disturb` under load with both sources following; returns what the direct one delivered and both gaps."""
    cluster.create({topic: PARTITIONS})
    load = Load(cluster.brokers, topic)
    followers = [follow(cluster, source, topic) for source in ("direct", "librdkafka")]
    try:
        load.start()
        disturb(followers)
        load.ended.set()
        load.join(240)
        assert not load.lost
        for source, (child, out, err) in zip(("direct", "librdkafka"), followers):
            try:
                assert child.wait(60) == 0, source + ": " + procs.tail(err)
            except subprocess.TimeoutExpired:
                with open(out) as f:
                    pytest.fail("%s is not at its end: %d of %d messages\n%s" % (
                        source, len(f.readlines()), load.sent + PARTITIONS, procs.tail(err)))
    finally:
        for child, _, _ in followers:
            if child.poll() is None:
                child.kill()
                child.wait()
    want = [" ".join(line) for line in dump(cluster.brokers, "librdkafka", [topic])[0]]
    assert len(want) == load.sent + PARTITIONS
    for _, out, _ in followers:
        with open(out) as f:
            got = f.read().splitlines()
        assert sorted(got) == sorted(want)
    return [gap_ms(err) for _, _, err in followers]


def test_leaders_move(cluster):
    """rule REC-3"""
    moves = number("WEIR_E2E_MOVES", 8)
    def disturb(_):
        said = kafka_module.java("Move", cluster.brokers, "moved", str(PARTITIONS), str(moves), "200", "3", timeout_s=600)
        if said is None:
            pytest.skip("java here has no compiler")
        assert "moves=%d" % moves in said, said[-1500:]
    gaps = disturbed(cluster, "moved", disturb)
    print("gaps ms: direct %d, librdkafka %d" % tuple(gaps))


def test_brokers_are_killed(cluster):
    """rule REC-3"""
    def disturb(followers):
        outs = [Lines(out) for _, out, _ in followers]

        def both_go_on():
            before = [n for out in outs for n in out.of_partitions()]
            procs.wait_for(lambda: all(now > was + 300 for now, was in zip((n for out in outs for n in out.of_partitions()), before)),
                           60, "both to follow all partitions", 0.1)
        for i in range(number("WEIR_E2E_BROKER_KILLS", 2)):
            node = cluster.nodes[i % len(cluster.nodes)]
            both_go_on()
            node.kill()
            both_go_on()
            node.start()
        both_go_on()
    gaps = disturbed(cluster, "killed", disturb)
    print("gaps ms: direct %d, librdkafka %d" % tuple(gaps))
