#!/usr/bin/python3
"""How soon the feeds are told: a private Kafka and Redis, `weir run`, many pools.

Each card uses some data on four days, the last of which is in an hour that has just ended; `rollups.grace_s` is set so that
the watermark passes that hour's end when everything has been counted. Then late records for the same hour. Prints one object:
  hour_s       from the watermark's passing to the last pool's row of the hour (Kafka's time of the row)
  restate_ms   from a late record (its time in Kafka) to the restated row: median, 99th percentile, highest
  bytes        what windows take in Redis, by kind: strings, entries, bytes of an entry, and with Redis' own overhead
Usage: bench/feeds.py [--pools N] [--members N] [--late N] [--partitions N] [--lanes N]
"""

import argparse
import json
import os
import random
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
import generate  # noqa: E402
from harness import kafka, procs, redis  # noqa: E402

HOUR_MS, DAY_MS = 3600000, 86400000
KINDS = {"wh": "card-hour", "wd": "card-day", "vh": "account-hour", "vd": "account-day", "xh": "share-hour", "uh": "pool-hour",
         "ud": "pool-day"}


class Feed:
    """Produces to a topic, each message to its key's partition."""

    def __init__(self, brokers, topic, partitions):
        from confluent_kafka import Producer
        self.producer = Producer({"bootstrap.servers": brokers, "linger.ms": 20, "queue.buffering.max.messages": 500000,
                                  "compression.type": "lz4", "log_level": 2})
        self.topic, self.partitions = topic, partitions

    def send(self, key, message, everywhere=False):
        value = json.dumps(message).encode()
        places = range(self.partitions) if everywhere else [generate.partition_of(key, self.partitions)]
        for partition in places:
            while True:
                try:
                    self.producer.produce(self.topic, value, key.encode(), partition)
                    break
                except BufferError:
                    self.producer.poll(0.1)
        self.producer.poll(0)

    def flush(self):
        self.producer.flush(120)


def rows_of(brokers, topic, partitions):
    """(row, time in Kafka in ms) of all that is in a topic now."""
    from confluent_kafka import Consumer, TopicPartition
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "bench-reader", "enable.auto.commit": False, "log_level": 2})
    left = {}
    for p in range(partitions):
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)
        if high > low:
            left[p] = high
    consumer.assign([TopicPartition(topic, p, 0) for p in left])
    while left:
        for m in consumer.consume(10000, 0.2):
            yield json.loads(m.value()), m.timestamp()[1]
            if m.offset() + 1 >= left.get(m.partition(), 0):
                left.pop(m.partition(), None)
    consumer.close()


def counted(store, partitions):
    """Records whose position is stored."""
    client, out = store.client(), 0
    for p in range(partitions):
        out += int(client.hget("weir:{%d}:h" % p, "o:weir.records") or 0)
    return out


def window_bytes(store):
    client, out = store.client(), {}
    for letters, name in KINDS.items():
        keys = list(client.scan_iter(match="weir:{*}:%s:*" % letters, count=20000))
        pipe = client.pipeline(transaction=False)
        for key in keys:
            pipe.get(key)
            pipe.memory_usage(key)
        answers = pipe.execute()
        entries = stored = used = 0
        for data, memory in zip(answers[::2], answers[1::2]):
            entries += sum(byte < 128 for byte in data) // 5
            stored += len(data)
            used += memory
        if entries:
            out[name] = {"strings": len(keys), "entries": entries, "bytes": round(stored / entries, 2), "redis_bytes": round(used / entries, 2)}
    return out


