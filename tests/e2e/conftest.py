"""Fixtures of the end-to-end tests: the Kafka that ctest started, or one for this run; a World (topics, Redis, carrier simulator, weir) for a test."""

import os
import sys
import time
import uuid

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import generate  # noqa: E402
import oracle as oracle_module  # noqa: E402
import state  # noqa: E402
from harness import kafka as kafka_module  # noqa: E402
from harness import procs  # noqa: E402
from harness.redis import Redis  # noqa: E402
from harness.weir import CarrierSim, Weir, binary  # noqa: E402


def number(name, default):
    """A size from the environment, such as WEIR_E2E_RECORDS."""
    return int(os.environ.get(name) or default)


@pytest.fixture(scope="session")
def kafka():
    if not os.path.exists(binary()):
        pytest.fail("there is no " + binary())
    server = kafka_module.shared()
    if server is not None:
        yield server
        return
    why = kafka_module.available()
    if why:
        pytest.skip("Kafka's jars cannot be had: " + why)
    server = kafka_module.Kafka().start()
    yield server
    server.stop()


class World:
    """Everything that one test needs around weir, and what it was sent."""

    def __init__(self, kafka, partitions=4, sim=None, appendonly=False, settings=None, inputs=None, redis=None):
        self.kafka, self.partitions = kafka, partitions
        self.name = "t" + uuid.uuid4().hex[:8]
        self.topics = {t: "%s.%s" % (self.name, t) for t in ("records", "cards", "partials", "dead", "audit", "alerts",
                                                             "pool_hourly", "pool_daily", "card_daily")}
        self.inputs = inputs or [{"topic": self.topics["records"], "format": "canonical"}]
        names = [i["topic"] for i in self.inputs] + [self.topics[t] for t in self.topics if t != "records"]
        kafka.create({n: partitions for n in names})
        self._made = names
        self.redis = redis.start() if redis is not None else Redis(appendonly=appendonly).start()
        self.sim = CarrierSim(**sim).start() if sim is not None else None
        self.logs = {t: generate.Log(kafka.brokers, t, partitions)
                     for t in [i["topic"] for i in self.inputs] + [self.topics["cards"]]}
        self.weirs = []
        self._reader = None
        self.extra = settings or {}

    @property
    def records(self):
        return self.logs[self.inputs[0]["topic"]]

    @property
    def cards(self):
        return self.logs[self.topics["cards"]]

    def settings(self):
        s = {
            "kafka": {"brokers": self.kafka.brokers, "group": self.name, "session_timeout_ms": 6000},
            "topics": {t: self.topics[t] for t in self.topics if t != "records"},
            "inputs": self.inputs,
            "redis": {"url": self.redis.url, "timeout_ms": 2000},
            "flush": {"interval_ms": 200},
        }
        if self.sim:
            key = os.path.join(self.sim.dir, "key")
            with open(key, "w") as f:
                f.write("sim")
            s["carriers"] = {"default": {
                "adapter": "cisco", "url": self.sim.url, "user": "sim", "api_key_file": key, "rate_per_s": 5000,
                "concurrency": 16, "timeout_ms": 2000, "retry_min_ms": 20, "retry_max_ms": 500, "confirm_ms": 50,
                "breaker_open_ms": 200}}
        for section, members in self.extra.items():
            s[section] = {**s[section], **members} if isinstance(members, dict) and section in s else members
        return s

    def weir(self, name="weir", **sections):
        settings = self.settings()
        for section, members in sections.items():
            settings[section] = {**settings.get(section, {}), **members}
        w = Weir(settings, name)
        self.weirs.append(w)
        return w

    def oracle(self, now_us=None):
        o = oracle_module.Oracle(now_us or int(time.time() * 1e6))
        self.cards.tell_references(o)
        for log in [self.logs[i["topic"]] for i in self.inputs]:
            log.tell_records(o)
        return o

    def ends(self, topic):
        """Offsets after the last message of each partition, as the broker has them."""
        return [high for _, high in self._watermarks(topic)]

    def lows(self, topic):
        """Offsets of the first message of each partition, as the broker has them."""
        return [low for low, _ in self._watermarks(topic)]

    def _watermarks(self, topic):
        from confluent_kafka import Consumer, TopicPartition
        if self._reader is None:
            self._reader = Consumer({"bootstrap.servers": self.kafka.brokers, "group.id": self.name + "-ends", "log_level": 2})
        return [self._reader.get_watermark_offsets(TopicPartition(topic, p), timeout=10) for p in range(self.partitions)]

    def stored(self):
        """{topic: offsets in Redis} as far as they are not at the end; of what weir itself writes to, by the broker."""
        client, out = self.redis.client(), {}
        own = [self.topics["cards"], self.topics["partials"]]
        for topic in [i["topic"] for i in self.inputs] + own:
            at = state.offsets(client, self.partitions, topic)
            want = self.ends(topic) if topic in own and not out else self.logs[topic].ends if topic in self.logs else at
            if at != want:
                out[topic] = (at, want)
        return out

    def wait_flushes(self, count=1, timeout_s=60):
        """Under load: until each partition has stored a later position of the records `count` times, whoever owns it."""
        import redis
        client, topic = self.redis.client(), self.records.topic
        last, left = {}, [count] * self.partitions

        def flushed():
            try:
                now = state.offsets(client, self.partitions, topic)
            except redis.exceptions.RedisError:
                return False
            for p, at in enumerate(now):
                left[p] -= at > last.setdefault(p, at)
                last[p] = at  # lower after a loss: it must rise again
            return max(left) <= 0
        procs.wait_for(flushed, timeout_s, lambda: "%s more flushes under load; stored %s\n%s" % (
            left, last, "\n".join(procs.tail(w.log, 15) for w in self.weirs)), 0.05)

    def wait_done(self, timeout_s=120):
        """Until Redis holds the position after everything that was sent."""
        import redis
        last = {}

        def done():
            for w in self.weirs:
                if w.child is not None and w.child.poll() is not None:
                    raise AssertionError("weir ended with %s:\n%s" % (w.child.returncode, procs.tail(w.log)))
            try:
                last["left"] = self.stored()
                return not last["left"]
            except redis.exceptions.RedisError as e:
                last["left"] = e
        procs.wait_for(done, timeout_s, lambda: "the input to be counted; stored and sent: %s\n%s" % (
            last["left"], "\n".join(procs.tail(w.log, 15) for w in self.weirs)), 0.1)

    def state(self):
        return state.read(self.redis.client(), self.partitions)

    def differences(self, oracle=None, timeout_s=20, **how):
        """Differences to the oracle, asked again until there are none or the time is up (a last flush may be due)."""
        deadline = time.monotonic() + timeout_s
        oracle = oracle or self.oracle()
        while True:  # weir's own words are asked again: what is stored may be one flush old
            out = state.differences(oracle, self.state(), **how)
            if not out or time.monotonic() > deadline:
                print("\n".join(out))
                return out
            time.sleep(0.5)

    def wait_enforced(self, oracle=None, timeout_s=60):
        """Until the carrier has every card as the rules want it; returns what is wrong when the time is up."""
        oracle = oracle or self.oracle()
        deadline = time.monotonic() + timeout_s
        while True:
            at_carrier, wrong = self.sim.state(), []
            for iccid, card in oracle.cards.items():
                want = oracle.suspended(card)
                cut_off, puts = at_carrier.get(iccid, (False, 0))
                if want is None and puts:
                    wrong.append("%s is %s and was sent %d commands" % (iccid, card.status, puts))
                elif want is not None and want != cut_off:
                    wrong.append("%s is %s at the carrier, reasons %s" % (
                        iccid, "suspended" if cut_off else "active", sorted(oracle.reasons(card))))
            if not wrong or time.monotonic() > deadline:
                print("\n".join(wrong[:20]))
                return wrong[:20]
            time.sleep(0.3)

    def read_topic(self, which):
        """All messages of an output topic: (key, value, {header: text})."""
        from confluent_kafka import Consumer, TopicPartition
        topic = self.topics[which]
        consumer = Consumer({"bootstrap.servers": self.kafka.brokers, "group.id": self.name + "-reader", "log_level": 2,
                             "enable.auto.commit": False, "fetch.message.max.bytes": 20000000})
        out = []
        try:
            left = {}
            for p in range(self.partitions):
                low, high = consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)
                if high > low:
                    left[p] = high
            consumer.assign([TopicPartition(topic, p, 0) for p in left])
            deadline = time.monotonic() + 60
            while left and time.monotonic() < deadline:
                for m in consumer.consume(1000, 0.2):
                    if m.error():
                        raise AssertionError(m.error())
                    headers = {k: v.decode("utf-8", "replace") for k, v in (m.headers() or [])}
                    out.append((m.key(), m.value(), headers))
                    if m.offset() + 1 >= left.get(m.partition(), 0):
                        left.pop(m.partition(), None)
            assert not left, "could not read all of " + topic
        finally:
            consumer.close()
        return out

    def dead(self):
        """Dead letters as {(topic, partition, offset, element): reason}; raw rows in .dead_rows."""
        self.dead_rows = self.read_topic("dead")
        return {(h["topic"], int(h["partition"]), int(h["offset"]), int(h.get("element", 0))): h["reason"]
                for _, _, h in self.dead_rows}

    def dead_differences(self, oracle):
        want = {row[:4]: row[4] for row in oracle.dead}
        got = self.dead()
        out = ["%s: %s, expected %s" % (k, got.get(k), want.get(k)) for k in sorted(want.keys() | got.keys())
               if got.get(k) != want.get(k)]
        return out[:20]

    def close(self):
        for w in self.weirs:
            w.end()
        if self.sim:
            self.sim.end()
        self.redis.stop()
        if self._reader is not None:
            self._reader.close()
        for log in self.logs.values():
            log._producer.flush(0)
        self.kafka.discard(self._made)


@pytest.fixture
def world(kafka, request):
    """Makes worlds; on a failure shows the tails of the logs."""
    made = []

    def make(**how):
        made.append(World(kafka, **how))
        return made[-1]
    yield make
    sanitizers = [line for w in made for weir in w.weirs for line in weir.text().splitlines()
                  if "Sanitizer: " in line or "runtime error: " in line]
    failed = getattr(request.node, "rep_call", None)
    for w in made:
        if failed is not None and failed.failed:
            for weir in w.weirs:
                print("--- %s\n%s" % (weir.name, procs.tail(weir.log, 40)))
        w.close()
    assert sanitizers == []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    result = yield
    setattr(item, "rep_" + call.when, result.get_result())


def pytest_terminal_summary(terminalreporter):
    """Names what was skipped, and why."""
    for report in terminalreporter.stats.get("skipped", []):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        terminalreporter.write_line("skipped %s: %s" % (report.nodeid, why))
