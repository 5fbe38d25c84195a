"""A running weir as those see it who watch: Prometheus, probes, the log's readers, systemd."""

import ctypes
import glob
import json
import os
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness import procs

A, B = "89860000000000000001", "89860000000000000002"
SECRETS = {"redis": "redis-s3cret-7719", "key": "carrier-s3cret-4242"}


def get(port, path, method="GET"):
    """Status and body; (0, reason) when there is no answer."""
    request = urllib.request.Request("http://127.0.0.1:%d%s" % (port, path), method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()
    except OSError as e:
        return 0, str(e)


def scrape(port):
    """{name: {labels as text: value}} of all samples."""
    status, text = get(port, "/metrics")
    assert status == 200, text
    out = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join("%s=%s" % item for item in sorted(sample.labels.items()))
            out.setdefault(sample.name, {})[labels] = sample.value
    return out


def wait_ready(port):
    procs.wait_for(lambda: get(port, "/readyz")[0] == 200, 30, lambda: "/readyz: %s" % (get(port, "/readyz"),))


def send(w, amount, number, iccid=A, **more):
    now = int(time.time() * 1000)
    w.records.send(0, now, iccid.encode(), json.dumps(
        {"id": str(number), "iccid": iccid, "up": amount, "end": now - 1, **more}).encode())
    w.records.flush()


def fleet(w):
    w.cards.references([
        (None, {"type": "plan", "id": "p", "carrier": "ct", "kind": "single", "allowance": 10000}),
        (A, {"type": "card", "iccid": A, "carrier": "ct", "plan": "p", "limit": 500}),
        (B, {"type": "card", "iccid": B, "carrier": "ct", "plan": "p"})])
    w.cards.flush()


def test_figures_log_and_secrets(world, tmp_path):
    """What was sent is what is shown; dead letters are logged with coordinates, secrets nowhere. rule REC-7"""
    w, port = world(partitions=1, sim={"seed": 5, "latency_ms": "1-3"}), procs.free_port()
    w.redis.client().execute_command("ACL", "SETUSER", "weir", "on", ">" + SECRETS["redis"], "~*", "&*", "+@all")
    for name, value in SECRETS.items():
        (tmp_path / name).write_text(value + "\n")
    carriers = dict(w.settings()["carriers"], spare={
        "adapter": "cisco", "url": "http://127.0.0.1:1", "user": "u", "api_key_file": str(tmp_path / "key")})
    weir = w.weir(metrics={"listen": "127.0.0.1:%d" % port}, log={"format": "json", "level": "debug"}, carriers=carriers,
                  redis={"url": w.redis.url, "user": "weir", "password_file": str(tmp_path / "redis")})
    fleet(w)
    weir.start(ready_s=0)
    wait_ready(port)
    send(w, 400, 1)
    send(w, 400, 1)                                      # the same again
    send(w, 350, 2)                                      # 250 over the limit
    send(w, 10, 3, iccid="89860000000000000999")          # a card that nobody knows
    w.records.send(0, int(time.time() * 1000), A.encode(), b"{broken")
    w.records.flush()
    w.wait_done(30)
    assert w.wait_enforced() == []
    seen = {}

    def confirmed():
        seen.update(scrape(port))
        return seen["weir_commands_total"]["carrier=default,state=confirmed"] == 1 and seen["weir_card_overshoot_bytes_count"][""]
    procs.wait_for(confirmed, 10, lambda: "the command to be counted: %s" % seen)
    one = {name: values.get("") for name, values in seen.items()}
    # elements that are no records count as records: they are decoded, and rejected
    assert (one["weir_messages_total"], one["weir_records_counted_total"], one["weir_records_duplicate_total"]) == (5, 2, 1)
    assert seen["weir_dead_letters_total"]["reason=unknown_card"] == seen["weir_dead_letters_total"]["reason=malformed"] == 1
    assert seen["weir_traffic_bytes_total"]["direction=up"] == 750
    assert seen["weir_decisions_total"]["action=suspend"] == 1
    assert one["weir_card_overshoot_bytes_sum"] == 250 and one["weir_command_latency_seconds_count"] == 1
    assert 0 < one["weir_command_latency_seconds_sum"] < 60 and one["weir_confirm_latency_seconds_count"] == 1
    assert one["weir_flush_duration_seconds_count"] > 0 and one["weir_flush_bytes_total"] > 0
    assert seen["weir_partition_state"]["partition=0,state=running"] == 1 == one["weir_ready"] == one["weir_partitions"]
    assert seen["weir_partition_cards"]["partition=0"] == 2
    assert all(lag == 0 for lag in seen["weir_lag_messages"].values()) and len(seen["weir_lag_messages"]) == 3
    assert time.time() - 60 < seen["weir_partition_flush_timestamp_seconds"]["partition=0"] <= time.time() + 1
    assert abs(one["weir_process_start_timestamp_seconds"] - time.time()) < 120
    assert get(port, "/healthz") == (200, "ok\n") and get(port, "/nothing")[0] == 404
    assert get(port, "/metrics", "POST")[0] == 405
    exposed = get(port, "/metrics")[1]
    assert weir.stop() == 0
    assert get(port, "/healthz")[0] == 0

    lines = [json.loads(line) for line in weir.text().splitlines()]
    assert {"starting", "metrics_on", "taken", "ready", "stopping", "stopped"} <= {line["event"] for line in lines}
    dead = {line["reason"]: line for line in lines if line["event"] == "dead_letter"}
    assert {"unknown_card", "malformed"} == set(dead)
    for offset, reason in ((3, "unknown_card"), (4, "malformed")):
        line = dead[reason]
        assert (line["topic"], line["partition"], line["offset"], line["element"]) == (w.topics["records"], 0, offset, 0)
    for secret in SECRETS.values():
        assert secret not in weir.text() and secret not in exposed


def test_ready_is_not_alive(world):
    """Redis away: not ready, but alive, for a restart would not help; ready again by itself."""
    w, port = world(partitions=1, appendonly=True), procs.free_port()
    fleet(w)
    w.weir(metrics={"listen": "127.0.0.1:%d" % port}).start()
    send(w, 10, 1)
    w.wait_done(30)
    wait_ready(port)
    w.redis.kill()
    send(w, 10, 2)
    procs.wait_for(lambda: get(port, "/readyz") == (503, "lane 0: Redis is away\n") or get(port, "/readyz")[0] == 503, 20,
                   lambda: "/readyz: %s" % (get(port, "/readyz"),))
    assert "Redis is away" in get(port, "/readyz")[1]
    assert get(port, "/healthz")[0] == 200
    assert 1 in scrape(port)["weir_redis_away"].values()
    w.redis.start()
    wait_ready(port)
    w.wait_done(30)
    assert scrape(port)["weir_records_counted_total"][""] == 2


def test_port_taken_and_silent_guests(world):
    """A taken port does not stop the counting; guests that say nothing do not keep others out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        w = world(partitions=1)
        weir = w.weir(metrics={"listen": "127.0.0.1:%d" % taken.getsockname()[1]}).start()
        assert "in use" in weir.said("metrics_off")[0]["msg"]
        assert weir.stop() == 0
    port = procs.free_port()
    weir = w.weir(name="again", metrics={"listen": "127.0.0.1:%d" % port}).start()
    guests = []
    try:
        for _ in range(1000):
            guest = socket.socket()
            guest.setblocking(False)
            guest.connect_ex(("127.0.0.1", port))
            guests.append(guest)
        procs.wait_for(lambda: get(port, "/healthz")[0] == 200, 60, "an answer beside a thousand silent guests", 0.5)
        assert weir.running()
    finally:
        for guest in guests:
            guest.close()


class Manager:
    """systemd's end of the notification socket."""

    def __init__(self, path):
        self.said = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            self.said.append((time.monotonic(), self.socket.recv(4096).decode()))

    def heard(self, text, since=0.0):
        return [at for at, said in list(self.said) if text in said and at >= since]


class StoppedThread:
    """One thread of a child held still, as by a bug, while the others go on."""

    SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17

    def __init__(self, tid):
        self.tid, self.libc = tid, ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        self.libc.ptrace.restype = ctypes.c_long

    def __enter__(self):
        if self.libc.ptrace(self.SEIZE, self.tid, None, None) != 0:
            pytest.skip("threads cannot be held here: " + os.strerror(ctypes.get_errno()))
        assert self.libc.ptrace(self.INTERRUPT, self.tid, None, None) == 0
        os.waitpid(self.tid, 0x40000000)  # __WALL
        return self

    def __exit__(self, *_):
        self.libc.ptrace(self.DETACH, self.tid, None, None)


def thread_named(pid, name):
    for path in glob.glob("/proc/%d/task/*/comm" % pid):
        with open(path) as f:
            if f.read().strip() == name:
                return int(path.split("/")[4])
    raise AssertionError("no thread " + name)


def test_systemd_is_told(world, monkeypatch):
    """READY, a status, the watchdog while the lanes go round and only then, STOPPING."""
    w, port = world(partitions=2), procs.free_port()
    weir = w.weir(metrics={"listen": "127.0.0.1:%d" % port}, lane={"count": 2})
    manager = Manager(os.path.join(weir.dir, "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", os.path.join(weir.dir, "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "900000")
    weir.start()
    procs.wait_for(lambda: manager.heard("STATUS=running; 2 partitions"), 20, lambda: "a status: %s" % manager.said)
    assert len(manager.heard("READY=1")) == 1
    procs.wait_for(lambda: len(manager.heard("WATCHDOG=1")) > 5, 10, "the watchdog to be fed")
    with StoppedThread(thread_named(weir.child.pid, "weir-lane-1")):
        held = time.monotonic()
        procs.wait_for(lambda: get(port, "/healthz")[0] == 503, 30, "a lane that hangs to be seen")
        assert time.monotonic() - held > 10 and "lane 1: no round" in get(port, "/healthz")[1]
        hungry = time.monotonic() + 0.5
        time.sleep(1.4)  # the watchdog is fed twice in its 0.9 s
        assert not manager.heard("WATCHDOG=1", since=hungry)
    procs.wait_for(lambda: get(port, "/healthz")[0] == 200, 10, "the lane to live again")
    procs.wait_for(lambda: manager.heard("WATCHDOG=1", since=hungry), 5, "the watchdog to be fed again")
    assert weir.stop() == 0
    assert manager.heard("STOPPING=1")
