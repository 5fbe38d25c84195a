"""The exposition as programs other than weir see it: Prometheus' own Python client and promtool."""

import os
import re
import shutil
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60).stdout.decode()


@pytest.fixture(scope="module")
def text():
    return output(os.environ["WEIR_METRICS_SAMPLE"])


@pytest.fixture(scope="module")
def families(text):
    return list(text_string_to_metric_families(text))


@pytest.fixture(scope="module")
def samples(families):
    out = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in out, "twice: %s %s" % key
            out[key] = sample.value
    return out


def table():
    """{name: (type, labels, help)} as the program prints it."""
    rows = re.findall(r"^- `(\w+)` \([a-z, ]+; (\w+)(?:; labels `([^`]+)`)?\):\n  (.+)$",
                      output(os.environ["WEIR_BIN"], "run", "--list-metrics"), re.M)
    return {name: (kind, set(labels.split(",")) - {""}, text) for name, kind, labels, text in rows}


def test_every_metric_is_exposed_as_the_table_says(families):
    rows = table()
    assert len(families) == len(rows) > 50
    for family in families:
        name = family.name + ("_total" if family.type == "counter" else "")
        kind, labels, text = rows[name]
        assert (family.type, family.documentation) == (kind, text)
        assert family.samples, name + " has no sample"
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == labels, name


def test_values(samples):
    assert samples["weir_partition_cards", (("partition", "5"),)] == 1001
    assert samples["weir_lag_messages", (("partition", "10"), ("topic", "weir.cards"))] == 22
    assert samples["weir_commands_total", (("carrier", 'over"seas\\'), ("state", "confirmed"))] == 92
    assert samples["weir_command_retries_total", (("carrier", "cm"),)] == 84
    assert samples["weir_command_rate_limits_total", (("carrier", "cm"),)] == 85
    assert samples["weir_command_timeouts_total", (("carrier", "cm"),)] == 86
    assert samples["weir_commands_total", (("carrier", "cm"), ("state", "withdrawn"))] == 87
    assert samples["weir_carrier_breaker_open", (("carrier", 'over"seas\\'),)] == 1
    assert samples["weir_redis_away", (("lane", "1"),)] == 1
    assert samples["weir_redis_refusals_total", (("lane", "1"),)] == 76
    assert samples["weir_log_lines_total", (("level", "error"),)] == 4
    assert samples["weir_process_cpu_seconds_total", ()] == 12.345678
    assert samples["weir_messages_total", ()] == 1
    assert samples["weir_records_total", ()] == 2
    assert samples["weir_records_filtered_total", ()] == 6
    assert samples["weir_dead_letters_total", (("reason", "malformed"),)] == 8  # the first one behind "none"


def test_no_two_figures_are_the_same(samples):
    """Each field of the counters has a value of its own: two metrics with one value would be wired to one field."""
    seen = {}
    for (name, labels), value in samples.items():
        if not labels and name.endswith(("_total", "_sum")) and "process" not in name and "log" not in name:
            assert value not in seen, "%s shows what %s shows" % (name, seen[value])
            seen[value] = name
    assert len(seen) > 25


def test_histograms(families):
    found = [f for f in families if f.type == "histogram"]
    assert len(found) == 6
    for family in found:
        buckets = [(float(s.labels["le"]), s.value) for s in family.samples if s.name.endswith("_bucket")]
        assert buckets == sorted(buckets) and buckets[-1][0] == float("inf")
        counts = [count for _, count in buckets]
        assert counts == sorted(counts)
        assert [s.value for s in family.samples if s.name.endswith("_count")] == [counts[-1]]


def test_promtool_accepts_it(text):
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run([tool, "check", "metrics"], input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=60)
    assert (done.returncode, done.stdout.decode()) == (0, "")
