"""`weir bench drain`, `latency` and `recover`, small, against a Kafka and a Redis that the settings name.

Each checks by itself that Redis holds what was sent, card by card (rule REC-3); here it is tested that they say so, that a seed
gives the same result again, that they leave nothing behind, and that a wrong count would be noticed.
"""

import json
import os
import subprocess

import pytest

from harness import procs
from harness.redis import Redis
from harness.weir import binary


@pytest.fixture
def place(kafka):
    """(settings file, Kafka, Redis); afterwards nothing of a benchmark may be left in either."""
    redis = Redis().start()
    redis.client().set("somebody:else", "1")
    config = os.path.join(procs.directory("bench"), "weir.yaml")
    with open(config, "w") as f:
        json.dump({"kafka": {"brokers": kafka.brokers, "session_timeout_ms": 3000}, "flush": {"interval_ms": 200},
                   "redis": {"url": redis.url}}, f)
    before = set(kafka.admin().list_topics(timeout=10).topics)
    yield config, kafka, redis
    try:
        assert [k.decode() for k in redis.client().keys("*")] == ["somebody:else"]
        assert redis.client().execute_command("FUNCTION", "LIST") == []

        def gone():
            left = set(kafka.admin().list_topics(timeout=10).topics) - before - {"__consumer_offsets"}
            return not [t for t in left if t.startswith("weir-bench")]
        procs.wait_for(gone, 20, "the benchmark's topics to be deleted")
    finally:
        redis.stop()


def bench(config, *args, timeout_s=240):
    done = subprocess.run([binary(), "bench"] + list(args) + ["--config", config, "--quick", "--json"], timeout=timeout_s,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return json.loads(done.stdout.decode().strip().splitlines()[-1])


def figures(result):
    return {f["name"]: f["median"] for f in result["figures"]}


def test_drain_is_exact_and_repeatable(place):
    """rule REC-3: both identities, messages of several records, JSON and packed; duplicates in a second run."""
    config = place[0]
    result = bench(config, "drain", "--format", "json,packed", "--batch", "50", "--identity", "id,sequence", "--records", "20k",
                   "--bare", "2")
    assert any("exact" in note for note in result["notes"])
    got = figures(result)
    for kind in ("json.b50.id", "packed.b50.id", "json.b50.sequence", "packed.b50.sequence"):
        assert got["2k.%s.s0.weir.1_lane.rate" % kind] > 0
        assert 0 < got["2k.%s.s0.weir.1_lane.to_best_bare" % kind] < 10
        assert got["2k.%s.s0.weir.1_lane.cpu.lanes" % kind] > 0
        assert got["2k.%s.s0.weir.1_lane.cpu.librdkafka" % kind] > 0
    again = os.path.join(os.path.dirname(config), "again.conf")
    with open(again, "w") as f:
        f.write("version: 1\ntitle: sent again\ncards: 500\nrecords: 5000\ninterval: 10s\nstart: 2026-03-30T05:00:00Z\nduplicates: 20%\n")
    few = ["drain", "--bare", "1", "--workload", again]
    one, two, other = bench(config, *few), bench(config, *few), bench(config, *few, "--seed", "2")
    assert one["hash"] == two["hash"] != other["hash"]


def test_latency_of_every_command(place):
    """rule CMD-2, POOL-7: each card and each pool's member that a record ran over is commanded, and all usage gets visible."""
    result = bench(place[0], "latency", "--capacity", "4000", "--shares", "50")
    got = figures(result)
    rows = {row[1]: row for table in result["tables"] for row in table["rows"] if len(row) > 2}
    assert rows["card"][4] == 40 and rows["visible"][4] > 3500
    if rows["card"][2] == "yes":  # the generator kept up, on whatever machine this is
        assert 0 < got["50.card.p50"] <= got["50.card.max"] < 20e6
        assert 0 < got["50.visible.p50"] <= got["50.visible.max"] < 20e6


def test_recover_from_kill_and_restart(place):
    """rule REC-3: after a take-over and a restart under load nothing is lost and nothing counted twice."""
    result = bench(place[0], "recover", "--scenarios", "kill,restart,static")
    got = figures(result)
    assert got["2k.restart"] > 0
    assert 3.0 <= got["2k.kill"], "a member that was killed keeps its partitions for its session timeout"
    assert 0 < got["2k.static"] < got["2k.kill"], "the broker knows a static member again at once"
    assert any("exact" in note for note in result["notes"])


def test_wrong_words_are_answered(place):
    for args, word in ((["drain", "--redis-aof", "always"], "--start"), (["drain", "--format", "xml"], "json"),
                       (["recover", "--scenarios", "redis"], "--start"), (["latency", "--workload", "nothing"], "nothing")):
        done = subprocess.run([binary(), "bench"] + args + ["--config", place[0]], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == 2 and word in done.stderr.decode(), (args, done.stderr)
