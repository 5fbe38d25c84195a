"""weir's state read back from Redis: whole fleets by their pages (docs/formats.md, "Redis"), single cards in words.

Pages are unpacked with struct alone; an ICCID packed at six bits a character is base64 in another alphabet, which makes
a million cards a matter of seconds.
"""

import base64
import struct

_CARD = struct.Struct("<5Q3I3H2BI")
_TERMS = struct.Struct("<II3QHHB3xI2H16x4QHB29x")
_ENFORCEMENT = struct.Struct("<I4BHBBIqqqqqQQQQq48s112x")
_PAST = struct.Struct("<QQIIQ")
assert (_CARD.size, _TERMS.size, _ENFORCEMENT.size, _PAST.size) == (64, 128, 256, 32)

REASONS = ["plan_exhausted", "usage_limit", "pool_exhausted", "pool_threshold", "pool_frozen", "plan_expired", "manual",
           "device_change", "id_verification", "violation", "abnormal", "reset"]
STATUS = ["testable", "inactive", "in_use", "suspended", "deactivated", "cancelled"]
_OURS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_B64 = b"BCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijk"  # base64 characters of the values 1..36
_TO_B64 = bytes.maketrans(_OURS, _B64)
_FROM_B64 = bytes.maketrans(_B64 + b"A", _OURS + b" ")


def pack(iccid):
    """ICCID text as one 128-bit number, hi above lo."""
    return int.from_bytes(base64.b64decode(iccid.upper().encode().translate(_TO_B64).ljust(20, b"A")), "big") << 8


def unpack(number):
    return base64.b64encode((number >> 8).to_bytes(15, "big")).translate(_FROM_B64).decode().rstrip(" ")


class CardState:
    __slots__ = ("iccid", "partition", "slot", "up", "down", "records", "sessions", "cycle", "reasons", "plan", "carrier",
                 "status", "terms", "cycles", "desired", "confirmed", "command", "limit")


