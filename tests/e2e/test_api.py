"""The HTTP API against a running weir: what it shows is what was sent, what it asks for happens, and a result comes back."""

import json
import re
import time
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

import conftest
from harness import procs
from harness.api import OPERATE, READ, Fleet, iccid
from harness.weir import run


@pytest.fixture(scope="module")
def fleet(kafka):
    made = []

    def make(**how):
        made.append(conftest.World(kafka, **how))
        return made[-1]
    one = Fleet(make)
    yield one
    one.end()
    for w in made:
        w.close()


@pytest.fixture(scope="module")
def api(fleet):
    return fleet.serve()


def test_cards_and_pools_show_what_was_sent(fleet, api):
    """rule ROL-4 (usage no older than a flush) and rule POOL-6 (a pool's fields)."""
    for card in (fleet.POOLED[3], fleet.SINGLE[0], fleet.METERED[5]):
        shown = api.get("/v1/cards/" + card)
        assert (shown["used_bytes"], shown["up_bytes"] + shown["down_bytes"], shown["records"]) == (fleet.sent[card], fleet.sent[card], 1)
    pool = api.get("/v1/pools/pool%2Fone")
    used = sum(fleet.sent[c] for c in fleet.POOLED)
    assert (pool["id"], pool["name"], pool["kind"], pool["status"], pool["carrier"], pool["plan"]) == (
        "pool/one", "Forward pool", "accumulative", "in_use", "cm", "a")
    assert (pool["cards"], pool["effective_cards"], pool["effective_total_bytes"]) == (20, 20, 20 * 1000000)
    assert (pool["used_bytes"], pool["remaining_bytes"], pool["batches"]) == (used, 20 * 1000000 - used, ["B-1", "B-2"])
    assert pool["cycle"] and pool["cycle_start"] < pool["changed"] < pool["cycle_end"]
    card = fleet.SINGLE[1]
    fleet.record(card, 777)
    fleet.wait_counted()
    assert api.get("/v1/cards/" + card)["used_bytes"] == fleet.sent[card]


def test_usage_by_windows(fleet, api):
    """rule ROL-1: hours, days and cycles of a card and a pool through the API; days of a cycle add up to it (rule ROL-2)."""
    for path, used in (("/v1/cards/" + fleet.POOLED[4], fleet.sent[fleet.POOLED[4]]),
                       ("/v1/pools/pool%2Fone", sum(fleet.sent[c] for c in fleet.POOLED))):
        cycle = api.get(path + "/usage", window="cycle")["usage"][-1]
        assert cycle["open"] and cycle["used_bytes"] == used
        days = api.get(path + "/usage", window="day", **{"from": cycle["start"], "to": cycle["end"]})
        assert [d["day"] for d in days["usage"]] == sorted(d["day"] for d in days["usage"]) and days["zone"] == "Asia/Shanghai"
        assert sum(d["used_bytes"] for d in days["usage"] if d["cycle"] == cycle["cycle"]) == used
        assert sum(h["used_bytes"] for h in api.get(path + "/usage", window="hour")["usage"]) == used


def test_lists_page_by_page(fleet, api):
    """Each list gives everything once, whatever the page's size, and a cursor belongs to its query."""
    everyone = sorted(fleet.POOLED + fleet.SINGLE + fleet.METERED + [fleet.CANCELLED])
    for limit in (1, 7, 1000):
        assert sorted(c["iccid"] for c in api.pages("/v1/cards", "cards", limit=limit)) == everyone
        assert sorted(c["iccid"] for c in api.pages("/v1/pools/pool%2Fone/members", "cards", limit=limit)) == fleet.POOLED
    assert sorted(c["iccid"] for c in api.pages("/v1/cards", "cards", tag="north", limit=2)) == fleet.SINGLE[:3]
    assert [c["iccid"] for c in api.pages("/v1/cards", "cards", status="cancelled")] == [fleet.CANCELLED]
    assert sorted(c["iccid"] for c in api.pages("/v1/cards", "cards", iccid_from=fleet.SINGLE[5], iccid_to=fleet.SINGLE[9], carrier="ct")) == fleet.SINGLE[5:10]
    assert sorted(p["id"] for p in api.pages("/v1/pools", "pools", limit=1)) == ["backward", "empty", "pool/one"]
    assert [p["id"] for p in api.pages("/v1/pools", "pools", q="FORWARD")] == ["pool/one"]
    members = api.get("/v1/pools/pool%2Fone/members", limit=1)["cards"]
    assert members[0]["used_bytes"] == fleet.sent[members[0]["iccid"]]
    cursor = api.get("/v1/cards", limit=1)["next"]
    for path in ("/v1/cards?carrier=ct&cursor=", "/v1/pools?cursor=", "/v1/cards?cursor=x"):
        status, _, body = api.ask("GET", path + cursor)
        assert (status, body["parameter"]) == (400, "cursor")


