"""The Kubernetes sample: what must be in it for weir to be run rightly, and settings that weir accepts."""

import os
import subprocess

import pytest
import yaml

from test_metrics import ROOT

SAMPLE = os.path.join(ROOT, "packaging", "kubernetes", "weir.yaml")


@pytest.fixture(scope="module")
def objects():
    with open(SAMPLE) as f:
        found = list(yaml.safe_load_all(f))
    for o in found:
        assert o["apiVersion"] and o["kind"] and o["metadata"]["name"] == "weir"
        assert o["kind"] == "Namespace" or o["metadata"]["namespace"] == "weir"
    return {o["kind"]: o for o in found}


@pytest.fixture(scope="module")
def pod(objects):
    return objects["StatefulSet"]["spec"]["template"]["spec"]


def test_selectors_meet(objects):
    spec = objects["StatefulSet"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    for selector in (spec["selector"]["matchLabels"], objects["Service"]["spec"]["selector"],
                     objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]):
        assert selector.items() <= labels.items()
    assert spec["serviceName"] == objects["Service"]["metadata"]["name"]
    assert objects["Service"]["spec"]["clusterIP"] == "None"


def test_static_membership_is_the_pods_name(pod):
    env = {e["name"]: e for e in pod["containers"][0]["env"]}
    assert env["WEIR_KAFKA_INSTANCE"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"


def test_probes_ask_weirs_port(pod):
    container = pod["containers"][0]
    ports = {p["name"]: p["containerPort"] for p in container["ports"]}
    listen = {e["name"]: e.get("value") for e in container["env"]}["WEIR_METRICS_LISTEN"]
    assert listen == "0.0.0.0:%d" % ports["metrics"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
    assert container["startupProbe"]["httpGet"]["path"] == "/healthz"


def test_it_is_bounded_and_unprivileged(pod):
    container = pod["containers"][0]
    assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]["cpu"]
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"]
    assert security["capabilities"]["drop"] == ["ALL"] and pod["securityContext"]["runAsNonRoot"]
    assert pod["terminationGracePeriodSeconds"] >= 60


def test_secrets_come_by_files(objects, pod):
    mounts = {m["name"]: m["mountPath"] for m in pod["containers"][0]["volumeMounts"]}
    volumes = {v["name"]: v for v in pod["volumes"]}
    assert set(mounts) == set(volumes)
    assert volumes["secrets"]["secret"]["secretName"] == objects["Secret"]["metadata"]["name"]
    text = objects["ConfigMap"]["data"]["weir.yaml"]
    for name in objects["Secret"]["stringData"]:
        assert mounts["secrets"] + "/" + name in text
    for env in pod["containers"][0]["env"]:
        assert "PASSWORD" not in env["name"] and "KEY" not in env["name"]


def test_weir_accepts_the_settings(objects, tmp_path):
    for name, value in objects["Secret"]["stringData"].items():
        (tmp_path / name).write_text(value)
    path = tmp_path / "weir.yaml"
    path.write_text(objects["ConfigMap"]["data"]["weir.yaml"].replace("/run/secrets/weir", str(tmp_path)))
    env = dict(os.environ, WEIR_KAFKA_INSTANCE="weir-0", WEIR_METRICS_LISTEN="0.0.0.0:9464")
    done = subprocess.run([os.environ["WEIR_BIN"], "check", str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=env, timeout=60)
    assert done.returncode == 0, done.stdout.decode()
    shown = subprocess.run([os.environ["WEIR_BIN"], "check", "--effective", str(path)], stdout=subprocess.PIPE, env=env,
                           timeout=60).stdout.decode()
    assert "replace-me" not in shown and "weir-0" in shown
