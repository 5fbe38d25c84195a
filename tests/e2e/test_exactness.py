"""Every record once: 300,000 of them (a million in `make test-long`) with duplicates, out of order, late, too late, in the future and
broken.

Every counter of every card and cycle, every reason and every dead letter must be what the oracle says.
"""

import json
import time

import generate
import state
from conftest import number


def test_counters_reasons_and_dead_letters_are_exact(world):
    """rule REC-1, rule REC-2, rule REC-3, rule REC-4, rule REC-5, rule REC-6, rule REC-7, rule CYC-1, rule CYC-2, rule CYC-3"""
    records = number("WEIR_E2E_RECORDS", 300000)
    w = world(settings={"flush": {"interval_ms": 1000}})
    o = generate.Options(seed=number("WEIR_E2E_SEED", 1), cards=max(200, records // 20), records=records,
                         start_ms=generate.month_start_ms())
    cards, references = generate.fleet(o)
    w.cards.references(references)
    w.records.send_all(generate.stream(o, cards))
    began = time.monotonic()
    weir = w.weir().start()
    w.wait_done(300)
    took = time.monotonic() - began
    print("%d messages in %.1f s" % (len(w.records.sent), took))
    oracle = w.oracle()
    assert w.differences(oracle) == []
    assert w.dead_differences(oracle) == []
    assert weir.stop() == 0
    check_words(w, oracle)


def check_words(w, oracle):
    """The Redis function says the same as the pages."""
    for iccid in list(oracle.cards)[:50]:
        card, words = oracle.cards[iccid], state.words(w.redis.client(), iccid)
        year, month = (int(x) for x in words["cycle"].split("-"))
        got = [int(words["up_bytes"]), int(words["down_bytes"]), int(words["records"])]
        assert got == card.cycles.get((year - 1970) * 12 + month - 1, [0, 0, 0]), words
        assert set(words["reasons"].replace("none", "").split(",")) - {""} == oracle.reasons(card), words


def test_restart_goes_on_where_it_stopped(world):
    """SIGTERM under load drains cleanly: exact on the next start, no dead letter twice."""
    records = number("WEIR_E2E_RECORDS", 300000) // 10
    w = world()
    o = generate.Options(seed=2, cards=max(100, records // 20), records=records, start_ms=generate.month_start_ms())
    cards, references = generate.fleet(o)
    messages = list(generate.stream(o, cards))
    w.cards.references(references)
    weir = w.weir().start()
    step = len(messages) // 4
    for at in range(0, len(messages), step):
        w.records.send_all(messages[at:at + step])
        assert weir.stop() == 0
        weir.start()
    w.wait_done(120)
    oracle = w.oracle()
    assert w.differences(oracle) == []
    assert w.dead_differences(oracle) == []
    assert len(w.dead_rows) == len(oracle.dead)


def test_totals_across_a_closed_cycle_stay_in_order(world):
    """rule REC-2, rule REC-6: of a session's 100 bytes in October and 150 by November, 50 belong to November.

    The first record waits for the closed cycle's totals; the second must not overtake it.
    """
    w = world(partitions=1)
    start_ms = generate.month_start_ms()
    iccids = ["8986%016d" % n for n in range(20)]
    w.cards.references([(i, {"type": "card", "iccid": i, "carrier": "cm"}) for i in iccids])
    for iccid in iccids:
        for total, hours in ((100, -20), (150, -1), (170, -0.5)):
            w.records.send(0, start_ms, iccid.encode(), json.dumps(
                {"iccid": iccid, "session": "s", "up_total": total, "down_total": 0,
                 "end": int(start_ms + hours * 3600000)}).encode())
    w.records.flush()
    w.weir().start()
    w.wait_done(30)
    oracle = w.oracle()
    assert sorted(c[0] for c in oracle.cards[iccids[0]].cycles.values()) == [70, 100], "the test itself is wrong"
    assert w.differences(oracle, timeout_s=3) == []
