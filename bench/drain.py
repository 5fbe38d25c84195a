#!/usr/bin/python3
"""Drives the drain benchmark: a private Kafka and Redis, one preloaded topic, bare and weir drains in turn.

Prints each drain's JSON object and, as the last line, one object with medians and the ratio of weir to the best bare
drain of the same run. Cards are loaded once; every weir drain starts from a copy of that Redis, so that each counts all
records anew. With --latency RATE: open-loop load at that rate beside the engine instead, and the latency from a record being due to its command.
Usage: bench/drain.py [--cards N] [--records N] [--rounds N] [--partitions N] [--lanes N] [--by-sequence] [--source direct,librdkafka]
"""

import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
from harness import kafka, procs, redis  # noqa: E402


class SavedRedis(redis.Redis):
    """A Redis that can go back to what was saved once."""

    def save(self):
        self.client().save()
        shutil.copy(os.path.join(self.dir, "dump.rdb"), os.path.join(self.dir, "saved.rdb"))

    def back(self, appendonly):
        self.kill()
        shutil.rmtree(os.path.join(self.dir, "appendonlydir"), ignore_errors=True)
        shutil.copy(os.path.join(self.dir, "saved.rdb"), os.path.join(self.dir, "dump.rdb"))
        self.start()
        if appendonly:
            client = self.client()
            client.config_set("appendonly", "yes")
            while client.info("persistence")["aof_rewrite_in_progress"]:
                time.sleep(0.05)


def run(command, **env):
    out = subprocess.run(command, stdout=subprocess.PIPE, check=True, env={**os.environ, **env}).stdout.decode().strip().splitlines()
    return json.loads(out[-1]) if out else {}


def settings(path, brokers, url, lanes):
    with open(path, "w") as f:
        json.dump({"kafka": {"brokers": brokers, "group": "bench"}, "redis": {"url": url}, "lane": {"count": lanes},
                   "log": {"level": "warn"}}, f)


def cpu_s(pid):
    """User and system seconds of a process so far; 0 when it is gone."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle_s():
    """Idle seconds of all cores so far."""
    with open("/proc/stat") as f:
        fields = f.readline().split()
    return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")


def wait_line(child, line):
    """Waits for a line on a child's stderr; what comes before it is passed on."""
    for got in child.stderr:
        if got.strip() == line:
            return
        sys.stderr.write(got.decode(errors="replace"))
    raise SystemExit("%s ended with exit code %d" % (" ".join(child.args[:2]), child.wait()))


def result(child, timeout):
    """The JSON object a child prints last; ends this program when the child failed."""
    out, errors = child.communicate(timeout=timeout)
    if child.returncode:
        raise SystemExit("%s: exit code %d: %s" % (" ".join(child.args[:2]), child.returncode, errors.decode(errors="replace")))
    return json.loads(out.decode().strip().splitlines()[-1])


