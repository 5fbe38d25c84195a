"""Bad input is data: each bad thing gets its dead letter with coordinates and raw bytes, its neighbours are counted.

Where docs/formats.md leaves the choice between two reasons, either is accepted.
"""

import json
import time

import pytest

import generate
from harness import weir as weir_module

A, B = "89860000000000000001", "8986010000000000983S"
PLAN = {"type": "plan", "id": "p", "carrier": "cm", "kind": "single", "allowance": 10**15}


def good(n, **more):
    m = {"id": "g%s" % n, "iccid": A, "up": 1, "down": 0, "end": int(time.time() * 1000) - 1000, **more}
    return {k: v for k, v in m.items() if v is not ...}


def text(m):
    return json.dumps(m).encode()


def raw(**parts):
    """A good record with members replaced by raw JSON text."""
    m = {"id": '"%s"' % abs(hash(str(parts))), "iccid": '"%s"' % A, "up": "1", "down": "0", "end": str(int(time.time() * 1000) - 1000)}
    m.update(parts)
    return ("{" + ",".join('"%s":%s' % (k, v) for k, v in m.items() if v is not None) + "}").encode()


HUGE = str(2**64)
CATALOGUE = [  # name, value, reasons (empty: must be counted), bytes counted
    ("empty", b"", {"malformed"}),
    ("truncated", text(good("t"))[:-5], {"malformed"}),
    ("not utf-8", b'{"id":"\xff\xfe"}', {"malformed"}),
    ("utf-16", text(good("u")).decode().encode("utf-16"), {"malformed"}),
    ("nul bytes", b"\0" * 64, {"malformed"}),
    ("deep arrays", b"[" * 100000, {"malformed"}),
    ("deep and closed", b'{"id":"d","x":' + b"[" * 50000 + b"]" * 50000 + b"}", {"malformed"}),
    ("trailing words", text(good("w")) + b" and more", {"malformed"}),
    ("NaN", raw(up="NaN"), {"malformed"}),
    ("leading zero", raw(up="007"), {"malformed"}),
    ("control character", b'{"id":"a\x01b"}', {"malformed"}),
    ("single quotes", b"{'id':'x'}", {"malformed"}),
    ("a number", b"17", {"malformed", "bad_field"}),
    ("a string", b'"text"', {"malformed", "bad_field"}),
    ("null", b"null", {"malformed", "bad_field"}),
    ("no JSON but magic", b"WRP1" + b"\1\0\0\0" + bytes(8), {"malformed"}),
    ("iccid short", raw(iccid='"898600000000000000"'), {"bad_iccid"}),
    ("iccid long", raw(iccid='"898600000000000000011"'), {"bad_iccid"}),
    ("iccid with space", raw(iccid='"8986 000000000000001"'), {"bad_iccid"}),
    ("iccid with NUL", raw(iccid='"8986000000000000000\\u0000"'), {"bad_iccid"}),
    ("iccid number", raw(iccid="89860000000000000001"), {"bad_iccid"}),
    ("iccid empty", raw(iccid='""'), {"bad_iccid", "no_card"}),
    ("iccid object", raw(iccid='{"a":1}'), {"bad_iccid"}),
    ("unknown card", raw(iccid='"89869999999999999999"'), {"unknown_card"}),
    ("no identity", raw(id=None), {"no_identity"}),
    ("identity null", raw(id="null"), {"no_identity"}),
    ("identity empty", raw(id='""'), {"no_identity", "bad_field"}),
    ("identity float", raw(id="1.5"), {"no_identity", "bad_field"}),
    ("session without seq", raw(id=None, session='"s"'), {"no_identity"}),
    ("seq negative", raw(id=None, session='"s"', seq="-1"), {"no_identity", "bad_field"}),
    ("seq 2^63", raw(id=None, session='"s"', seq=str(2**63)), {"no_identity", "bad_field"}),
    ("no volumes", raw(up=None, down=None), {"bad_volume"}),
    ("volume negative", raw(up="-1"), {"bad_volume"}),
    ("volume 2^56", raw(up=str(2**56)), {"bad_volume"}),
    ("volume 2^64", raw(down=HUGE), {"bad_volume"}),
    ("volume 1e400", raw(down="1e400"), {"bad_volume", "malformed"}),
    ("volume fraction", raw(up="1.5"), {"bad_volume"}),
    ("volume text", raw(up='"12"'), {"bad_volume"}),
    ("volume bool", raw(up="true"), {"bad_volume"}),
    ("no end", raw(end=None), {"bad_time"}),
    ("end 30 February", raw(end='"2026-02-30T00:00:00Z"'), {"bad_time"}),
    ("end hour 24", raw(end='"2026-01-01T24:00:01Z"'), {"bad_time"}),
    ("end month 13", raw(end='"2026-13-01T00:00:00Z"'), {"bad_time"}),
    ("end without zone", raw(end='"2026-01-01T00:00:00"'), {"bad_time"}),
    ("end negative", raw(end="-1"), {"bad_time", "too_late"}),
    ("end 2^63", raw(end=str(2**63)), {"bad_time", "future"}),
    ("end far future", raw(end='"9999-12-31T23:59:59Z"'), {"future", "bad_time"}),
    ("end text", raw(end='"yesterday"'), {"bad_time"}),
    ("end long ago", raw(end='"1970-01-01T00:00:00Z"'), {"too_late"}),
    ("start impossible", raw(start='"2026-99-01T00:00:00Z"'), {"bad_time"}),
    ("imei letters", raw(imei='"86000000000000x"'), {"bad_field"}),
    ("imei short", raw(imei='"8600"'), {"bad_field"}),
    ("event unknown", raw(event='"explode"'), {"bad_field"}),
    ("imei absent", raw(imei="null"), set()),
    ("unknown members", raw(x='{"a":[1,2,{"b":null}]}', y='"\\ud83d\\ude00"'), set()),
    ("repeated member", raw(up='"x","up":1'), set()),
    ("white space", b" \r\n\t" + raw(apn='"w"') + b"\n \n", set()),
    ("lower-case letters", raw(iccid='"%s"' % B.lower()), set()),
    ("letters", raw(iccid='"%s"' % B), set()),
    ("end with offset", raw(end='"%s+08:00"' % time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 8 * 3600 - 60))), set()),
]


