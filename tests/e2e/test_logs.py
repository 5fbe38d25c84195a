"""A position belongs to a log (rule REC-9): topics that are created again, cut off, given partitions; positions behind transactions.

Counted is what Redis holds: the records of all cards. Each case is told with the figures it once got wrong in silence.
"""

import os
import time
import uuid

import pytest

from confluent_kafka import Producer
from confluent_kafka.admin import ConfigResource, NewPartitions

import generate
import state
from conftest import World
from harness import kafka as kafka_module
from harness import procs
from test_log_identity import RETENTION, check, cluster, create_on, leader_of  # noqa: F401

SOURCES = ("direct", "librdkafka")
CARD = "89860000000000000001"


@pytest.fixture(scope="module")
def server():
    why = kafka_module.available()
    if why:
        pytest.skip("Kafka's jars cannot be had: " + why)
    server = kafka_module.Kafka(extra=RETENTION).start()
    yield server
    server.stop()


@pytest.fixture
def one(server, request):
    """Makes worlds whose cards register themselves."""
    made = []

    def make(source, kafka=server, partitions=1, **members):
        w = World(kafka, partitions=partitions, settings={"kafka": {"source": source, **members}, "rules": {"auto_register": True}})
        made.append(w)
        os.environ.pop("WEIR_KAFKA_SOURCE", None)
        return w
    yield make
    failed = getattr(request.node, "rep_call", None)
    for w in made:
        for weir in w.weirs if failed is not None and failed.failed else ():
            print("--- %s\n%s" % (weir.name, procs.tail(weir.log, 40)))
        w.close()


def send(w, count, first=0, acks="all"):
    """Records with ids of their own, from `first` on, to the card's partition."""
    producer = Producer({"bootstrap.servers": w.kafka.brokers, "acks": acks, "log_level": 0, "message.timeout.ms": 60000})
    now, failed = int(time.time() * 1000), []
    for i in range(first, first + count):
        value = b'{"id":"r%d","iccid":"%s","end":%d,"up":1,"down":0}' % (i, CARD.encode(), now)
        producer.produce(w.topics["records"], value, CARD.encode(), generate.partition_of(CARD, w.partitions), timestamp=now,
                         on_delivery=lambda e, _: failed.append(e) if e else None)
    assert producer.flush(60) == 0 and not failed


def counted(w):
    return sum(c.records for c in w.state().values())


def wait_counted(w, count, timeout_s=60):
    procs.wait_for(lambda: counted(w) == count, timeout_s, lambda: "%d records, %d are counted:\n%s" % (
        count, counted(w), procs.tail(w.weirs[-1].log)), 0.2)


def wait_stopped(w, weir, words, timeout_s=60):
    """Until the partition says why it stopped; nothing was counted since."""
    procs.wait_for(lambda: weir.said("partition_stopped"), timeout_s, lambda: "a stop:\n" + procs.tail(weir.log))
    assert words in weir.said("partition_stopped")[0]["msg"]


def again(w, topic):
    """Deletes a topic and creates it anew."""
    w.kafka.delete([w.topics[topic]])
    w.kafka.create({w.topics[topic]: w.partitions})


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("up", (True, False))
def test_records_created_again_stop(one, source, up):
    """100 counted, the topic created again with 250 records: once 250 in silence."""
    w = one(source)
    weir = w.weir().start()
    send(w, 100)
    wait_counted(w, 100)
    if not up:
        weir.stop()
    again(w, "records")
    send(w, 250, first=1000)
    if not up:
        weir.start(ready_s=0)
    wait_stopped(w, weir, "deleted and created again")
    assert counted(w) == 100


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("up", (True, False))
def test_records_created_again_are_read_from_the_start(one, source, up):
    """The same, told to go on: 350."""
    w = one(source, on_new_log="read_from_start")
    weir = w.weir().start()
    send(w, 100)
    wait_counted(w, 100)
    if not up:
        weir.stop()
    again(w, "records")
    send(w, 250, first=1000)
    if not up:
        weir.start()
    wait_counted(w, 350)
    send(w, 50, first=5000)
    wait_counted(w, 400)
    assert weir.said("log_replaced") and not weir.said("partition_stopped")
    weir.stop()
    weir.start()
    send(w, 10, first=6000)
    wait_counted(w, 410)


@pytest.mark.parametrize("topic", ("cards", "partials"))
@pytest.mark.parametrize("source", SOURCES)
def test_own_topics_created_again(one, source, topic):
    """weir.cards and weir.partials alike."""
    w = one(source)
    w.cards.references([("c1", {"type": "plan", "id": "p", "carrier": "cm", "kind": "single", "allowance": 1000})])
    weir = w.weir().start()
    send(w, 100)
    wait_counted(w, 100)
    weir.stop()
    again(w, topic)
    weir.start(ready_s=0)
    wait_stopped(w, weir, "%s [0]: the topic was deleted and created again" % w.topics[topic])


