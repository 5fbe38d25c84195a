"""`weir serve` as a client sees it, and a small world around it: a fleet with pools, traffic, and a weir that counts it."""

import csv
import hashlib
import http.client
import io
import json
import os
import ssl
import time
import urllib.parse

from . import procs
from .weir import binary

READ, OPERATE = "read-token-0123456789", "operate-token-0123456789"


class Serve:
    """One `weir serve` with settings of its own."""

    def __init__(self, settings, tls=False, tokens=True, **api):
        self.dir = procs.directory("serve")
        self.log = os.path.join(self.dir, "serve.log")
        self.tokens_file = os.path.join(self.dir, "tokens")
        self.config = os.path.join(self.dir, "serve.yaml")
        self.tls = tls
        self.write_tokens("reader read %s\ndesk operate sha256:%s\n" % (READ, hashlib.sha256(OPERATE.encode()).hexdigest()))
        self.settings = {**settings, "api": {"listen": "127.0.0.1:0", "metrics_listen": "", **({"tokens_file": self.tokens_file} if tokens else {}),
                                             **api}}
        with open(self.config, "w") as f:
            json.dump(self.settings, f)
        self.child, self.port = None, 0

    def write_tokens(self, text):
        fresh = self.tokens_file + ".new"
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(text)
        os.rename(fresh, self.tokens_file)

    def start(self):
        port_file = os.path.join(self.dir, "port")
        env = dict(os.environ)
        env.setdefault("ASAN_OPTIONS", "abort_on_error=1:detect_leaks=0")
        self.child = procs.start([binary(), "serve", "--config", self.config, "--port-file", port_file], self.log, env=env)

        def port():
            if self.child.poll() is not None:
                raise RuntimeError("weir serve ended with %s:\n%s" % (self.child.returncode, procs.tail(self.log)))
            try:
                with open(port_file) as f:
                    return int(f.read().strip() or 0)
            except (OSError, ValueError):
                return 0
        self.port = procs.wait_for(port, 20, lambda: "weir serve:\n" + procs.tail(self.log))
        return self

    def connection(self, timeout=30):
        if not self.tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        context = ssl.create_default_context(cafile=self.tls)
        context.check_hostname = False
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=context)

    def ask(self, method, path, body=None, token=READ, headers=None, timeout=30):
        """Status, headers, body (parsed when it is JSON)."""
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = "Bearer " + token
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = self.connection(timeout)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        kind = answer.headers.get("Content-Type", "")
        if "json" in kind:
            data = json.loads(data) if data else None
        return answer.status, answer.headers, data

    def get(self, path, token=READ, **query):
        """The body of an answer that must be 200."""
        text = urllib.parse.urlencode(query)
        status, _, body = self.ask("GET", path + ("?" + text if text else ""), token=token)
        assert status == 200, (path, query, status, body)
        return body

    def post(self, path, body, method="POST", **headers):
        """An operator's request that must be taken."""
        status, _, answer = self.ask(method, path, body, token=OPERATE,
                                     headers={k.replace("_", "-"): v for k, v in headers.items()})
        assert status == 202, (path, body, status, answer)
        return answer

    def settled(self, answer, timeout_s=30):
        """What became of a request, once it is no longer pending."""
        last = {}

        def done():
            last["state"] = self.get(answer["location"])
            return last["state"]["state"] != "pending"
        procs.wait_for(done, timeout_s, lambda: "the request to be applied: %s" % last, 0.05)
        return last["state"]

    def pages(self, path, member, **query):
        """All rows of a list, page by page."""
        out, cursor = [], None
        for _ in range(10000):
            page = self.get(path, **query, **({"cursor": cursor} if cursor else {}))
            out.extend(page[member])
            cursor = page["next"]
            if not cursor:
                return out
        raise AssertionError("endless pages")

    def export(self, token=READ, **query):
        status, headers, data = self.ask("GET", "/v1/export/cards.csv?" + urllib.parse.urlencode(query), token=token)
        assert status == 200, (query, status, data)
        return headers, list(csv.DictReader(io.StringIO(data.decode(), newline="")))

    def text(self):
        try:
            with open(self.log, errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def stop(self, grace_s=20):
        code = procs.stop(self.child, grace_s=grace_s)
        self.child = None
        return code

    def end(self):
        if self.child is not None:
            procs.stop(self.child, 9)
            self.child = None


def iccid(number):
    return "8986%016d" % number


class Fleet:
    """Sixty cards of three carriers, three pools, some traffic; `weir run` counts it and `weir serve` shows it."""

    POOLED, SINGLE, METERED = [iccid(i) for i in range(20)], [iccid(100 + i) for i in range(20)], [iccid(200 + i) for i in range(20)]
    CANCELLED = iccid(900)

    def __init__(self, world, **how):
        self.world = world(partitions=2, sim={"seed": 7, "latency_ms": "1-3"}, **how)
        self.sent = {}
        w = self.world
        self.number = 0
        self._references()
        self.weir = w.weir(metrics={"listen": ""}).start()
        for i, card in enumerate(self.POOLED + self.SINGLE + self.METERED):
            self.record(card, 1000 * (i + 1))
        w.records.flush()
        self.serves = []
        self.wait_counted()

    def wait_counted(self):
        """Until Redis holds what was sent; weir.cards also gets pools' words, so the records alone are looked at."""
        import state
        log, client = self.world.records, self.world.redis.client()
        procs.wait_for(lambda: state.offsets(client, self.world.partitions, log.topic) == log.ends, 60, "the records to be counted")

    def settings(self):
        return self.world.settings()

    def serve(self, **api):
        settings = self.settings()
        for section in [k for k in api if isinstance(api[k], dict)]:
            settings[section] = {**settings.get(section, {}), **api.pop(section)}
        self.serves.append(Serve(settings, **api))
        return self.serves[-1].start()

    def _references(self):
        rows = [
            (None, {"type": "plan", "id": "s", "carrier": "ct", "kind": "single", "allowance": 10000000, "term_months": 12}),
            (None, {"type": "plan", "id": "a", "carrier": "cm", "kind": "accumulative", "allowance": 1000000}),
            (None, {"type": "plan", "id": "m", "carrier": "ct", "kind": "metered"}),
            ("pool/one", {"type": "pool", "id": "pool/one", "name": "Forward pool", "carrier": "cm", "plan": "a",
                          "kind": "accumulative", "batches": ["B-1", "B-2"]}),
            ("backward", {"type": "pool", "id": "backward", "carrier": "ct", "plan": "m", "kind": "metered",
                          "threshold": 100000000, "threshold_action": "suspend"}),
            ("empty", {"type": "pool", "id": "empty", "carrier": "cm", "plan": "a", "kind": "accumulative"})]
        for i, card in enumerate(self.POOLED):
            rows.append((card, {"type": "card", "iccid": card, "carrier": "cm", "plan": "a", "pool": "pool/one"}))
        for i, card in enumerate(self.SINGLE):
            rows.append((card, {"type": "card", "iccid": card, "carrier": "ct", "plan": "s",
                                **({"tags": ["north", "meter"]} if i < 3 else {})}))
        for card in self.METERED:
            rows.append((card, {"type": "card", "iccid": card, "carrier": "ct", "plan": "m", "pool": "backward"}))
        rows.append((self.CANCELLED, {"type": "card", "iccid": self.CANCELLED, "carrier": "ct", "plan": "s", "status": "cancelled"}))
        self.world.cards.references(rows)
        self.world.cards.flush()

    def record(self, card, amount, **more):
        import generate
        now = int(time.time() * 1000)
        self.number += 1
        self.sent[card] = self.sent.get(card, 0) + amount
        self.world.records.send(generate.partition_of(card, self.world.partitions), now, card.encode(), json.dumps(
            {"id": "r%d" % self.number, "iccid": card, "up": amount // 4, "down": amount - amount // 4, "end": now - 1, **more}).encode())

    def end(self):
        for serve in self.serves:
            serve.end()
        wrong = [line for serve in self.serves for line in serve.text().splitlines() if "Sanitizer: " in line or "runtime error: " in line]
        assert wrong == []
