"""kill -9 at any instant: counters stay exact, every command that the rules demand is carried out, none that they do not."""

import random
import threading
import time

import generate
from conftest import number


def test_kill_at_any_instant(world):
    """rule REC-3, rule CMD-1, rule CMD-2, rule CMD-4, rule SUS-1, rule SUS-2, rule LIFE-6"""
    kills, seed = number("WEIR_E2E_KILLS", 50), number("WEIR_E2E_SEED", 3)
    rng, rate = random.Random(seed), 4000
    seconds, fleet = kills * 4 + 20, max(3000, 60 * kills)  # more than is sent: the load ends with the kills
    most = 140 * fleet  # on a machine so slow that all is sent; more records of a card would begin its totals anew
    w = world(sim={"seed": seed, "latency_ms": "1-20", "error_rate": 0.05})
    o = generate.Options(seed=seed, cards=fleet, records=min(seconds * rate, most), poison=0.0005, scale=0.2,
                         start_ms=int(time.time() * 1000) - int(seconds * 1000), span_ms=int(seconds * 1000))
    cards, references = generate.fleet(o)
    w.cards.references(references)
    stop, failed = threading.Event(), []
    load = threading.Thread(target=_run, args=(failed, w.records.send_all, generate.stream(o, cards), rate, stop))
    operator = threading.Thread(target=_run, args=(failed, _requests, w, cards, seed, stop))
    # static membership: a killed process gets its partitions back at once, not after the session timeout
    weir = w.weir(flush={"interval_ms": 150}, lane={"count": 2},
                  kafka={"instance": "one", "session_timeout_ms": 6000}).start()
    load.start()
    operator.start()
    try:
        for n in range(kills):
            time.sleep(rng.uniform(0.0, 1.2))
            weir.kill()
            # every third time the next one is killed at an instant of its start
            if n % 3 == 2:
                weir.start(ready_s=0)
                time.sleep(rng.uniform(0.0, 0.6))
                weir.kill()
            _supervise(weir)
    finally:
        stop.set()
        load.join()
        operator.join()
    assert failed == []
    w.wait_done(60)
    oracle = w.oracle()
    assert w.differences(oracle) == []
    assert w.wait_enforced(oracle) == []
    assert w.dead_differences(oracle) == []  # repeats allowed, each with the same coordinates
    print("%d kills, %d messages, %d suspended" % (
        kills, len(w.records.sent), sum(oracle.suspended(c) is True for c in oracle.cards.values())))


def _supervise(weir):
    """Starts it as a supervisor does. A join that a killed process left with the broker may be served after its successor's and fence
    it out of the group (static membership): weir then ends with 5 and is started again."""
    try:
        weir.start()
    except RuntimeError:
        if "Static consumer fenced" not in weir.text(since_start=True):
            raise
        weir.start()


def _run(failed, work, *args):
    try:
        if work is _requests:
            work(*args)
        else:
            messages, rate, stop = args
            work(messages, rate=rate, stop=stop)
    except Exception as e:  # shown by the test
        failed.append(repr(e))


def _requests(w, cards, seed, stop):
    """An operator who changes his mind: stops, resumes, moves limits, sells add-ons."""
    rng, n = random.Random(seed + 1), 0
    while not stop.wait(0.02):
        n += 1
        iccid = cards[rng.randrange(len(cards))].iccid
        m = {"type": "request", "iccid": iccid, "id": "r%d" % n, "by": "test"}
        m.update(rng.choice([
            {"action": "suspend"}, {"action": "resume"}, {"action": "limit", "limit": rng.randrange(1, 200 * generate.MB)},
            {"action": "limit", "limit": None}, {"action": "addon", "bytes": rng.randrange(1, 50 * generate.MB)}]))
        w.cards.reference(iccid, m)
        if n % 20 == 0:
            w.cards.flush()
    w.cards.flush()