def test_fleet(fleet, api):
    got = {}

    def counted():
        got.update(api.get("/v1/fleet"))
        return got["counted_at"]
    procs.wait_for(counted, 20, lambda: "the fleet to be counted: %s" % got)
    assert (got["cards"], got["counted_cards"], got["by_carrier"]) == (61, 61, {"cm": 20, "ct": 41})
    assert got["partitions"] == 2 and got["records_read"] >= 60 and got["by_status"]["cancelled"] == 1


def test_export(fleet, api):
    """All cards, chosen fields, a column for each day; the file's name."""
    headers, rows = api.export(fields="iccid,used_bytes,tags", usage="day", name="all.csv")
    assert headers["Content-Disposition"] == 'attachment; filename="all.csv"' and headers["Content-Type"].startswith("text/csv")
    assert {r["iccid"]: int(r["used_bytes"]) for r in rows} == {c: fleet.sent.get(c, 0) for c in fleet.POOLED + fleet.SINGLE + fleet.METERED + [fleet.CANCELLED]}
    assert [r["tags"] for r in rows if r["iccid"] == fleet.SINGLE[0]] == ["north;meter"]
    days = [name for name in rows[0] if name[:2] == "20"]
    assert days and all(sum(int(r[d]) for d in days) == int(r["used_bytes"]) for r in rows)
    _, rows = api.export(fields="iccid", usage="cycle", usage_fields="used_bytes,records", pool="pool/one", carrier="cm")
    assert sorted(r["iccid"] for r in rows) == fleet.POOLED and any(name.endswith(" records") for name in rows[0])


def test_suspend_and_resume(fleet, api):
    """rule SUS-1: a resume clears what an operator may, and the reply says which reasons remain; rule CMD-4: overshoot and times."""
    card = fleet.SINGLE[4]
    asked = api.post("/v1/cards/%s/requests" % card, {"action": "suspend", "by": "mei"})
    state = api.settled(asked)
    assert (state["state"], state["reply"], state["reasons"], state["by"]) == ("applied", "done", ["manual"], "desk:mei")
    procs.wait_for(lambda: (api.get("/v1/cards/" + card)["command"] or {}).get("state") == "confirmed", 20, "the suspension to be confirmed")
    shown = api.get("/v1/cards/" + card)
    assert (shown["status"], shown["reasons"], shown["command"]["confirmed"]) == ("suspended", ["manual"], "suspended")
    command = api.get("/v1/cards/%s/commands" % card)["commands"][0]
    assert command["action"] == "suspend" and command["decided"] <= command["sent"] <= command["confirmed"]
    events = [e["event"] for e in api.get("/v1/cards/%s/audit" % card)["audit"]]
    assert {"request", "decided", "sent", "confirmed"} <= set(events)
    assert api.get("/v1/cards", reason="manual", limit=100)["cards"][0]["iccid"] == card
    flag = api.settled(api.post("/v1/cards/%s/requests" % card, {"action": "flag", "reason": "violation", "set": True}))
    assert flag["reasons"] == ["manual", "violation"]
    state = api.settled(api.post("/v1/cards/%s/requests" % card, {"action": "resume"}))
    assert "violation" in state["reply"] and state["reasons"] == ["violation"]
    api.settled(api.post("/v1/cards/%s/requests" % card, {"action": "flag", "reason": "violation", "set": False}))
    procs.wait_for(lambda: api.get("/v1/cards/" + card)["status"] == "in_use", 20, "the card to be back")


