"""The HTTP API and those who mean it badly, or do not know better: each gets a documented answer, and nobody else is held up."""

import http.client
import json
import socket
import subprocess
import threading
import time

import pytest

import conftest
from harness import procs
from harness.api import OPERATE, READ, Fleet, iccid


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


CARD = iccid(100)
BAD = [
    # method, path, body, status, parameter
    ("GET", "/v1/cards/123", None, 400, "iccid"),
    ("GET", "/v1/cards/%00%00", None, 400, None),
    ("GET", "/v1/cards/8986%zz", None, 400, None),
    ("GET", "/v1/cards/" + iccid(999), None, 404, None),
    *[("GET", "/v1/cards/%s/%s" % (iccid(999), what), None, 404, None) for what in ("usage", "commands", "audit")],
    *[("GET", "/v1/pools/nowhere/" + what, None, 404, None) for what in ("usage", "audit")],
    ("GET", "/v1/cards/%s/usage?limit=5" % CARD, None, 400, "limit"),
    ("GET", "/v1/cards/%s/usage?window=week" % CARD, None, 400, "window"),
    ("GET", "/v1/cards/%s/usage?from=yesterday" % CARD, None, 400, "from"),
    ("GET", "/v1/cards/%s/usage?from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z" % CARD, None, 400, "to"),
    ("GET", "/v1/cards/%s/usage?window=hour&from=1999-01-01T00:00:00Z&to=1999-01-02T00:00:00Z" % CARD, None, 400, "to"),
    ("GET", "/v1/cards/%s/usage?window=day&from=2099-01-01T00:00:00Z" % CARD, None, 400, "from"),
    ("GET", "/v1/pools/backward/usage?window=hour&from=1999-01-01T00:00:00Z&to=1999-01-02T00:00:00Z", None, 400, "to"),
    ("GET", "/v1/pools/backward/usage?window=cycle&from=2099-01-01T00:00:00Z", None, 400, "from"),
    ("GET", "/v1/cards?cursor=x", None, 400, "cursor"),
    ("GET", "/v1/pools?cursor=" + "A" * 200, None, 400, "cursor"),
    ("GET", "/v1/pools/backward/members?cursor=x", None, 400, "cursor"),
    ("GET", "/v1/cards?limit=0", None, 400, "limit"),
    ("GET", "/v1/cards?limit=1001", None, 400, "limit"),
    ("GET", "/v1/cards?limit=ten", None, 400, "limit"),
    ("GET", "/v1/cards?reason=bored", None, 400, "reason"),
    ("GET", "/v1/cards?status=in_use,asleep", None, 400, "status"),
    ("GET", "/v1/cards?statsu=in_use", None, 400, "statsu"),
    ("GET", "/v1/cards?carrier=ct&carrier=cm", None, 400, "carrier"),
    ("GET", "/v1/cards?carrier=%7Bx%7D", None, 400, "carrier"),
    ("GET", "/v1/cards?tag=" + "x" * 33, None, 400, "tag"),
    ("GET", "/v1/cards?iccid_from=" + iccid(5) + "&iccid_to=" + iccid(4), None, 400, "iccid_to"),
    ("GET", "/v1/cards?pool=nowhere", None, 404, None),
    ("GET", "/v1/pools/nowhere", None, 404, None),
    ("GET", "/v1/pools/nowhere/members", None, 404, None),
    ("GET", "/v1/pools/" + "x" * 64, None, 400, "pool"),
    ("GET", "/v1/pools?kind=free", None, 400, "kind"),
    ("GET", "/v1/export/cards.csv?fields=iccid,shoe_size", None, 400, "fields"),
    ("GET", "/v1/export/cards.csv?usage=hour", None, 400, "usage"),
    ("GET", "/v1/export/cards.csv?from=2026-11-01", None, 400, "from"),
    ("GET", "/v1/export/cards.csv?usage=day&from=2020-01-01&to=2020-01-05", None, 400, "to"),
    ("GET", "/v1/export/cards.csv?usage=day&from=2026-11-31", None, 400, "from"),
    ("GET", "/v1/export/cards.csv?name=../../etc/passwd", None, 400, "name"),
    ("GET", "/v1/bulk/xyz", None, 400, "id"),
    ("GET", "/v1/bulk/" + "0" * 32, None, 404, None),
    ("GET", "/v1/cards/%s/requests/%s" % (CARD, "0" * 32), None, 404, None),
    ("GET", "/v1/cards/%s/requests/1" % CARD, None, 400, "id"),
    ("GET", "/v1/nothing", None, 404, None),
    ("GET", "/v1/cards/", None, 404, None),
    ("DELETE", "/v1/cards/" + CARD, None, 405, None),
    ("POST", "/v1/cards/%s/requests" % iccid(999), {"action": "suspend"}, 404, None),
    ("POST", "/v1/cards/%s/requests" % CARD, {"action": "explode"}, 400, "action"),
    ("POST", "/v1/cards/%s/requests" % CARD, {}, 400, "action"),
    ("POST", "/v1/cards/%s/requests" % CARD, {"action": "freeze"}, 400, "action"),
    ("POST", "/v1/cards/%s/requests" % CARD, {"action": "suspend", "bytes": 1}, 400, "bytes"),
    ("POST", "/v1/cards/%s/requests" % CARD, {"action": "addon", "bytes": -1}, 400, "bytes"),
    ("POST", "/v1/cards/%s/requests" % CARD, {"action": "addon", "bytes": 1.5}, 400, "bytes"),
    ("POST", "/v1/cards/%s/requests" % CARD, {"action": "addon"}, 400, "bytes"),
    ("POST", "/v1/cards/%s/requests" % CARD, {"action": "addon", "bytes": 1, "cycle": "2026-13"}, 400, "cycle"),
    ("POST", "/v1/cards/%s/requests" % CARD, {"action": "limit"}, 400, "limit"),
    ("POST", "/v1/cards/%s/requests" % CARD, {"action": "suspend", "iccid": iccid(1)}, 400, "iccid"),
    ("POST", "/v1/cards/%s/requests" % CARD, {"action": "suspend", "id": "mine"}, 400, "id"),
    ("POST", "/v1/cards/%s/requests" % CARD, {"action": "suspend", "type": "plan"}, 400, "type"),
    ("POST", "/v1/cards/%s/requests" % CARD, {"action": "suspend", "why": "so"}, 400, "why"),
    ("POST", "/v1/cards/%s/requests" % CARD, {"action": "suspend", "by": "x" * 33}, 400, "by"),
    ("POST", "/v1/cards/%s/requests" % CARD, {"action": "suspend", "by": "a b"}, 400, "by"),
    ("POST", "/v1/cards/%s/requests" % CARD, b"{", 400, None),
    ("POST", "/v1/cards/%s/requests" % CARD, b"", 400, None),
    ("POST", "/v1/cards/%s/requests" % CARD, b"[]", 400, None),
    ("POST", "/v1/cards/%s/requests" % CARD, b"[" * 60000, 400, None),
    ("POST", "/v1/cards/%s/requests" % CARD, b'{"action":"suspend","action":"resume"}', 400, None),
    ("POST", "/v1/cards/%s/requests" % CARD, b'{"action":"\xff\xfe"}', 400, None),
    ("POST", "/v1/cards/%s/requests" % CARD, b'{"action":"suspend","by":"\\u0000"}', 400, "by"),
    ("POST", "/v1/pools/nowhere/requests", {"action": "freeze"}, 404, None),
    ("POST", "/v1/pools/backward/requests", {"action": "suspend"}, 400, "action"),
    ("PUT", "/v1/cards/%s/tags" % CARD, {"tags": ["1", "2", "3", "4"]}, 400, "tags"),
    ("PUT", "/v1/cards/%s/tags" % CARD, {"tags": "north"}, 400, "tags"),
    ("PUT", "/v1/cards/%s/tags" % CARD, {}, 400, "tags"),
    ("PUT", "/v1/cards/%s/tags" % CARD, {"tags": [], "plan": "s"}, 400, "plan"),
    ("PUT", "/v1/cards/%s/remark" % CARD, {"remark": "x" * 257}, 400, "remark"),
    ("PUT", "/v1/cards/%s/remark" % CARD, {"remark": "a\nb"}, 400, "remark"),
    ("PUT", "/v1/cards/%s/remark" % iccid(999), {"remark": "x"}, 404, None),
    ("POST", "/v1/bulk", {"action": "suspend"}, 400, "target"),
    ("POST", "/v1/bulk", {"action": "suspend", "target": {"pool": "nowhere"}}, 404, "target.pool"),
    ("POST", "/v1/bulk", {"action": "suspend", "target": {"pool": "backward", "iccids": [CARD]}}, 400, "target"),
    ("POST", "/v1/bulk", {"action": "suspend", "target": {"iccids": []}}, 400, "target.iccids"),
    ("POST", "/v1/bulk", {"action": "suspend", "target": {"iccids": [CARD, "x"]}}, 400, "target.iccids"),
    ("POST", "/v1/bulk", {"action": "suspend", "target": {"iccid_from": CARD, "iccid_to": iccid(1)}}, 400, "target.iccid_to"),
    ("POST", "/v1/bulk", {"action": "freeze", "target": {"pool": "backward"}}, 400, "action"),
    ("POST", "/v1/guard/requests", {"action": "trip"}, 400, "action"),
]


