"""Hours, days and cycles of cards and pools, and the three feeds, against sums made here from the records that were sent.

The sums know nothing of weir: a record's hour, local day and cycle come from zoneinfo, its pool from the phase in which it
was sent. In between weir is killed, a card changes its pool, and records come for hours that were told long ago.
"""

import json
import random
import time
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import generate
from harness import procs
from harness.weir import run
from schemas import check_rows

HOUR_MS = 3600000
# zone, first day of the cycle, named after the month in which it ends
CARRIERS = {"cm": ("Asia/Shanghai", 1, False), "cu": ("Asia/Shanghai", 27, True), "us": ("America/New_York", 1, False)}
POOLS = {"city-7": "cm", "city-8": "cm", "fleet-us": "us", "meters": "cu"}
SPANS = ("hour", "day", "cycle")


def iso(ms):
    return datetime.fromtimestamp(ms / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (ms % 1000)


def windows_of(carrier, end_ms):
    """{span: (name, start in ms, end in ms)} of an instant."""
    zone, first, after_end = CARRIERS[carrier]
    zone = ZoneInfo(zone)
    local = datetime.fromtimestamp(end_ms / 1000, zone)
    midnight = datetime(local.year, local.month, local.day, tzinfo=zone)
    tomorrow = midnight.date() + timedelta(days=1)
    begun = local if local.day >= first else local.replace(day=1) - timedelta(days=1)
    ends = (begun.replace(day=1) + timedelta(days=31)).replace(day=1)
    named = ends if after_end else begun

    def ms(year, month, day):
        return int(datetime(year, month, day, tzinfo=zone).timestamp() * 1000)
    hour = end_ms // HOUR_MS * HOUR_MS
    return {"hour": (hour, hour, hour + HOUR_MS),
            "day": (local.strftime("%Y-%m-%d"), ms(*midnight.timetuple()[:3]), ms(*tomorrow.timetuple()[:3])),
            "cycle": (named.strftime("%Y-%m"), ms(begun.year, begun.month, first), ms(ends.year, ends.month, first))}


class Sums:
    """What was sent: {subject: {span: {window's name: [up, down, records, sessions]}}}."""

    def __init__(self):
        self.of, self.bounds, self.touched = {}, {}, set()

    def add(self, subject, carrier, end_ms, more):
        for span, (name, start, end) in windows_of(carrier, end_ms).items():
            sums = self.of.setdefault(subject, {}).setdefault(span, {}).setdefault(name, [0, 0, 0, 0])
            for i, amount in enumerate(more):
                sums[i] += amount
            self.bounds[subject, span, name] = (start, end)
            self.touched.add((subject, span, name))


class Fleet:
    def __init__(self, world, seed):
        self.w, self.rng, self.sums, self.number, self.sent = world, random.Random(seed), Sums(), 0, []
        self.cards = {}
        for n in range(24):
            carrier = ("cm", "cm", "us", "cu")[n % 4]
            pool = {"cm": "city-7" if n % 8 < 4 else "city-8", "us": "fleet-us", "cu": "meters"}[carrier]
            self.cards["89860920000000%05d" % n] = [carrier, pool if n % 3 else None]
        rows = [(None, {"type": "carrier", "id": "us", "zone": "America/New_York"})]
        for carrier in CARRIERS:
            kind = "metered" if carrier != "cm" else "accumulative"
            rows += [(None, {"type": "plan", "id": "p-" + carrier, "carrier": carrier, "kind": kind, "allowance": 10**12}),
                     (None, {"type": "plan", "id": "s-" + carrier, "carrier": carrier, "kind": "single", "allowance": 10**12})]
        for pool, carrier in POOLS.items():
            rows.append((pool, {"type": "pool", "id": pool, "name": "Pool “%s”" % pool, "carrier": carrier, "plan": "p-" + carrier,
                                "kind": "metered" if carrier != "cm" else "accumulative", "batches": ["B1", "B2"]}))
        world.cards.references(rows + [(i, self.card(i)) for i in self.cards])

    def card(self, iccid):
        carrier, pool = self.cards[iccid]
        plan = ("p-" if pool else "s-") + carrier
        return {"type": "card", "iccid": iccid, "carrier": carrier, "plan": plan, "pool": pool}

    def record(self, iccid, sent_ms, end_ms):
        carrier, pool = self.cards[iccid]
        up, down, start = self.rng.randrange(10**6), self.rng.randrange(10**7), self.rng.random() < 0.3
        record = {"id": "r%d" % self.number, "iccid": iccid, "up": up, "down": down, "end": end_ms}
        if start:
            record["event"] = "start"
        self.number += 1
        for _ in range(2 if self.rng.random() < 0.1 else 1):
            self.w.records.send(generate.partition_of(iccid, self.w.partitions), sent_ms, iccid.encode(), json.dumps(record).encode())
        for subject in (iccid, pool):
            if subject:
                self.sums.add(subject, carrier, end_ms, (up, down, 1, int(start)))

    def traffic(self, count, from_ms, to_ms, late):
        """Records sent from from_ms to to_ms; some are late, by up to a day."""
        for n in range(count):
            sent = from_ms + (to_ms - from_ms) * n // count
            end = sent - int(self.rng.random() * (24 * HOUR_MS if self.rng.random() < late else 60000))
            self.record(self.rng.choice(list(self.cards)), sent, end)
        self.w.records.flush()


def usage(weir, subject, span):
    """{window's name: [up, down, records, sessions]} as `weir usage` shows them, and {name: (start, end)}."""
    more = ["--from", "3d"] if span == "hour" else []
    code, out, err = run("usage", subject, "--by", span, "--json", "--config", weir.config, *more)
    assert code == 0, err
    rows, bounds = {}, {}
    for row in json.loads(out)["windows"]:
        start, end = [int(datetime.fromisoformat(row[m].replace("Z", "+00:00")).timestamp() * 1000) for m in ("start", "end")]
        name = {"hour": start, "day": row.get("day"), "cycle": row["cycle"]}[span]
        rows[name] = [row[m] for m in ("up_bytes", "down_bytes", "records", "sessions")]
        bounds[name] = (start, end)
    return rows, bounds


def add_up(values):
    return [sum(v[i] for v in values) for i in range(4)]


def reader_differences(weir, sums):
    """Windows of the reader that are not what was sent, and sums that do not agree (rule ROL-2)."""
    out = []
    for subject, spans in sums.of.items():
        got = {span: usage(weir, subject, span) for span in SPANS}
        for span in SPANS:
            for name in got[span][0].keys() | spans[span].keys():
                want = spans[span].get(name, [0, 0, 0, 0])
                if got[span][0].get(name) != want:
                    out.append("%s %s %s: %s, sent %s" % (subject, span, name, got[span][0].get(name), want))
                elif name in spans[span] and got[span][1][name] != sums.bounds[subject, span, name]:
                    out.append("%s %s %s is %s" % (subject, span, name, got[span][1][name]))
        hours, days, cycles = [got[span] for span in SPANS]
        oldest = min(start for start, _ in hours[1].values())
        for day, (start, end) in days[1].items():
            inside = [hours[0][h] for h in hours[0] if start <= h < end]
            if start >= oldest and add_up(inside) != days[0][day]:
                out.append("%s %s: hours make %s, the day has %s" % (subject, day, add_up(inside), days[0][day]))
        first = min(start for start, _ in days[1].values())
        for cycle, (start, end) in cycles[1].items():
            inside = [days[0][d] for d in days[0] if start <= days[1][d][0] < end]
            if start >= first and add_up(inside) != cycles[0][cycle]:
                out.append("%s %s: days make %s, the cycle has %s" % (subject, cycle, add_up(inside), cycles[0][cycle]))
    return out


def feed(world, which):
    """{key: its rows in the order of the log}. A sink keeps the one with the highest revision."""
    out = {}
    for key, value, _ in world.read_topic(which):
        out.setdefault(key.decode(), []).append(json.loads(value))
    return out


def newest(rows):
    return max(rows, key=lambda row: row["revision"])


def numbers(row):
    return [row[m] for m in ("up", "down", "records", "sessions")]


def feed_differences(world, sums, fleet):
    """Rows of windows that have ended that are missing, wrong or not complete."""
    ended, out = (int(time.time() * 1000) - 3000) // 900000 * 900000, []
    feeds = {which: feed(world, which) for which in ("pool_hourly", "pool_daily", "card_daily")}
    for (subject, span, name), (start, end) in sums.bounds.items():
        pool = subject in POOLS
        if end > ended or span == "cycle" or (span == "hour" and not pool):
            continue
        rows = feeds["card_daily" if not pool else "pool_hourly" if span == "hour" else "pool_daily"].get(
            "%s|%s" % (subject, iso(start)))
        want = sums.of[subject][span][name]
        if rows is None:
            out.append("%s %s %s: no row" % (subject, span, name))
            continue
        row = newest(rows)
        if numbers(row) != want or not row["complete"] or (row["start"], row["end"]) != (iso(start), iso(end)):
            out.append("%s %s %s: %s, sent %s" % (subject, span, name, row, want))
        if span == "day" and row["day"] != name:
            out.append("%s %s: called %s" % (subject, name, row["day"]))
        if row["zone"] != CARRIERS[POOLS[subject] if pool else fleet.cards[subject][0]][0]:
            out.append("%s %s: zone %s" % (subject, name, row["zone"]))
    return out


def until_none(differences, timeout_s):
    last = []

    def none():
        last[:] = differences()
        return not last
    procs.wait_for(none, timeout_s, lambda: "%d differences:\n%s" % (len(last), "\n".join(last[:12])), 0.5)


def test_windows_and_feeds(world):
    """rule ROL-1, rule ROL-2, rule ROL-3, rule ROL-4, rule REC-5, rule REC-6, rule POOL-3, rule POOL-6"""
    w = world(settings={"flush": {"interval_ms": 200}, "rollups": {"grace_s": 1, "wait_s": 3600}})
    fleet = Fleet(w, 11)
    weir = w.weir(kafka={"instance": "one"}).start()
    now = int(time.time() * 1000)
    fleet.traffic(1500, now - 46 * HOUR_MS, now - 20 * HOUR_MS, 0.05)
    weir.kill()  # with what it has read and not stored
    weir.start(ready_s=0)
    fleet.traffic(1500, now - 20 * HOUR_MS, now - 60000, 0.1)
    time.sleep(0.3)
    weir.kill()
    procs.wait_for(lambda: started(weir), 30, "weir to start again")
    w.wait_done(60)
    until_none(lambda: reader_differences(weir, fleet.sums), 20)
    until_none(lambda: feed_differences(w, fleet.sums, fleet), 40)
    members_are_their_pool(fleet)

    # hours that were told long ago: each row again, with a higher revision, complete as before (rule REC-6, rule ROL-3)
    before = {which: {k: newest(rows) for k, rows in feed(w, which).items()} for which in ("pool_hourly", "pool_daily", "card_daily")}
    moved = next(i for i, (_, pool) in fleet.cards.items() if pool == "city-7")
    fleet.cards[moved][1] = "city-8"
    w.cards.references([(moved, fleet.card(moved))])
    w.wait_done(30)
    fleet.sums.touched.clear()
    now = int(time.time() * 1000)
    for iccid in fleet.cards:
        for _ in range(3):
            fleet.record(iccid, now, now - int(fleet.rng.uniform(2, 44) * HOUR_MS))
    w.records.flush()
    w.wait_done(60)
    until_none(lambda: reader_differences(weir, fleet.sums), 20)
    until_none(lambda: feed_differences(w, fleet.sums, fleet), 40)
    restated = 0
    for which, was in before.items():
        for key, rows in feed(w, which).items():
            revisions = [row["revision"] for row in rows]
            assert which != "card_daily" or len(set(revisions)) == len(revisions), (key, revisions)
            if key in was and numbers(newest(rows)) != numbers(was[key]):
                restated += 1
                assert newest(rows)["revision"] > was[key]["revision"] and newest(rows)["complete"], (key, rows)
    assert restated > len(fleet.cards), restated
    check_rows({which: [row for rows in feed(w, which).values() for row in rows] for which in before})
    print("%d records, %d windows, %d restated rows" % (fleet.number, len(fleet.sums.bounds), restated))


def started(weir):
    """As a supervisor starts it: a join that a killed process left behind may fence the next one out."""
    try:
        weir.start()
        return True
    except RuntimeError:
        if "Static consumer fenced" not in weir.text(since_start=True):
            raise
        return False


def members_are_their_pool(fleet):
    """While no card has moved: a pool's window is the sum of its members' (rule ROL-2). Both were compared with weir's above."""
    for pool in POOLS:
        for span in SPANS:
            for name, sums in fleet.sums.of[pool][span].items():
                members = [fleet.sums.of[i][span][name] for i, (_, of) in fleet.cards.items()
                           if of == pool and name in fleet.sums.of[i][span]]
                assert add_up(members) == sums


def keys_of(w, letters):
    """Windows that Redis holds strings of, of all partitions."""
    return {int(key.split(b":")[3]) for key in w.redis.client().scan_iter(match="weir:{*}:%s:*" % letters, count=10000)}


def test_what_is_not_kept_is_removed(world):
    """rule ROL-1: windows beyond the settings' retention are deleted from Redis, and what is asked of them is refused."""
    w = world(settings={"flush": {"interval_ms": 50}, "dedupe": {"horizon_h": 1},
                        "rollups": {"grace_s": 0, "card_hours_days": 2, "pool_hours_days": 3, "day_cycles": 1}})
    w.cards.references([
        (None, {"type": "plan", "id": "p", "carrier": "cm", "kind": "metered"}),
        ("q", {"type": "pool", "id": "q", "carrier": "cm", "kind": "metered", "plan": "p"}),
        ("89860930000000000001", {"type": "card", "iccid": "89860930000000000001", "carrier": "cm", "plan": "p", "pool": "q"}),
        ("89860930000000000002", {"type": "card", "iccid": "89860930000000000002", "carrier": "cm"})])
    weir = w.weir().start()
    now, sent = int(time.time() * 1000), [0]

    def record(number, at):
        iccid = "8986093000000000000%d" % number
        w.records.send(generate.partition_of(iccid, w.partitions), at, iccid.encode(),
                       json.dumps({"id": "x%d" % sent[0], "iccid": iccid, "up": 5, "down": 6, "end": at}).encode())
        w.records.flush()
        sent[0] += 1
        w.wait_done(30)
    hour_now = now // HOUR_MS
    record(2, now - 100 * 24 * HOUR_MS)
    assert keys_of(w, "wh") == {hour_now - 2400}
    old_day = keys_of(w, "wd")
    assert len(old_day) == 1
    for hours in (90, 60, 30, 20):
        record(1, now - hours * HOUR_MS)
    kept = {"wh": 48, "vh": 27, "xh": 27}

    def gone():
        record(1, int(time.time() * 1000))
        record(2, int(time.time() * 1000))
        old = {letters: [n for n in keys_of(w, letters) if n < hour_now - hours - 1] for letters, hours in kept.items()}
        old["wd"] = list(keys_of(w, "wd") & old_day)
        gone.last = {letters: numbers for letters, numbers in old.items() if numbers}
        return not gone.last
    procs.wait_for(gone, 90, lambda: "old windows to go: %s" % gone.last, 0.05)
    assert {hour_now - 30, hour_now - 20} <= keys_of(w, "wh")
    for subject, hours, words in (("89860930000000000001", 50, "to: hours are kept from"), ("q", 75, "to: hours are kept from")):
        until = datetime.fromtimestamp(now / 1000 - hours * 3600, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        code, out, err = run("usage", subject, "--by", "hour", "--to", until, "--config", weir.config)
        assert code != 0 and words in err, (code, out, err)
