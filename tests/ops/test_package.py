"""The Debian package, built and taken apart; its systemd unit, judged by systemd's own checkers."""

import glob
import os
import re
import shutil
import subprocess

import pytest

from test_metrics import ROOT

UNITS = "usr/lib/systemd/system/"
NAMES = ["weir.service", "weir-api.service"]


def run(*command, **how):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=150, **how)
    return done.returncode, done.stdout.decode(errors="replace")


def right(*command, **how):
    code, text = run(*command, **how)
    assert code == 0, text
    return text


@pytest.fixture(scope="module")
def deb(tmp_path_factory):
    if not shutil.which("dpkg-deb") or not shutil.which("dpkg-shlibdeps"):
        pytest.skip("dpkg-deb and dpkg-shlibdeps are not installed")
    out = tmp_path_factory.mktemp("deb")
    right("cpack", "--config", os.path.join(os.environ["WEIR_BUILD"], "CPackConfig.cmake"), "-G", "DEB", "-B", str(out))
    found = glob.glob(str(out / "weir_*.deb"))
    assert len(found) == 1 and re.fullmatch(r"weir_[0-9.]+_[a-z0-9]+\.deb", os.path.basename(found[0]))
    return found[0]


@pytest.fixture(scope="module")
def tree(deb, tmp_path_factory):
    out = tmp_path_factory.mktemp("tree")
    right("dpkg-deb", "-x", deb, str(out))
    return out


@pytest.fixture(scope="module")
def control(deb, tmp_path_factory):
    out = tmp_path_factory.mktemp("control")
    right("dpkg-deb", "-e", deb, str(out))
    return out


def test_contents(deb, tree):
    paths = {os.path.relpath(os.path.join(folder, name), tree) for folder, _, names in os.walk(tree) for name in names}
    doc = "usr/share/doc/weir/"
    for path in ["usr/bin/weir", UNITS + NAMES[0], UNITS + NAMES[1], "etc/weir/weir.yaml", "usr/share/man/man1/weir.1.gz", "usr/share/man/man5/weir.yaml.5.gz",
                 doc + "copyright", doc + "README.md", doc + "operations.md", doc + "metrics.md", doc + "examples/fleet.yaml",
                 doc + "examples/prometheus/weir.rules.yml", doc + "examples/grafana/weir.json",
                 doc + "examples/kubernetes/weir.yaml", "usr/libexec/weir/weir-bench", "usr/share/weir/workloads/steady.conf"]:
        assert path in paths
    assert all(p.startswith(("usr/bin/", "usr/libexec/weir/", "usr/share/weir/", UNITS, "etc/weir/", "usr/share/man/", doc)) for p in paths), paths
    for line in right("dpkg-deb", "-c", deb).splitlines():
        mode, owner = line.split()[:2]
        assert owner == "root/root" and mode[5] == mode[8] == "-", line  # nobody else writes


def test_control(control):
    text = (control / "control").read_text()
    fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", text, re.M))
    assert fields["Package"] == "weir" and re.fullmatch(r"\d+\.\d+\.\d+", fields["Version"])
    for library in ["librdkafka1", "libhiredis", "libmicrohttpd", "libcurl", "libc6", "libjemalloc2", "tzdata"]:
        assert library in fields["Depends"]
    assert "-dev" not in fields["Depends"]
    assert (control / "conffiles").read_text() == "/etc/weir/weir.yaml\n"
    for script in ["postinst", "prerm", "postrm"]:
        right("sh", "-n", str(control / script))
        right(str(control / script), "configure")  # no systemd runs here, or nothing of weir is in it: it does no harm


def test_program_and_sample_run(tree):
    weir = str(tree / "usr/bin/weir")
    assert "librdkafka" in right(weir, "version")
    assert "right" in right(weir, "check", str(tree / "etc/weir/weir.yaml"))


def unit(tree, name):
    """A unit's settings as {name: [values]}."""
    out = {}
    for line in (tree / UNITS / name).read_text().splitlines():
        found = re.match(r"(\w+)=(.*)", line)
        if found:
            out.setdefault(found[1], []).append(found[2])
    return out


def test_unit(tree):
    settings = unit(tree, "weir.service")
    assert settings["ExecStart"] == ["/usr/bin/weir run --config /etc/weir/weir.yaml"]
    assert settings["Type"] == ["notify"] and settings["WatchdogSec"] == ["30s"]
    assert unit(tree, "weir-api.service")["ExecStart"] == ["/usr/bin/weir serve --config /etc/weir/weir.yaml"]
    for name in NAMES:
        settings = unit(tree, name)
        assert settings["DynamicUser"] == ["yes"] and settings["ProtectSystem"] == ["strict"]
        assert settings["CapabilityBoundingSet"] == [""] and settings["NoNewPrivileges"] == ["yes"]


def test_unit_outlives_a_stalled_round(tree):
    """The watchdog must not be shorter than the time after which weir itself calls a lane hanging."""
    with open(os.path.join(ROOT, "pipeline", "http", "metrics", "health.h")) as f:
        stall_us = int(re.search(r"WEIR_HEALTH_STALL_US (\d+)", f.read())[1])
    assert int(unit(tree, "weir.service")["WatchdogSec"][0].rstrip("s")) * 1000000 >= 2 * stall_us


@pytest.mark.parametrize("name", NAMES)
def test_systemd_accepts_the_unit(tree, tmp_path, name):
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    # the program is where the package puts it, not where it lies in this tree
    text = (tree / UNITS / name).read_text().replace("/usr/bin/weir", str(tree / "usr/bin/weir"))
    (tmp_path / name).write_text(text)
    code, said = run(tool, "verify", "--man=no", str(tmp_path / name))
    if code != 0 and "Failed to" in said and "unit search paths" in said:
        pytest.skip("systemd's own units are not installed")
    assert (code, said) == (0, "")


@pytest.mark.parametrize("name", NAMES)
def test_unit_is_sandboxed(tree, name):
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    code, said = run(tool, "security", "--offline=true", "--threshold=20", "--root=" + str(tree), name)
    assert code == 0, said[-2000:]  # exposure of at most 2.0 out of 10
