#!/usr/bin/python3
"""GET of a card at a fixed rate (open loop) while records flow: a private Kafka and Redis, `weir bench latency`, `weir serve`.

Each round runs `weir bench latency` twice with one seed, so with the same records: alone, and with the API's load beside it.
`weir serve` is up both times, on the key prefix of that very run (`weir-bench-…-run`), so the cards that are asked for are
those that the engine counts and writes meanwhile: a fleet under a prefix of its own would lie still. The API's load begins
when the run's first record is in Kafka, and is measured over the same seconds as the records. Which of the two comes first
changes from round to round, and a run with few cards before all rounds is not counted: the broker still compiles in it.

Prints a line a run; the last line is one JSON object with medians over the rounds whose generator kept up, and by how many
percent the record latency changed. --records-per-s 0 measures the API alone, beside 100 records/s that say when to begin.
Usage: bench/api.py [--rate N] [--records-per-s N] [--seconds N] [--cards N] [--rounds N] [--connections N] [--build FOLDER]
"""

import argparse
import glob
import json
import os
import shutil
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
from harness import kafka, procs, redis  # noqa: E402
from harness.api import READ, Serve  # noqa: E402
from harness.weir import binary  # noqa: E402

WARMUP_S = 5
WARMUP_CARDS = 10000
IDLE_RECORDS_PER_S = 100
PARTITIONS = 4


def cpu_s(pid):
    """CPU seconds of a process so far, all threads."""
    with open("/proc/%d/stat" % pid) as f:
        words = f.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def api_load(args, serve):
    """Warm-up as long as the records' own, then the same seconds as theirs."""
    before = cpu_s(serve.child.pid)
    done = subprocess.run([os.path.join(args.build, "bench", "weir_bench_api"), "--port", str(serve.port), "--token", READ,
                           "--rate", str(args.rate), "--seconds", str(args.seconds), "--warmup", str(WARMUP_S),
                           "--cards", str(args.cards), "--connections", str(args.connections)],
                          stdout=subprocess.PIPE, timeout=600)
    if done.returncode:
        raise SystemExit("the API's load failed: %s" % done.stdout.decode())
    out = json.loads(done.stdout.decode().splitlines()[-1])
    asked = args.rate * (args.seconds + WARMUP_S)
    return {**out, "serve_cpu_us_per_request": round((cpu_s(serve.child.pid) - before) * 1e6 / asked, 1)}


class Run:
    """One `weir bench latency`, and a `weir serve` on its cards."""

    def __init__(self, args, servers, seed):
        from confluent_kafka import Consumer
        self.args, self.seed, self.broker = args, seed, servers["broker"]
        self.settings = {"kafka": {"brokers": self.broker.brokers}, "redis": {"url": servers["store"].url}, "log": {"level": "warn"}}
        directory = procs.directory("bench")
        self.log, self.config = os.path.join(directory, "latency"), os.path.join(directory, "bench.json")
        with open(self.config, "w") as f:
            json.dump(self.settings, f)
        self.admin = self.broker.admin()
        self.consumer = Consumer({"bootstrap.servers": self.broker.brokers, "group.id": "bench-reader", "log_level": 2})
        self.child, self.serve, self.topic = None, None, None

    def start(self):
        args, settings, earlier = self.args, self.settings, self.topics()
        self.child = procs.start([binary(), "bench", "latency", "--config", self.config, "--json", "--seed", str(self.seed), "--shares", "100",
                                  "--capacity", str(args.records_per_s or IDLE_RECORDS_PER_S), "--cards", str(args.cards),
                                  "--partitions", str(PARTITIONS), "--warmup", str(WARMUP_S), "--seconds", str(args.seconds)], self.log)
        # the topic of records is made when the fleet lies under the run's prefix
        self.topic = self.wait("the fleet to be loaded", lambda: self.topics() - earlier).pop()
        name = self.topic[:-len(".records")]
        self.serve = Serve({**settings, "redis": {**settings["redis"], "prefix": name + "-run"}, "topics": {"cards": name + ".cards"}},
                           rate_per_s=1000000).start()
        if self.flows():
            raise SystemExit("records flowed before weir serve was up: this machine is too busy")

    def topics(self):
        return {t for t in self.admin.list_topics(timeout=10).topics if t.startswith("weir-bench-") and t.endswith(".records")}

    def flows(self):
        from confluent_kafka import KafkaException, TopicPartition
        try:
            return any(self.consumer.get_watermark_offsets(TopicPartition(self.topic, p), timeout=10)[1] for p in range(PARTITIONS))
        except KafkaException:  # a topic that is being made has no leader yet
            return False

    def wait(self, what, done):
        def watched():
            if self.child.poll() is not None:
                raise SystemExit("weir bench latency ended early:\n" + procs.tail(self.log))
            return done()
        return procs.wait_for(watched, 600, what, 0.05)

    def wait_records(self):
        self.wait("records to flow", self.flows)

    def result(self):
        """Latencies in us by name (none when the generator fell behind), and the cores that were used."""
        if self.child.wait(600):
            raise SystemExit("weir bench latency failed:\n" + procs.tail(self.log))
        out = json.loads(procs.tail(self.log, 1))
        latency = {f["name"].partition(".")[2]: f["median"] for f in out["figures"] if f["name"].startswith("100.")}
        cores = next(t for t in out["tables"] if "late at most, ms" in t["columns"])
        return {"valid": bool(latency), "us": latency, **dict(zip(cores["columns"][1:], cores["rows"][0][1:]))}

    def end(self):
        self.consumer.close()
        if self.serve is not None:
            self.serve.end()
        if self.child is not None and self.child.poll() is None:  # after a failure here: it cannot tidy up any more
            procs.stop(self.child)
            for left in glob.glob("/tmp/weir-bench-%d-*" % self.child.pid):
                shutil.rmtree(left, ignore_errors=True)


