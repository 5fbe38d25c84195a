"""The oracle: what weir must have counted and decided, computed from everything that was sent.

Written from the rules (REC, CYC, SUS, POOL) and docs/formats.md alone; shares no code with the product and does everything the
slow, plain way: one dictionary a card, every identity remembered. It reads messages in each partition's order. Reference
data and requests are taken before the records, because the result must not depend on how the two topics interleave.

Where the rules leave a choice, the oracle takes this one, and generated input stays clear of the rest:
- lateness and skew are judged against the partition's highest Kafka timestamp, this message's included (never above now);
- a repeated identity is a duplicate whatever its volumes say; a total not above its session's is an old record;
- a `start` restarts a session's totals when it ends after every record of that session seen before;
- a limit set to what it is already is no change, so that it stays lifted;
- an operator's resume lifts the usage limit for the cycle whether or not it had been reached;
- cards stay in the pool in which they are told first, and pools keep their definition.
"""

import bisect
import json
import re
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

VOLUME_LIMIT = 1 << 56
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ICCID = re.compile(r"[0-9A-Za-z]{19,20}\Z")
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):?(\d\d))\Z")
_IMEI = re.compile(r"[0-9]{14,16}\Z")
SHIPPED = {  # CYC-1
    "cm": ("Asia/Shanghai", 1, False), "ct": ("Asia/Shanghai", 1, False), "cu": ("Asia/Shanghai", 27, True),
}
UNSUPPORTED = {"cm": ({"usage_limit"}, set()), "cu": ({"usage_limit"}, set())}  # SUS-4: outside and inside pools


class Calendar:
    """Cycle numbers of one carrier (CYC-1, CYC-2)."""

    def __init__(self, zone, cycle_day=1, named_after_end=False):
        self._zone = ZoneInfo(zone)
        self._day = cycle_day
        self._shift = 1 if named_after_end else 0
        self._starts = [int((self._start(m) - _EPOCH) / timedelta(microseconds=1)) for m in range(0, 12 * 131)]

    def _start(self, month):
        # fold=0 reads a skipped midnight with the offset before the change: the instant of the change itself
        return datetime(1970 + month // 12, month % 12 + 1, self._day, tzinfo=self._zone).astimezone(timezone.utc)

    def cycle(self, at_us):
        return bisect.bisect_right(self._starts, at_us) - 1 + self._shift

    def window(self, cycle):
        return self._starts[cycle - self._shift], self._starts[cycle - self._shift + 1]


_calendars = {}


def calendar(zone, day, named_after_end):
    key = (zone, day, named_after_end)
    if key not in _calendars:
        _calendars[key] = Calendar(*key)
    return _calendars[key]


_days = {}


def _day_s(text):
    at = _days.get(text)
    if at is None:
        try:
            at = int((datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=timezone.utc) - _EPOCH).total_seconds())
        except ValueError:
            at = -1
        _days[text] = at
    return at