@pytest.mark.parametrize("body,check", [
    ({"action": "limit", "limit": 123456789, "auto_restore": False}, lambda c: (c["limit_bytes"], c["limit_own"], c["auto_restore"]) == (123456789, True, False)),
    ({"action": "limit", "limit": None}, lambda c: not c["limit_own"]),
    ({"action": "addon", "bytes": 5000}, lambda c: c["addon_bytes"] == 5000),
    ({"action": "renew", "until": "2030-01-01T00:00:00Z"}, lambda c: c["expires"] == "2030-01-01T00:00:00.000Z"),
    ({"action": "reset"}, lambda c: "reset" in c["reasons"]),
    ({"action": "deactivate"}, lambda c: c["stored_status"] == "deactivated"),
    ({"action": "activate"}, lambda c: c["stored_status"] == "in_use"),
])
def test_every_action(fleet, api, body, check):
    """rule SUS-2: a limit or an add-on takes effect at once."""
    card = fleet.SINGLE[6]
    state = api.settled(api.post("/v1/cards/%s/requests" % card, body))
    assert state["state"] == "applied", state
    procs.wait_for(lambda: check(api.get("/v1/cards/" + card)), 10, lambda: "%s to show: %s" % (body, api.get("/v1/cards/" + card)))


def test_metrics(fleet):
    """What the API did is counted, at a port of its own that needs no token."""
    serve = fleet.serve(metrics_listen="127.0.0.1:0")
    try:
        serve.get("/v1/cards/" + fleet.SINGLE[0])
        assert serve.ask("GET", "/v1/cards/" + fleet.SINGLE[0], token=None)[0] == 401
        assert serve.ask("POST", "/v1/cards/%s/requests" % fleet.SINGLE[0], {"action": "resume"})[0] == 403
        port = int(re.search(r"event=metrics_on port=(\d+)", serve.text())[1])
        with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port, timeout=10) as answer:
            samples = {(s.name, tuple(sorted(s.labels.items()))): s.value
                       for family in text_string_to_metric_families(answer.read().decode()) for s in family.samples}
        assert samples["weir_api_requests_total", (("status", "2xx"),)] == 1
        assert samples["weir_api_requests_total", (("status", "4xx"),)] == 2
        assert samples["weir_api_refused_total", (("reason", "token"),)] == 1
        assert samples["weir_api_refused_total", (("reason", "role"),)] == 1
        assert samples["weir_api_answer_duration_seconds_count", ()] == 3
        assert not [name for name, _ in samples if name.startswith("weir_records")]
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen("http://127.0.0.1:%d/readyz" % port, timeout=10)
        assert refused.value.code == 404
    finally:
        serve.end()


def test_cancel_is_final(fleet, api):
    """rule LIFE-7: a cancelled card refuses; who asked is told why and by which rule, and weir.dead has it too."""
    asked = api.post("/v1/cards/%s/requests" % fleet.CANCELLED, {"action": "activate"})
    state = api.settled(asked)
    assert state["state"] == "not_applied" and state["applied"] is None
    assert state["reply"] == "the card is cancelled, which is final (LIFE-7)"
    newest = api.get("/v1/cards/%s/audit" % fleet.CANCELLED)["audit"][0]
    assert newest["event"] == "refused" and newest["reply"] == "activate %s: %s" % (asked["id"], state["reply"])
    assert api.get("/v1/cards/%s/commands" % fleet.CANCELLED)["commands"] == []
    dead = [h for _, value, h in fleet.world.read_topic("dead") if asked["id"].encode() in value]
    assert [h["reason"] for h in dead] == ["bad_request"]


def test_pools_requests(fleet, api):
    """rule POOL-5: arrears freeze a pool, payment brings it back; add-ons of a pool."""
    path = "/v1/pools/pool%2Fone"
    assert api.settled(api.post(path + "/requests", {"action": "addon", "bytes": 1000000}))["state"] == "applied"
    assert api.get(path)["effective_total_bytes"] == 21000000
    assert api.settled(api.post("/v1/pools/backward/requests", {"action": "freeze"}))["state"] == "applied"
    assert "pool_frozen" in api.get("/v1/pools/backward")["reasons"]
    procs.wait_for(lambda: "pool_frozen" in api.get("/v1/cards/" + fleet.METERED[0])["reasons"], 20, "the members to be cut off")
    api.settled(api.post("/v1/pools/backward/requests", {"action": "paid"}))
    procs.wait_for(lambda: not api.get("/v1/cards/" + fleet.METERED[0])["reasons"], 20, "the members to be back")
    assert any(e["event"] == "request" for e in api.get("/v1/pools/backward/audit")["audit"])


