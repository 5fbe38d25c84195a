"""Other producers' JSON through the mappings of config/samples/weir.yaml: KORE Super SIM events, emnify's Data Streamer.

Fixtures have the publishers' shapes with made-up values; "@10" in them stands for ten minutes ago.
"""

import json
import os
import re
import time

import generate

_HERE = os.path.dirname(os.path.abspath(__file__))
_SAMPLE = os.path.join(os.path.dirname(os.path.dirname(_HERE)), "config", "samples", "weir.yaml")
KORE, EMNIFY = "89883070000044236204", "89883030000080139311"


def fixture(name):
    with open(os.path.join(_HERE, "fixtures", name)) as f:
        return re.sub(r'"@(\d+)"', lambda m: '"%s"' % generate.iso(int((time.time() - 60 * int(m[1])) * 1000)), f.read()).encode()


def feeds_text():
    """The `feeds:` section of the shipped sample, as it is."""
    with open(_SAMPLE) as f:
        return re.search(r"(?m)^feeds:\n(?:(?:[ #].*)?\n)*", f.read())[0]


def test_kore_and_emnify(world):
    """rule REC-1, rule REC-2, rule REC-3, rule REC-7: deltas counted once, other events filtered, bad ones dead."""
    name = "f%d" % (time.time() * 1000)
    w = world(partitions=2, inputs=[{"topic": name + ".kore", "format": "kore"}, {"topic": name + ".emnify", "format": "emnify"}])
    w.cards.references(
        [(None, {"type": "carrier", "id": "overseas", "zone": "America/New_York", "cycle_day": 1, "cycle_named_after": "start",
                 "mb_bytes": 1000000})] +
        [(i, {"type": "card", "iccid": i, "carrier": "overseas"}) for i in (KORE, EMNIFY)])
    weir = w.weir()
    _as_yaml(weir)
    now = int(time.time() * 1000)
    for topic, file, iccid in ((name + ".kore", "kore.json", KORE), (name + ".emnify", "emnify.json", EMNIFY)):
        log = w.logs[topic]
        log.send(generate.partition_of(iccid, 2), now, iccid.encode(), fixture(file))
        log.flush()
    weir.start()
    w.wait_done(30)
    cards = w.state()
    assert [cards[KORE].up, cards[KORE].down, cards[KORE].records] == [2148, 2248, 2]
    assert [cards[EMNIFY].up, cards[EMNIFY].down, cards[EMNIFY].records] == [47086, 1172848, 2]  # 0.5 bytes round up
    dead = w.dead()
    assert {(k[0], k[3]): v for k, v in dead.items()} == {(name + ".kore", 5): "bad_volume", (name + ".emnify", 4): "bad_volume"}


def _as_yaml(weir):
    """The settings with the sample's feeds: section after them, so that the shipped text itself is tried."""
    lines = []
    for section, members in weir.settings.items():
        lines.append("%s: %s" % (section, json.dumps(members)))
    with open(weir.config, "w") as f:
        f.write("\n".join(lines) + "\n" + feeds_text())