@pytest.mark.parametrize("method,path,body,status,parameter", BAD, ids=range(len(BAD)))
def test_bad_input(api, method, path, body, status, parameter):
    got, headers, problem = api.ask(method, path, body, token=OPERATE)
    assert (got, problem.get("parameter")) == (status, parameter), problem
    assert headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == status and problem["type"].startswith("urn:weir:problem:") and problem["title"] and problem["detail"]
    if status == 405:
        assert headers["Allow"] == "GET"


def test_tokens_and_roles(fleet, api):
    card = "/v1/cards/" + CARD
    for token, headers in ((None, {}), ("wrong-token-0123456789", {}), (None, {"Authorization": "Basic eDp5"}), (READ[:-1], {}), (READ + "x", {})):
        status, answer, _ = api.ask("GET", card, token=token, headers=headers)
        assert status == 401 and answer["WWW-Authenticate"].startswith("Bearer")
    assert api.ask("GET", card, token=READ)[0] == 200
    for method, path, body in (("POST", card + "/requests", {"action": "suspend"}), ("PUT", card + "/tags", {"tags": []}),
                               ("POST", "/v1/bulk", {"action": "suspend", "target": {"pool": "backward"}}),
                               ("POST", "/v1/pools/backward/requests", {"action": "freeze"}), ("POST", "/v1/guard/requests", {"action": "release"})):
        assert api.ask(method, path, body, token=READ)[0] == 403
        assert api.ask(method, path, body, token=None)[0] == 401
    assert api.get(card)["reasons"] == []
    assert api.get("/v1/me", token=OPERATE)["role"] == "operate"
    for path in ("/healthz", "/readyz", "/v1/openapi", "/"):
        assert api.ask("GET", path, token=None)[0] == 200
    with open(api.log) as f:
        text = f.read()
    assert READ not in text and OPERATE not in text


