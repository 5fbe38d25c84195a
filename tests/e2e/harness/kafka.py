"""A private Apache Kafka: one KRaft node, started as a plain Java program from jars that Maven fetched; or the one that ctest started
for all tests that neither hurt nor reconfigure theirs (shared_kafka.py).

The jars are kept outside the source tree and fetched once, with Maven as the machine has it configured and checksums
enforced. Where they cannot be had, available() says why and the tests that need Kafka are skipped by name.
"""

import glob
import json
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
import base64

from . import procs

VERSION = "3.9.1"
_POM = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "kafka", "pom.xml")

# A program of seconds ends before the best of Java's compilers has paid for itself.
_SHORT = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xshare:auto"]

_LOG4J = """\
log4j.rootLogger=WARN, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d %p %c: %m%n
log4j.logger.kafka.server.KafkaRaftServer=INFO
"""


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "weir-tests", "kafka-" + VERSION)


def jars():
    """Directory with the jars, fetched if need be. Raises RuntimeError when they cannot be had."""
    cache = cache_dir()
    if glob.glob(os.path.join(cache, "kafka_*.jar")):
        return cache
    if not shutil.which("mvn") or not shutil.which("java"):
        raise RuntimeError("java or maven is not installed")
    os.makedirs(os.path.dirname(cache), exist_ok=True)
    fresh = tempfile.mkdtemp(prefix="kafka-", dir=os.path.dirname(cache))
    try:
        run = subprocess.run(
            ["mvn", "-q", "-B", "-C", "-f", _POM, "dependency:copy-dependencies", "-DincludeScope=runtime",
             "-DoutputDirectory=" + fresh],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
        if run.returncode or not glob.glob(os.path.join(fresh, "kafka_*.jar")):
            said = run.stdout.decode(errors="replace").splitlines()
            why = next((line for line in said if line.startswith("[ERROR]")), said[-1] if said else "it says nothing")
            raise RuntimeError("maven could not fetch Kafka %s: %s" % (VERSION, why[:400]))
        try:
            os.rename(fresh, cache)
        except OSError:
            pass  # another run was faster
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return cache


_classes = {}


def java(program, *args, timeout_s=120):
    """Runs one of the programs in kafka/, compiled once: what it says. None when Java has no compiler here."""
    if not shutil.which("javac"):
        return None
    if program not in _classes:
        _classes[program] = procs.directory("classes")
        subprocess.run(["javac", "-J-XX:TieredStopAtLevel=1", "-cp", os.path.join(jars(), "*"), "-d", _classes[program],
                        os.path.join(os.path.dirname(_POM), program + ".java")], check=True, timeout=120)
    done = subprocess.run(["java", *_SHORT, "-cp", os.pathsep.join([os.path.join(jars(), "*"), _classes[program]]), program, *args],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout_s)
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, said[-2000:]
    return said


def available():
    """None when Kafka can be run, else the reason why not."""
    try:
        jars()
        return None
    except (RuntimeError, subprocess.TimeoutExpired, OSError) as e:
        return str(e)


class Broker:
    """What a test may ask of any Kafka: topics, on `brokers` (a bootstrap list) and `port`."""

    def admin(self):
        from confluent_kafka.admin import AdminClient
        return AdminClient({"bootstrap.servers": self.brokers, "log_level": 0})

    def create(self, topics, config=None):
        """Creates topics, given as {name: partitions}, all with one configuration."""
        from confluent_kafka.admin import NewTopic
        admin = self.admin()  # lives until the answers are here
        made = admin.create_topics(
            [NewTopic(name, partitions, 1, config=config or {}) for name, partitions in topics.items()], operation_timeout=20)
        for name, future in made.items():
            future.result(30)

        # an answer says that the controller knows them; clients ask the broker, which hears of it a moment later
        def told():
            known = admin.list_topics(timeout=5).topics
            return all(name in known and len(known[name].partitions) == n for name, n in topics.items())
        procs.wait_for(told, 30, lambda: "topics to be told: %s" % sorted(topics))

    def delete(self, names):
        admin = self.admin()
        for future in admin.delete_topics(list(names), operation_timeout=20).values():
            future.result(30)

    def discard(self, names):
        """Topics that nobody needs any more: at once where others use the broker, with the broker itself otherwise."""


class Shared(Broker):
    """The Kafka of all tests of one ctest run. A file tells where it is; who started it stops it."""

    def __init__(self, port):
        self.port, self.brokers = port, "127.0.0.1:%d" % port
        self._admin = self.admin()

    def discard(self, names):
        self._admin.delete_topics(list(names), operation_timeout=0)


def shared():
    """The shared Kafka that WEIR_KAFKA_FILE tells of; None without one."""
    try:
        with open(os.environ.get("WEIR_KAFKA_FILE") or "") as f:
            return Shared(json.load(f)["port"])
    except OSError:
        return None


class Kafka(Broker):
    def __init__(self, heap_mb=512, extra=(), cluster=None, formats=(), lasts=False):
        """lasts: for many tests, not one. extra: lines for the broker's properties; the last of two for one name counts. cluster: id of the one it joins. formats:
        more arguments of the tool that formats its directory."""
        self.dir = procs.directory("kafka")
        self.port = procs.free_port()
        controller = procs.free_port()
        self.log = os.path.join(self.dir, "kafka.log")
        self.brokers = "127.0.0.1:%d" % self.port
        self._options = ["-Xms128m", "-Xmx%dm" % heap_mb] + (_SHORT[1:] if lasts else _SHORT)
        self._child = None
        self._config = os.path.join(self.dir, "server.properties")
        with open(self._config, "w") as f:
            f.write("\n".join([
                "process.roles=broker,controller", "node.id=1",
                "controller.quorum.voters=1@127.0.0.1:%d" % controller,
                "listeners=PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d" % (self.port, controller),
                "advertised.listeners=PLAINTEXT://127.0.0.1:%d" % self.port,
                "controller.listener.names=CONTROLLER",
                "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
                "log.dirs=" + os.path.join(self.dir, "data"),
                "offsets.topic.replication.factor=1", "offsets.topic.num.partitions=4",
                "transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1",
                "transaction.state.log.num.partitions=4",
                "broker.session.timeout.ms=3000", "broker.heartbeat.interval.ms=500",
                "group.initial.rebalance.delay.ms=0", "group.min.session.timeout.ms=1000",
                "auto.create.topics.enable=false", "log.retention.ms=-1", "log.segment.bytes=268435456",
                "message.max.bytes=20971520", "replica.fetch.max.bytes=20971520", "socket.request.max.bytes=104857600",
                "num.network.threads=2", "num.io.threads=4", "background.threads=2",
                "delete.topic.enable=true", "file.delete.delay.ms=100", "log.cleaner.enable=false"] + list(extra) + [""]))
        with open(os.path.join(self.dir, "log4j.properties"), "w") as f:
            f.write(_LOG4J)
        # an id that began with "-" would be read as an option
        cluster = cluster or "w" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:21] + "A"
        self._java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", self._config, *formats, wait=True)

    def _java(self, main, *args, wait=False):
        command = [
            "java", *(_SHORT if wait else self._options),
            "-Djava.awt.headless=true", "-Dlog4j.configuration=file:" + os.path.join(self.dir, "log4j.properties"),
            "-cp", os.path.join(jars(), "*"), main] + list(args)
        child = procs.start(command, self.log)
        if wait and child.wait(120):
            raise RuntimeError("%s failed:\n%s" % (main, procs.tail(self.log)))
        return child

    def begin(self):
        self._child = self._java("kafka.Kafka", self._config)

    def await_answer(self):
        procs.wait_for(self._answers, 180, lambda: "Kafka to answer:\n" + procs.tail(self.log))

    def start(self):
        self.begin()
        self.await_answer()
        return self

    def ended(self):
        """Whether it ended by itself."""
        return self._child is not None and self._child.poll() is not None

    def _answers(self):
        from confluent_kafka import KafkaException
        if self._child.poll() is not None:
            raise RuntimeError("Kafka ended:\n" + procs.tail(self.log))
        try:
            return self.admin().list_topics(timeout=1).brokers
        except KafkaException:
            return False

    def kill(self):
        """kill -9."""
        procs.stop(self._child, signal.SIGKILL)
        self._child = None

    def restart(self):
        self.kill()
        return self.start()

    def stop(self):
        procs.stop(self._child, signal.SIGKILL)  # nothing in it is to be kept
        self._child = None
        if not os.environ.get("WEIR_E2E_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)


class Cluster:
    """Several nodes, each broker and controller, all on loopback."""

    def __init__(self, nodes=3, heap_mb=256, extra=()):
        ports = [procs.free_port() for _ in range(2 * nodes)]
        voters = ",".join("%d@127.0.0.1:%d" % (i + 1, ports[2 * i]) for i in range(nodes))
        cluster = "w" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:21] + "A"
        self.nodes = []
        for i in range(nodes):
            listener = "PLAINTEXT://127.0.0.1:%d" % ports[2 * i + 1]
            node = Kafka(heap_mb, [
                "node.id=%d" % (i + 1), "controller.quorum.voters=" + voters,
                "listeners=%s,CONTROLLER://127.0.0.1:%d" % (listener, ports[2 * i]), "advertised.listeners=" + listener,
                "offsets.topic.replication.factor=%d" % nodes, "transaction.state.log.replication.factor=%d" % nodes,
                "default.replication.factor=%d" % nodes, "min.insync.replicas=1", "replica.lag.time.max.ms=3000",
                "controller.quorum.election.timeout.ms=500", "controller.quorum.fetch.timeout.ms=1000",
                "auto.leader.rebalance.enable=false", "num.replica.fetchers=1"] + list(extra), cluster)
            node.port, node.brokers = ports[2 * i + 1], "127.0.0.1:%d" % ports[2 * i + 1]
            self.nodes.append(node)
        self.brokers = ",".join(n.brokers for n in self.nodes)

    def start(self):
        for node in self.nodes:  # none answers alone
            node.begin()
        for node in self.nodes:
            node.await_answer()
        return self

    def create(self, topics):
        from confluent_kafka.admin import AdminClient, NewTopic
        admin = AdminClient({"bootstrap.servers": self.brokers, "log_level": 0})
        made = admin.create_topics([NewTopic(t, p, len(self.nodes)) for t, p in topics.items()], operation_timeout=30)
        for future in made.values():
            future.result(60)

    def stop(self):
        for node in self.nodes:
            node.stop()
