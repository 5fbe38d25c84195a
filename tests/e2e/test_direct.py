"""The direct source against librdkafka's: the same messages, offset by offset and byte by byte, whatever wrote them."""

import json
import os
import random
import subprocess
import time
import uuid

import pytest

from confluent_kafka import Producer

from harness import kafka as kafka_module
from harness import procs
from harness.weir import binary

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
PARTITIONS = 3


def dump_binary():
    return os.environ.get("WEIR_DUMP") or os.path.join(os.path.dirname(binary()), "tests", "e2e", "weir_source_dump")


def dump(brokers, source, topics, start=-1, partitions=PARTITIONS, properties=None, code=0):
    """What a source delivers, as sorted lines of fields; its exit code must be `code`."""
    directory = procs.directory("dump")
    config = os.path.join(directory, "dump.json")
    with open(config, "w") as f:
        json.dump({"kafka": {"brokers": brokers, "group": "dump-" + uuid.uuid4().hex, "source": source,
                             "properties": properties or {}}}, f)
    env = {k: v for k, v in os.environ.items() if k != "WEIR_KAFKA_SOURCE"}
    done = subprocess.run([dump_binary(), config, str(partitions), str(start)] + list(topics), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=90, env={**env, "WEIR_DUMP_NEXT": "1"})
    errors = done.stderr.decode(errors="replace")
    assert done.returncode == code, errors
    lines = [line.split(" ") for line in done.stdout.decode().splitlines()]
    seen = {}
    for topic, partition, offset, *_ in lines:  # in order, each once
        assert int(offset) > seen.get((topic, partition), -1), (topic, partition, offset)
        seen[topic, partition] = int(offset)
    return sorted(lines, key=lambda w: (w[0], int(w[1]), int(w[2]))), errors


def same(brokers, topics, **how):
    """Both sources' lines, which must be equal; returns them."""
    direct, _ = dump(brokers, "direct", topics, **how)
    other, _ = dump(brokers, "librdkafka", topics, **how)
    for a, b in zip(direct, other):
        assert a == b
    assert len(direct) == len(other)
    return direct


def piece(rng):
    kind = rng.randrange(8)
    if kind == 0:
        return None
    if kind == 1:
        return b""
    return bytes(rng.choice(b"abcdefgh") for _ in range(rng.randrange(30000 if kind == 2 and rng.randrange(5) == 0 else 200)))


def produce(brokers, topic, codec, count, seed, transactional=False):
    rng = random.Random(seed)
    settings = {"bootstrap.servers": brokers, "compression.type": codec, "linger.ms": 5, "message.max.bytes": 10000000}
    if transactional:
        settings["transactional.id"] = "p-%s-%d" % (topic, seed)
    producer = Producer(settings)
    if transactional:
        producer.init_transactions(30)
    for i in range(count):
        if transactional and i % 40 == 0:
            producer.begin_transaction()
        headers = [("h%d" % k, None if k == 1 else b"value") for k in range(rng.randrange(4))]
        producer.produce(topic, key=piece(rng), value=piece(rng), partition=i % PARTITIONS, headers=headers)
        producer.poll(0)
        if transactional and i % 40 == 39:
            producer.flush(30)
            if i // 40 % 3 == 1:
                producer.abort_transaction(30)
            else:
                producer.commit_transaction(30)
    assert producer.flush(30) == 0


def produce_java(brokers, topic, codec, count, seed, *transactional):
    if kafka_module.java("Produce", brokers, topic, str(PARTITIONS), codec, str(count), str(seed), *transactional) is None:
        pytest.skip("java here has no compiler")


@pytest.fixture
def topic(kafka):
    name = "d" + uuid.uuid4().hex[:8]
    kafka.create({name: PARTITIONS})
    return name


def test_librdkafka_producer(kafka, topic):
    """rule REC-3"""
    for i, codec in enumerate(CODECS):
        produce(kafka.brokers, topic, codec, 600, i)
    assert len(same(kafka.brokers, [topic])) == 5 * 600


def test_transactions(kafka, topic):
    produce(kafka.brokers, topic, "lz4", 400, 1)
    produce(kafka.brokers, topic, "none", 400, 2, transactional=True)
    produce(kafka.brokers, topic, "zstd", 400, 3, transactional=True)
    committed = same(kafka.brokers, [topic])
    whole = same(kafka.brokers, [topic], properties={"isolation.level": "read_uncommitted"})
    assert len(whole) == 1200 and len(committed) == 1200 - 2 * 120