def latency(args, common, servers):
    """Serve and pace side by side; {} of both and of the cores that each process used in the measured part."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    count = ["--warmup-records", str(args.latency * args.warmup), "--records", str(args.latency * args.seconds)]
    serve = subprocess.Popen([args.bench, "serve"] + common + count, **pipes)
    pace = None
    try:
        wait_line(serve, b"ready")
        pace = subprocess.Popen([args.bench, "pace"] + common + [
            "--rate", str(args.latency), "--warmup", str(args.warmup), "--seconds", str(args.seconds)] + args.pace.split(), **pipes)
        wait_line(pace, b"warm")
        pids = {"weir": serve.pid, "pace": pace.pid, **servers}
        begun, idle, before = time.monotonic(), idle_s(), {name: cpu_s(pid) for name, pid in pids.items()}
        time.sleep(max(0.1, args.seconds - 0.2))  # while all of them live
        took = time.monotonic() - begun
        cores = {name: round((cpu_s(pid) - before[name]) / took, 3) for name, pid in pids.items()}
        cores["idle"] = round((idle_s() - idle) / took, 3)
        sent = result(pace, 120)
        return {"rate": args.latency, "cards": args.cards, "warmup_s": args.warmup, "sent": sent,
                "latency": result(serve, 120), "cores": cores}
    finally:
        for child in (pace, serve):
            if child is not None and child.poll() is None:
                child.kill()
                child.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cards", type=int, default=1000000)
    parser.add_argument("--records", type=int, default=6000000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--lanes", type=int, default=2)
    parser.add_argument("--latency", type=int, metavar="RATE", help="measure record-to-command latency at RATE records/s instead")
    parser.add_argument("--seconds", type=int, default=15, help="measured part of --latency")
    parser.add_argument("--warmup", type=int, default=5, metavar="SECONDS", help="same traffic before that, not measured")
    parser.add_argument("--pace", default="", metavar="OPTIONS", help="more options of pace, such as '--linger-us 5000'")
    parser.add_argument("--by-sequence", action="store_true")
    parser.add_argument("--source", default="direct,librdkafka", help="kafka.source of weir's drains, in turn: %(default)s")
    parser.add_argument("--instances", default="1,2,4", help="of the bare drains, in turn: %(default)s")
    parser.add_argument("--no-aof", action="store_true", help="leave out the drains into a Redis with appendonly yes")
    parser.add_argument("--bench", default=os.path.join(ROOT, "build", "bench", "weir_bench_drain"))
    args = parser.parse_args()
    broker = kafka.Kafka(heap_mb=1024).start()
    store = SavedRedis()
    directory = procs.directory("bench")
    config = os.path.join(directory, "bench.json")
    results, sources = [], args.source.split(",")
    try:
        store.start()
        broker.create({"weir.records": args.partitions, "weir.cards": args.partitions, "weir.partials": args.partitions,
                       "weir.dead": 1, "weir.audit": 1, "weir.alerts": 1, "weir.pool.hourly": 1, "weir.pool.daily": 1,
                       "weir.card.daily": 1})
        settings(config, broker.brokers, store.url, args.lanes)
        common = ["--config", config, "--partitions", str(args.partitions), "--cards", str(args.cards)]
        run([args.bench, "fill"] + common + ["--records", "0"])
        subprocess.run([args.bench, "weir"] + common + ["--records", "0"], check=True)
        if args.latency:
            print(json.dumps(latency(args, common, {"kafka": broker._child.pid, "redis": store._child.pid})))
            return
        store.save()
        run([args.bench, "fill"] + common + ["--records", str(args.records)] +
            (["--by-sequence", "1"] if args.by_sequence else []))
        count = ["--records", str(args.records)]
        for _ in range(args.rounds):
            for instances in args.instances.split(","):
                results.append(run([args.bench, "bare"] + common + count + ["--instances", instances]))
                print(json.dumps(results[-1]), flush=True)
            for source, appendonly in itertools.product(sources, (False,) if args.no_aof else (False, True)):
                store.back(appendonly)
                before = store.client().info("cpu")
                result = run([args.bench, "weir"] + common + count, WEIR_KAFKA_SOURCE=source)
                after = store.client().info("cpu")
                result["what"] = "weir_" + source + ("_aof" if appendonly else "")
                redis_s = sum(after[k] - before[k] for k in ("used_cpu_user", "used_cpu_sys"))
                result["redis_cpu_ns_per_message"] = round(redis_s * 1e9 / args.records)
                results.append(result)
                print(json.dumps(result), flush=True)
    finally:
        store.stop()
        broker.stop()
        shutil.rmtree(directory, ignore_errors=True)
    rate = {}
    for what in sorted({r["what"] for r in results}):
        rate[what] = statistics.median(r["per_second"] for r in results if r["what"] == what)
    best = max(rate[k] for k in rate if k.startswith("bare"))
    summary = {"cards": args.cards, "records": args.records, "lanes": args.lanes, "partitions": args.partitions,
               "identity": "sequence" if args.by_sequence else "id", "median_per_second": rate}
    for source in sources:
        summary[source + "_to_bare"] = round(rate["weir_" + source] / best, 3)
        if not args.no_aof:
            summary[source + "_aof_to_none"] = round(rate["weir_%s_aof" % source] / rate["weir_" + source], 3)
    if {"direct", "librdkafka"} <= set(sources):
        summary["direct_to_librdkafka"] = round(rate["weir_direct"] / rate["weir_librdkafka"], 3)
    print(json.dumps(summary))



if __name__ == "__main__":
    main()