def test_token_file_is_read_again(fleet):
    """A new token holds within a second or so, a removed one no longer; a wrong file changes nothing."""
    api = fleet.serve()
    api.write_tokens("fresh read fresh-token-0123456789\n")
    procs.wait_for(lambda: api.ask("GET", "/v1/me", token="fresh-token-0123456789")[0] == 200, 10, "the new token to hold")
    assert api.ask("GET", "/v1/me", token=READ)[0] == 401
    api.write_tokens("fresh read\n")
    procs.wait_for(lambda: "event=tokens_wrong" in api.text(), 10, "the wrong file to be read")
    assert api.ask("GET", "/v1/me", token="fresh-token-0123456789")[0] == 200


def test_anonymous_is_for_this_machine(fleet):
    """A page of another origin, or a name that was bent to loopback, gets nothing."""
    api = fleet.serve(anonymous="operate", tokens=False)
    path = "/v1/cards/" + CARD
    assert api.ask("GET", path, token=None)[0] == 200
    assert api.ask("GET", path, token=None, headers={"Host": "localhost:%d" % api.port})[0] == 200
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Host": "localhost.evil.example"},
                    {"Host": "127.0.0.1.evil.example"}, {"Origin": "null"}):
        assert api.ask("GET", path, token=None, headers=headers)[0] == 401, headers
    assert api.ask("POST", path + "/requests", {"action": "addon", "bytes": 1}, token=None)[0] == 202
    assert api.ask("POST", path + "/requests", '{"action":"suspend"}', token=None, headers={"Content-Type": "text/plain"})[0] == 415


def test_rates(fleet):
    """More than a token's rate is a 429 with Retry-After; another token is not touched."""
    api = fleet.serve(rate_per_s=20)
    connection, seen = api.connection(), []
    for _ in range(60):
        connection.request("GET", "/v1/me", headers={"Authorization": "Bearer " + READ})
        answer = connection.getresponse()
        answer.read()
        seen.append(answer.status)
        if answer.status == 429:
            assert answer.headers["Retry-After"] == "1"
    assert set(seen) == {200, 429} and seen[:20] == [200] * 20
    assert api.ask("GET", "/v1/me", token=OPERATE)[0] == 200
    procs.wait_for(lambda: api.ask("GET", "/v1/me", token=READ)[0] == 200, 5, "the rate to allow more")


