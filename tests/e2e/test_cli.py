"""The command line against a running weir: what it shows is what the oracle says, and what it asks for happens.

One fleet for the file: traffic with every kind of trouble, a pool, a smart card, a card with tags. The commands are run as
an operator runs them; their JSON is compared, their tables looked at.
"""

import csv
import fcntl
import io
import json
import os
import pty
import select
import socket
import struct
import subprocess
import termios
import time

import pytest

import generate
import state
from conftest import World
from harness import procs
from harness.weir import binary, run

POOLED = ["8986090000000000%04d" % n for n in range(6)]
PARENT, CHILD = "89860900000000009000", "8986090000000000901S"
OPERATED = "89860900000000009100"


class Fleet:
    def __init__(self, kafka):
        self.w = World(kafka, sim={}, settings={"audit": {"history": 32}})
        w = self.w
        o = generate.Options(seed=5, cards=300, records=20000, start_ms=generate.month_start_ms())
        cards, references = generate.fleet(o)
        self.now_ms = int(time.time() * 1000)
        w.cards.references(references)
        w.cards.references([
            (None, {"type": "plan", "id": "pool_plan", "carrier": "cm", "kind": "accumulative", "allowance": 1000}),
            ("city-7", {"type": "pool", "id": "city-7", "name": "City seven, north", "carrier": "cm", "kind": "accumulative",
                        "plan": "pool_plan", "batches": ["B-1"]})] + [
            (iccid, {"type": "card", "iccid": iccid, "carrier": "cm", "plan": "pool_plan", "pool": "city-7"})
            for iccid in POOLED] + [
            (PARENT, {"type": "card", "iccid": PARENT, "carrier": "cm", "plan": "cm_p", "tags": ["roof, south", "say \"hi\""]}),
            (CHILD, {"type": "card", "iccid": CHILD, "carrier": "ct", "plan": "ct_p", "parent": PARENT}),
            (OPERATED, {"type": "card", "iccid": OPERATED, "carrier": "cm", "plan": "cm_p", "limit": 10**12})])
        self.weir = w.weir().start()
        w.records.send_all(generate.stream(o, cards))
        n = 0
        for iccid, amount in [(i, 100) for i in POOLED] + [(CHILD, 700), (PARENT, 30), (OPERATED, 5000)]:
            n += 1
            w.records.send(generate.partition_of(iccid, w.partitions), self.now_ms, iccid.encode(), json.dumps(
                {"id": "n%d" % n, "iccid": iccid, "up": amount, "down": 1, "end": self.now_ms - 1000}).encode())
        w.records.flush()
        w.wait_done(60)
        self.oracle = w.oracle()

    def run(self, *args, code=0):
        """(stdout, stderr) of a command with this fleet's settings, which must end with `code`."""
        got, out, err = run(args[0], *(list(args[1:]) + ["--config", self.weir.config]), timeout_s=60)
        assert got == code, "%s: exit code %d\n%s%s" % (args, got, out, err)
        return out, err

    def json(self, *args, code=0):
        return json.loads(self.run(*args, "--json", code=code)[0])

    def until(self, condition, what, timeout_s=15):
        return procs.wait_for(condition, timeout_s, what, 0.1)


@pytest.fixture(scope="module")
def fleet(kafka):
    f = Fleet(kafka)
    yield f
    f.w.close()


