"""weir on a Redis Cluster of three masters, told of one of them: state, intents, readers and functions are where the slots are,
also while slots move under load and after a master was lost."""

import collections
import threading
import time

import generate
from harness import weir as weir_module
from harness.redis import RedisCluster

PARTITIONS = 12


def _load(w, seed, seconds, rate=2500):
    o = generate.Options(seed=seed, cards=1500, records=int(seconds * rate), partitions=PARTITIONS, scale=0.1,
                         start_ms=int(time.time() * 1000) - seconds * 1000, span_ms=seconds * 1000)
    cards, references = generate.fleet(o)
    w.cards.references(references)
    stop = threading.Event()
    thread = threading.Thread(target=w.records.send_all, args=(generate.stream(o, cards), rate, stop))
    thread.start()
    return thread, stop


def _finish(w, thread, stop):
    stop.set()
    thread.join()
    w.wait_done(90)
    oracle = w.oracle()
    assert w.differences(oracle) == []
    assert w.wait_enforced(oracle) == []
    assert w.dead_differences(oracle) == []
    return oracle


def _intents(cluster):
    """{partition: {number of the node: intents written there}}"""
    out = collections.defaultdict(collections.Counter)
    for i, node in enumerate(cluster.nodes):
        for key in node.writes_of("HSET", ":i"):
            out[int(key.split("{")[1].split("}")[0])][i] += 1
    return out


def _skipped(weir):
    return sum(int(line["count"].rstrip(":")) for line in weir.said("intents_skipped"))


def _read_by_command(w, weir, oracle):
    """`weir card` of one card in each partition, whichever node it is on."""
    shown = set()
    for iccid, card in w.state().items():
        if card.partition in shown:
            continue
        code, text, err = weir_module.run("card", iccid, "--config", weir.config)
        assert code == 0 and iccid in text, err
        shown.add(card.partition)
    assert shown == set(range(PARTITIONS))


def test_all_is_where_its_slot_is(world):
    """Nothing moves: three masters share the partitions; each one's intents are written to it."""
    cluster = RedisCluster()
    w = world(sim={"seed": 31}, partitions=PARTITIONS, redis=cluster)
    for node in cluster.nodes:
        node.watch()
    weir = w.weir(lane={"count": 2}).start()
    thread, stop = _load(w, 31, 15)
    thread.join()
    oracle = _finish(w, thread, stop)
    owners = {p: cluster.nodes.index(cluster.owner(cluster.slot("weir:{%d}:h" % p))) for p in range(PARTITIONS)}
    assert set(owners.values()) == {0, 1, 2}  # else this shows nothing
    intents = _intents(cluster)
    assert set(intents) == set(range(PARTITIONS))
    assert all(set(at) == {owners[p]} for p, at in intents.items()), intents
    assert _skipped(weir) * 20 <= sum(sum(at.values()) for at in intents.values())
    for node in cluster.nodes:
        assert node.client().execute_command("FUNCTION", "LIST", "LIBRARYNAME", "weir")
    _read_by_command(w, weir, oracle)


def test_slots_move_under_load(world):
    """rule REC-3: each partition's slot goes to the next node, key by key, while weir flushes, reads and sends commands."""
    cluster = RedisCluster()
    w = world(sim={"seed": 32}, partitions=PARTITIONS, redis=cluster)
    for node in cluster.nodes:
        node.watch()
    weir = w.weir(lane={"count": 2}).start()
    thread, stop = _load(w, 32, 90)
    moved = {}
    try:
        for partition in range(PARTITIONS):
            slot = cluster.slot("weir:{%d}:h" % partition)
            to = cluster.nodes[(cluster.nodes.index(cluster.owner(slot)) + 1) % 3]
            source = cluster.begin_move(slot, to)
            cluster.move_keys(slot, source, to, most=5)
            time.sleep(0.3)  # half of it is there: flushes wait, intents and single reads go on
            cluster.end_move(slot, source, to)
            moved[partition] = cluster.nodes.index(to)
        time.sleep(2)
    finally:
        oracle = _finish(w, thread, stop)
    assert weir.running()
    intents = _intents(cluster)
    assert set(intents) == set(range(PARTITIONS))
    assert all(moved[p] in at for p, at in intents.items()), (moved, intents)
    assert _skipped(weir) * 20 <= sum(sum(at.values()) for at in intents.values())
    _read_by_command(w, weir, oracle)


def test_a_master_is_lost(world):
    """rule REC-3: the node that weir was told of dies and its replica takes over; what it had not copied is counted again."""
    cluster = RedisCluster(replicas=1)
    w = world(sim={"seed": 33}, partitions=PARTITIONS, redis=cluster)
    weir = w.weir(lane={"count": 2}).start()
    thread, stop = _load(w, 33, 90)
    try:
        time.sleep(3)
        slot = next(s for s in (cluster.slot("weir:{%d}:h" % p) for p in range(PARTITIONS)) if cluster.owner(s) is cluster.nodes[0])
        cluster.nodes[0].kill()
        deadline = time.monotonic() + 60
        while cluster.owner(slot) is not cluster.nodes[3]:
            assert time.monotonic() < deadline, "no replica was promoted"
            time.sleep(0.2)
        time.sleep(3)
    finally:
        _finish(w, thread, stop)
    assert weir.running()
