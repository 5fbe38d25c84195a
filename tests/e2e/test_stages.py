"""What two stages add around cards: the guard, smart cards, what people see, and what is wrong with the topics between."""

import json
import time

import generate
import state
from harness import procs
from harness.weir import run

MB = generate.MB


def _cards(n, first=0):
    return ["8986000%013d" % (first + i) for i in range(n)]


def _use(w, cards, amount):
    now = int(time.time() * 1000)
    for iccid in cards:
        w.records.send(generate.partition_of(iccid, w.partitions), now, iccid.encode(), json.dumps(
            {"id": "%s-%d" % (iccid, len(w.records.sent)), "iccid": iccid, "up": amount, "end": now - 1}).encode())
    w.records.flush()


def _cut_off(w):
    return {iccid for iccid, (off, _) in w.sim.state().items() if off}


def test_guard_stops_and_is_let_go(world):
    """rule CMD-5: what waits is withdrawn when the guard trips, decisions go on, a release sends what is still wanted."""
    w = world(partitions=1, sim={"seed": 61, "latency_ms": "1-2"}, settings={
        "guard": {"percent": 20, "cards_min": 10, "window_s": 600},
        "flush": {"interval_ms": 150}})
    for carrier in ("cm", "ct"):
        w.cards.reference(None, {"type": "plan", "id": carrier + "-p", "carrier": carrier, "kind": "single", "allowance": MB})
    cards = _cards(200)
    w.cards.references([(c, {"type": "card", "iccid": c, "carrier": "cm", "plan": "cm-p"}) for c in cards])
    slow = w.settings()["carriers"]["default"]
    weir = w.weir(carriers={"default": {**slow, "rate_per_s": 5, "concurrency": 1}}).start()
    _use(w, cards[:30], MB)  # 15 %: queued at the carrier, five a second
    procs.wait_for(lambda: len(_cut_off(w)) >= 2, 20, "the first commands")
    _use(w, cards[30:80], MB)  # 40 % trips it
    procs.wait_for(lambda: any(b"guard_tripped" in value for _, value, _ in w.read_topic("alerts")), 20, "the guard's alert")
    time.sleep(0.4)  # what was under way arrives
    sent = len(_cut_off(w))
    time.sleep(1.6)  # eight more would go
    assert len(_cut_off(w)) <= sent + 1 < 30, "what was queued went out"
    w.wait_done()
    got = w.state()
    assert all(got[c].reasons == {"plan_exhausted"} and got[c].desired == 2 for c in cards[:80])
    weir.stop()  # a tripped guard outlives its process
    w.weir("again").start()
    w.wait_done()
    time.sleep(1)  # without a rate of its own all of them would go
    assert len(_cut_off(w)) <= sent + 1
    w.cards.reference(cards[5], {"type": "request", "iccid": cards[5], "action": "addon", "bytes": MB, "id": "one", "by": "me"})
    w.cards.reference(None, {"type": "guard", "action": "release", "by": "me"})
    w.cards.flush()
    oracle_free = set(cards[:80]) - {cards[5]}
    procs.wait_for(lambda: _cut_off(w) == oracle_free, 40, lambda: "%d of 79 cut off" % len(_cut_off(w)), 0.5)