def start(world, **how):
    w = world(partitions=1, **how)
    w.cards.references([(None, PLAN)] + [(i, {"type": "card", "iccid": i, "carrier": "cm", "plan": "p"}) for i in (A, B)])
    return w


def test_poison_catalogue(world):
    """rule REC-7"""
    w = start(world)
    now = int(time.time() * 1000)
    sent = {}
    for n, (name, value, reasons) in enumerate(CATALOGUE):
        w.records.send(0, now, A.encode(), text(good(n)))
        sent[w.records.ends[0]] = (name, value, reasons)
        w.records.send(0, now, A.encode(), value)
    w.records.send(0, now, A.encode(), text(good("last")))
    w.records.flush()
    weir = w.weir().start()
    w.wait_done(30)
    dead, wrong = w.dead(), []
    for offset, (name, value, reasons) in sent.items():
        got = dead.pop((w.records.topic, 0, offset, 0), None)
        if (got or "counted") not in (reasons or {"counted"}):
            wrong.append("%s: %s, expected %s" % (name, got or "counted", sorted(reasons) or "counted"))
    for key, reason in dead.items():
        wrong.append("good record %s: %s" % (key, reason))
    assert wrong == []
    cards = w.state()
    counted = sum(not r for _, _, r in CATALOGUE)
    assert sum(c.records for c in cards.values()) == len(CATALOGUE) + 1 + counted
    for key, value, headers in w.dead_rows:
        assert {"reason", "text", "topic", "partition", "offset", "element"} <= headers.keys()
        assert key == A.encode() and (value or b"") == sent[int(headers["offset"])][1], headers
    assert weir.stop() == 0


def test_elements_and_lines_fail_alone(world):
    """rule REC-7: arrays and lines; the raw bytes are the element's."""
    w = start(world)
    now = int(time.time() * 1000)
    bad = text(good("x", up=-1))
    w.records.send(0, now, A.encode(), b"[" + text(good(1)) + b", " + bad + b"," + text(good(2)) + b"]")
    w.records.send(0, now, A.encode(), text(good(3)) + b"\n" + bad + b"\n{broken\n" + text(good(4)) + b"\n")
    w.records.send(0, now, A.encode(), b"[]")
    w.records.send(0, now, A.encode(), b"[" + text(good(5)) + b", {]")       # no valid JSON: nothing counts
    w.records.send(0, now, None, text(good(6, iccid=...)))                     # no key, no ICCID
    w.records.send(0, now, A.encode(), text(good(7, iccid=...)))               # the key names the card
    w.records.send(0, now, b"someone", text(good(8, iccid=...)))
    w.records.flush()
    w.weir().start()
    w.wait_done(30)
    topic = w.records.topic
    assert w.dead() == {(topic, 0, 0, 1): "bad_volume", (topic, 0, 1, 1): "bad_volume", (topic, 0, 1, 2): "malformed",
                        (topic, 0, 3, 0): "malformed", (topic, 0, 4, 0): "no_card", (topic, 0, 6, 0): "no_card"}
    by_place = {(int(h["offset"]), int(h["element"])): v for _, v, h in w.dead_rows}
    assert by_place[(0, 1)] == bad and by_place[(1, 1)] == bad and by_place[(1, 2)] == b"{broken"
    assert w.state()[A].records == 5


