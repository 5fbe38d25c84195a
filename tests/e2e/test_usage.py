"""Usage by hour, day and cycle after traffic with late records: every window is what was sent, and sums agree at every level."""

import json
import random
import time
from datetime import datetime
from zoneinfo import ZoneInfo

import generate
from harness import procs
from harness.weir import run

ZONE = ZoneInfo("Asia/Shanghai")
CARDS = ["8986091000000000%04d" % n for n in range(12)]
FIELDS = ("up_bytes", "down_bytes", "records")


def ms_of(text):
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def window(span, end_ms):
    """Name of a record's window: its hour since 1970, its local day, its cycle."""
    if span == "hour":
        return end_ms // 3600000
    local = datetime.fromtimestamp(end_ms / 1000, ZONE)
    return local.strftime("%Y-%m-%d" if span == "day" else "%Y-%m")


def rows(config, subject, span, *args):
    code, out, err = run("usage", subject, "--by", span, "--json", "--config", config, *args)
    assert code == 0, err
    out = {}
    for row in json.loads(run("usage", subject, "--by", span, "--json", "--config", config, *args)[1])["windows"]:
        name = ms_of(row["start"]) // 3600000 if span == "hour" else row["day"] if span == "day" else row["cycle"]
        out[name] = [row[f] for f in FIELDS]
    return out


def total(values):
    return [sum(v[i] for v in values) for i in range(3)]


def test_windows_are_what_was_sent_and_add_up(world):
    """rule ROL-1, rule ROL-2, rule ROL-4, rule REC-5, rule REC-6, rule POOL-3"""
    w = world(settings={"flush": {"interval_ms": 200}})
    w.cards.references([
        (None, {"type": "plan", "id": "p", "carrier": "cm", "kind": "accumulative", "allowance": 10**12}),
        ("city-7", {"type": "pool", "id": "city-7", "carrier": "cm", "kind": "accumulative", "plan": "p"})] + [
        (i, {"type": "card", "iccid": i, "carrier": "cm", "plan": "p", "pool": "city-7"}) for i in CARDS])
    weir = w.weir().start()
    rng, now_ms, want = random.Random(3), int(time.time() * 1000), {}
    for n in range(6000):
        iccid = rng.choice(CARDS)
        sent_ms = now_ms - 30 * 3600000 + n * 30 * 3600000 // 6000
        end_ms = sent_ms - int(rng.random() * (40 * 3600000 if rng.random() < 0.1 else 60000))
        up, down = rng.randrange(10**6), rng.randrange(10**6)
        message = json.dumps({"id": "r%d" % n, "iccid": iccid, "up": up, "down": down, "end": end_ms}).encode()
        for _ in range(2 if rng.random() < 0.2 else 1):
            w.records.send(generate.partition_of(iccid, w.partitions), sent_ms, iccid.encode(), message)
        for span in ("hour", "day", "cycle"):
            sums = want.setdefault((iccid, span), {}).setdefault(window(span, end_ms), [0, 0, 0])
            for i, more in enumerate((up, down, 1)):
                sums[i] += more
    w.records.flush()
    w.wait_done(60)
    pool = {span: {} for span in ("hour", "day", "cycle")}
    for iccid in CARDS:
        got = {span: rows(weir.config, iccid, span, *(["--from", "3d"] if span == "hour" else [])) for span in pool}
        for span in pool:
            for name, sums in want[iccid, span].items():
                assert got[span][name] == sums, (iccid, span, name)
            assert total(got[span].values()) == total(want[iccid, span].values()), (iccid, span)
            for name, sums in got[span].items():
                pool[span][name] = total([pool[span].get(name, [0, 0, 0]), sums])
    for span in pool:
        def agrees():
            return rows(weir.config, "city-7", span, *(["--from", "3d"] if span == "hour" else []))
        procs.wait_for(lambda: agrees() == pool[span], 10, lambda: "%s: %s, expected %s" % (span, agrees(), pool[span]))
    check_export(weir, want)


def check_export(weir, want):
    """The same by export: a day's column of every card."""
    day = max(name for iccid in CARDS for name in want[iccid, "day"])
    code, out, err = run("export", "--config", weir.config, "--fields", "iccid", "--usage", "day", "--from", day, "--to", day,
                         "--usage-fields", "up_bytes,records")
    assert code == 0, err
    lines = [line.split(",") for line in out.replace("\r\n", "\n").splitlines()]
    assert lines[0] == ["iccid", day + " up_bytes", day + " records"]
    got = {line[0]: [int(line[1]), int(line[2])] for line in lines[1:]}
    for iccid in CARDS:
        sums = want[iccid, "day"].get(day, [0, 0, 0])
        assert got[iccid] == [sums[0], sums[2]], iccid
