"""Names that the docs mention exist: functions, types, settings' members and files in backticks, paths of links.

A doc that names what was renamed sends its reader nowhere. A name in backticks counts as one of the source when it holds an
underscore and nothing else but letters and digits; it must stand somewhere in a tracked file that is no doc. A file name
(`fold.c`, `pipeline/engine/owner.c`) must be the end of a tracked path, and a link to a file of the tree must lead there, to
a heading that it has.

doc_names.py ROOT
"""

import os
import re
import subprocess
import sys

NAME = re.compile(r"`([A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+)(?:\(\))?`")
FILE = re.compile(r"`([\w./-]+\.(?:c|h|cpp|py|js|mjs|tsv|txt|cmake))`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)")
WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+")
FENCE = re.compile(r"^```.*?^```", re.S | re.M)


def anchors(text):
    """As GitHub makes them of headings."""
    for heading in re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.M):
        yield re.sub(r"[^\w -]", "", re.sub(r"[`*]", "", heading).lower()).replace(" ", "-")


def mistakes(root):
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z"], stdout=subprocess.PIPE, check=True).stdout
    paths = [p for p in listed.decode().split("\0") if p]
    docs, known = {}, {os.path.splitext(os.path.basename(p))[0] for p in paths}
    for path in paths:
        try:
            with open(os.path.join(root, path), encoding="utf-8") as f:
                text = f.read()
        except (OSError, UnicodeDecodeError):
            continue
        if path.endswith(".md"):
            docs[path] = text
        else:
            known.update(WORD.findall(text))
    tails = {"/".join(p.split("/")[i:]) for p in paths for i in range(p.count("/") + 1)}
    folders = {os.path.dirname(p) for p in paths}
    for path, text in docs.items():
        def at(found):
            return "%s:%d" % (path, text.count("\n", 0, found.start()) + 1)
        for found in NAME.finditer(FENCE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)):
            if found[1] not in known and found[1] not in MADE:
                yield "%s: nothing is called %s" % (at(found), found[1])
        for found in FILE.finditer(text):
            if found[1] not in tails and not found[1].startswith("build/") and found[1] not in MADE:
                yield "%s: no file %s" % (at(found), found[1])
        for found in LINK.finditer(text):
            to = os.path.normpath(os.path.join(os.path.dirname(path), found[1])) if found[1] else path
            if to not in paths and to not in folders and not any(f.startswith(to + "/") for f in folders):
                yield "%s: no file %s" % (at(found), to)
            elif found[2] and to in docs and found[2] not in set(anchors(docs[to])):
                yield "%s: %s has no heading #%s" % (at(found), to, found[2])


MADE = {"x.h", "x_priv.h", "module_verb_object", "latency_us_max"}  # stand for any

if __name__ == "__main__":
    found = list(mistakes(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(found) or "the docs name what there is")
    sys.exit(1 if found else 0)
