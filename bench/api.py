#!/usr/bin/python3
"""GET of a card at a fixed rate (open loop) while records flow: a private Kafka and Redis, the engine, `weir serve`.

Prints the record latency without and with the API's load, taken in turn --rounds times so that what else the machine does
falls on both, and the API's percentiles; the last line is one JSON object with medians and the change in percent.
--records-per-s 0 measures the API alone. Usage: bench/api.py [--rate N] [--records-per-s N] [--seconds N] [--cards N]
[--rounds N]
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
sys.path.insert(0, os.path.join(ROOT, "bench"))
import drain  # noqa: E402
from harness import kafka, procs, redis  # noqa: E402
from harness.api import READ, Serve  # noqa: E402


def api_load(args, serve, store, seconds):
    pids = {"serve": serve.child.pid, "redis": store._child.pid}
    before = {name: drain.cpu_s(pid) for name, pid in pids.items()}
    done = subprocess.run([os.path.join(args.build, "bench", "weir_bench_api"), "--port", str(serve.port), "--token", READ, "--rate", str(args.rate),
                           "--seconds", str(seconds), "--cards", str(args.cards), "--connections", str(args.connections)],
                          stdout=subprocess.PIPE, timeout=600)
    out = json.loads(done.stdout.decode().strip().splitlines()[-1])
    asked = args.rate * (seconds + 2)  # with the load's own warm-up
    return {**out, **{name + "_cpu_us_per_request": round((drain.cpu_s(pid) - before[name]) * 1e6 / asked, 1) for name, pid in pids.items()}}


def with_records(args, common, seed, beside):
    """
    The engine under open-loop records; `beside` runs while they are measured. (record latency, what beside gave)

    Each run has a seed of its own: it exhausts other cards, for one that is cut off already gives no command to measure.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    count = ["--warmup-records", str(args.records_per_s * 5), "--records", str(args.records_per_s * args.seconds)]
    engine = subprocess.Popen([args.bench, "serve"] + common + count, **pipes)
    pace = None
    try:
        drain.wait_line(engine, b"ready")
        pace = subprocess.Popen([args.bench, "pace"] + common + ["--rate", str(args.records_per_s), "--seed", str(seed), "--warmup", "5", "--seconds", str(args.seconds)], **pipes)
        drain.wait_line(pace, b"warm")
        given = beside()
        sent = drain.result(pace, 120)
        return {"sent": sent, "latency": drain.result(engine, 120)}, given
    finally:
        for child in (pace, engine):
            if child is not None and child.poll() is None:
                child.kill()
                child.wait()


def medians(rows):
    """Of each number that all rows have."""
    return {k: statistics.median(r[k] for r in rows) for k in rows[0] if all(isinstance(r.get(k), (int, float)) for r in rows)}


def in_turn(args, common, serve, store):
    """Records alone, then with the API's load beside them, --rounds times."""
    rounds = []
    for i in range(args.rounds):
        alone, _ = with_records(args, common, 100 + 2 * i, lambda: None)
        beside, asked = with_records(args, common, 101 + 2 * i, lambda: api_load(args, serve, store, max(1, args.seconds - 4)))
        rounds.append({"records_alone": alone, "records_beside": beside, "beside": asked})
        print(json.dumps(rounds[-1]), flush=True)
    out = {k: medians([r[k]["latency"] for r in rounds]) for k in ("records_alone", "records_beside")}
    change = {k: round(100.0 * (out["records_beside"][k] / out["records_alone"][k] - 1), 1)
              for k in out["records_alone"] if k.startswith("us_p") and out["records_alone"][k]}
    return {**out, "beside": medians([r["beside"] for r in rounds]), "record_latency_change_percent": change,
            "sent": [r[k]["sent"] for r in rounds for k in ("records_alone", "records_beside")]}


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
    args.bench = os.path.join(args.build, "bench", "weir_bench_drain")
    os.environ["WEIR_BIN"] = os.path.join(args.build, "weir")
    broker, store, serve = kafka.Kafka(heap_mb=1024).start(), redis.Redis(), None
    directory = procs.directory("bench")
    config = os.path.join(directory, "bench.json")
    try:
        store.start()
        broker.create({"weir.records": 4, "weir.cards": 4, "weir.partials": 4, "weir.dead": 1, "weir.audit": 1, "weir.alerts": 1,
                       "weir.pool.hourly": 1, "weir.pool.daily": 1, "weir.card.daily": 1})
        drain.settings(config, broker.brokers, store.url, 2)
        common = ["--config", config, "--partitions", "4", "--cards", str(args.cards)]
        drain.run([args.bench, "fill"] + common + ["--records", "0"])
        subprocess.run([args.bench, "weir"] + common + ["--records", "0"], check=True)
        serve = Serve({"kafka": {"brokers": broker.brokers}, "redis": {"url": store.url}, "log": {"level": "warn"}}, rate_per_s=1000000).start()
        out = {"rate": args.rate, "cards": args.cards, "records_per_s": args.records_per_s, "alone": api_load(args, serve, store, min(args.seconds, 10))}
        if args.records_per_s:
            out.update(in_turn(args, common, serve, store))
        print(json.dumps(out))
    finally:
        if serve is not None:
            serve.end()
        store.stop()
        broker.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
