"""Alert rules and dashboard: accepted by promtool, made of metrics that exist, each alert explained for operators."""

import json
import os
import re
import shutil
import subprocess

import pytest
import yaml

from test_metrics import ROOT, table

RULES = os.path.join(ROOT, "packaging", "prometheus", "weir.rules.yml")
BOARD = os.path.join(ROOT, "packaging", "grafana", "weir.json")
NAME = re.compile(r"\bweir_[a-z_]+")
LABELLED = re.compile(r"\b(weir_[a-z_]+)\{([^}]*)\}")


def alerts():
    with open(RULES) as f:
        return [rule for group in yaml.safe_load(f)["groups"] for rule in group["rules"]]


def panels():
    with open(BOARD) as f:
        return json.load(f)["panels"]


def expressions():
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def base(name):
    return re.sub(r"_(bucket|sum|count)$", "", name)


def test_every_metric_exists():
    rows = table()
    used = 0
    for where, expr in expressions():
        for name in NAME.findall(expr):
            used += 1
            kind = rows[base(name)][0] if base(name) in rows and name not in rows else rows.get(name, [None])[0]
            assert kind is not None, "%s: there is no %s" % (where, name)
            assert (kind == "histogram") == (name != base(name)), "%s: %s is a %s" % (where, name, kind)
    assert used > 80


def test_every_label_exists():
    rows = table()
    for where, expr in expressions():
        for name, matchers in LABELLED.findall(expr):
            labels = {m.split("=")[0].rstrip("!~") for m in matchers.split(",") if m}
            assert labels - {"job", "instance"} <= rows[base(name)][1] | {"le"}, "%s: %s" % (where, expr)


def test_values_of_labels_exist():
    """States, actions and reasons that rules and panels select are those that weir shows."""
    text = subprocess.run([os.environ["WEIR_METRICS_SAMPLE"]], stdout=subprocess.PIPE, check=True).stdout.decode()
    for where, expr in expressions():
        for label, how, values in re.findall(r'\b(state|reason|action|level)(=~?)"([^"$]*)"', expr):
            for value in values.split("|"):
                assert '%s="%s"' % (label, value) in text, "%s: no %s is %s" % (where, label, value)


def test_counters_are_asked_for_rates():
    rows = table()
    for where, expr in expressions():
        for name in NAME.findall(expr):
            if rows.get(name, [""])[0] == "counter":
                assert re.search(r"(rate|increase)\(%s[{\[]" % name, expr), "%s: %s" % (where, expr)


def test_every_alert_is_explained():
    with open(os.path.join(ROOT, "docs", "operations.md")) as f:
        text = f.read()
    for rule in alerts():
        name = rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["runbook"] == "docs/operations.md#" + name.lower()
        section = re.search(r"^### %s\n(.*?)(?=^##|\Z)" % name, text, re.M | re.S)
        assert section, "docs/operations.md does not say what to do about " + name
        assert len(section[1].split()) >= 15, name
    told = set(re.findall(r"^### (Weir\w+)$", text, re.M))
    assert told == {rule["alert"] for rule in alerts()}


def test_dashboard_is_whole():
    numbers, places = set(), set()
    for panel in panels():
        at = panel["gridPos"]
        assert panel["id"] not in numbers and at["x"] + at["w"] <= 24
        numbers.add(panel["id"])
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert (x, y) not in places, panel["title"] + " lies over another"
                places.add((x, y))
        assert panel["type"] == "row" or all('job="$job"' in t["expr"] for t in panel["targets"])


def promtool(*arguments):
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run([tool] + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert done.returncode == 0, done.stdout.decode()


def test_promtool_accepts_rules():
    promtool("check", "rules", RULES)


def test_promtool_accepts_expressions_of_the_dashboard(tmp_path):
    """As recording rules: Grafana's own variables are filled in first."""
    rules = [{"record": "panel:%d" % i, "expr": expr.replace("$job", "weir")} for i, (_, expr) in enumerate(expressions())]
    path = tmp_path / "panels.yml"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", str(path))


def test_alerts_fire_and_keep_still():
    promtool("test", "rules", os.path.join(os.path.dirname(os.path.abspath(__file__)), "rules_test.yml"))
