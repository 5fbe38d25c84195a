#!/usr/bin/python3
"""A stand-in for `weir serve`: the console's files, and a small fleet that is the same in every run.

It answers as docs/api.md says, so that what the console shows can be tested, and photographed, to the pixel; the same
pages are tested against weir itself in tests/e2e. Requests change the fleet as weir would, in the simplest way. The clock
stands still at NOW; the browser's is set to the same.

Usage: fake_server.py [PORT]; prints the address it listens on.
"""

import base64
import datetime
import json
import mimetypes
import os
import random
import re
import sys
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from zoneinfo import ZoneInfo

CONSOLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "pipeline", "http", "console")
UTC = datetime.timezone.utc
NOW = datetime.datetime(2026, 11, 21, 8, 56, 0, tzinfo=UTC)
TOKENS = {"read-token": ("dashboard", "read"), "operate-token": ("mei", "operate")}
CSP = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
       "form-action 'none'; frame-ancestors 'none'")
MIB = 1048576
GIB = 1024 * MIB
CARRIERS = {  # zone, cycle day, MB, reasons that it does not enforce on single cards
    "cm": ("Asia/Shanghai", 1, MIB, ["usage_limit"]),
    "cu": ("Asia/Shanghai", 27, MIB, ["usage_limit"]),
    "ct": ("Asia/Shanghai", 1, MIB, []),
    "overseas": ("UTC", 1, 1000000, []),
}
STATUSES = ["testable", "inactive", "in_use", "suspended", "deactivated", "cancelled"]
REASONS = ["plan_exhausted", "usage_limit", "pool_exhausted", "pool_threshold", "pool_frozen", "plan_expired", "manual",
           "device_change", "id_verification", "violation", "abnormal", "reset"]


