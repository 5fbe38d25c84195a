"""The direct source over TLS and SASL, as a broker of Java does them."""

import os
import subprocess
import uuid

import pytest

from harness import kafka as kafka_module
from harness import procs
from test_direct import PARTITIONS, produce, same

USERS = ["--add-scram", "SCRAM-SHA-256=[name=alice,password=secret-256]", "--add-scram", "SCRAM-SHA-512=[name=alice,password=secret-512]"]
JAAS = "org.apache.kafka.common.security.%s required %s;"


def certificate(directory):
    """A certificate for 127.0.0.1 that signs itself; key and certificate in one file as the broker wants it."""
    paths = [os.path.join(directory, name) for name in ("key.pem", "ca.pem", "both.pem")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", paths[0], "-out", paths[1], "-days", "2",
                    "-subj", "/CN=broker", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, stderr=subprocess.DEVNULL)
    with open(paths[2], "w") as out:
        for path in paths[:2]:
            with open(path) as f:
                out.write(f.read())
    return paths[1], paths[2]


@pytest.fixture(scope="module")
def secure():
    why = kafka_module.available()
    if why:
        pytest.skip("Kafka's jars cannot be had: " + why)
    directory = procs.directory("secure")
    ca, both = certificate(directory)
    ports = [procs.free_port() for _ in range(5)]
    names = ("PLAINTEXT", "CONTROLLER", "TLS", "SASL", "BOTH")
    listeners = ["%s://127.0.0.1:%d" % pair for pair in zip(names, ports)]
    lines = ["controller.quorum.voters=1@127.0.0.1:%d" % ports[1], "listeners=" + ",".join(listeners),
             "advertised.listeners=" + ",".join(x for x in listeners if not x.startswith("CONTROLLER")),
             "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,SASL:SASL_PLAINTEXT,BOTH:SASL_SSL",
             "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512", "connections.max.reauth.ms=3000",
             "ssl.keystore.type=PEM", "ssl.keystore.location=" + both, "inter.broker.listener.name=PLAINTEXT"]
    for name in ("sasl", "both"):
        lines += ["listener.name.%s.plain.sasl.jaas.config=%s" % (name, JAAS % ("plain.PlainLoginModule", 'user_alice="secret"'))]
        lines += ["listener.name.%s.scram-sha-%d.sasl.jaas.config=%s" % (name, n, JAAS % ("scram.ScramLoginModule", ""))
                  for n in (256, 512)]
    server = kafka_module.Kafka(extra=lines, formats=USERS)
    server.port, server.brokers = ports[0], "127.0.0.1:%d" % ports[0]
    server.start()
    server.ca, server.at = ca, {n: "127.0.0.1:%d" % p for n, p in zip(names, ports)}
    server.topic = "s" + uuid.uuid4().hex[:8]
    server.create({server.topic: PARTITIONS})
    produce(server.brokers, server.topic, "none", 3000, 1)
    yield server
    server.stop()


@pytest.mark.parametrize("listener,mechanism,password", [
    ("TLS", None, None), ("SASL", "PLAIN", "secret"), ("SASL", "SCRAM-SHA-256", "secret-256"), ("SASL", "SCRAM-SHA-512", "secret-512"),
    ("BOTH", "PLAIN", "secret"), ("BOTH", "SCRAM-SHA-512", "secret-512")])
def test_same_messages(secure, listener, mechanism, password):
    properties = {"security.protocol": {"TLS": "ssl", "SASL": "sasl_plaintext", "BOTH": "sasl_ssl"}[listener]}
    if listener != "SASL":
        properties["ssl.ca.location"] = secure.ca
    if mechanism:
        properties.update({"sasl.mechanisms": mechanism, "sasl.username": "alice", "sasl.password": password})
    assert len(same(secure.at[listener], [secure.topic], properties=properties)) == 3000
