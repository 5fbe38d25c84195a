"""A fleet and its traffic, from a seed: reference data, records with every kind of trouble, and a fast producer.

The same seed and options make the same messages. Messages are plain tuples (partition, timestamp_ms, key, value), in the
order in which they are sent; a Log keeps what was sent to a topic so that the oracle can be given all of it. A card's
partition is murmur2 of its ICCID, as Java's producers compute it and weir's own do, for all topics alike; a pool's, of its
id.
"""

import json
import random
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

# id: zone, cycle day, named after
CARRIERS = {
    "cm": ("Asia/Shanghai", 1, "start"), "cu": ("Asia/Shanghai", 27, "end"), "ct": ("Asia/Shanghai", 1, "start"),
    "al": ("Asia/Shanghai", 15, "start"), "overseas": ("America/New_York", 1, "start"),
}
PREFIX = {"cm": "898600", "cu": "898601", "ct": "898603", "al": "898630", "overseas": "8901"}
MB = 1000000


def murmur2(data):
    """Kafka's murmur2 (org.apache.kafka.common.utils.Utils)."""
    h, m, mask = 0x9747b28c ^ len(data), 0x5bd1e995, 0xffffffff
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at:at + 4], "little") * m & mask
        h = (h * m ^ (k ^ k >> 24) * m) & mask
    if len(data) > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def partition_of(key, partitions):
    return (murmur2(key if isinstance(key, bytes) else key.encode()) & 0x7fffffff) % partitions


@dataclass
class Options:
    seed: int = 1
    cards: int = 20000
    records: int = 1000000
    partitions: int = 4
    start_ms: int = 0            # Kafka time of the first record
    span_ms: int = 3 * 3600000   # and how long the stream lasts in it
    duplicates: float = 0.20
    late: float = 0.03
    too_late: float = 0.001
    future: float = 0.001
    unknown: float = 0.001
    poison: float = 0.001
    arrays: float = 0.02         # messages that hold several records
    mean_bytes: int = MB
    scale: float = 1.0           # limits and allowances against the mean usage: small ones are reached early


@dataclass
class CardPlan:
    iccid: str
    carrier: str
    kind: str                    # id, seq, totals
    key: bytes = b""
    partition: int = 0
    seq: int = 0
    session: int = 0
    up_total: int = 0
    down_total: int = 0
    held: list = field(default_factory=list)


def month_start_ms(zone="Asia/Shanghai", hours=14, span_ms=3 * 3600000):
    """An instant some hours after the newest month boundary that leaves room for span_ms before now."""
    now = datetime.now(ZoneInfo(zone))
    start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    at = int((start + timedelta(hours=hours)).timestamp() * 1000)
    if at + span_ms > time.time() * 1000:
        start = (start - timedelta(days=1)).replace(day=1)
        at = int((start + timedelta(hours=hours)).timestamp() * 1000)
    return at


def iccid(carrier, number):
    """19 or 20 characters; one in seven carries a letter."""
    head = PREFIX[carrier]
    body = str(number).rjust((20 if number % 5 else 19) - len(head), "0")
    return head + (body if number % 7 else body[:-1] + "ABCDEFSXYZ"[number % 10])