def iso(t):
    return t.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (t.microsecond // 1000)


def cycles(carrier, back=0):
    """Start, end and name of the current cycle, or of one so many before it."""
    zone, day = ZoneInfo(CARRIERS[carrier][0]), CARRIERS[carrier][1]
    local = NOW.astimezone(zone)
    months = local.year * 12 + local.month - 1 - back - (1 if local.day < day else 0)
    start = datetime.datetime(months // 12, months % 12 + 1, day, tzinfo=zone)
    end = datetime.datetime((months + 1) // 12, (months + 1) % 12 + 1, day, tzinfo=zone)
    named = start if day == 1 else end
    return start, end, "%04d-%02d" % (named.year, named.month)


def volume(used, rng):
    up = used * rng.randint(8, 24) // 100
    records = used // 2500000 + (1 if used else 0)
    return {"up_bytes": up, "down_bytes": used - up, "used_bytes": used, "records": records, "sessions": (records + 11) // 12}


class Fleet:
    def __init__(self, cards=620, pools=68):
        self.rng = random.Random(20261121)
        self.pools, self.cards, self.commands, self.audit, self.requests, self.bulks = {}, {}, {}, {}, {}, {}
        self.ticket = 4100
        for i in range(pools):
            self.add_pool(i)
        for i in range(cards):
            self.add_card(i)
        for pool in self.pools.values():
            self.sum_up(pool)
        self.special()

    # ---- making it ----

    def add_pool(self, i):
        rng = self.rng
        carrier = ["cm", "cm", "ct", "cu", "overseas"][i % 5]
        kind = ["accumulative", "fixed", "metered"][(i * 7) % 3]
        where = ["Metering", "Fleet tracking", "Vending", "Street lights", "Elevators", "Bike share", "Cold chain", "Payment terminals"][i % 8]
        city = ["Shenzhen", "Hangzhou", "Chengdu", "Wuhan", "Berlin", "Nanjing"][i % 6]
        start, end, name = cycles(carrier)
        pool_id = "%s-%s-%03d" % (carrier, kind[:3], i + 1)
        self.pools[pool_id] = {
            "id": pool_id, "name": "%s %s" % (where, city), "kind": kind, "status": "in_use", "carrier": carrier,
            "plan": "%s-%s" % (carrier, {"accumulative": "pool-1g", "fixed": "fixed", "metered": "metered"}[kind]),
            "cards": 0, "effective_cards": 0, "share": rng.betavariate(2.2, 1.6) * 1.04, "threshold_action": None,
            "addon_bytes": 10 * GIB if i % 9 == 4 and kind != "metered" else 0, "threshold_bytes": None, "reasons": [], "frozen": False,
            "arrears_since": None, "disabled_since": None, "retention_days": 30, "batches": ["2026-%02d-A%d" % (i % 9 + 1, i % 4)],
            "cycle": name, "cycle_start": iso(start), "cycle_end": iso(end), "zone": CARRIERS[carrier][0], "mb_bytes": CARRIERS[carrier][2],
            "changed": iso(NOW - datetime.timedelta(hours=i * 5 + 2)), "partition": i % 8}

    def add_card(self, i):
        rng = self.rng
        pooled = i % 4 != 0
        pool = list(self.pools.values())[i * 3 // 4 % len(self.pools)] if pooled else None
        carrier = pool["carrier"] if pool else ["cm", "ct", "cu", "overseas"][i // 4 % 4]
        iccid = {"cm": "8986002026", "cu": "8986012026", "ct": "8986112026", "overseas": "8988303026"}[carrier] + "%010d" % (i * 7919 + 31)
        start, end, name = cycles(carrier)
        status = rng.choices(["in_use", "inactive", "testable", "deactivated", "cancelled"], [80, 9, 6, 3, 2])[0]
        used = int(rng.lognormvariate(19.6, 1.1)) if status in ("in_use", "deactivated") else int(rng.random() * 4 * MIB) if status == "testable" else 0
        reasons, limit = [], 2 * GIB if i % 3 == 0 else None
        if limit and used >= limit:
            reasons.append("usage_limit")
        if status == "in_use" and i % 61 == 7:
            reasons.append(rng.choice(["manual", "device_change", "plan_expired", "id_verification", "abnormal"]))
        total = None if pooled else 4 * GIB
        if total and used >= total:
            reasons.append("plan_exhausted")
        bounds = [b for b in (limit, total) if b is not None]
        self.cards[iccid] = {
            "iccid": iccid, "status": status, "carrier": carrier, "plan": pool["plan"] if pool else carrier + "-4g-monthly", "pool": pool["id"] if pool else None,
            "cycle": name, **volume(used, rng), "last_record": iso(NOW - datetime.timedelta(seconds=rng.randint(20, 90000))) if used else None,
            "limit_bytes": limit, "total_bytes": total, "remaining_bytes": max(0, min(bounds) - used) if bounds else None, "reasons": sorted(reasons, key=REASONS.index),
            "not_enforced": [r for r in reasons if not pooled and r in CARRIERS[carrier][3]], "tags": [["meter"], ["vip", "north"], []][i % 3] if i % 5 == 0 else [],
            "remark": None, "stored_status": status, "plan_kind": pool["kind"] if pool else "single", "plan_allowance_bytes": GIB if pool else 4 * GIB,
            "cycle_start": iso(start), "cycle_end": iso(end), "zone": CARRIERS[carrier][0], "mb_bytes": CARRIERS[carrier][2],
            "activated": iso(NOW - datetime.timedelta(days=200 + i % 90)) if status in ("in_use", "deactivated") else None,
            "expires": iso(NOW + datetime.timedelta(days=165 - i % 90)) if status == "in_use" else None, "expired": False, "auto_registered": False,
            "test_used_bytes": used if status == "testable" else 0, "imei": "%014d" % (86000000000000 + i * 104729) if used else None, "metered_bytes": used,
            "limit_own": limit is not None, "limit_lifted": False, "auto_restore": True, "addon_bytes": 0, "command": None, "parent": None, "children": [],
            "children_used_bytes": None, "partition": i % 8, "slot": i}
        self.show(self.cards[iccid])

    def sum_up(self, pool):
        members = [c for c in self.cards.values() if c["pool"] == pool["id"]]
        pool["cards"] = len(members) * 31
        pool["effective_cards"] = sum(c["status"] in ("in_use", "suspended") for c in members) * 31
        total = pool["effective_cards"] * GIB + pool["addon_bytes"] if pool["kind"] == "accumulative" else 200 * GIB + pool["addon_bytes"]
        used = int(total * pool.pop("share"))
        pool.update(volume(used, self.rng))
        if pool["kind"] == "metered":
            pool.update(effective_total_bytes=None, remaining_bytes=None, threshold_bytes=total, threshold_action="suspend")
            over = "pool_threshold"
        else:
            pool.update(effective_total_bytes=total, remaining_bytes=total - used)
            over = "pool_exhausted"
        pool["judged_bytes"] = used
        if used >= total and total:
            pool["reasons"], pool["status"] = [over], "suspended"
            for c in members:
                if c["status"] in ("in_use", "suspended"):
                    c["reasons"] = sorted(set(c["reasons"]) | {over}, key=REASONS.index)
                    self.show(c)

    def special(self):
        """The cards and the pool that tests know by name."""
        base = {k: v for k, v in next(c for c in self.cards.values() if c["carrier"] == "cu" and c["pool"] is None and c["used_bytes"]).items()}
        start = cycles("cu")[0]
        used = 5 * GIB + 437 * MIB
        card = {**base, "iccid": "8986012026000000983S", **volume(used, random.Random(5)), "limit_bytes": 5 * GIB, "limit_own": True, "total_bytes": 5 * GIB + 256 * MIB, "addon_bytes": GIB + 256 * MIB,
                "plan_allowance_bytes": 4 * GIB, "metered_bytes": used, "remaining_bytes": 0, "reasons": ["plan_exhausted", "usage_limit", "device_change"], "not_enforced": ["usage_limit"], "tags": ["vip", "pump station"],
                "remark": "Pump station 7. Call the site before cutting it off.", "stored_status": "in_use", "imei": "86412300000017", "last_record": iso(NOW - datetime.timedelta(seconds=48)),
                "activated": iso(start - datetime.timedelta(days=300)), "expires": iso(NOW + datetime.timedelta(days=65))}
        self.cards[card["iccid"]] = card
        self.show(card)
        at = NOW - datetime.timedelta(minutes=52)
        def op(action, state, reason, when, took_ms, limit, before, after, over, ticket, reply=None):
            return {"action": action, "state": state, "reason": reason, "carrier": "cu", "ticket": ticket, "reply": reply, "topic": "weir.records" if reason != "manual" else "weir.cards", "partition": 3,
                    "offset": 918273 - int((NOW - when).total_seconds()), "limit_bytes": limit, "usage_before_bytes": before, "usage_after_bytes": after, "overshoot_bytes": over, "record": iso(when - datetime.timedelta(milliseconds=240)),
                    "decided": iso(when), "sent": iso(when + datetime.timedelta(milliseconds=3)), "accepted": iso(when + datetime.timedelta(milliseconds=90)),
                    "confirmed": iso(when + datetime.timedelta(milliseconds=took_ms)) if state == "confirmed" else None, "failed": iso(when + datetime.timedelta(milliseconds=took_ms)) if state == "failed" else None}
        self.commands[card["iccid"]] = [
            op("suspend", "confirmed", "plan_exhausted", at, 412, 5 * GIB + 256 * MIB, 5 * GIB + 251 * MIB, 5 * GIB + 263 * MIB, 7 * MIB, "U-77120394"),
            op("resume", "confirmed", None, at - datetime.timedelta(hours=20), 1380, None, 5 * GIB, 5 * GIB, 0, "U-77118211"),
            op("suspend", "failed", "manual", at - datetime.timedelta(hours=31), 30000, None, 4 * GIB, 4 * GIB, 0, None, "503 from the carrier; asked again"),
            op("suspend", "confirmed", "plan_exhausted", at - datetime.timedelta(hours=32), 655, 4 * GIB, 4 * GIB - 3 * MIB, 4 * GIB + 2 * MIB, 2 * MIB + 120000, "U-77112008")]
        card["command"] = {"state": "confirmed", "action": "suspend", "desired": "suspended", "confirmed": "suspended", "attempts": 1, "reason": "plan_exhausted", "ticket": "U-77120394", "topic": "weir.records", "partition": 3,
                           "offset": 915000, "record": iso(at), "decided": iso(at), "sent": iso(at), "confirmed_at": iso(at), "next_attempt": None, "limit_bytes": 5 * GIB + 256 * MIB, "usage_before_bytes": 0, "usage_after_bytes": 0, "overshoot_bytes": 7 * MIB}
        self.audit[card["iccid"]] = [self.entry(e, a, r, at + datetime.timedelta(milliseconds=ms)) for e, a, r, ms in
                                     [("confirmed", "suspend", "plan_exhausted", 412), ("accepted", "suspend", "plan_exhausted", 90), ("sent", "suspend", "plan_exhausted", 3), ("decided", "suspend", "plan_exhausted", 0), ("reason", None, "device_change", -4000)]]
        plain = {**base, "iccid": "89860120260000000017", "reasons": [], "not_enforced": [], "limit_bytes": None, "limit_own": False, "stored_status": "in_use", "tags": [], "remark": None, "total_bytes": 4 * GIB, **volume(1300 * MIB, random.Random(6))}
        plain["remaining_bytes"] = 4 * GIB - plain["used_bytes"]
        self.cards[plain["iccid"]] = plain
        self.show(plain)

    def entry(self, event, action, reason, at):
        return {"at": iso(at), "event": event, "action": action, "reason": reason, "reasons": ["plan_exhausted", "usage_limit", "device_change"], "rule": "SUS", "limit_bytes": 5 * GIB, "usage_before_bytes": 5 * GIB, "usage_after_bytes": 5 * GIB + 9 * MIB,
                "overshoot_bytes": 0, "topic": "weir.records", "partition": 3, "offset": 915421, "record": iso(at), "decided": iso(at), "sent": None, "confirmed": None, "carrier": "cu", "ticket": None, "reply": None}

    @staticmethod
    def show(card):
        """LIFE: a card in use is shown as suspended while an enforced reason holds."""
        cut = set(card["reasons"]) - set(card["not_enforced"])
        card["status"] = "suspended" if card["stored_status"] == "in_use" and cut else card["stored_status"]

    # ---- asking it ----

    def usage(self, thing, key, window):
        """Windows whose sum is the thing's usage of this cycle, with a shape that its id decides."""
        rng = random.Random(key + window)
        start, end, name = cycles(thing["carrier"])
        zone = ZoneInfo(CARRIERS[thing["carrier"]][0])
        if window == "cycle":
            out = []
            for back in range(6, -1, -1):
                s, e, n = cycles(thing["carrier"], back)
                out.append((s, e, n, thing["used_bytes"] if back == 0 else int(thing["used_bytes"] * rng.uniform(0.6, 1.3))))
            return [self.row(*w, rng) for w in out]
        if window == "hour":
            hours = 48 if "id" in thing else 24
            first = NOW.replace(minute=0, second=0) - datetime.timedelta(hours=hours - 1)
            weights = []
            for i in range(hours):
                t = first + datetime.timedelta(hours=i)
                local = t.astimezone(zone).hour
                weights.append((t, (0.25 + max(0, 1 - abs(local - 13) / 9)) * rng.uniform(0.75, 1.25) * (0.9 if i == hours - 1 else 1)))
            per = thing["used_bytes"] / 21 / 24
            return [self.row(t, t + datetime.timedelta(hours=1), name, int(per * w * 1.6), rng) for t, w in weights]
        out = []
        for back in (1, 0):
            s, e, n = cycles(thing["carrier"], back)
            days = []
            while s < min(e, NOW.astimezone(zone)):
                days.append(s)
                s = (s.replace(tzinfo=None) + datetime.timedelta(days=1)).replace(tzinfo=zone)
            weights = [rng.uniform(0.5, 1.3) * (0.6 if d.weekday() >= 5 else 1) for d in days]
            total = thing["used_bytes"] if back == 0 else int(thing["used_bytes"] * rng.uniform(0.75, 1.1))
            given = 0
            for i, d in enumerate(days):
                used = total - given if i == len(days) - 1 else int(total * weights[i] / sum(weights))
                given += used
                out.append(self.row(d, (d.replace(tzinfo=None) + datetime.timedelta(days=1)).replace(tzinfo=zone), n, used, rng, d.strftime("%Y-%m-%d")))
        return out

    @staticmethod
    def row(start, end, cycle, used, rng, day=None):
        row = {"start": iso(start), "end": iso(end)}
        if day:
            row["day"] = day
        return {**row, "cycle": cycle, "open": end > NOW, **volume(used, rng)}

    def summary(self):
        cards = list(self.cards.values())
        scale = 197  # a fleet of the size that operators have
        count = lambda test: sum(map(test, cards)) * scale
        return {
            "cards": len(cards) * scale, "pools": len(self.pools), "partitions": 8, "records_read": 918273645, "stream_time": iso(NOW - datetime.timedelta(milliseconds=380)),
            "counted_at": iso(NOW - datetime.timedelta(seconds=2)), "counted_cards": len(cards) * scale,
            "by_status": {s: count(lambda c: c["status"] == s) for s in STATUSES}, "by_reason": {r: count(lambda c: r in c["reasons"]) for r in REASONS},
            "by_carrier": {k: count(lambda c: c["carrier"] == k) for k in CARRIERS}, "with_reason": count(lambda c: bool(c["reasons"])), "not_enforced": count(lambda c: bool(c["not_enforced"])),
            "used_bytes": sum(c["used_bytes"] for c in cards) * scale, "nearest_pools": self.nearest()}

    def nearest(self):
        rows = [{**{k: p[k] for k in ("id", "kind", "status", "cards", "used_bytes")}, "limit_bytes": p["effective_total_bytes"] or p["threshold_bytes"]} for p in self.pools.values()]
        return sorted((r for r in rows if r["limit_bytes"]), key=lambda r: -r["used_bytes"] / r["limit_bytes"])[:10]

    # ---- changing it ----

    def apply(self, card, body):
        action, reasons = body["action"], set(card["reasons"])
        if action == "suspend":
            reasons.add("manual")
        elif action == "resume":
            card["limit_lifted"] = "usage_limit" in reasons or card["limit_lifted"]
            reasons -= {"manual", "usage_limit"}
        elif action == "limit":
            card.update(limit_bytes=body["limit"], limit_own=body["limit"] is not None, limit_lifted=False, auto_restore=body.get("auto_restore", True))
            (reasons.add if body["limit"] is not None and card["used_bytes"] >= body["limit"] else reasons.discard)("usage_limit")
        elif action == "addon":
            card["addon_bytes"] += body["bytes"]
            if card["total_bytes"] is not None:
                card["total_bytes"] += body["bytes"]
                if card["used_bytes"] < card["total_bytes"]:
                    reasons.discard("plan_exhausted")
        elif action == "reset":
            reasons.add("reset")
        elif action in ("deactivate", "cancel"):
            card["stored_status"] = {"deactivate": "deactivated", "cancel": "cancelled"}[action]
        was = card["status"]
        card["reasons"] = sorted(reasons, key=REASONS.index)
        card["not_enforced"] = [r for r in card["not_enforced"] if r in reasons]
        self.show(card)
        if card["status"] != was and "suspended" in (card["status"], was):
            self.ticket += 1
            verb = "suspend" if card["status"] == "suspended" else "resume"
            self.commands.setdefault(card["iccid"], []).insert(0, {
                "action": verb, "state": "confirmed", "reason": card["reasons"][0] if card["reasons"] else None, "carrier": card["carrier"], "ticket": "T-%d" % self.ticket, "reply": None, "topic": "weir.cards",
                "partition": 1, "offset": self.ticket, "limit_bytes": None, "usage_before_bytes": card["used_bytes"], "usage_after_bytes": card["used_bytes"], "overshoot_bytes": 0, "record": iso(NOW), "decided": iso(NOW), "sent": iso(NOW),
                "accepted": iso(NOW), "confirmed": iso(NOW + datetime.timedelta(milliseconds=210)), "failed": None})
        return card["reasons"]

    def apply_pool(self, pool, body):
        if body["action"] == "freeze":
            pool.update(frozen=True, reasons=sorted(set(pool["reasons"]) | {"pool_frozen"}), status="suspended", arrears_since=iso(NOW))
        elif body["action"] == "paid":
            pool.update(frozen=False, reasons=[r for r in pool["reasons"] if r != "pool_frozen"], status="in_use", arrears_since=None)
        elif body["action"] == "addon":
            pool["addon_bytes"] += body["bytes"]
            pool["effective_total_bytes"] += body["bytes"]
            pool["remaining_bytes"] += body["bytes"]
        return pool["reasons"]


class Answer(Exception):
    def __init__(self, status, body):
        super().__init__(status)
        self.status, self.body = status, body


def problem(status, code, detail, parameter=None):
    titles = {400: "Bad request", 401: "A token is needed", 403: "Not allowed", 404: "Not found"}
    body = {"type": "urn:weir:problem:" + code, "title": titles[status], "status": status, "detail": detail}
    return Answer(status, {**body, "parameter": parameter} if parameter else body)


def matches(card, q):
    words = lambda name: q[name].split(",")
    return (("status" not in q or card["status"] in words("status")) and ("reason" not in q or set(words("reason")) & set(card["reasons"]))
            and all(name not in q or card[name] == q[name] for name in ("carrier", "plan", "pool")) and ("tag" not in q or q["tag"] in card["tags"])
            and q.get("iccid_from", "") <= card["iccid"] <= q.get("iccid_to", "~"))


def listing(rows, q, member, key):
    at = int(base64.urlsafe_b64decode(q["cursor"] + "==").decode().split(":")[0]) if q.get("cursor") else 0
    limit = int(q.get("limit", 100))
    if not 1 <= limit <= 1000:
        raise problem(400, "bad-parameter", "limit: must be a number from 1 to 1000", "limit")
    more = at + limit < len(rows)
    cursor = base64.urlsafe_b64encode(("%d:%s" % (at + limit, key)).encode()).decode().rstrip("=")
    return {member: rows[at:at + limit], "looked_at": len(rows), "next": cursor if more else None}


ROW = ["iccid", "status", "carrier", "plan", "pool", "cycle", "up_bytes", "down_bytes", "used_bytes", "records", "sessions", "last_record", "limit_bytes", "total_bytes", "remaining_bytes", "reasons", "not_enforced", "tags", "remark", "mb_bytes"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fleet = Fleet()
    serial = 0

    def log_message(self, *args):
        pass

    def reply(self, status, body, content_type="application/json", headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in [("Content-Type", content_type), ("Content-Length", str(len(data))), ("X-Content-Type-Options", "nosniff"), *headers]:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def file(self, path):
        name = "index.html" if path == "/" else path[1:]
        full = os.path.join(CONSOLE, name)
        if not re.fullmatch(r"[a-z_]+\.[a-z]+", name) or not os.path.exists(full):
            raise problem(404, "no-such-path", "there is no such path; /v1/openapi lists them")
        kind = {"js": "text/javascript"}.get(name.split(".")[-1]) or mimetypes.guess_type(name)[0]
        with open(full, "rb") as f:
            self.reply(200, f.read(), kind + "; charset=utf-8", [("Content-Security-Policy", CSP), ("Cache-Control", "no-cache"), ("Referrer-Policy", "no-referrer")])

    def caller(self, operate):
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in TOKENS:
            raise problem(401, "token", "this token is not known" if token else "a bearer token is needed")
        name, role = TOKENS[token]
        if operate and role != "operate":
            raise problem(403, "role", "this needs the role operate; %s has %s" % (name, role))
        return name, role

    def handle_any(self):
        url = urllib.parse.urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        try:
            if not url.path.startswith("/v1/"):
                return self.file(url.path)
            q = dict(urllib.parse.parse_qsl(url.query))
            parts = [urllib.parse.unquote(p) for p in url.path[4:].split("/")]
            answer = getattr(self, self.command.lower() + "_" + parts[0])(parts[1:], q, body)
            self.reply(202 if self.command in ("POST", "PUT") else 200, answer, *(["text/csv"] if isinstance(answer, bytes) else []))
        except Answer as e:
            self.reply(e.status, e.body, "application/problem+json")
        except BrokenPipeError:
            pass

    do_GET = do_HEAD = do_POST = do_PUT = handle_any

    def get_me(self, parts, q, body):
        name, role = self.caller(False)
        return {"name": name, "role": role, "version": "0.1.0"}

    def get_fleet(self, parts, q, body):
        self.caller(False)
        return self.fleet.summary()

    def find(self, parts, table, noun):
        self.caller(False)
        if parts[0] not in table:
            raise problem(404, "not-found", "there is no such " + noun)
        return table[parts[0]]

    def state_of(self, parts, member, reasons):
        request = self.fleet.requests.get(parts[2])
        if not request:
            raise problem(404, "not-found", "there is no such request of it, or it is no longer remembered")
        return {**request, member: parts[0], "state": "applied", "reply": "done", "applied": iso(NOW), "reasons": reasons}

    def get_cards(self, parts, q, body):
        if not parts:
            self.caller(False)
            found = [{k: c[k] for k in ROW} for c in self.fleet.cards.values() if matches(c, q)]
            return listing(found, q, "cards", "c")
        card = self.find(parts, self.fleet.cards, "card")
        if len(parts) == 1:
            return card
        if parts[1] == "usage":
            window = q.get("window", "day")
            return {"iccid": parts[0], "window": window, "zone": card["zone"], "usage": self.fleet.usage(card, parts[0], window)}
        if parts[1] == "requests":
            return self.state_of(parts, "iccid", card["reasons"])
        table = {"commands": self.fleet.commands, "audit": self.fleet.audit}[parts[1]]
        return {"iccid": parts[0], parts[1]: table.get(parts[0], [])}

    def get_pools(self, parts, q, body):
        if not parts:
            self.caller(False)
            found = [p for p in self.fleet.pools.values() if all(n not in q or p[n] in q[n].split(",") for n in ("carrier", "plan", "kind", "status")) and ("reason" not in q or q["reason"] in p["reasons"])
                     and q.get("q", "").lower() in (p["id"] + " " + p["name"]).lower()]
            return listing(found, q, "pools", "p")
        pool = self.find(parts, self.fleet.pools, "pool")
        if len(parts) == 1:
            return pool
        if parts[1] == "usage":
            window = q.get("window", "day")
            return {"pool": parts[0], "window": window, "zone": pool["zone"], "usage": self.fleet.usage(pool, parts[0], window)}
        if parts[1] == "members":
            return listing([{k: c[k] for k in ROW} for c in self.fleet.cards.values() if c["pool"] == parts[0]], q, "cards", "m")
        if parts[1] == "requests":
            return self.state_of(parts, "pool", pool["reasons"])
        return {"pool": parts[0], "audit": []}

    def asked(self, body, **more):
        name, _ = self.caller(True)
        if not self.headers.get("Idempotency-Key"):
            raise problem(400, "bad-parameter", "the console always sends a key", "Idempotency-Key")
        Handler.serial += 1
        request = {"id": "%032x" % self.serial, "action": body.get("action", ""), "by": name, "at": iso(NOW), **more}
        self.fleet.requests[request["id"]] = request
        return request

    def post_cards(self, parts, q, body):
        card = self.find(parts, self.fleet.cards, "card")
        request = self.asked(body, iccid=parts[0])
        self.fleet.apply(card, body)
        return request

    def put_cards(self, parts, q, body):
        card = self.find(parts, self.fleet.cards, "card")
        request = self.asked({"action": parts[1]}, iccid=parts[0])
        card[parts[1]] = body[parts[1]]
        return request

    def post_pools(self, parts, q, body):
        pool = self.find(parts, self.fleet.pools, "pool")
        request = self.asked(body, pool=parts[0])
        self.fleet.apply_pool(pool, body)
        return request

    def post_bulk(self, parts, q, body):
        target = body.pop("target")
        known = self.fleet.cards
        iccids = target.get("iccids") or [c for c in known if known[c]["pool"] == target.get("pool") or ("iccid_from" in target and target["iccid_from"] <= c <= target["iccid_to"])]
        request = self.asked(body)
        for iccid in iccids:
            if iccid in known:
                self.fleet.apply(known[iccid], body)
        results = [{"iccid": i, "state": "applied" if i in known else "unknown_card", "reply": "done" if i in known else None} for i in iccids]
        self.fleet.bulks[request["id"]] = {**request, "target": {"listed": len(iccids)} if "iccids" in target else target, "results": results, "asked": 0}
        return request

    def get_bulk(self, parts, q, body):
        """Goes on by a third with each question."""
        bulk = self.find(parts, self.fleet.bulks, "bulk request")
        results, total = bulk["results"], len(bulk["results"])
        bulk["asked"] += 1
        taken = min(total, (total * bulk["asked"] + 2) // 3)
        sent = min(total, taken + 2)
        shown = [r if i < taken else {**r, "state": "pending" if i < sent else "waiting", "reply": None} for i, r in enumerate(results)]
        page = listing(shown, q, "cards", "b")
        return {**{k: bulk[k] for k in ("id", "action", "by", "at", "target")}, "state": "done" if taken == total else "sending", "why": None, "total": total, "sent": sent,
                "skipped": sum(r["state"] == "unknown_card" for r in results[:sent]), "taken": taken, "cards": page["cards"], "next": page["next"]}

    def get_export(self, parts, q, body):
        self.caller(False)
        rows = [c for c in self.fleet.cards.values() if matches(c, q)]
        return ("iccid,status,used_bytes\n" + "".join("%s,%s,%d\n" % (c["iccid"], c["status"], c["used_bytes"]) for c in rows)).encode()


def main():
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Handler)
    print("http://127.0.0.1:%d/" % server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