def one_run(args, servers, seed, with_api):
    """What the records tell, and what the API's load tells (None without it)."""
    run, load = Run(args, servers, seed), None
    try:
        run.start()
        if with_api:
            run.wait_records()
            load = api_load(args, run.serve)
        out = {"records": run.result(), "api": load}
    finally:
        run.end()
    print(json.dumps({"seed": seed, **out}), flush=True)
    return out


def medians(rows):
    """Of each number that all rows have."""
    return {k: statistics.median(r[k] for r in rows) for k in (rows[0] if rows else {})
            if all(isinstance(r.get(k), (int, float)) for r in rows)}


def told(rows):
    good = [r for r in rows if r["valid"]]
    return {"valid": len(good), "us": medians([r["us"] for r in good]), "cores": medians([
        {k: r[k] for k in ("weir", "broker", "redis", "generator")} for r in rows])}


def measure(args, servers):
    rounds = range(1, args.rounds + 1)
    if not args.records_per_s:
        return {"api": medians([one_run(args, servers, seed, True)["api"] for seed in rounds])}
    one_run(argparse.Namespace(**{**vars(args), "cards": min(args.cards, WARMUP_CARDS)}), servers, 0, False)
    runs = {False: [], True: []}
    for seed in rounds:
        for with_api in (False, True) if seed % 2 else (True, False):
            runs[with_api].append(one_run(args, servers, seed, with_api))
    alone, beside = (told([r["records"] for r in runs[with_api]]) for with_api in (False, True))
    change = {k: round(100.0 * (beside["us"][k] / alone["us"][k] - 1), 1) for k in alone["us"] if k in beside["us"] and alone["us"][k]}
    return {"records_alone": alone, "records_beside": beside, "api": medians([r["api"] for r in runs[True]]),
            "record_latency_change_percent": change}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=int, default=2000, help="requests a second")
    parser.add_argument("--records-per-s", type=int, default=100000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--cards", type=int, default=1000000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    args = parser.parse_args()
    os.environ["WEIR_BIN"] = os.path.join(os.path.abspath(args.build), "weir")
    broker, store = kafka.Kafka(heap_mb=1024), redis.Redis()
    try:
        broker.start()
        store.start()
        print(json.dumps({"rate": args.rate, "cards": args.cards, "records_per_s": args.records_per_s, "seconds": args.seconds,
                          "rounds": args.rounds, **measure(args, {"broker": broker, "store": store})}))
    finally:
        store.stop()
        broker.stop()


if __name__ == "__main__":
    main()