def fleet(o):
    """(cards, reference messages as (key or None for all partitions, dict))."""
    rng = random.Random(o.seed)
    references = [(None, {"type": "carrier", "id": c, "zone": z, "cycle_day": d, "cycle_named_after": n, "mb_bytes": 1048576})
                  for c, (z, d, n) in CARRIERS.items()]
    mean = max(1, int(o.scale * o.mean_bytes * max(1, o.records // max(1, o.cards))))
    for c in CARRIERS:
        for tier, share in (("s", 0.5), ("m", 1.5), ("l", 20)):
            plan = {"type": "plan", "id": "%s_%s" % (c, tier), "carrier": c, "kind": "single",
                    "allowance": max(1, int(mean * share))}
            if tier == "l":
                plan["limit"] = max(1, int(mean * 0.9))
            references.append((None, plan))
        references.append((None, {"type": "plan", "id": "%s_p" % c, "carrier": c, "kind": "metered", "allowance": 0}))
    cards, names = [], list(CARRIERS)
    for n in range(o.cards):
        carrier = rng.choice(names)
        card = CardPlan(iccid(carrier, n), carrier, rng.choices(("id", "seq", "totals"), (60, 25, 15))[0])
        card.key = card.iccid.encode()
        card.partition = partition_of(card.key, o.partitions)
        cards.append(card)
        m = {"type": "card", "iccid": card.iccid, "carrier": carrier, "plan": "%s_%s" % (carrier, rng.choice("smlpp"))}
        if rng.random() < 0.2:
            m["limit"] = max(1, int(mean * rng.uniform(0.3, 2)))
        if rng.random() < 0.02:
            m["status"] = "deactivated"
        references.append((card.iccid, m))
    return cards, references


_seconds = {}


def iso(ms):
    s = ms // 1000
    text = _seconds.get(s)
    if text is None:
        if len(_seconds) > 500000:
            _seconds.clear()
        text = _seconds[s] = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(s))
    return "%s.%03dZ" % (text, ms % 1000)


POISON = [b'{"id":"x","iccid":', b"", b"\xff\xfe\x00", b'{"id":"p1","iccid":"%s","end":"2026-13-45T00:00:00Z","up":1,"down":1}',
          b'{"id":"p2","iccid":"%s","end":1,"up":-5,"down":1}', b'{"id":"p3","iccid":"8986 0000000000000","up":1,"end":1}',
          b'{"iccid":"%s","up":1,"end":1}', b"[" * 5000, b'{"id":"p4","iccid":"%s","up":18446744073709551616,"end":1}']


def _record(card, number, up, down, end_ms):
    """JSON of a card's next record."""
    if card.kind == "id":
        return b'{"id":"%d-%d","iccid":"%s","start":"%s","end":"%s","up":%d,"down":%d,"imei":"860000000000001","apn":"iot","rat":"LTE","plmn":"46000","event":"update"}' % (
            number, number * 7919 % 1000003, card.key, iso(end_ms - 300000).encode(), iso(end_ms).encode(), up, down)
    if card.kind == "seq":
        if card.seq >= 500:
            card.session, card.seq = card.session + 1, 0
        card.seq += 1
        return b'{"iccid":"%s","session":"%d-%s","end":"%s","up":%d,"down":%d,"event":"update","seq":%d}' % (
            card.key, card.session, card.key[-6:], iso(end_ms).encode(), up, down, card.seq)
    event = b"update"
    if card.up_total > 30 * MB:
        card.up_total = card.down_total = 0
        event = b"start"
    card.up_total += up + 1
    card.down_total += down
    return b'{"iccid":"%s","session":"t-%s","end":"%s","up_total":%d,"down_total":%d,"event":"%s"}' % (
        card.key, card.key[-6:], iso(end_ms).encode(), card.up_total, card.down_total, event)


def stream(o, cards):
    """The records' messages, in order; o.records of them count elements that are sent, bad ones included."""
    rng = random.Random(o.seed * 1000003 + 1)
    rnd, randrange = rng.random, rng.randrange
    recent, history = [], []
    sent = number = 0
    bad = o.too_late + o.future + o.unknown + o.poison
    while sent < o.records:
        now_ms = o.start_ms + sent * o.span_ms // o.records
        dice = rnd()
        if dice < o.duplicates and recent:
            pool = history if dice < o.duplicates * 0.1 else recent
            p, key, value, count = pool[randrange(len(pool))]
            yield p, now_ms, key, value
            sent += count
            continue
        card = cards[int(rnd() * len(cards))]
        number += 1
        dice, count = rnd(), 1
        up, down = int(rnd() * o.mean_bytes * 0.4), int(rnd() * o.mean_bytes * 1.6)
        if dice < bad and card.kind == "id":
            yield (card.partition, now_ms, card.key, _bad(o, rng, card, number, now_ms, dice))
            sent += 1
            continue
        end_ms = now_ms - int(rnd() * 60000)
        if card.kind != "totals" and dice > 1 - o.late:
            end_ms = now_ms - int(3600000 * (1 + rnd() * 39))
        if card.kind == "id" and bad <= dice < bad + o.arrays:
            count = randrange(2, 8)
            parts = [_record(card, number * 1000 + i, up // count, down // count, end_ms) for i in range(count)]
            value = b"[" + b",".join(parts) + b"]" if number & 1 else b"\n".join(parts)
        else:
            value = _record(card, number, up, down, end_ms)
        if card.kind != "id":
            if card.held:                                  # what was held back comes after its successor
                for old in card.held:
                    yield card.partition, now_ms, card.key, old
                    sent += 1
                card.held = []
            elif rnd() < 0.1 and b'"start"' not in value:
                card.held = [value]
                continue
        row = (card.partition, card.key, value, count)
        if card.kind != "totals" or b'"start"' not in value:
            if len(recent) < 20000:
                recent.append(row)
            else:
                recent[randrange(20000)] = row
            if number % 50 == 0:
                history.append(row)
                if not o.duplicates:
                    history.clear()
        if not history:
            history = [row]
        yield card.partition, now_ms, card.key, value
        sent += count
    for card in cards:
        for old in card.held:
            yield card.partition, o.start_ms + o.span_ms, card.key, old
        card.held = []


def _bad(o, rng, card, number, now_ms, dice):
    if dice < o.too_late:
        return _record(card, number, 1000, 1000, now_ms - int(3600000 * (50 + rng.random() * 200)))
    if dice < o.too_late + o.future:
        return _record(card, number, 1000, 1000, now_ms + int(600000 + rng.random() * 86400000))
    if dice < o.too_late + o.future + o.unknown:
        return _record(card, number, 1, 1, now_ms).replace(card.key, b"8999" + card.key[4:])
    value = POISON[rng.randrange(len(POISON))]
    return value % card.key if b"%s" in value else value


class Log:
    """Sends messages to a topic, partition by partition in order, and remembers them with their offsets."""

    def __init__(self, brokers, topic, partitions):
        from confluent_kafka import Producer
        self.topic, self.partitions = topic, partitions
        self.sent = []      # (partition, offset, timestamp_ms, key, value)
        self.ends = [0] * partitions
        self._producer = Producer({
            "bootstrap.servers": brokers, "enable.idempotence": True, "linger.ms": 10, "batch.num.messages": 10000,
            "queue.buffering.max.messages": 500000, "queue.buffering.max.kbytes": 262144,
            "message.max.bytes": 20000000, "log_level": 0})

    def send(self, partition, timestamp_ms, key, value):
        while True:
            try:
                self._producer.produce(self.topic, value, key, partition, timestamp=timestamp_ms)
                break
            except BufferError:
                self._producer.poll(0.05)
        self.sent.append((partition, self.ends[partition], timestamp_ms, key, value))
        self.ends[partition] += 1

    def send_all(self, messages, rate=None, stop=None):
        """Sends them, at most `rate` a second, until `stop` (an event) is set; then flushes."""
        began = time.monotonic()
        for n, (partition, timestamp_ms, key, value) in enumerate(messages):
            self.send(partition, timestamp_ms, key, value)
            if n & 255 == 0:
                self._producer.poll(0)
                if stop is not None and stop.is_set():
                    break
                if rate and n / rate > time.monotonic() - began:
                    time.sleep(max(0, n / rate - (time.monotonic() - began)))
        self.flush()

    def flush(self):
        left = self._producer.flush(120)
        if left:
            raise RuntimeError("%d messages to %s were not acknowledged" % (left, self.topic))

    def reference(self, key, message):
        """One message of weir.cards: to every partition when key is None. Returns nothing; see feed()."""
        value = message if isinstance(message, bytes) else json.dumps(message).encode()
        now = int(time.time() * 1000)
        if key is None:
            for p in range(self.partitions):
                self.send(p, now, None, value)
        else:
            self.send(partition_of(key, self.partitions), now, key.encode(), value)

    def references(self, rows):
        for key, message in rows:
            self.reference(key, message)
        self.flush()

    def tell_records(self, oracle):
        for partition, offset, timestamp_ms, key, value in self.sent:
            oracle.message(self.topic, partition, offset, timestamp_ms, key, value)

    def tell_references(self, oracle):
        for partition, _, _, _, value in self.sent:
            oracle.reference(partition, value)