def wait(what, done, timeout_s):
    procs.wait_for(done, timeout_s, what, 0.25)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pools", type=int, default=100000)
    parser.add_argument("--members", type=int, default=2)
    parser.add_argument("--late", type=int, default=2000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--lanes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lead", type=int, default=0, metavar="SECONDS", help="time to load and count before the hour is told; default by size")
    parser.add_argument("--weir", default=os.path.join(ROOT, "build", "weir"))
    args = parser.parse_args()
    rng = random.Random(args.seed)
    broker, store = kafka.Kafka(heap_mb=1024).start(), redis.Redis(appendonly=True)
    directory = procs.directory("bench")
    weir = None
    try:
        store.start()
        topics = ["records", "cards", "partials", "dead", "audit", "alerts", "pool.hourly", "pool.daily", "card.daily"]
        broker.create({"weir." + t: args.partitions for t in topics})
        cards, records = (Feed(broker.brokers, "weir." + t, args.partitions) for t in ("cards", "records"))
        cards.send("p", {"type": "plan", "id": "p", "carrier": "cm", "kind": "accumulative", "allowance": 10**12}, True)
        pools = ["pool-%06d" % n for n in range(args.pools)]
        members = [("8986094%013d" % n, pools[n % args.pools]) for n in range(args.pools * args.members)]
        for pool in pools:
            cards.send(pool, {"type": "pool", "id": pool, "carrier": "cm", "kind": "accumulative", "plan": "p"})
        for iccid, pool in members:
            cards.send(iccid, {"type": "card", "iccid": iccid, "carrier": "cm", "plan": "p", "pool": pool})
        cards.flush()
        # the hour that is told ended at `hour_end`; the watermark passes it `grace` seconds later, at `due`
        lead = args.lead or 60 + args.pools * args.members // 2500
        hour_end = int(time.time() * 1000) // HOUR_MS * HOUR_MS
        grace = int(time.time() + lead - hour_end / 1000)
        if grace > 3600:
            hour_end, grace = hour_end + HOUR_MS, grace - 3600
        due = hour_end / 1000 + grace
        config = os.path.join(directory, "weir.json")
        with open(config, "w") as f:
            json.dump({"kafka": {"brokers": broker.brokers, "group": "bench"}, "redis": {"url": store.url}, "log": {"level": "warn"},
                       "lane": {"count": args.lanes}, "dedupe": {"horizon_h": 96}, "metrics": {"listen": ""},
                       "rollups": {"grace_s": grace, "wait_s": 3600}}, f)
        sent = 0
        for days in (3, 2, 1, 0):
            for iccid, _ in members:
                records.send(iccid, {"id": sent, "iccid": iccid, "up": rng.randrange(4 * 10**6), "down": rng.randrange(40 * 10**6),
                                     "end": min(hour_end - 600000, int(time.time() * 1000)) - days * DAY_MS})
                sent += 1
        records.flush()
        log = os.path.join(directory, "weir.log")
        weir = procs.start([args.weir, "run", "--config", config], log)
        wait(lambda: "all to be counted: %d of %d\n%s" % (counted(store, args.partitions), sent, procs.tail(log)),
             lambda: counted(store, args.partitions) == sent, 600)
        if time.time() > due - 3:
            raise SystemExit("counting took until %.0f s after the hour was due: give it more time with --lead" % (time.time() - due))
        time.sleep(due - time.time() + 1)
        start = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(hour_end / 1000 - 3600))

        def told():
            told.rows = {row["pool"]: (row, at) for row, at in rows_of(broker.brokers, "weir.pool.hourly", args.partitions)
                         if row["start"] == start and row["complete"]}
            return len(told.rows) == args.pools
        wait(lambda: "the rows of all pools: %d" % len(told.rows), told, 120)
        wrong = sum(row["records"] != args.members for row, _ in told.rows.values())
        hour_s = max(at for _, at in told.rows.values()) / 1000 - due
        late = {}
        for iccid, pool in rng.sample(members, min(args.late, len(members))):
            if pool in late:
                continue
            records.send(iccid, {"id": sent, "iccid": iccid, "up": 1, "down": 1, "end": hour_end - 700000})
            records.flush()
            late[pool] = time.time() * 1000
            sent += 1
            time.sleep(10.0 / args.late)
        time.sleep(5)
        again = {}
        for row, at in rows_of(broker.brokers, "weir.pool.hourly", args.partitions):
            if row["start"] == start and row["pool"] in late and row["revision"] > told.rows[row["pool"]][0]["revision"]:
                again.setdefault(row["pool"], at)
        delays = sorted(again[pool] - late[pool] for pool in again)
        print(json.dumps({"pools": args.pools, "members": args.members, "partitions": args.partitions, "lanes": args.lanes, "seed": args.seed,
                          "records": sent, "hour_s": round(hour_s, 2), "rows": len(told.rows), "wrong_rows": wrong,
                          "late": len(late), "restated": len(again), "flush_interval_ms": 1000,
                          "restate_ms": {"median": round(statistics.median(delays)), "p99": round(delays[len(delays) * 99 // 100]),
                                         "max": round(delays[-1])},
                          "bytes": window_bytes(store)}))
        return 1 if wrong or len(again) != len(late) else 0
    finally:
        procs.stop(weir)
        store.stop()
        broker.stop()


if __name__ == "__main__":
    sys.exit(main())