def cycle_text(number):
    return "%04d-%02d" % (1970 + number // 12, number % 12 + 1)


def test_a_card_is_shown_as_counted(fleet):
    """rule ROL-4, rule CYC-3"""
    for iccid, card in list(fleet.oracle.cards.items())[::7]:
        shown = fleet.json("card", iccid)
        number = [int(x) for x in shown["cycle"].split("-")]
        want = card.cycles.get((number[0] - 1970) * 12 + number[1] - 1, [0, 0, 0])
        assert [shown["up_bytes"], shown["down_bytes"], shown["records"]] == want, shown
        cycles = {r["cycle"]: r for r in fleet.json("usage", iccid, "--by", "cycle")["windows"]}
        for cycle, (up, down, records) in card.cycles.items():
            row = cycles[cycle_text(cycle)]
            assert [row["up_bytes"], row["down_bytes"], row["records"]] == [up, down, records], (iccid, row)
    out, _ = fleet.run("card", PARENT)
    assert "roof, south" in out and CHILD in out and "701 B" in out
    shown = fleet.json("card", PARENT)
    assert shown["children_used_bytes"] == 701 and shown["tags"] == ["roof, south", 'say "hi"']
    assert fleet.json("card", CHILD)["parent"] == PARENT
    assert "no card 89860000000000099999" in fleet.run("card", "89860000000000099999", code=1)[1]


def test_cards_are_found(fleet):
    def found(*filters):
        lines = fleet.run("card", *filters, "--max", "10000", "--json")[0].splitlines()
        return {json.loads(line)["iccid"]: json.loads(line) for line in lines}
    assert set(found("--pool", "city-7")) == set(POOLED)
    assert set(found("--tag", "roof, south")) == {PARENT}
    of_cu = {i for i, c in fleet.oracle.cards.items() if c.carrier == "cu"}
    assert set(found("--carrier", "cu")) == of_cu
    deactivated = {i for i, c in fleet.oracle.cards.items() if c.status == "deactivated"}
    assert set(found("--status", "deactivated")) == deactivated and deactivated
    exhausted = found("--reason", "plan_exhausted", "--reason", "usage_limit")
    assert exhausted and all(set(c["reasons"]) & {"plan_exhausted", "usage_limit"} for c in exhausted.values())
    of_plan = found("--plan", "cm_p")
    assert OPERATED in of_plan and {c["plan"] for c in of_plan.values()} == {"cm_p"}
    assert set(found("--first", POOLED[1], "--last", POOLED[3])) == set(POOLED[1:4])
    out, err = fleet.run("card", "--carrier", "cu", "--max", "3")
    assert len(out.splitlines()) == 4 and "--max" in err
    assert fleet.run("card", "--pool", "nowhere", code=1)[1] == "weir card: no pool nowhere\n"


def test_a_pool_is_shown_with_its_members(fleet):
    """rule POOL-6, rule ROL-4"""
    pool = fleet.json("pool", "city-7")
    assert pool["name"] == "City seven, north" and pool["batches"] == ["B-1"] and pool["kind"] == "accumulative"
    assert pool["cards"] == pool["effective_cards"] == 6 and pool["effective_total_bytes"] == 6000
    assert pool["used_bytes"] == 606 and pool["remaining_bytes"] == 5394
    members = [json.loads(x) for x in fleet.run("pool", "city-7", "--members", "--json")[0].splitlines()]
    assert {m["iccid"] for m in members} == set(POOLED)
    assert sum(m["used_bytes"] for m in members) == pool["used_bytes"]
    assert "City seven" in fleet.run("pool", "--name", "SEVEN")[0]
    rows = fleet.json("usage", "city-7", "--by", "cycle")["windows"]
    assert rows[-1]["used_bytes"] == 606
    assert "no pool city-8" in fleet.run("pool", "city-8", code=1)[1]


def test_an_operator_asks_and_sees(fleet):
    """rule SUS-1, rule CMD-4: requests from the command line, their replies, and what the history says of them."""
    answer = fleet.json("request", OPERATED, "suspend", "--id", "op-1", "--by", "night-shift")
    assert answer["result"] == "done" and answer["id"] == "op-1"
    assert fleet.json("card", OPERATED)["reasons"] == ["manual"]
    fleet.until(lambda: fleet.w.sim.state().get(OPERATED, (False, 0))[0], "the carrier to suspend it")
    fleet.until(lambda: fleet.json("commands", OPERATED)["commands"][0]["state"] == "confirmed", "the command's end")
    command = fleet.json("commands", OPERATED)["commands"][0]
    assert command["action"] == "suspend" and command["reason"] == "manual" and command["sent"] and command["confirmed"]
    events = [e["event"] for e in fleet.json("audit", OPERATED)["audit"]]
    assert {"request", "decided", "sent", "confirmed"} <= set(events)
    assert "confirmed" in fleet.run("commands", OPERATED)[0] and "suspend" in fleet.run("audit", OPERATED)[0]
    assert fleet.run("request", OPERATED, "resume")[0].startswith("resume %s: done" % OPERATED)
    assert fleet.json("card", OPERATED)["reasons"] == []
    fleet.run("request", OPERATED, "limit", "4KiB")
    shown = fleet.json("card", OPERATED)
    assert shown["limit_bytes"] == 4096 and shown["reasons"] == ["usage_limit"] and shown["remaining_bytes"] == 0
    fleet.run("request", OPERATED, "limit", "none")
    assert fleet.json("card", OPERATED)["limit_bytes"] is None
    fleet.run("request", "city-7", "addon", "1KiB")
    assert fleet.json("pool", "city-7")["addon_bytes"] == 1024
    fleet.run("request", OPERATED, "limit", "1GiB", "--keep")
    assert not fleet.json("card", OPERATED)["auto_restore"]
    fleet.run("request", OPERATED, "limit", "none")
    answer = fleet.json("request", OPERATED, "addon", "1KiB", "--cycle", "2020-01", code=1)
    assert answer["result"] == "rejected" and "2020-01 is closed" in answer["reply"]
    assert fleet.json("request", OPERATED, "suspend", "--no-wait")["result"] == "sent"
    fleet.until(lambda: fleet.json("card", OPERATED)["reasons"] == ["manual"], "a request that nobody waited for")
    assert fleet.json("request", OPERATED, "resume", "--wait", "30s")["result"] == "done"
    answer = fleet.json("request", OPERATED, "cancel", code=1)
    assert answer["result"] == "rejected" and answer["reply"].endswith("(LIFE-7)")
    answer = fleet.json("request", "89869999999999999999", "suspend", code=1)
    assert answer["result"] == "rejected" and fleet.w.topics["dead"] in answer["reply"]
    assert "did you mean 'suspend'" in fleet.run("request", OPERATED, "suspnd", code=2)[1]


def rows_of(text):
    assert text.endswith("\r\n") and "\n" not in text.replace("\r\n", "")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def export(fleet, *args):
    done = subprocess.run([binary(), "export", "--config", fleet.weir.config] + list(args), stdout=subprocess.PIPE, timeout=60,
                          check=True)
    return rows_of(done.stdout.decode())


def test_export_holds_every_card(fleet, tmp_path):
    rows = {r["iccid"]: r for r in export(fleet, "--fields", "iccid,carrier,tags,up_bytes,down_bytes,records,cycle", "--usage",
                                          "cycle", "--usage-fields", "up_bytes,records")}
    assert set(rows) == set(fleet.oracle.cards)
    for iccid, card in fleet.oracle.cards.items():
        assert rows[iccid]["carrier"] == card.carrier
        for cycle, (up, _, records) in card.cycles.items():
            assert rows[iccid][cycle_text(cycle) + " up_bytes"] == str(up), iccid
            assert rows[iccid][cycle_text(cycle) + " records"] == str(records), iccid
    assert rows[PARENT]["tags"] == 'roof, south;say "hi"'
    assert len(export(fleet, "--pool", "city-7")) == 6
    assert export(fleet, "--status", "testable") == []
    assert {row["plan"] for row in export(fleet, "--plan", "cm_p")} == {"cm_p"}
    path = tmp_path / "cards.csv"
    err = fleet.run("export", "--output", str(path), "--fields", "iccid", "--progress")[1]
    assert "%d cards of " % len(fleet.oracle.cards) in err
    assert len(rows_of(path.read_bytes().decode())) == len(fleet.oracle.cards) and os.stat(path).st_mode & 0o044
    fleet.run("export", "--output", str(tmp_path / "no" / "such" / "folder.csv"), code=1)
    assert "did you mean 'iccid'" in fleet.run("export", "--fields", "icid", code=2)[1]
    assert "from" in fleet.run("export", "--usage", "day", "--from", "2026-02-30", code=2)[1]


def test_verify_finds_what_differs(fleet):
    """rule REC-1, rule REC-2, rule REC-3, rule REC-6: counted anew from Kafka, byte for byte."""
    found = fleet.json("verify")
    assert found["equal"] and found["difference_count"] == 0 and found["kafka_is_whole"], found
    assert found["cards"] == len(fleet.oracle.cards) and found["cycles_compared"] > 200
    assert found["duplicates"] > 1000 and found["too_late"] > 0 and found["future"] > 0
    assert "equal" in fleet.run("verify", "--partition", "1")[0]
    # one byte of one card
    client = fleet.w.redis.client()
    iccid = POOLED[0]
    words = state.words(client, iccid)
    key = "weir:{%s}:c:%d" % (words["partition"], int(words["slot"]) // 128)
    at = int(words["slot"]) % 128 * 64 + 16
    was = client.getrange(key, at, at + 7)
    client.setrange(key, at, struct.pack("<Q", struct.unpack("<Q", was)[0] + 1))
    try:
        out, _ = fleet.run("verify", code=1)
        assert "card %s" % iccid in out and "there are differences" in out
        found = fleet.json("verify", code=1)
        assert found["difference_count"] == 1 and found["differences"][0]["iccid"] == iccid
    finally:
        client.setrange(key, at, was)
    assert fleet.json("verify")["equal"]
    assert "there are 4" in fleet.run("verify", "--partition", "4", code=2)[1]


def test_verify_says_what_kafka_no_longer_has(world):
    """Records deleted from the log's beginning: nothing is called a difference that cannot be known."""
    from confluent_kafka import TopicPartition
    w = world(partitions=2)
    cards = ["8986077000000000%04d" % n for n in range(10)]
    w.cards.references([(None, {"type": "plan", "id": "p", "carrier": "cm", "kind": "metered", "allowance": 0})] + [
        (i, {"type": "card", "iccid": i, "carrier": "cm", "plan": "p"}) for i in cards])
    now = int(time.time() * 1000)
    for n in range(400):
        iccid = cards[n % 10]
        w.records.send(generate.partition_of(iccid, 2), now, iccid.encode(), json.dumps(
            {"id": str(n), "iccid": iccid, "up": 7, "down": 1, "end": now - 5000}).encode())
    w.records.flush()
    weir = w.weir().start()
    w.wait_done(60)
    delete_records(w.kafka, w.topics["records"], [end // 2 for end in w.records.ends])
    code, out, err = run("verify", "--config", weir.config, "--json")
    found = json.loads(out)
    assert code == 0 and found["equal"] and not found["kafka_is_whole"], (found, err)
    assert found["cycles_not_verifiable"] == 10 and found["exact_from"], found
    out = run("verify", "--config", weir.config)[1]
    assert "cannot be verified" in out


def delete_records(kafka, topic, offsets):
    """Kafka's DeleteRecords request, version 0: Debian's client library has no call for it."""
    name = topic.encode()
    body = struct.pack(">ih", 1, len(name)) + name + struct.pack(">i", len(offsets))
    body += b"".join(struct.pack(">iq", p, offset) for p, offset in enumerate(offsets)) + struct.pack(">i", 10000)
    request = struct.pack(">hhih", 21, 0, 1, -1) + body
    with socket.create_connection(("127.0.0.1", kafka.port), 10) as s:
        s.sendall(struct.pack(">i", len(request)) + request)
        answer = b""
        while len(answer) < 4 or len(answer) < 4 + struct.unpack(">i", answer[:4])[0]:
            answer += s.recv(65536)
    at = 4 + 4 + 4 + 4 + 2 + len(name) + 4
    rows = [struct.unpack_from(">iqh", answer, at + 14 * i) for i in range(len(offsets))]
    assert [row[2] for row in rows] == [0] * len(offsets), rows


def test_top_once(fleet):
    found = fleet.json("top", "--once")
    assert found["fleet"]["cards"] == len(fleet.oracle.cards) == found["fleet"]["counted_cards"]
    assert sum(found["fleet"]["by_status"].values()) == found["fleet"]["cards"]
    carriers = {}
    for card in fleet.oracle.cards.values():
        carriers[card.carrier] = carriers.get(card.carrier, 0) + 1
    assert found["fleet"]["by_carrier"] == carriers
    assert found["lag_messages"] == 0 and found["messages_per_second"] == 0 and found["owners"] >= 1
    assert [p["id"] for p in found["fleet"]["nearest_pools"]] == ["city-7"]
    assert found["commands"] and found["commands"][0]["at"] >= found["commands"][-1]["at"]
    out, _ = fleet.run("top", "--once")
    assert "city-7" in out and "usage_limit" in out
    assert "no terminal" in fleet.run("top", code=2)[1]


def look(fd, seconds):
    """What a terminal was sent."""
    out, deadline = b"", time.monotonic() + seconds
    while time.monotonic() < deadline:
        if select.select([fd], [], [], 0.1)[0]:
            try:
                out += os.read(fd, 65536)
            except OSError:
                break
    return out


def test_top_on_a_terminal_of_80_by_24(fleet):
    """Each frame fits the screen; q ends it and gives the screen back."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(binary(), [binary(), "top", "--config", fleet.weir.config])
    try:
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        shown = look(fd, 3)
        os.write(fd, b"q")
        shown += look(fd, 2)
        _, status = os.waitpid(pid, 0)
        pid = 0
    finally:
        if pid:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        os.close(fd)
    assert os.WEXITSTATUS(status) == 0
    assert shown.startswith(b"\x1b[?1049h") and shown.rstrip().endswith(b"\x1b[?1049l")
    frames = shown.decode().split("\x1b[H")[2:]  # the first may be of the size before
    assert len(frames) >= 1
    for frame in frames:
        lines = frame.split("\x1b[J")[0].replace("\x1b[K", "").replace("\x1b[1m", "").replace("\x1b[0m", "").split("\r\n")
        assert len(lines) <= 24 and all(len(line) <= 80 for line in lines), frame
        assert "weir top" in lines[0] and any("city-7" in line for line in lines)