def test_smart_card_and_what_people_see(world):
    """rule POOL-6, rule POOL-8, rule SUS-4: weir card and weir pool, children in other partitions and of other carriers."""
    w = world(sim={"seed": 62})
    parent, one, two = "89869900000000000001", "89860000000000000101", "8986060000000000010S"
    single = "89860000000000000102"
    w.cards.references([
        (None, {"type": "plan", "id": "pool-plan", "carrier": "cm", "kind": "accumulative", "allowance": 2 * MB}),
        (None, {"type": "plan", "id": "cu-plan", "carrier": "cu", "kind": "single", "allowance": 10 * MB}),
        (None, {"type": "plan", "id": "cm-plan", "carrier": "cm", "kind": "single", "allowance": 10 * MB}),
        ("city-7", {"type": "pool", "id": "city-7", "name": "City 7", "kind": "accumulative", "carrier": "cm",
                    "plan": "pool-plan", "batches": ["B-1", "B-2"]}),
        (parent, {"type": "card", "iccid": parent, "carrier": "al", "tags": ["smart", "north"]}),
        (one, {"type": "card", "iccid": one, "carrier": "cm", "plan": "pool-plan", "pool": "city-7", "parent": parent}),
        (two, {"type": "card", "iccid": two, "carrier": "cu", "plan": "cu-plan", "parent": parent}),
        (single, {"type": "card", "iccid": single, "carrier": "cm", "plan": "cm-plan", "limit": 1000})])
    weir = w.weir().start()
    _use(w, [one, two, single], MB)

    def shown(command, name):
        code, out, err = run(command, name, "--json", "--config", weir.config)
        assert code == 0, err
        return json.loads(out)

    def is_shown(command, of, **fields):
        last = {}

        def right():
            last.update(shown(command, of))
            last["children"] = sorted(c["iccid"] for c in last.get("children", []))  # they come in the order of their messages
            seen = {**last, "confirmed": (last.get("command") or {}).get("confirmed")}
            return all(seen[k] == v for k, v in fields.items())
        procs.wait_for(right, 15, lambda: "%s; last seen %s" % (fields, last), 0.2)
    w.wait_done()
    is_shown("card", parent, children=[one, two], children_used_bytes=2 * MB, status="in_use", tags=["smart", "north"])
    is_shown("card", one, parent=parent, pool="city-7", used_bytes=MB)
    is_shown("pool", "city-7", name="City 7", kind="accumulative", status="in_use", cards=1, effective_cards=1, plan="pool-plan",
             effective_total_bytes=2 * MB, used_bytes=MB, remaining_bytes=MB, batches=["B-1", "B-2"], reasons=[])
    words = shown("pool", "city-7")
    assert words["cycle_start"] < words["changed"] < words["cycle_end"], words
    # shipped: China Mobile enforces a usage limit on cards in pools only
    is_shown("card", single, reasons=["usage_limit"], not_enforced=["usage_limit"], status="in_use")
    assert single not in _cut_off(w)
    assert any(b"enforcement_unsupported" in value for _, value, _ in w.read_topic("alerts"))
    _use(w, [one], MB)  # its pool is used up: one sub-card is cut off, the other not
    is_shown("pool", "city-7", remaining_bytes=0, reasons=["pool_exhausted"])
    is_shown("card", one, status="suspended", reasons=["pool_exhausted"], confirmed="suspended")
    is_shown("card", parent, status="partially_in_use", children_used_bytes=3 * MB)
    weir.stop()
    w.weir("again").start()  # the list of children is state
    is_shown("card", parent, children=[one, two], status="partially_in_use")
    assert run("pool", "nowhere", "--config", weir.config)[0] == 1


def test_garbage_among_partials(world):
    """rule REC-7: bytes that are no usage report, or of a partition that is not there, are dead letters; sums stay right."""
    w = world(sim={"seed": 63})
    cards = _cards(8)
    w.cards.references(
        [(None, {"type": "plan", "id": "p", "carrier": "cm", "kind": "accumulative", "allowance": MB}),
         ("pool", {"type": "pool", "id": "pool", "kind": "accumulative", "carrier": "cm", "plan": "p"})] +
        [(c, {"type": "card", "iccid": c, "carrier": "cm", "plan": "p", "pool": "pool"}) for c in cards])
    w.weir().start()
    log = generate.Log(w.kafka.brokers, w.topics["partials"], w.partitions)
    at, now = generate.partition_of("pool", w.partitions), int(time.time() * 1000)
    whole = b"WPA1" + (99).to_bytes(4, "little") + (1 << 62).to_bytes(8, "little") + bytes(72) + b"pool".ljust(64, b"\0")
    garbage = [b"", b"WPA1", bytes(152), whole, b"x" * 152, whole[:-1] + b"x"]
    for value in garbage:
        log.send(at, now, b"pool", value)
    log.flush()
    _use(w, cards, MB // 2)
    w.wait_done()
    oracle = w.oracle()
    procs.wait_for(lambda: not state.pool_differences(oracle, w.redis.client()), 20,
                   lambda: state.pool_differences(oracle, w.redis.client()))
    dead = [(k[0], reason) for k, reason in w.dead().items()]
    assert dead == [(w.topics["partials"], "malformed")] * len(garbage)


def test_topics_are_checked(world):
    """A topic that is missing or of another size is named, with what creates it; nothing is started."""
    w = world(partitions=3)
    other = w.name + ".other"
    w.kafka.create({other: 5})
    for partials, words in ((w.name + ".none", ("no topic", "--create --topic %s.none --partitions 3" % w.name, "as many as")),
                            (other, ("has 3 partitions", "has 5", "must be equal"))):
        weir = w.weir("weir-" + partials.rsplit(".", 1)[1], topics={"partials": partials})
        weir.start(ready_s=0)
        assert weir.wait_exit(30) == 4
        for word in words:
            assert word in weir.text(), weir.text()
        weir.child = None