def raw(api, data, wait_s=15):
    """Sends bytes, reads until the server closes or the time is up: (what it said, seconds)."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", api.port), timeout=wait_s) as s:
        s.settimeout(wait_s)
        if data:
            s.sendall(data)
        got = b""
        try:
            while True:
                piece = s.recv(65536)
                if not piece:
                    break
                got += piece
        except socket.timeout:
            return got, None
        except ConnectionError:
            pass
        return got, time.monotonic() - began


def test_bodies_too_large(fleet):
    api = fleet.serve(body_max=2048, bulk_body_max=100000)
    path = "/v1/cards/%s/requests" % CARD
    big = {"action": "suspend", "by": "x" * 4000}
    assert api.ask("POST", path, big, token=OPERATE)[0] == 413
    head = "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n" % (path, OPERATE)
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    got, _ = raw(api, head.encode() + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 413")
    got, _ = raw(api, head.encode() + b"Content-Length: 99999999999\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 413")
    got, took = raw(api, head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 100)
    assert took is not None  # cut off
    iccids = [iccid(i) for i in range(3000)]
    assert api.ask("POST", "/v1/bulk", {"action": "suspend", "target": {"iccids": iccids[:1000]}}, token=OPERATE)[0] == 202
    assert api.ask("POST", "/v1/bulk", {"action": "suspend", "target": {"iccids": iccids + iccids}}, token=OPERATE)[0] == 413
    got, _ = raw(api, b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"y" * 60000 + b"\r\n\r\n")
    assert got[9:12] in (b"431", b"413", b"400")
    assert api.ask("GET", "/v1/me")[0] == 200


def test_slow_clients_are_cut(fleet):
    """Header by header, byte by byte, or an answer that nobody takes: the connection ends after api.timeout_s."""
    api = fleet.serve(timeout_s=2)
    got, took = raw(api, b"GET /v1/me HTTP/1.1\r\nHost:")
    assert took is not None and took < 6

    def drip(data):
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", api.port)) as s:
            s.settimeout(0.3)
            for i in range(60):
                try:
                    s.sendall(data[i:i + 1] or b"x")
                    if s.recv(1000) == b"":
                        break
                except socket.timeout:
                    pass
                except ConnectionError:
                    break
        return time.monotonic() - began
    assert drip(b"GET /v1/me HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"y" * 100) < 8
    head = ("POST /v1/cards/%s/requests HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
            "Content-Length: 200\r\n\r\n{" % (CARD, OPERATE)).encode()
    with socket.create_connection(("127.0.0.1", api.port)) as s:
        s.sendall(head)
        s.settimeout(0.3)
        began = time.monotonic()
        while time.monotonic() - began < 10:
            try:
                s.sendall(b" ")
                if s.recv(1000) == b"":
                    break
            except socket.timeout:
                pass
            except ConnectionError:
                break
        assert time.monotonic() - began < 8
    # An idle connection that is kept alive is used again before its two seconds are up, for longer than that, and works.
    connection = api.connection()
    for _ in range(3):
        connection.request("GET", "/v1/me", headers={"Authorization": "Bearer " + READ})
        assert connection.getresponse().read()
        time.sleep(1.1)


def test_a_thousand_idle_connections(fleet):
    """They cost no thread, and others are answered as fast as ever."""
    api = fleet.serve(connections=1500)
    idle = []
    try:
        for _ in range(1000):
            idle.append(socket.create_connection(("127.0.0.1", api.port)))
        connection, times = api.connection(), []
        for _ in range(300):
            began = time.monotonic()
            connection.request("GET", "/v1/cards/" + CARD, headers={"Authorization": "Bearer " + READ})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            times.append(time.monotonic() - began)
        times.sort()
        assert times[len(times) // 2] < 0.05, times[-10:]
        with open("/proc/%d/status" % api.child.pid) as f:
            threads = int([line.split()[1] for line in f if line.startswith("Threads:")][0])
        assert threads < 40
    finally:
        for s in idle:
            s.close()


def test_tls(fleet, tmp_path):
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-keyout", key, "-out", cert], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    api = fleet.serve(tls=cert, tls_cert_file=cert, tls_key_file=key)
    assert api.get("/v1/cards/" + CARD)["iccid"] == CARD
    assert api.settled(api.post("/v1/cards/%s/requests" % CARD, {"action": "addon", "bytes": 1}))["state"] == "applied"
    _, rows = api.export(fields="iccid")
    assert len(rows) == 61
    with pytest.raises((http.client.HTTPException, ConnectionError, socket.timeout)):
        http.client.HTTPConnection("127.0.0.1", api.port, timeout=5).request("GET", "/healthz")
        connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=5)
        connection.request("GET", "/healthz")
        connection.getresponse()


def test_kafka_away(fleet):
    """What cannot be handed over is a 503; reading goes on; the same key asks again later without harm."""
    api = fleet.serve(kafka={"brokers": "127.0.0.1:1"})
    status, headers, body = api.ask("POST", "/v1/cards/%s/requests" % CARD, {"action": "addon", "bytes": 40}, token=OPERATE,
                                    headers={"Idempotency-Key": "later"})
    assert status == 503 and headers["Retry-After"] and body["type"].endswith("queue-away")
    before = api.get("/v1/cards/" + CARD)["addon_bytes"]
    there = fleet.serve()
    asked = there.post("/v1/cards/%s/requests" % CARD, {"action": "addon", "bytes": 40}, Idempotency_Key="later")
    assert there.settled(asked)["state"] == "applied"
    assert there.get("/v1/cards/" + CARD)["addon_bytes"] == before + 40


def test_redis_away_and_back(kafka):
    """503 with Retry-After, /readyz tells and /healthz does not; an export under way is broken off; all comes back by itself."""
    world = conftest.World(kafka, partitions=2, appendonly=True)
    fleet = Fleet(lambda **how: world)
    try:
        api = fleet.serve()
        assert api.get("/v1/cards/" + CARD)
        world.redis.kill()
        for path in ("/v1/cards/" + CARD, "/v1/cards", "/v1/pools", "/v1/fleet", "/readyz", "/v1/export/cards.csv"):
            status, headers, body = api.ask("GET", path)
            assert status == 503 and headers["Retry-After"] and body["status"] == 503, path
        assert api.ask("POST", "/v1/cards/%s/requests" % CARD, {"action": "suspend"}, token=OPERATE)[0] == 503
        assert api.ask("GET", "/healthz", token=None)[0] == 200
        world.redis.start()
        procs.wait_for(lambda: api.ask("GET", "/v1/cards/" + CARD)[0] == 200, 30, "the API to be back")
        procs.wait_for(lambda: api.ask("GET", "/readyz")[0] == 200, 30, "readiness")
    finally:
        fleet.end()
        world.close()


def test_stop_while_things_are_under_way(fleet):
    """SIGTERM with exports, idle and busy connections: ends by itself, with 0."""
    api = fleet.serve()
    idle = [socket.create_connection(("127.0.0.1", api.port)) for _ in range(50)]
    stalled = []
    for _ in range(3):  # exports that nobody takes
        s = socket.create_connection(("127.0.0.1", api.port))
        s.sendall(b"GET /v1/export/cards.csv HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n" % READ.encode())
        stalled.append(s)
    running, answers = True, []

    def ask():
        while running:
            try:
                answers.append(api.ask("GET", "/v1/fleet")[0])
            except (OSError, http.client.HTTPException):
                return
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for t in threads:
        t.start()
    procs.wait_for(lambda: len(answers) > 20, 30, "all to be under way")
    assert api.stop() == 0
    running = False
    for t in threads:
        t.join()
    for s in idle + stalled:
        s.close()


def test_a_large_export_is_streamed_and_broken_off(kafka):
    """Twelve thousand cards: all of them, in little memory; when Redis ends midway the transfer ends without its end."""
    world = conftest.World(kafka, partitions=2)
    fleet = Fleet(lambda **how: world)
    try:
        api = fleet.serve()
        more = [iccid(100000 + i) for i in range(12000)]
        world.cards.references([(c, {"type": "card", "iccid": c, "carrier": "ct", "plan": "s"}) for c in more])
        world.cards.flush()
        procs.wait_for(lambda: api.ask("GET", "/v1/cards/" + more[-1])[0] == 200, 60, "the cards to be there")
        procs.wait_for(lambda: len(api.export(fields="iccid")[1]) == 12061, 30, "all cards to be there", 0.5)
        _, rows = api.export(fields="iccid,status")
        assert sorted(r["iccid"] for r in rows) == sorted(more + fleet.POOLED + fleet.SINGLE + fleet.METERED + [fleet.CANCELLED])
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        s.connect(("127.0.0.1", api.port))
        wide = "usage=day&usage_fields=used_bytes,up_bytes,down_bytes,records,sessions"
        day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 40 * 86400))
        connection = http.client.HTTPConnection("127.0.0.1", api.port)
        connection.sock = s
        connection.request("GET", "/v1/export/cards.csv?%s&from=%s" % (wide, day), headers={"Authorization": "Bearer " + READ})
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read(1000)
        world.redis.kill()
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.read()
        s.close()
        assert api.ask("GET", "/healthz")[0] == 200
    finally:
        fleet.end()
        world.close()
