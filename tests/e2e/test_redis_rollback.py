"""Redis loses writes or goes away: the owner rewinds Kafka to what Redis still knows; enforcement goes on meanwhile."""

import os
import threading
import time

import generate
from conftest import number
from harness import procs


def _load(w, seed, seconds, rate=4000):
    o = generate.Options(seed=seed, cards=2000, records=int(seconds * rate), scale=0.4,
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


def test_redis_lost_its_last_seconds(world):
    """rule REC-3: killed, its append-only file cut back behind flushes that were acknowledged, started again; thrice."""
    w = world(sim={"seed": 21}, appendonly=True)
    weir = w.weir().start()
    thread, stop = _load(w, 21, 60)
    try:
        for back in (4, 10, 2):
            w.wait_flushes(4)
            size = os.path.getsize(w.redis.aof())
            w.wait_flushes(back)
            known = len(weir.said("redis_forgot"))
            w.redis.kill()
            w.redis.cut(size - 7)  # within a command: Redis drops the half
            w.redis.start()
            procs.wait_for(lambda: len(weir.said("redis_forgot")) > known, 60, lambda: "weir to notice:\n" + procs.tail(weir.log))
            w.wait_flushes()
    finally:
        _finish(w, thread, stop)
    assert weir.running()
    assert weir.said("redis_forgot"), weir.text()[-3000:]


def test_redis_forgot_while_weir_was_down(world):
    w = world(sim={"seed": 22}, appendonly=True)
    weir = w.weir().start()
    thread, stop = _load(w, 22, 40)
    try:
        w.wait_flushes(4)
        size = os.path.getsize(w.redis.aof())
        w.wait_flushes(6)
        weir.kill()
        w.redis.kill()
        w.redis.cut(size)
        w.redis.start()
        weir.start()
    finally:
        _finish(w, thread, stop)


def test_redis_away(world):
    """Without Redis, for longer than the group's session timeout: commands still reach the carrier, nothing is lost, all is stored
    when it is back."""
    w = world(sim={"seed": 23}, appendonly=True)
    weir = w.weir().start()
    thread, stop = _load(w, 23, 60)
    try:
        w.wait_flushes(4)
        w.redis.kill()
        away = time.monotonic()
        procs.wait_for(lambda: weir.said("redis_lost"), 30, "weir to notice")
        before = w.sim.counters()["changed"]
        procs.wait_for(lambda: w.sim.counters()["changed"] > before, 30, "a command while Redis is away")
        time.sleep(max(0, number("WEIR_E2E_AWAY_S", 8) - (time.monotonic() - away)))  # the session timeout is 6 s
        w.redis.start()
        w.wait_flushes()
    finally:
        _finish(w, thread, stop)
    assert weir.running()
