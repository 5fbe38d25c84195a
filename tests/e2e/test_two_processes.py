"""Two processes share a group: partitions move by start, stop, kill and a pause longer than the session timeout."""

import threading
import time

import generate
from harness import procs


def _load(world, seed, seconds, rate=3000, **how):
    w = world(sim={"seed": seed}, **how)
    o = generate.Options(seed=seed, cards=2000, records=int(seconds * rate), scale=0.15,
                         start_ms=int(time.time() * 1000) - seconds * 1000, span_ms=seconds * 1000)
    cards, references = generate.fleet(o)
    w.cards.references(references)
    stop = threading.Event()
    thread = threading.Thread(target=w.records.send_all, args=(generate.stream(o, cards), rate, stop))
    return w, thread, stop


def _holds(weir, count):
    """It has taken at least `count` partitions since its start."""
    procs.wait_for(lambda: len({row["partition"] for row in weir.said("taken", since_start=True)}) >= count, 60,
                   lambda: "%s to take %d partitions:\n%s" % (weir.name, count, procs.tail(weir.log)))


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
        w.wait_flushes(2)
        b.start()
        _holds(b, 1)
        w.wait_flushes(2)
        assert b.stop() == 0
        w.wait_flushes()  # the first has them all again
        b.start()
        _holds(b, 1)
        w.wait_flushes()
        b.kill()
        b.start(ready_s=90)  # beside a member that the broker still takes for alive
        _holds(b, 1)
        a.kill()
        w.wait_flushes(2)
        a.start(ready_s=90)
        _holds(a, 1)
        w.wait_flushes()
    finally:
        _finish(w, thread, stop)


def test_paused_process_is_fenced(world):
    """rule REC-3: the older owner wakes up with unflushed state; its flush fails whole and it lets go."""
    w, thread, stop = _load(world, 12, 90)
    a, b = w.weir("a").start(), w.weir("b").start()
    thread.start()
    try:
        _holds(b, 1)
        w.wait_flushes(4)
        a.pause()
        w.wait_flushes(2)  # by the other alone, after the session timeout
        a.resume()
        procs.wait_for(lambda: a.said("fenced") or a.said("lost"), 60, lambda: "the older owner to let go:\n" + procs.tail(a.log))
        w.wait_flushes(2)
        assert a.running() and b.running()
    finally:
        a.resume()
        _finish(w, thread, stop)
