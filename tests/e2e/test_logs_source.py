"""A source that follows a topic whose log changes behind its name stops and says why (rule REC-9), both kinds of source."""

import json
import os
import subprocess
import uuid

import pytest

from confluent_kafka.admin import NewPartitions

from harness import kafka as kafka_module
from harness import procs
from test_direct import dump_binary
from test_log_identity import cluster, create_on, leader_of, produce  # noqa: F401

SOURCES = ("direct", "librdkafka")


@pytest.fixture(scope="module")
def server():
    why = kafka_module.available()
    if why:
        pytest.skip("Kafka's jars cannot be had: " + why)
    server = kafka_module.Kafka().start()
    yield server
    server.stop()


class Follower:
    """weir_source_dump on one topic until it ends by itself."""

    def __init__(self, brokers, source, topic, partitions=1):
        directory = procs.directory("follow")
        config = os.path.join(directory, "dump.json")
        with open(config, "w") as f:
            json.dump({"kafka": {"brokers": brokers, "group": "f-" + uuid.uuid4().hex, "source": source, "session_timeout_ms": 6000}}, f)
        env = {k: v for k, v in os.environ.items() if k != "WEIR_KAFKA_SOURCE"}
        self.out, self.err = os.path.join(directory, "out"), os.path.join(directory, "err")
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.child = subprocess.Popen(["stdbuf", "-oL", dump_binary(), config, str(partitions), "-1", topic], stdout=out, stderr=err,
                                          env={**env, "WEIR_DUMP_UNTIL": "never"})

    def lines(self):
        with open(self.out) as f:
            return f.read().splitlines()

    def proven(self):
        """The offset up to which it was last said that all came from one log."""
        with open(self.err) as f:
            return int(([0] + [line[7:] for line in f.read().splitlines() if line.startswith("proven=")])[-1])

    def wait_for(self, count):
        procs.wait_for(lambda: len(self.lines()) >= count, 60, lambda: "%d messages:\n%s" % (count, procs.tail(self.err)))

    def wait_proven(self, offset):
        procs.wait_for(lambda: self.proven() >= offset, 60, lambda: "offset %d to be proven:\n%s" % (offset, procs.tail(self.err)))

    def ends(self, code, timeout_s=60):
        try:
            assert self.child.wait(timeout_s) == code, procs.tail(self.err)
        finally:
            self.end()
        with open(self.err) as f:
            return f.read()

    def end(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()


@pytest.fixture
def follow():
    made = []

    def make(*args, **how):
        made.append(Follower(*args, **how))
        return made[-1]
    yield make
    for follower in made:
        follower.end()


@pytest.mark.parametrize("source", SOURCES)
def test_topic_created_again(server, follow, source):
    """rule REC-9: 100 messages, the topic is deleted and created again with 250."""
    name = "l" + uuid.uuid4().hex[:8]
    server.create({name: 1})
    produce(server.brokers, name, 100)
    follower = follow(server.brokers, source, name)
    follower.wait_proven(100)
    server.delete([name])
    server.create({name: 1})
    produce(server.brokers, name, 250)
    words = follower.ends(5)  # what librdkafka delivered of the new topic was never proven, and so is never stored
    assert "deleted and created again" in words and follower.proven() == 100


@pytest.mark.parametrize("source", SOURCES)
def test_partitions_added(server, follow, source):
    """rule REC-9"""
    name = "l" + uuid.uuid4().hex[:8]
    server.create({name: 2})
    produce(server.brokers, name, 10)
    follower = follow(server.brokers, source, name, partitions=2)
    follower.wait_for(10)
    admin = server.admin()
    for future in admin.create_partitions([NewPartitions(name, 4)]).values():
        future.result(30)
    words = follower.ends(4)
    assert "topic %s has 4 partitions and must have 2" % name in words


@pytest.mark.parametrize("source", SOURCES)
def test_stale_follower_is_elected(cluster, follow, source):  # noqa: F811
    """rule REC-9: 100 messages on both replicas, 100 on the leader alone; the other one is elected and is given 250 more."""
    name = "stale-" + source
    create_on(cluster, name, (1, 2), {"unclean.leader.election.enable": "true", "min.insync.replicas": "1"})
    leader, other = cluster.nodes[0], cluster.nodes[1]
    try:
        produce(cluster.brokers, name, 100)
        other.kill()
        produce(cluster.brokers, name, 100, acks="1")
        follower = follow(cluster.brokers, source, name)
        follower.wait_proven(200)
        leader.kill()
        other.start()
        procs.wait_for(lambda: leader_of(cluster, name) == "2", 60, "the stale follower to lead", 0.5)
        produce(cluster.brokers, name, 250, acks="1")
        words = follower.ends(5)
        assert "agrees with what was counted up to offset 100 only" in words and follower.proven() == 200
    finally:
        for node in (leader, other):
            if node._child is None:
                node.start()
