"""Operator requests on a running weir, seen at the carrier: SUS-1, SUS-2, and what each leaves alone."""

import json
import time

import pytest

import state
from harness import procs

A, B, C = "89860000000000000001", "89860000000000000002", "89860000000000000003"


class Desk:
    """One partition, three cards (A: plan of 1,000 and limit 500; B: no limit; C: auto_restore off), and an operator."""

    def __init__(self, w):
        self.w, self.n = w, 0
        w.cards.references([
            (None, {"type": "plan", "id": "p", "carrier": "ct", "kind": "single", "allowance": 1000}),
            (None, {"type": "plan", "id": "big", "carrier": "ct", "kind": "single", "allowance": 10**12}),
            (A, {"type": "card", "iccid": A, "carrier": "ct", "plan": "p", "limit": 500}),
            (B, {"type": "card", "iccid": B, "carrier": "ct", "plan": "big"}),
            (C, {"type": "card", "iccid": C, "carrier": "ct", "plan": "big", "limit": 500, "auto_restore": False})])
        self.weir = w.weir().start()

    def use(self, iccid, amount, **more):
        self.n += 1
        now = int(time.time() * 1000)
        self.w.records.send(0, now, iccid.encode(), json.dumps(
            {"id": str(self.n), "iccid": iccid, "up": amount, "end": now - 1, **more}).encode())
        self.settle()

    def ask(self, iccid, action, **more):
        self.n += 1
        self.w.cards.reference(iccid, {"type": "request", "iccid": iccid, "action": action, "id": str(self.n), "by": "me", **more})
        self.settle()

    def card(self, iccid, **more):
        self.w.cards.reference(iccid, {"type": "card", "iccid": iccid, **more})
        self.settle()

    def settle(self):
        self.w.records.flush()
        self.w.cards.flush()
        self.w.wait_done(15)

    def expect(self, iccid, *reasons):
        """Reasons in Redis, the same at the carrier, and the oracle agrees."""
        oracle = self.w.oracle()
        assert oracle.reasons(oracle.cards[iccid]) == set(reasons), "the test itself is wrong"
        last = {}

        def agreed():
            words = last["words"] = state.words(self.w.redis.client(), iccid)
            got = set(words["reasons"].replace("none", "").split(",")) - {""}
            cut_off, last["puts"] = self.w.sim.state().get(iccid, (False, 0))
            return got == set(reasons) and cut_off == bool(reasons)
        procs.wait_for(agreed, 10, lambda: "reasons %s at Redis and carrier; last seen %s" % (sorted(reasons), last))
        return last["puts"]


@pytest.fixture
def desk(world):
    return Desk(world(partitions=1, sim={"seed": 5, "latency_ms": "1-3"}))


def test_limit_resume_and_lift(desk):
    """rule SUS-1: a resume clears manual and usage_limit, lifts the limit for the cycle, and leaves the plan's reason."""
    desk.use(A, 499)
    desk.expect(A)
    desk.use(A, 1)
    desk.expect(A, "usage_limit")
    desk.ask(A, "suspend")
    puts = desk.expect(A, "usage_limit", "manual")
    desk.ask(A, "resume")
    assert desk.expect(A) == puts + 1
    desk.use(A, 100)
    desk.expect(A)                      # the limit stays lifted
    desk.use(A, 400)
    desk.expect(A, "plan_exhausted")
    desk.ask(A, "resume")
    desk.expect(A, "plan_exhausted")    # not the operator's to clear
    desk.ask(A, "limit", limit=600)
    desk.expect(A, "plan_exhausted", "usage_limit")  # changed: no longer lifted


def test_limits_and_addons_take_effect_at_once(desk):
    """rule SUS-2: up clears, down raises, an add-on clears; its repeat changes nothing."""
    desk.use(A, 700)
    desk.expect(A, "usage_limit")
    desk.ask(A, "limit", limit=701)
    desk.expect(A)
    desk.ask(A, "limit", limit=700)
    desk.expect(A, "usage_limit")
    desk.ask(A, "limit", limit=None)
    desk.expect(A)
    desk.use(A, 300)
    desk.expect(A, "plan_exhausted")
    desk.ask(A, "addon", bytes=1, id="one")
    desk.expect(A)
    desk.use(A, 1)
    desk.expect(A, "plan_exhausted")
    desk.ask(A, "addon", bytes=1, id="one")
    desk.expect(A, "plan_exhausted")
    desk.ask(A, "addon", bytes=1, id="two")
    desk.expect(A)
    desk.use(A, 1)
    desk.ask(A, "addon", bytes=5, id="one")  # the first again, after another
    desk.expect(A, "plan_exhausted")