@pytest.mark.parametrize("source", ("direct", "librdkafka"))
def test_positions_pass_what_is_no_record(kafka, source):
    """rule REC-9: markers of transactions and aborted records take offsets; who waits behind them must not stay before them."""
    name = "d" + uuid.uuid4().hex[:8]
    kafka.create({name: 3})
    producer = Producer({"bootstrap.servers": kafka.brokers, "transactional.id": "n-" + name, "linger.ms": 0})
    producer.init_transactions(30)
    for partitions, commits in (((0, 1), True), ((1,), False)):  # 0: ten committed; 1: then five aborted; 2: nothing
        producer.begin_transaction()
        for i in range(10 if commits else 5):
            for p in partitions:
                producer.produce(name, value=b"%d" % i, partition=p)
        producer.flush(30)
        producer.commit_transaction(30) if commits else producer.abort_transaction(30)
    lines, errors = dump(kafka.brokers, source, [name])
    assert [sum(line[1] == str(p) for line in lines) for p in range(3)] == [10, 10, 0]
    went_on = [int(line.split()[3]) for line in errors.splitlines() if line.startswith("next ")]
    assert went_on == [11, 17, 0]


def test_java_producer(kafka, topic):
    for i, codec in enumerate(CODECS):
        produce_java(kafka.brokers, topic, codec, 500, i)
    produce_java(kafka.brokers, topic, "snappy", 600, 9, "java-" + topic)
    assert len(same(kafka.brokers, [topic])) == 5 * 500 + 400


def test_larger_than_the_fetch(kafka, topic):
    producer = Producer({"bootstrap.servers": kafka.brokers, "message.max.bytes": 20000000})
    for i in range(12):
        producer.produce(topic, value=os.urandom(1 + i * 700000), partition=i % PARTITIONS)
        producer.flush(30)
    small = {"max.partition.fetch.bytes": "4096"}
    direct, _ = dump(kafka.brokers, "direct", [topic], properties=small)
    other, _ = dump(kafka.brokers, "librdkafka", [topic])
    assert len(direct) == 12 and direct == other


def test_several_topics_from_within(kafka):
    names = ["d" + uuid.uuid4().hex[:8] for _ in range(3)]
    kafka.create({name: PARTITIONS for name in names})
    for i, name in enumerate(names):
        produce(kafka.brokers, name, "gzip", 900, i)
    lines = same(kafka.brokers, names, start=137)
    assert len(lines) == 3 * 3 * (300 - 137) and min(int(w[2]) for w in lines) == 137


def test_offset_that_is_gone(kafka, topic):
    """Both stop with the same words (REC-3: nothing is dropped in silence)."""
    produce(kafka.brokers, topic, "none", 30, 1)
    words = [dump(kafka.brokers, source, [topic], start=50, code=5)[1] for source in ("direct", "librdkafka")]
    assert all("agrees with what was counted up to offset 10 only, the stored offset is 50" in w for w in words), words


def test_compaction():
    """Gaps, and batches that lost their last records."""
    server = kafka_module.Kafka(extra=["log.cleaner.enable=true", "log.cleaner.backoff.ms=100", "log.cleaner.min.cleanable.ratio=0.01",
                                       "log.cleaner.dedupe.buffer.size=10000000"]).start()
    try:
        server.create({"c": PARTITIONS}, config={"cleanup.policy": "compact", "segment.bytes": "20000", "min.cleanable.dirty.ratio": "0.01",
                                                 "max.compaction.lag.ms": "100", "segment.ms": "200", "delete.retention.ms": "100"})
        for round_of in range(6):
            producer = Producer({"bootstrap.servers": server.brokers, "compression.type": CODECS[round_of % 5]})
            for i in range(1500):
                value = None if i % 11 == 0 else b"%d-%d" % (round_of, i)
                producer.produce("c", key=b"k%d" % (i * 7 % 200), value=value, partition=i % PARTITIONS)
            producer.flush(30)
            time.sleep(0.3)
        procs.wait_for(lambda: len(dump(server.brokers, "librdkafka", ["c"])[0]) < 7000, 60, "the cleaner", 1)
        for _ in range(5):  # the cleaner goes on: equal at some time
            direct, _ = dump(server.brokers, "direct", ["c"])
            if direct == dump(server.brokers, "librdkafka", ["c"])[0]:
                break
        else:
            pytest.fail("never the same")
    finally:
        server.stop()