def time_us(value):
    """ISO 8601 text or integer milliseconds as microseconds UTC; None when it is neither."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value * 1000 if 0 <= value < 1 << 53 else None
    m = _ISO.match(value) if isinstance(value, str) else None
    if not m:
        return None
    day = _day_s(m[1])
    hour, minute, second = int(m[2]), int(m[3]), int(m[4])
    if day < 0 or hour > 23 or minute > 59 or second > 59:
        return None
    at = (day + hour * 3600 + minute * 60 + second) * 1000000 + int((m[5] or "0").ljust(6, "0")[:6])
    if m[6]:
        if int(m[7]) > 23 or int(m[8]) > 59:
            return None
        east = (int(m[7]) * 3600 + int(m[8]) * 60) * (1 if m[6] == "+" else -1)
        at -= east * 1000000
    return at


class Record:
    __slots__ = ("iccid", "identity", "session", "totals", "up", "down", "end_us", "start", "imei14")


def decode(element, key_iccid):
    """(Record, None) or (None, reason)."""
    get = element.get
    iccid = get("iccid")
    if iccid is None:
        if key_iccid is None:
            return None, "no_card"
        iccid = key_iccid
    elif not isinstance(iccid, str) or not _ICCID.match(iccid):
        return None, "bad_iccid"
    r = Record()
    r.iccid = iccid.upper()
    session, seq, ident = get("session"), get("seq"), get("id")
    up, down, ut, dt = get("up"), get("down"), get("up_total"), get("down_total")
    r.totals = up is None and down is None and (ut is not None or dt is not None)
    if r.totals:
        up, down = ut, dt
    r.session = session if isinstance(session, str) and session else None
    if ident is not None and ident != "":
        if isinstance(ident, bool) or not isinstance(ident, (str, int)) or (isinstance(ident, int) and ident < 0):
            return None, "no_identity"
        r.identity = str(ident)
    elif r.session and isinstance(seq, int) and not isinstance(seq, bool) and 0 <= seq < 1 << 63 and not r.totals:
        r.identity = (r.session, seq)
    elif r.session and r.totals:
        r.identity = None
    else:
        return None, "no_identity"
    if up is None and down is None:
        return None, "bad_volume"
    for v in (up, down):
        if v is not None and (type(v) is not int or not 0 <= v < VOLUME_LIMIT):
            return None, "bad_volume"
    r.up, r.down = up or 0, down or 0
    r.end_us = time_us(get("end"))
    if r.end_us is None:
        return None, "bad_time"
    if get("start") is not None and time_us(get("start")) is None:
        return None, "bad_time"
    event = get("event")
    if event is not None and event not in ("start", "update", "stop"):
        return None, "bad_field"
    r.start = event == "start"
    imei = get("imei")
    if imei is not None and (not isinstance(imei, str) or not _IMEI.match(imei)):
        return None, "bad_field"
    r.imei14 = imei and imei[:14]
    return r, None


def _no_constant(text):
    raise ValueError(text)


def _json(data):
    return json.loads(data.decode("utf-8"), parse_constant=_no_constant)


def elements(value):
    """The elements of a message as (index, object or None where a line or the message is not valid JSON)."""
    if value:
        try:
            whole = _json(value)
            return list(enumerate(whole)) if isinstance(whole, list) else [(0, whole)]
        except (ValueError, RecursionError):
            pass
        lines = [line for line in value.split(b"\n") if line.strip()]
        if len(lines) > 1:
            out = []
            for line in lines:
                try:
                    one = _json(line)
                    out += one if isinstance(one, list) else [one]
                except (ValueError, RecursionError):
                    out.append(None)
            if any(o is not None for o in out):
                return list(enumerate(out))
    return [(0, None)]


class Card:
    __slots__ = ("iccid", "partition", "carrier", "plan", "status", "own_limit", "auto_restore", "manual", "lifted",
                 "addons", "addon_ids", "cycles", "seen", "sessions", "pool")

    def __init__(self, iccid, partition):
        self.iccid, self.partition = iccid, partition
        self.carrier = self.plan = self.own_limit = self.lifted = self.pool = None
        self.status, self.auto_restore, self.manual = "in_use", True, False
        self.addons, self.addon_ids = {}, set()
        self.cycles = {}    # cycle -> [up, down, records]
        self.seen = set()
        self.sessions = {}  # session -> [up total, down total, newest end, identities of starts]


class Pool:
    """A pool as it was told (POOL-1, POOL-5); its members know it, and what they used is added up when it is asked for."""

    def __init__(self, name):
        self.name, self.definition, self.members = name, None, []
        self.addons, self.addon_ids, self.frozen, self.known = {}, set(), False, None


class Oracle:
    def __init__(self, now_us, horizon_h=48, skew_s=300):
        self.now_us = now_us
        self._horizon_us, self._skew_us = horizon_h * 3600 * 1000000, skew_s * 1000000
        self.carriers, self.plans, self.cards, self.pools = dict(SHIPPED), {}, {}, {}
        self.unsupported = dict(UNSUPPORTED)
        self.stream_us = {}   # partition -> stream time
        self.dead = []        # (topic, partition, offset, element, reason)
        self.counted = self.duplicates = self.told = 0

    # Reference data and requests: messages of weir.cards that are valid.
    def reference(self, partition, message):
        m = json.loads(message) if isinstance(message, (bytes, str)) else message
        self.told += 1
        if m["type"] == "carrier":
            zone, day, named = self.carriers.get(m["id"], ("UTC", 1, False))
            named = m["cycle_named_after"] == "end" if "cycle_named_after" in m else named
            self.carriers[m["id"]] = (m.get("zone", zone), m.get("cycle_day", day), named)
            lacks = m.get("unsupported") or {}
            self.unsupported[m["id"]] = (set(lacks.get("single") or ()), set(lacks.get("pooled") or ()))
        elif m["type"] == "plan":
            self.plans[m["id"]] = m
        elif m["type"] == "card":
            self._card(partition, m)
        elif m["type"] == "pool":
            self.pool(m["id"]).definition = m
        elif m["type"] == "request" and "pool" in m:
            self._pool_request(self.pool(m["pool"]), m)
        elif m["type"] == "request":
            self._request(m)

    def pool(self, name):
        return self.pools.setdefault(name, Pool(name))

    def _pool_request(self, pool, m):
        if m["action"] in ("freeze", "paid"):
            pool.frozen = m["action"] == "freeze"
        elif m["action"] == "addon" and (m.get("id") is None or m["id"] not in pool.addon_ids):
            pool.addon_ids.add(m.get("id"))
            now = self.pool_cycle(pool)
            pool.addons[now] = pool.addons.get(now, 0) + m["bytes"]

    def _card(self, partition, m):
        card = self.cards.setdefault(m["iccid"].upper(), Card(m["iccid"].upper(), partition))
        card.carrier = m.get("carrier", card.carrier)
        card.plan = m["plan"] if "plan" in m else card.plan
        card.status = m.get("status", card.status)
        card.auto_restore = m.get("auto_restore", card.auto_restore)
        if m.get("pool") and card.pool is None:
            card.pool = self.pool(m["pool"])
            card.pool.members.append(card)
        if "limit" in m:
            self._limit(card, m["limit"])

    def _limit(self, card, limit):
        if limit != card.own_limit:
            card.own_limit, card.lifted = limit, None

    def _request(self, m):
        card = self.cards.get(m["iccid"].upper())
        if card is None:
            return
        action, now = m["action"], self.cycle_now(card)
        if action == "suspend":
            card.manual = True
        elif action == "resume":
            card.manual, card.lifted = False, now
        elif action == "limit":
            self._limit(card, m["limit"])
            card.auto_restore = m.get("auto_restore", card.auto_restore)
        elif m.get("id") is None or m["id"] not in card.addon_ids:
            card.addon_ids.add(m.get("id"))
            card.addons[now] = card.addons.get(now, 0) + m["bytes"]

    def calendar_of(self, card):
        return calendar(*self.carriers.get(card.carrier, ("UTC", 1, False)))

    def cycle_now(self, card):
        return self.calendar_of(card).cycle(self.now_us)

    # Records.
    def message(self, topic, partition, offset, timestamp_ms, key, value):
        stream = max(self.stream_us.get(partition, 0), min(timestamp_ms * 1000, self.now_us))
        self.stream_us[partition] = stream
        key_text = key.decode("latin-1") if key else ""
        key_iccid = key_text if _ICCID.match(key_text) else None
        for index, element in elements(value):
            reason = self._element(element, key_iccid, stream)
            if reason:
                self.dead.append((topic, partition, offset, index, reason))

    def _element(self, element, key_iccid, stream):
        if not isinstance(element, dict):
            return "malformed"
        record, reason = decode(element, key_iccid)
        if reason:
            return reason
        return self.record(record, stream)

    def record(self, r, stream):
        card = self.cards.get(r.iccid)
        if card is None:
            return "unknown_card"
        if r.end_us > stream + self._skew_us:
            return "future"
        if r.end_us < stream - self._horizon_us:
            return "too_late"
        if r.identity is not None:
            if r.identity in card.seen:
                self.duplicates += 1
                return None
            card.seen.add(r.identity)
        up, down = r.up, r.down
        if r.totals:
            delta = self._delta(card, r)
            if delta is None:
                self.duplicates += 1
                return None
            up, down = delta
        cycle = card.cycles.setdefault(self.calendar_of(card).cycle(r.end_us), [0, 0, 0])
        cycle[0] += up
        cycle[1] += down
        cycle[2] += 1
        self.counted += 1
        return None

    @staticmethod
    def _delta(card, r):
        state = card.sessions.get(r.session)
        if state is None:
            card.sessions[r.session] = [r.up, r.down, r.end_us]
            return r.up, r.down
        if r.start and r.end_us > state[2]:
            delta = r.up, r.down
        elif (r.up > state[0] or r.down > state[1]) and r.up >= state[0] and r.down >= state[1]:
            delta = r.up - state[0], r.down - state[1]
        else:
            return None
        card.sessions[r.session] = [r.up, r.down, max(state[2], r.end_us)]
        return delta

    # Enforcement, at now.
    def usage(self, card):
        up, down, _ = card.cycles.get(self.cycle_now(card), (0, 0, 0))
        return up + down

    def reasons(self, card):
        out, now, used = set(), self.cycle_now(card), self.usage(card)
        plan = self.plans.get(card.plan) if card.plan else None
        if plan and plan.get("kind") == "single" and used >= plan["allowance"] + card.addons.get(now, 0):
            out.add("plan_exhausted")
        limit = card.own_limit if card.own_limit is not None else (plan or {}).get("limit")
        if limit is not None and used >= limit and card.lifted != now:
            out.add("usage_limit")
        if card.manual:
            out.add("manual")
        if card.pool is not None and card.status == "in_use":
            out |= self.pool_reasons(card.pool)
        return out

    def suspended(self, card):
        """Whether the carrier must have the card cut off (SUS-4); None where no command is sent (LIFE-6)."""
        if card.status in ("deactivated", "cancelled"):
            return None
        return bool(self.reasons(card) - self.unsupported.get(card.carrier, (set(), set()))[card.pool is not None])

    # Pools, at now: sums over what their members used.
    def pool_cycle(self, pool):
        return calendar(*self.carriers[pool.definition["carrier"]]).cycle(self.now_us)

    def pool_used(self, pool):
        now = self.pool_cycle(pool)
        return sum(sum(card.cycles.get(now, (0, 0, 0))[:2]) for card in pool.members)

    def pool_total(self, pool):
        """None = it has none."""
        kind, addons = pool.definition["kind"], pool.addons.get(self.pool_cycle(pool), 0)
        if kind == "accumulative":
            active = sum(card.status == "in_use" for card in pool.members)
            return active * self.plans[pool.definition["plan"]]["allowance"] + addons
        return pool.definition["total"] + addons if kind == "fixed" else None

    def pool_reasons(self, pool):
        key = (self.counted, self.told)  # asked for each member, added up once
        if pool.known is None or pool.known[0] != key:
            pool.known = key, self._pool_reasons(pool)
        return pool.known[1]

    def _pool_reasons(self, pool):
        if pool.definition is None:
            return set()
        out, used, total, threshold = set(), self.pool_used(pool), self.pool_total(pool), pool.definition.get("threshold")
        if total is not None and used >= total:
            out.add("pool_exhausted")
        if threshold is not None and pool.definition.get("threshold_action") == "suspend" and used >= threshold:
            out.add("pool_threshold")
        if pool.frozen:
            out.add("pool_frozen")
        return out

    def dead_counts(self):
        out = {}
        for row in self.dead:
            out[row[4]] = out.get(row[4], 0) + 1
        return out