def test_large_messages(world):
    """10 MB of records count; above lane.message_max_bytes a message is too_large; the partition goes on."""
    w = start(world, settings={"lane": {"message_max_bytes": 12000000}})
    now = int(time.time() * 1000)
    pad = "x" * 400
    many = [good("m%d" % i, apn=None, note=pad) for i in range(20000)]
    w.records.send(0, now, A.encode(), text(many))
    assert len(w.records.sent[0][4]) > 9000000
    w.records.send(0, now, A.encode(), b'{"id":"' + b"y" * 13000000)
    w.records.send(0, now, A.encode(), text(good("after")))
    w.records.flush()
    w.weir().start()
    w.wait_done(60)
    assert w.dead() == {(w.records.topic, 0, 1, 0): "too_large"}
    assert w.state()[A].records == 20001


BAD_REFERENCES = [
    ("no JSON", b"{", {"bad_reference"}), ("no type", b"{}", {"bad_reference"}),
    ("unknown type", b'{"type":"spoon"}', {"bad_reference"}),
    ("an array", b"[]", {"bad_reference"}), ("empty", b"", {"bad_reference"}),
    ("zone unknown", text({"type": "carrier", "id": "zz", "zone": "Mars/Base", "cycle_day": 1}), {"bad_reference"}),
    ("zone hostile", text({"type": "carrier", "id": "zz", "zone": "../../etc/passwd", "cycle_day": 1}), {"bad_reference"}),
    ("cycle day 29", text({"type": "carrier", "id": "zz", "zone": "UTC", "cycle_day": 29}), {"bad_reference"}),
    ("allowance negative", text({**PLAN, "allowance": -1}), {"bad_reference"}),
    ("allowance 0", text({**PLAN, "allowance": 0}), {"bad_reference"}),
    ("kind unknown", text({**PLAN, "kind": "elastic"}), {"bad_reference"}),
    ("card without ICCID", text({"type": "card", "carrier": "cm"}), {"bad_reference"}),
    ("card with a short ICCID", text({"type": "card", "iccid": "8986", "carrier": "cm"}), {"bad_reference"}),
    ("limit 0", text({"type": "card", "iccid": A, "limit": 0}), {"bad_reference"}),
    ("limit text", text({"type": "card", "iccid": A, "limit": "1"}), {"bad_reference"}),
    ("status unknown", text({"type": "card", "iccid": A, "status": "asleep"}), {"bad_reference"}),
    ("carrier unknown", text({"type": "card", "iccid": "89860000000000000077", "carrier": "nobody"}), {"bad_reference"}),
    ("plan of another carrier", text({"type": "card", "iccid": "89860000000000000078", "carrier": "cu", "plan": "p"}), {"bad_reference"}),
    ("action unknown", text({"type": "request", "iccid": A, "action": "dance"}), {"bad_request"}),
    ("limit missing", text({"type": "request", "iccid": A, "action": "limit"}), {"bad_request"}),
    ("add-on missing", text({"type": "request", "iccid": A, "action": "addon"}), {"bad_request"}),
    ("request for an unknown card", text({"type": "request", "iccid": "89869999999999999999", "action": "suspend"}),
     {"unknown_card", "bad_request"}),
]


def test_bad_reference_data(world):
    """Contradictions and nonsense in weir.cards go to the dead letters; what was right stays in force."""
    w = start(world)
    now, sent = int(time.time() * 1000), {}
    for name, value, reasons in BAD_REFERENCES:
        sent[w.cards.ends[0]] = (name, reasons)
        w.cards.send(0, now, A.encode(), value)
    w.cards.flush()
    w.records.send(0, now, A.encode(), text(good(1)))
    w.records.flush()
    w.weir().start()
    w.wait_done(30)
    dead = w.dead()
    wrong = []
    for offset, (name, reasons) in sent.items():
        got = dead.pop((w.cards.topic, 0, offset, 0), "accepted")
        if got not in reasons:
            wrong.append("%s: %s, expected %s" % (name, got, sorted(reasons)))
    assert (wrong, dead) == ([], {})
    cards = w.state()
    assert cards[A].records == 1 and cards[A].status == "in_use" and set(cards) == {A, B}


def test_missing_topics_are_named(world):
    w = start(world)
    missing = w.name + ".nowhere"
    weir = w.weir(topics={"cards": missing}).start(ready_s=0)
    code = weir.wait_exit(60)
    weir.child = None
    assert code != 0 and code >= 0 and missing in weir.text(), weir.text()


@pytest.mark.parametrize("key,section", [("typo", {"kafka": {"broker": "x"}}), ("range", {"flush": {"interval_ms": 1}}),
                                         ("type", {"lane": {"count": "many"}})])
def test_wrong_settings_are_named(world, key, section):
    w = start(world)
    weir = w.weir(**section)
    code, _, err = weir_module.run("run", "--config", weir.config)
    name = next(iter(next(iter(section.values()))))
    assert code == 3 and name in err and weir.config.rsplit("/", 1)[1] in err, (code, err)


def test_kafka_and_redis_unreachable(world):
    """Clear error and exit code, no endless wait; or a wait that says what it waits for."""
    from harness import procs
    w = start(world)
    code, _, err = weir_module.run("run", "--config", w.weir(kafka={"brokers": "127.0.0.1:%d" % procs.free_port()}).config)
    assert code == 4 and "127.0.0.1" in err, (code, err)