@pytest.mark.parametrize("source", SOURCES)
def test_partitions_added(one, source):
    """All topics from 2 to 4 partitions: once cards lived in two of them, and a restart could not read."""
    w = one(source, partitions=2)
    weir = w.weir().start()
    send(w, 100)
    wait_counted(w, 100)
    keyed = [w.topics[t] for t in ("records", "cards", "partials")]
    admin = w.kafka.admin()
    for future in admin.create_partitions([NewPartitions(t, 4) for t in keyed]).values():
        future.result(30)
    assert weir.wait_exit(30) != 0
    assert "has 4 partitions and must have 2" in weir.text()
    weir.start(ready_s=0)
    assert weir.wait_exit(30) != 0
    words = weir.text(since_start=True)
    assert "4 partitions" in words and "made with 2" in words and w.topics["records"] in words
    assert counted(w) == 100


@pytest.mark.parametrize("source", SOURCES)
def test_a_transaction_then_a_quiet_week(one, source):
    """One committed transaction of 10; all of it expires while weir is down: once a false stop at offset 10."""
    w = one(source)
    weir = w.weir().start()
    producer = Producer({"bootstrap.servers": w.kafka.brokers, "transactional.id": "x" + uuid.uuid4().hex, "log_level": 0})
    producer.init_transactions(30)
    producer.begin_transaction()
    now = int(time.time() * 1000)
    for i in range(10):
        producer.produce(w.topics["records"], b'{"id":"x%d","iccid":"%s","end":%d,"up":1,"down":0}' % (i, CARD.encode(), now), CARD.encode())
    producer.commit_transaction(30)
    wait_counted(w, 10)
    procs.wait_for(lambda: state.offsets(w.redis.client(), 1, w.topics["records"]) == [11], 20,
                   lambda: "the position to pass the marker: %s" % state.offsets(w.redis.client(), 1, w.topics["records"]))
    weir.stop()
    admin = w.kafka.admin()
    for future in admin.alter_configs([ConfigResource("topic", w.topics["records"], {"retention.ms": "1"})]).values():
        future.result(30)
    procs.wait_for(lambda: w.lows(w.topics["records"]) == [11], 40, "retention", 0.3)
    for future in admin.alter_configs([ConfigResource("topic", w.topics["records"], {"retention.ms": "-1"})]).values():
        future.result(30)
    weir.start()
    send(w, 5, first=100)
    wait_counted(w, 15)
    assert not weir.said("partition_stopped")


def test_an_empty_redis_is_no_first_start(one):
    """The group has committed offsets and Redis holds nothing: once taken for a first start."""
    w = one("auto")
    weir = w.weir().start()
    send(w, 100)
    wait_counted(w, 100)
    time.sleep(1)  # commits are not waited for
    weir.stop()
    w.redis.client().flushall()
    weir.start(ready_s=0)
    assert weir.wait_exit(40) != 0
    words = weir.text(since_start=True)
    assert "has committed offset 100 of " + w.topics["records"] in words and "--first-start" in words
    weir.start(args=["--first-start"])
    wait_counted(w, 100)


class Spread:
    """The cluster as a World wants it: the records on nodes 1 and 2, where a stale replica may be elected."""

    def __init__(self, cluster):
        self.cluster, self.brokers = cluster, cluster.brokers

    def create(self, topics):
        for name in topics:
            if name.endswith(".records"):
                create_on(self.cluster, name, (1, 2), {"unclean.leader.election.enable": "true", "min.insync.replicas": "1"})
        self.cluster.create({t: n for t, n in topics.items() if not t.endswith(".records")})
        places = ["%s:0" % t for t in topics]
        procs.wait_for(lambda: all(p["leader"] != "-1" for p in check(self.brokers, sorted(places), code=None)), 30, "leaders")
        for node in self.cluster.nodes:  # each has heard of all
            procs.wait_for(lambda: all(t in node.admin().list_topics(timeout=5).topics for t in topics), 30, "topics to be known")

    def discard(self, topics):
        pass  # the cluster goes with the file


@pytest.mark.parametrize("on_new_log", ("stop", "read_from_start"))
@pytest.mark.parametrize("source", SOURCES)
def test_a_stale_follower_is_elected(cluster, one, source, on_new_log):  # noqa: F811
    """100 on both, 100 on the leader alone, the other one elected, 250 more: once 350 in silence; stop, or 450."""
    w = one(source, kafka=Spread(cluster), on_new_log=on_new_log)
    weir = w.weir().start()
    leader, other = cluster.nodes[0], cluster.nodes[1]
    try:
        send(w, 100)
        wait_counted(w, 100)
        other.kill()
        send(w, 100, first=1000, acks="1")
        wait_counted(w, 200)
        leader.kill()
        other.start()
        procs.wait_for(lambda: leader_of(cluster, w.topics["records"]) == "2", 60, "the stale follower to lead", 0.5)
        send(w, 250, first=2000, acks="1")
        if on_new_log == "stop":
            wait_stopped(w, weir, "agrees with what was counted up to offset 100 only, the stored offset is 200")
            assert counted(w) == 200
        else:
            wait_counted(w, 450)
    finally:
        for node in (leader, other):
            if node._child is None:
                node.start()
