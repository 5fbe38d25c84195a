"""Two processes share a group: partitions move by start, stop, kill and a pause longer than the session timeout."""

import threading
import time

import generate


def _load(world, seed, seconds, rate=3000, **how):
    w = world(sim={"seed": seed}, **how)
    o = generate.Options(seed=seed, cards=2000, records=int(seconds * rate), scale=0.15,
                         start_ms=int(time.time() * 1000) - seconds * 1000, span_ms=seconds * 1000)
    cards, references = generate.fleet(o)
    w.cards.references(references)
    stop = threading.Event()
    thread = threading.Thread(target=w.records.send_all, args=(generate.stream(o, cards), rate, stop))
    return w, thread, stop


def _finish(w, thread, stop):
    stop.set()
    thread.join()
    w.wait_done(90)
    oracle = w.oracle()
    assert w.differences(oracle) == []
    assert w.wait_enforced(oracle) == []
    assert w.dead_differences(oracle) == []


def test_partitions_move(world):
    """A second process comes, goes by SIGTERM, comes back, dies by -9, and the first one after it."""
    w, thread, stop = _load(world, 11, 90)
    a, b = w.weir("a").start(), w.weir("b")
    thread.start()
    try:
        time.sleep(1)
        b.start()
        time.sleep(2)
        assert b.stop() == 0
        time.sleep(1)
        b.start()
        time.sleep(2)
        b.kill()
        time.sleep(1)
        b.start()
        time.sleep(1)
        a.kill()
        time.sleep(1)
        a.start(ready_s=90)
    finally:
        _finish(w, thread, stop)


def test_paused_process_is_fenced(world):
    """rule REC-3: the older owner wakes up with unflushed state; its flush fails whole and it lets go."""
    w, thread, stop = _load(world, 12, 90)
    a, b = w.weir("a").start(), w.weir("b").start()
    thread.start()
    try:
        time.sleep(3)
        a.pause()
        time.sleep(9)  # the session timeout is 6 s
        a.resume()
        time.sleep(6)
        assert a.running() and b.running()
    finally:
        a.resume()
        _finish(w, thread, stop)
    assert a.said("fenced") or a.said("lost"), a.text()[-3000:]