def test_plan_change(desk):
    """rule SUS-2, rule SUS-3: a larger plan clears; the card's own limit and manual stop move with it."""
    desk.use(A, 1000)
    desk.ask(A, "suspend")
    desk.expect(A, "plan_exhausted", "usage_limit", "manual")
    desk.card(A, plan="big")
    desk.expect(A, "usage_limit", "manual")
    desk.ask(A, "limit", limit=5000)
    desk.expect(A, "manual")
    desk.card(A, plan="p")
    desk.expect(A, "plan_exhausted", "manual")


def test_second_reason_sends_nothing(desk):
    """rule CMD-1, rule SUS-1: commands follow the set's emptiness, not its changes."""
    desk.ask(B, "suspend")
    puts = desk.expect(B, "manual")
    desk.ask(B, "limit", limit=1)
    desk.use(B, 10)
    assert desk.expect(B, "manual", "usage_limit") == puts
    desk.ask(B, "limit", limit=100)
    assert desk.expect(B, "manual") == puts
    desk.ask(B, "suspend")
    assert desk.expect(B, "manual") == puts
    desk.ask(B, "resume")
    assert desk.expect(B) == puts + 1


def test_manual_stop_survives_restart_and_past_usage(desk):
    """rule REC-6, rule CMD-4: usage of an earlier cycle raises nothing; a stop stays over kill -9; the audit tells."""
    desk.ask(C, "suspend")
    desk.expect(C, "manual")
    desk.weir.kill()
    desk.weir.start()
    desk.use(C, 400)
    puts = desk.expect(C, "manual")
    desk.ask(C, "resume")
    assert desk.expect(C) == puts + 1
    desk.use(C, 200)
    desk.expect(C)                      # lifted by the resume
    desk.settle()
    audit = [json.loads(v) for k, v, _ in desk.w.read_topic("audit") if k == C.encode()]
    events = [(a["event"], a.get("action")) for a in audit]
    assert ("decided", "suspend") in events and ("decided", "resume") in events, events
    decided = next(a for a in audit if a["event"] == "decided" and a["action"] == "suspend")
    assert decided["reason"] == "manual" and decided["carrier"] == "ct" and decided["topic"] == desk.w.cards.topic
    confirmed = [a for a in audit if a["event"] == "confirmed"]
    assert len(confirmed) >= 2 and all(a["confirmed_us"] >= a["decided_us"] > 0 for a in confirmed), confirmed


def test_overshoot_is_audited(desk):
    """rule CMD-4: the record that crossed the limit, usage before and after, the overshoot."""
    desk.use(A, 450)
    desk.use(A, 175)
    desk.expect(A, "usage_limit")
    desk.settle()
    audit = [json.loads(v) for k, v, _ in desk.w.read_topic("audit") if k == A.encode()]
    decided = next(a for a in audit if a["event"] == "decided")
    assert (decided["limit"], decided["usage_before"], decided["usage_after"]) == (500, 450, 625), decided
    assert (decided["topic"], decided["partition"], decided["offset"]) == (desk.w.records.topic, 0, 1), decided
    confirmed = next(a for a in audit if a["event"] == "confirmed")
    assert confirmed["overshoot"] == 125, confirmed


def test_carrier_outage(desk):
    """rule CMD-2, rule CMD-3: nothing is lost while the carrier is down; a suspend no longer wanted is never sent."""
    desk.w.sim.outage(True)
    desk.ask(A, "suspend")
    desk.ask(B, "suspend")

    def refused(more):
        was = desk.w.sim.counters()["errors"]
        procs.wait_for(lambda: desk.w.sim.counters()["errors"] >= was + more, 20, lambda: "%s" % desk.w.sim.counters())
    refused(3)
    desk.ask(B, "resume")
    refused(2)
    desk.w.sim.outage(False)
    desk.expect(A, "manual")
    desk.expect(B)
