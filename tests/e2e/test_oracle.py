"""The oracle against cases counted by hand, and the page reader against bytes laid by hand. Needs no server."""

import json
import struct
from datetime import datetime, timezone

import generate
import oracle
import state

A, B = "89860000000000000001", "8986000000000000983S"


def us(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp() * 1000000)


NOW = us("2026-11-21T12:00:00")


def make(**card):
    o = oracle.Oracle(NOW)
    o.reference(0, {"type": "plan", "id": "p", "carrier": "cm", "kind": "single", "allowance": 1000})
    for iccid in (A, B):
        o.reference(0, {"type": "card", "iccid": iccid, "carrier": "cm", "plan": "p", **card})
    return o


def send(o, offset=0, at="2026-11-21T11:00:00", key=A.encode(), **record):
    value = {"iccid": A, "up": 10, "down": 20, "end": "2026-11-21T10:59:00Z", **record}
    o.message("t", 0, offset, us(at) // 1000, key, json.dumps(value).encode())


def cycle(year, month):
    return (year - 1970) * 12 + month - 1


def test_cycles_of_china_mobile_and_unicom():
    """rule CYC-1, rule CYC-2: months begin at 16:00 UTC of the day before; Unicom's on the 27th, named after its end."""
    cm, cu = oracle.Calendar("Asia/Shanghai"), oracle.Calendar("Asia/Shanghai", 27, True)
    assert cm.cycle(us("2026-10-31T15:59:59")) == cycle(2026, 10)
    assert cm.cycle(us("2026-10-31T16:00:00")) == cycle(2026, 11)
    assert cu.cycle(us("2026-10-26T15:59:59")) == cycle(2026, 10)
    assert cu.cycle(us("2026-10-26T16:00:00")) == cycle(2026, 11)
    assert cu.cycle(us("2026-12-26T16:00:00")) == cycle(2027, 1)


def test_cycles_across_daylight_saving():
    """rule CYC-2: New York's November 2026 begins at 04:00 UTC, its December at 05:00; Havana skips midnight."""
    ny = oracle.Calendar("America/New_York")
    assert ny.window(cycle(2026, 11)) == (us("2026-11-01T04:00:00"), us("2026-12-01T05:00:00"))
    havana = oracle.Calendar("America/Havana", 8)  # on 2026-03-08 clocks go from 00:00 to 01:00
    assert havana.window(cycle(2026, 3))[0] == us("2026-03-08T05:00:00")


def test_times():
    assert oracle.time_us("2026-03-30T05:08:16.894Z") == us("2026-03-30T05:08:16.894000")
    assert oracle.time_us("2026-03-30T13:08:16+08:00") == us("2026-03-30T05:08:16")
    assert oracle.time_us(1774847296894) == 1774847296894000
    for bad in ("2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00", True, -1, 1.5, "", None):
        assert oracle.time_us(bad) is None, bad


def test_duplicates_by_id_and_by_sequence():
    """rule REC-3, rule REC-4: 30 bytes by id, 60 by sequence out of order; each again; ids are a card's own."""
    o = make()
    for offset, extra in enumerate([{"id": "1"}, {"id": 1}, {"session": "s", "seq": 2}, {"session": "s", "seq": 1},
                                    {"session": "s", "seq": 2}, {"iccid": B, "id": "1"}, {"session": "r", "seq": 2}]):
        send(o, offset, **extra)
    assert o.cards[A].cycles == {cycle(2026, 11): [40, 80, 4]}
    assert o.cards[B].cycles == {cycle(2026, 11): [10, 20, 1]}
    assert o.duplicates == 2 and o.dead == []


def test_totals():
    """rule REC-2: 100, then 250 (+150), an old 200, a restart at 30: 280 up in all."""
    o = make()
    for offset, (total, minute, event) in enumerate([(100, 1, "update"), (250, 3, "update"), (200, 2, "update"),
                                                     (30, 4, "start"), (30, 4, "start"), (30, 5, "update")]):
        send(o, offset, up=None, down=None, up_total=total, session="s", event=event, end="2026-11-21T10:%02d:00Z" % minute)
    assert o.cards[A].cycles == {cycle(2026, 11): [280, 0, 3]}


def test_late_too_late_and_future():
    """rule REC-3, rule REC-6, rule REC-7: judged against the stream, which does not go back."""
    o = make()
    send(o, 0, id="a")
    send(o, 1, id="b", at="2026-11-20T00:00:00", end="2026-11-19T11:00:01Z")   # 47:59:59 behind the stream
    send(o, 2, id="c", end="2026-11-19T10:59:59Z")
    send(o, 3, id="d", end="2026-11-21T11:05:01Z")
    send(o, 4, id="e", end="2026-11-21T11:05:00Z")
    assert [r[2:] for r in o.dead] == [(2, 0, "too_late"), (3, 0, "future")]
    assert o.counted == 3


def test_past_cycle_does_not_enforce():
    """rule REC-6: 2,000 bytes late for October raise nothing in November."""
    o = oracle.Oracle(us("2026-11-01T12:00:00"))
    o.reference(0, {"type": "plan", "id": "p", "carrier": "cm", "kind": "single", "allowance": 1000})
    o.reference(0, {"type": "card", "iccid": A, "carrier": "cm", "plan": "p"})
    send(o, 0, at="2026-11-01T11:00:00", id="a", up=2000, end="2026-10-31T15:00:00Z")
    send(o, 1, at="2026-11-01T11:00:00", id="b", end="2026-11-01T10:00:00Z")
    assert o.cards[A].cycles == {cycle(2026, 10): [2000, 20, 1], cycle(2026, 11): [10, 20, 1]}
    assert o.reasons(o.cards[A]) == set()


def test_reasons_and_requests():
    """rule SUS-1, rule SUS-2: limit and plan reached; resume lifts the limit only; an add-on and its repeat."""
    o = make(limit=500)
    card = o.cards[A]
    send(o, 0, id="a", up=500, down=500)
    assert o.reasons(card) == {"plan_exhausted", "usage_limit"}
    request = {"type": "request", "iccid": A}
    o.reference(0, {**request, "action": "suspend"})
    o.reference(0, {**request, "action": "resume"})
    assert o.reasons(card) == {"plan_exhausted"} and o.suspended(card)
    for _ in range(2):
        o.reference(0, {**request, "action": "addon", "id": "x", "bytes": 1})
    assert o.reasons(card) == set()
    send(o, 1, id="b", up=1, down=0)
    assert o.reasons(card) == {"plan_exhausted"}
    o.reference(0, {**request, "action": "limit", "limit": 1001})
    assert o.reasons(card) == {"plan_exhausted", "usage_limit"}
    o.reference(0, {**request, "action": "limit", "limit": None})
    assert o.reasons(card) == {"plan_exhausted"}


def test_deactivated_cards_count_and_get_no_command():
    """rule LIFE-6"""
    o = make(status="deactivated")
    send(o, 0, id="a", up=5000)
    assert o.suspended(o.cards[A]) is None and o.counted == 1


def test_bad_elements_spare_their_neighbours():
    """rule REC-7: of an array's four elements one is counted; a broken line of two; a message that is no JSON."""
    o = make()
    good = {"iccid": A, "id": "1", "up": 1, "end": "2026-11-21T10:59:00Z"}
    bad = [{**good, "up": -1}, {**good, "iccid": "8986 000"}, {**good, "id": None}]
    at = us("2026-11-21T11:00:00") // 1000
    o.message("t", 0, 7, at, None, json.dumps([bad[0], good, bad[1], bad[2]]).encode())
    o.message("t", 0, 8, at, None, json.dumps({**good, "id": "2"}).encode() + b"\n{\n")
    o.message("t", 0, 9, at, None, b'{"a":NaN}')
    o.message("t", 0, 10, at, A.encode(), b'{"id":"3","up":1,"end":"2026-11-21T10:59:00Z"}')
    assert [r[2:] for r in o.dead] == [(7, 0, "bad_volume"), (7, 2, "bad_iccid"), (7, 3, "no_identity"), (8, 1, "malformed"),
                                       (9, 0, "malformed")]
    assert o.counted == 3


def test_iccid_packing():
    """Six bits a character from the top: '8' is 9, '9' is 10, 'S' is 29."""
    number = state.pack("8986000000000000983s")
    assert number >> 122 == 9 and number >> 116 & 63 == 10 and number >> 8 & 63 == 29 and number & 255 == 0
    assert state.unpack(number) == B
    assert state.unpack(state.pack(A[:19])) == A[:19]


class FakeRedis:
    def __init__(self, keys):
        self.keys = {k.encode(): v for k, v in keys.items()}

    def hgetall(self, key):
        return {k.encode(): v.encode() for k, v in self.keys.get(key.encode(), {}).items()}

    def mget(self, keys):
        return [self.keys.get(k.encode()) for k in keys]

    def get(self, key):
        return self.keys.get(key)

    def lrange(self, key, first, last):
        return self.keys.get(key.encode(), [])

    def scan_iter(self, match, count):
        return [k for k in self.keys if b":y:" in k]


def test_page_reader():
    """docs/formats.md by hand: one card in slot 1 with a closed cycle, overrides and enforcement."""
    number = state.pack(A)
    card = struct.pack("<QQQQQIIIHHHBBI", number >> 64, number & (1 << 64) - 1, 7, 8, 0, 3, 1, 0, 682, 0b1000010, 2, 2, 2, 1)
    terms = struct.pack("<IIQ", 2, 1, 500).ljust(128, b"\0")
    enforcement = struct.pack("<IBBBB", 2, 2, 2, 4, 2).ljust(256, b"\0")
    redis = FakeRedis({
        "weir:{3}:h": {"format": "4", "cards": "2", "terms": "1", "enforcements": "1", "o:t": "9"},
        "weir:{3}:n": [b"c:cu", b"p:q", b"c:cm", b"p:p"], "weir:{3}:c:0": bytes(64) + card, "weir:{3}:t:0": terms,
        "weir:{3}:e:0": enforcement, "weir:{3}:y:681:0": bytes(32) + struct.pack("<QQIIQ", 1, 2, 3, 4, 0)})
    p = state.Partition(redis, 3)
    got = p.cards[A]
    assert p.offset("t") == 9 and list(p.cards) == [A]
    assert got.cycles == {682: [7, 8, 3], 681: [1, 2, 3]} and got.reasons == {"usage_limit", "manual"}
    assert (got.plan, got.carrier, got.status, got.limit) == ("p", "cm", "in_use", 500)
    assert (got.desired, got.confirmed, got.command) == (2, 2, 4)


def test_generator_repeats_itself_and_holds_every_trouble():
    options = generate.Options(seed=5, cards=300, records=20000, start_ms=generate.month_start_ms())
    first = list(generate.stream(options, generate.fleet(options)[0]))
    assert first == list(generate.stream(options, generate.fleet(options)[0]))
    cards, references = generate.fleet(options)
    o = oracle.Oracle(int(generate.time.time() * 1e6))
    for _, m in references:
        o.reference(0, m)
    for offset, (partition, at, key, value) in enumerate(first):
        o.message("t", partition, offset, at, key, value)
    assert {"too_late", "future", "unknown_card", "malformed", "bad_volume"} <= set(o.dead_counts())
    assert 0.15 < o.duplicates / (o.counted + o.duplicates) < 0.25
    assert len({c for card in o.cards.values() for c in card.cycles}) >= 2
    assert sum(o.suspended(c) is True for c in o.cards.values()) > 20