class Partition:
    """One partition's header and cards; with cards=False the header alone."""

    def __init__(self, redis, partition, prefix="weir", cards=True):
        self.base = "%s:{%d}:" % (prefix, partition)
        self.partition = partition
        self._redis = redis
        for tries in range(5, 0, -1):  # a flush between header and pages: slots that the header did not count yet
            self.header = {k.decode(): v.decode() for k, v in redis.hgetall(self.base + "h").items()}
            self.cards = {}
            try:
                if cards and self.header:
                    self._read()
                break
            except IndexError:
                if tries == 1:
                    raise

    def offset(self, topic):
        return int(self.header.get("o:" + topic, 0))

    def _pages(self, letter, count, per_page):
        keys = [self.base + "%s:%d" % (letter, i) for i in range((count + per_page - 1) // per_page)]
        for at in range(0, len(keys), 256):
            for i, page in enumerate(self._redis.mget(keys[at:at + 256])):
                yield at + i, page or b""

    def _slots(self, letter, header_field, shape):
        """Slots by number; the last of each page is never given out, so that numbers run ahead of their count."""
        per_page, out = 8192 // shape.size, []
        count = int(self.header.get(header_field, 0))
        for _, page in self._pages(letter, count + count // (per_page - 1) + 1, per_page):
            out.extend(shape.iter_unpack(page.ljust(8192, b"\0")))
        return out

    def _read(self):
        names = [n.decode() for n in self._redis.lrange(self.base + "n", 0, -1)]
        carriers = [n[2:] for n in names if n.startswith("c:")]
        plans = [n[2:] for n in names if n.startswith("p:")]
        terms = self._slots("t", "terms", _TERMS)
        enforcements = self._slots("e", "enforcements", _ENFORCEMENT)
        by_slot = {}
        for slot, c in enumerate(self._slots("c", "cards", _CARD)):
            if not c[0]:
                continue
            card = CardState()
            card.iccid, card.partition, card.slot = unpack(c[0] << 64 | c[1]), self.partition, slot
            card.up, card.down, card.records, card.sessions, card.cycle = c[2], c[3], c[5], c[6], c[8]
            card.reasons = {REASONS[b] for b in range(12) if c[9] >> b & 1} if c[9] else set()
            card.plan = plans[c[10] - 1] if c[10] else None
            card.carrier = carriers[c[11] - 1] if c[11] else None
            card.status = STATUS[c[12] & 7]
            card.terms = terms[c[13] - 1] if c[13] else None
            card.limit = card.terms[2] if card.terms and card.terms[2] != 2**64 - 1 else None
            card.desired = card.confirmed = card.command = 0
            if card.terms and card.terms[1]:
                e = enforcements[card.terms[1] - 1]
                card.desired, card.confirmed, card.command = e[1], e[2], e[3]
            card.cycles = {c[8]: [c[2], c[3], c[5]]} if c[5] or c[2] or c[3] else {}
            by_slot[slot] = self.cards[card.iccid] = card
        self._read_past(by_slot)

    def _read_past(self, by_slot):
        for key in self._redis.scan_iter(match=self.base.replace("{", "\\{") + "y:*", count=10000):
            cycle, page = (int(x) for x in key.decode().rsplit("y:", 1)[1].split(":"))
            raw = self._redis.get(key) or b""
            raw = raw.ljust((len(raw) + 31) // 32 * 32, b"\0")
            for i, (up, down, records, _, _) in enumerate(_PAST.iter_unpack(raw)):
                card = by_slot.get(page * 256 + i)
                if not (records or up or down) or card is None:
                    continue
                if cycle in card.cycles:
                    raise AssertionError("card %s: cycle %d both current and past" % (card.iccid, cycle))
                card.cycles[cycle] = [up, down, records]


def read(redis, partitions, prefix="weir"):
    """{ICCID: CardState} of all partitions; a card in two of them is an error."""
    out = {}
    for number in range(partitions):
        cards = Partition(redis, number, prefix).cards
        both = out.keys() & cards.keys()
        assert not both, "cards in two partitions: %s" % sorted(both)[:5]
        out.update(cards)
    return out


def offsets(redis, partitions, topic, prefix="weir"):
    return [int(redis.hget("%s:{%d}:h" % (prefix, p), "o:" + topic) or 0) for p in range(partitions)]


def words(redis, iccid, prefix=None):
    """A card as `FCALL_RO weir_card` tells it: a dict of words, empty when it is not known."""
    args = ["FCALL_RO", "weir_card", 0, iccid] + ([prefix] if prefix else [])
    flat = [w.decode() for w in redis.execute_command(*args)]
    return dict(zip(flat[::2], flat[1::2]))


def pool_words(redis, pool):
    """A pool as `FCALL_RO weir_pool` tells it."""
    flat = [w.decode() for w in redis.execute_command("FCALL_RO", "weir_pool", 0, pool)]
    return dict(zip(flat[::2], flat[1::2]))


def pool_differences(oracle, redis):
    """Where a pool's sums and reasons in Redis are not what the oracle adds up (POOL-1, POOL-6)."""
    out = []
    for name, pool in oracle.pools.items():
        got, total = pool_words(redis, name), oracle.pool_total(pool)
        want = {
            "cards": str(len(pool.members)), "effective_cards": str(sum(c.status == "in_use" for c in pool.members)),
            "used_bytes": str(oracle.pool_used(pool)), "total_bytes": "none" if total is None else str(total),
            "reasons": ",".join(r for r in REASONS if r in oracle.pool_reasons(pool)) or "none"}
        out += ["pool %s: %s %s, expected %s" % (name, k, got.get(k), v) for k, v in want.items() if got.get(k) != v]
    return out


def differences(oracle, cards, most=20, reasons=True):
    """Where weir's state is not what the oracle says, in words; empty when all is equal."""
    out = []
    for iccid, want in oracle.cards.items():
        got = cards.get(iccid)
        if got is None:
            out.append("card %s is missing" % iccid)
        else:
            if got.cycles != {k: v for k, v in want.cycles.items()}:
                out.append("card %s (partition %d, carrier %s): cycles %s, expected %s" % (
                    iccid, got.partition, got.carrier, got.cycles, want.cycles))
            if reasons and got.reasons != oracle.reasons(want):
                out.append("card %s: reasons %s, expected %s (usage %d, plan %s, limit %s)" % (
                    iccid, sorted(got.reasons), sorted(oracle.reasons(want)), oracle.usage(want), want.plan, want.own_limit))
            if (got.carrier, got.plan) != (want.carrier, want.plan):
                out.append("card %s: carrier and plan %s, expected %s" % (
                    iccid, (got.carrier, got.plan), (want.carrier, want.plan)))
        if len(out) >= most:
            break
    for iccid in cards.keys() - oracle.cards.keys():
        out.append("card %s should not be known" % iccid)
        if len(out) >= most:
            break
    return out[:most]
