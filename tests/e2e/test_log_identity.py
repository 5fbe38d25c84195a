"""Which log a topic's name stands for, as real brokers tell it: ids, leader epochs, ends of epochs (rule REC-9).

weir_log_check asks as weir does, and compares a place that the test gives it.
"""

import json
import os
import subprocess
import uuid

import pytest

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

from harness import kafka as kafka_module
from harness import procs
from harness.weir import binary

RETENTION = ["log.retention.check.interval.ms=300", "log.initial.task.delay.ms=300"]


def check(brokers, places, timeout_ms=10000, code=0):
    """What weir_log_check says of "TOPIC:PARTITION[:ID:EPOCH:OFFSET]", as dicts."""
    tool = os.environ.get("WEIR_LOG_CHECK") or os.path.join(os.path.dirname(binary()), "tests", "e2e", "weir_log_check")
    config = os.path.join(procs.directory("check"), "check.json")
    with open(config, "w") as f:
        json.dump({"kafka": {"brokers": brokers}}, f)
    done = subprocess.run([tool, config, str(timeout_ms)] + list(places), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert code is None or done.returncode == code, done.stderr.decode(errors="replace")
    out = []
    for line in done.stdout.decode().splitlines():
        words = line.split()
        out.append({"topic": words[0], "partition": words[1], **dict(w.split("=", 1) for w in words[2:])})
    return out


def place(seen, offset):
    """The place at an offset of the log that was seen."""
    return "%s:%s:%s:%s:%d" % (seen["topic"], seen["partition"], seen["id"], seen["leader_epoch"], offset)


def produce(brokers, topic, count, partition=0, acks="all"):
    producer = Producer({"bootstrap.servers": brokers, "acks": acks, "message.timeout.ms": 30000, "log_level": 0})
    failed = []
    for i in range(count):
        producer.produce(topic, value=b"%d" % i, partition=partition, on_delivery=lambda e, _: failed.append(e) if e else None)
    assert producer.flush(40) == 0 and not failed


@pytest.fixture(scope="module")
def server():
    why = kafka_module.available()
    if why:
        pytest.skip("Kafka's jars cannot be had: " + why)
    server = kafka_module.Kafka(extra=RETENTION).start()
    yield server
    server.stop()


def test_a_topic_created_again_has_another_id(server):
    """rule REC-9"""
    name = "l" + uuid.uuid4().hex[:8]
    server.create({name: 2})
    produce(server.brokers, name, 100, partition=1)
    before = check(server.brokers, [name + ":0", name + ":1"])
    assert [(b["first"], b["end"], b["partitions"], b["verdict"]) for b in before] == [("0", "0", "2", "same"), ("0", "100", "2", "same")]
    assert before[0]["id"] == before[1]["id"] and len(before[0]["id"]) == 22
    held = place(before[1], 100)
    assert check(server.brokers, [held])[0]["verdict"] == "same"
    server.delete([name])
    server.create({name: 2})
    produce(server.brokers, name, 250, partition=1)
    after = check(server.brokers, [held])[0]
    assert after["id"] != before[1]["id"]
    assert (after["verdict"], after["resume"], after["end"]) == ("replaced", "-1", "250")


def test_partitions_added_are_counted(server):
    """rule REC-9"""
    name = "l" + uuid.uuid4().hex[:8]
    server.create({name: 2})
    assert check(server.brokers, [name + ":0"])[0]["partitions"] == "2"
    admin = server.admin()  # lives until the answers are here
    for future in admin.create_partitions([NewPartitions(name, 4)]).values():
        future.result(30)
    procs.wait_for(lambda: check(server.brokers, [name + ":0"])[0]["partitions"] == "4", 20, "the new partitions")
    assert check(server.brokers, [name + ":3"])[0]["end"] == "0"


def test_records_that_expired(server):
    """rule REC-9"""
    name = "l" + uuid.uuid4().hex[:8]
    server.create({name: 1})
    produce(server.brokers, name, 100)
    seen = check(server.brokers, [name + ":0"])[0]
    admin = server.admin()
    for future in admin.alter_configs([ConfigResource("topic", name, {"retention.ms": "1"})]).values():
        future.result(30)
    procs.wait_for(lambda: check(server.brokers, [name + ":0"])[0]["first"] == "100", 40, "retention to take the records", 0.5)
    verdicts = [check(server.brokers, [place(seen, offset)])[0]["verdict"] for offset in (100, 99, 0, 101)]
    assert verdicts == ["same", "expired", "expired", "truncated"]


def test_a_topic_that_is_not_there_is_undecided(server):
    seen = check(server.brokers, ["no-such-topic:0"], timeout_ms=1000, code=5)[0]
    assert (seen["error"], seen["id"], seen["verdict"]) == ("3", "-", "same")


def test_no_broker_answers():
    """Bounded: the question ends with its time."""
    port = procs.free_port()
    assert check("127.0.0.1:%d" % port, ["t:0"], timeout_ms=500, code=5)[0]["id"] == "-"


@pytest.fixture(scope="module")
def cluster():
    why = kafka_module.available()
    if why:
        pytest.skip("Kafka's jars cannot be had: " + why)
    cluster = kafka_module.Cluster().start()
    yield cluster
    cluster.stop()


def create_on(cluster, name, nodes, config=None):
    admin = AdminClient({"bootstrap.servers": cluster.brokers, "log_level": 0})
    topic = NewTopic(name, 1, replica_assignment=[list(nodes)], config=config or {})
    for future in admin.create_topics([topic], operation_timeout=30).values():
        future.result(60)
    procs.wait_for(lambda: leader_of(cluster, name) == str(nodes[0]), 30, "the leader of " + name)


def leader_of(cluster, name):
    return check(cluster.brokers, [name + ":0"], timeout_ms=20000)[0]["leader"]


def test_a_stale_follower_is_elected(cluster):
    """rule REC-9: 100 records on both, 100 on the leader alone, which then dies; the follower comes back and leads."""
    create_on(cluster, "stale", (1, 2), {"unclean.leader.election.enable": "true", "min.insync.replicas": "1"})
    leader, follower = cluster.nodes[0], cluster.nodes[1]
    produce(cluster.brokers, "stale", 100)
    first = check(cluster.brokers, ["stale:0"])[0]
    follower.kill()
    produce(cluster.brokers, "stale", 100, acks="1")
    # readable, and so read, once the follower is out of the set that must have it
    procs.wait_for(lambda: check(cluster.brokers, ["stale:0"])[0]["end"] == "200", 30, "the follower to be given up", 0.5)
    seen = check(cluster.brokers, ["stale:0"])[0]
    assert (seen["leader"], seen["id"]) == ("1", first["id"])
    held = place(seen, 200)
    assert check(cluster.brokers, [held])[0]["verdict"] == "same"
    leader.kill()
    follower.start()
    procs.wait_for(lambda: leader_of(cluster, "stale") == "2", 60, "the stale follower to lead", 0.5)
    short = check(cluster.brokers, [held])[0]
    assert (short["id"], short["verdict"], short["resume"]) == (seen["id"], "truncated", "100")
    assert int(short["leader_epoch"]) > int(seen["leader_epoch"])
    produce(cluster.brokers, "stale", 250, acks="1")
    longer = check(cluster.brokers, [held])[0]
    assert (longer["end"], longer["epoch_end"], longer["verdict"], longer["resume"]) == ("350", "100", "truncated", "100")
    # what both had stays a place of this log
    assert check(cluster.brokers, [place(seen, 100)])[0]["verdict"] == "same"
    leader.start()


def test_a_clean_change_of_leaders(cluster):
    """Nothing is lost: the place of before stays one of the log, the epoch rises."""
    create_on(cluster, "clean", (3, 1, 2))
    produce(cluster.brokers, "clean", 100)
    seen = check(cluster.brokers, ["clean:0"])[0]
    held = place(seen, 100)
    cluster.nodes[2].kill()
    procs.wait_for(lambda: leader_of(cluster, "clean") != "3", 60, "another leader", 0.5)
    produce(cluster.brokers, "clean", 50)
    after = check(cluster.brokers, [held])[0]
    assert (after["verdict"], after["epoch_end"], after["end"]) == ("same", "100", "150")
    assert int(after["leader_epoch"]) > int(seen["leader_epoch"])
    cluster.nodes[2].start()