def test_idempotency(fleet, api):
    """The same key and body give the same answer, another body or path a conflict; an add-on counts once."""
    card, path = fleet.SINGLE[7], "/v1/cards/%s/requests" % fleet.SINGLE[7]
    first = api.post(path, {"action": "addon", "bytes": 7000}, Idempotency_Key="key-1")
    assert api.post(path, {"action": "addon", "bytes": 7000}, Idempotency_Key="key-1") == first
    for other, body in ((path, {"action": "addon", "bytes": 7001}), ("/v1/cards/%s/requests" % fleet.SINGLE[8], {"action": "addon", "bytes": 7000})):
        status, _, problem = api.ask("POST", other, body, token=OPERATE, headers={"Idempotency-Key": "key-1"})
        assert (status, problem["parameter"]) == (409, "Idempotency-Key")
    api.settled(first)
    # An answer that was never kept: the repeat goes on under the same id, and weir tells it is the same.
    redis = fleet.world.redis.client()
    key = [k for k in redis.keys("weir:{api}:k:*") if first["id"].encode() in redis.get(k)][0]
    text = redis.get(key).split(b"\n")[0].split(b" ")
    redis.set(key, b"%s %s 0 \n" % (text[0], text[1]))
    again = api.post(path, {"action": "addon", "bytes": 7000}, Idempotency_Key="key-1")
    assert again["id"] == first["id"]
    api.settled(api.post(path, {"action": "limit", "limit": None}))  # what came before it is applied too
    assert api.get("/v1/cards/" + card)["addon_bytes"] == 7000


def test_tags_and_remark(fleet, api):
    card = fleet.SINGLE[9]
    api.settled(api.post("/v1/cards/%s/tags" % card, {"tags": ["väst", "gate"]}, method="PUT"))
    api.settled(api.post("/v1/cards/%s/remark" % card, {"remark": "behind \"the\" door, 门"}, method="PUT"))
    shown = api.get("/v1/cards/" + card)
    assert (shown["tags"], shown["remark"]) == (["väst", "gate"], "behind \"the\" door, 门")
    assert [c["iccid"] for c in api.pages("/v1/cards", "cards", tag="väst")] == [card]
    _, rows = api.export(fields="iccid,tags,remark", tag="gate")
    assert rows == [{"iccid": card, "tags": "väst;gate", "remark": "behind \"the\" door, 门"}]
    api.settled(api.post("/v1/cards/%s/tags" % card, {"tags": []}, method="PUT"))
    api.settled(api.post("/v1/cards/%s/remark" % card, {"remark": None}, method="PUT"))
    shown = api.get("/v1/cards/" + card)
    assert (shown["tags"], shown["remark"], shown["used_bytes"]) == ([], None, fleet.sent[card])


def bulk_done(api, answer, timeout_s=30):
    got = {}

    def done():
        got.update(api.get(answer["location"], limit=200))
        return got["state"] in ("done", "failed")
    procs.wait_for(done, timeout_s, lambda: "the bulk request: %s" % {k: got[k] for k in got if k != "cards"}, 0.1)
    return got


def test_bulk(fleet, api):
    """A pool, a range and a list; unknown cards are told, each card has a result."""
    pool = bulk_done(api, api.post("/v1/bulk", {"action": "suspend", "target": {"pool": "backward"}}))
    assert (pool["state"], pool["total"], pool["sent"], pool["skipped"], pool["taken"], pool["target"]) == ("done", 20, 20, 0, 20, {"pool": "backward"})
    assert sorted(c["iccid"] for c in pool["cards"]) == fleet.METERED and {(c["state"], c["reply"]) for c in pool["cards"]} == {("applied", "done")}
    assert all("manual" in api.get("/v1/cards/" + c)["reasons"] for c in fleet.METERED)
    part = bulk_done(api, api.post("/v1/bulk", {"action": "resume", "target": {"iccid_from": fleet.METERED[0], "iccid_to": fleet.METERED[9]}}))
    assert sorted(c["iccid"] for c in part["cards"]) == fleet.METERED[:10]
    rest = bulk_done(api, api.post("/v1/bulk", {"action": "resume", "by": "li", "target": {"iccids": fleet.METERED[10:] + [iccid(777), fleet.CANCELLED]}}))
    assert (rest["total"], rest["skipped"], rest["by"], rest["target"]) == (12, 1, "desk:li", {"listed": 12})
    states = {c["iccid"]: c["state"] for c in rest["cards"]}
    assert states[iccid(777)] == "unknown_card" and {states[c] for c in fleet.METERED[10:]} == {"applied"}
    assert not any(api.get("/v1/cards/" + c)["reasons"] for c in fleet.METERED)
    pages = api.get("/v1/bulk/" + rest["id"], limit=5)
    assert [c["iccid"] for c in api.pages("/v1/bulk/" + rest["id"], "cards", limit=5)] == [c["iccid"] for c in rest["cards"]]
    status, _, body = api.ask("GET", "/v1/bulk/%s?cursor=%s" % (pool["id"], pages["next"]))
    assert (status, body["parameter"]) == (400, "cursor")


