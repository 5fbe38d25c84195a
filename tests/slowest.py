#!/usr/bin/python3
"""The slowest tests of ctest runs, from their JUnit files. Usage: slowest.py COUNT FILE..."""

import sys
import xml.etree.ElementTree as ElementTree

cases = [(float(case.get("time")), case.get("name")) for path in sys.argv[2:] for case in ElementTree.parse(path).iter("testcase")]
print("the slowest of %d tests:" % len(cases))
for seconds, name in sorted(cases, reverse=True)[:int(sys.argv[1])]:
    print("%8.1f s  %s" % (seconds, name))