def test_bulk_goes_on_in_another_process(fleet, api):
    """The process that carries out a bulk request dies in the middle: another one finishes it, and no card is left out."""
    slow = fleet.serve(bulk_rate_per_s=2)
    target = fleet.POOLED[:12]
    # Which of the two takes it up is a race: until it is the slow one.
    for _ in range(20):
        answer = slow.post("/v1/bulk", {"action": "limit", "limit": 999999999, "target": {"iccids": target}})
        procs.wait_for(lambda: api.get(answer["location"])["sent"] > 0, 20, "somebody to take it up")
        if api.get(answer["location"])["sent"] < 12:
            break
        bulk_done(api, answer)
    procs.stop(slow.child, 9)
    slow.child = None
    half = api.get(answer["location"])
    assert half["state"] == "sending" and 0 < half["sent"] < 12
    got = bulk_done(api, answer, 60)
    assert got["state"] == "done" and {c["state"] for c in got["cards"]} == {"applied"}
    assert all(api.get("/v1/cards/" + c)["limit_bytes"] == 999999999 for c in target)


def test_guard_release(fleet, api):
    """rule CMD-5: an operator lets a tripped guard go, in every partition."""
    answer = api.post("/v1/guard/requests", {"action": "release", "by": "mei"})
    assert answer["guard"] == "guard" and answer["location"] is None
    from confluent_kafka import Consumer, TopicPartition
    w = fleet.world
    consumer = Consumer({"bootstrap.servers": w.kafka.brokers, "group.id": w.name + "-guard"})
    found = set()
    for p in range(w.partitions):
        _, high = consumer.get_watermark_offsets(TopicPartition(w.topics["cards"], p), timeout=10)
        consumer.assign([TopicPartition(w.topics["cards"], p, max(0, high - 3))])
        for m in consumer.consume(3, 5):
            row = json.loads(m.value())
            if row.get("type") == "guard":
                found.add((p, row["action"], row["by"]))
    consumer.close()
    assert found == {(p, "release", "desk:mei") for p in range(w.partitions)}


def test_two_processes_say_the_same(fleet, api):
    other = fleet.serve()
    card = "/v1/cards/" + fleet.SINGLE[2]
    assert other.get(card) == api.get(card)
    asked = other.post(card + "/requests", {"action": "addon", "bytes": 10}, Idempotency_Key="both")
    assert api.post(card + "/requests", {"action": "addon", "bytes": 10}, Idempotency_Key="both") == asked
    assert api.settled(asked)["state"] == "applied"
    assert other.stop() == 0


def test_console_is_served(api):
    """The console's files come with a policy that lets nothing else in, an ETag, and packed."""
    status, headers, body = api.ask("GET", "/", token=None)
    assert status == 200 and headers["Content-Type"].startswith("text/html") and b"<" in body
    assert "default-src 'none'" in headers["Content-Security-Policy"] and headers["X-Content-Type-Options"] == "nosniff"
    same, _, empty = api.ask("GET", "/", token=None, headers={"If-None-Match": headers["ETag"]})
    assert (same, empty) == (304, b"")
    import gzip
    _, packed, data = api.ask("GET", "/", token=None, headers={"Accept-Encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip" and gzip.decompress(data) == body
    assert api.ask("GET", "/../tokens", token=None)[0] == 404


def test_start_is_refused(fleet, tmp_path):
    """Nobody could ask; anonymous beyond loopback; a wrong token file; half of TLS: each is told, and ends with 3."""
    tokens = tmp_path / "tokens"
    tokens.write_text("x read short\n")
    cases = [([], "nobody could ask"), (["api.anonymous=read", "api.listen=0.0.0.0:0"], "loopback"),
             (["api.tokens_file=%s" % tokens], "tokens:1:"), (["api.anonymous=read", "api.tls_cert_file=/x"], "both or none"),
             (["api.anonymous=read", "api.tls_cert_file=%s" % tokens, "api.tls_key_file=%s" % tokens], "certificate")]
    for sets, words in cases:
        code, _, err = run("serve", *[a for s in sets for a in ("--set", s)])
        assert code == 3 and words in err, (sets, code, err)
