"""Words that the project no longer uses, and what it says instead: retired_words.tsv over all tracked files.

A field has its terms (the glossary in docs/ARCHITECTURE.md); a second word for a thing costs every reader a search. The table
has one row a word: kind, pattern, what to say instead, exceptions, a sample that must be found. Kinds, and where they are
looked for:

  identifier  names in C: the pattern must be one whole part between underscores
  metric      help texts of metrics (metrics_table.c) and their table in docs/metrics.md
  prose       comments, docs outside of code, and sentences in string constants
  message     sentences in string constants alone

Exceptions, with `;` between: `path:GLOB` leaves files out, `only:GLOB` looks in those alone, anything else is a regular
expression; a find inside one of its matches is none.

retired_words.py ROOT [--count]: findings as file:line, or their number a folder. --self-test: can each row fail?
Also refuses lines over 140 characters in README.md, CONTRIBUTING.md and docs/*.md, code blocks and lone URLs aside.
"""

import fnmatch
import os
import re
import subprocess
import sys
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE = os.path.join(HERE, "retired_words.tsv")
LINE_MAX = 140
LEFT_OUT = ("tests/check/retired_words.*", "tests/fuzz/corpus/*", "tests/console/package-lock.json", "LICENSE")
C_TOKEN = re.compile(r'(//[^\n]*|/\*.*?\*/)|("(?:\\.|[^"\\\n])*")|(\'(?:\\.|[^\'\\\n])*\')|\b([A-Za-z_]\w*)', re.S)
HASH_TOKEN = re.compile(r'(""".*?"""|#[^\n]*)|("(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')', re.S)
LUA_TOKEN = re.compile(r'(--[^\n]*)|("(?:\\.|[^"\\\n])*")')
FENCE = re.compile(r"^```.*?^```", re.S | re.M)
C_LIKE = (".c", ".h", ".cpp", ".js", ".mjs", ".java", ".css")
HASH_LIKE = (".py", ".sh", ".cmake", ".yml", ".yaml", ".conf", ".in", "CMakeLists.txt", "Makefile")


class Row:
    def __init__(self, line):
        self.kind, self.pattern, self.instead, exceptions, self.sample = line.rstrip("\n").split("\t")
        items = [item for item in exceptions.split(";") if item and item != "-"]
        self.left_out = [item[5:] for item in items if item.startswith("path:")]
        self.only = [item[5:] for item in items if item.startswith("only:")]
        self.allowed = [re.compile(item, re.I) for item in items if not item.startswith(("path:", "only:"))]
        self.find = re.compile(self.pattern if self.kind == "identifier" else r"(?<![\w.`-])(?:%s)(?![\w`]|-\w)" % self.pattern, re.I)

    def is_for(self, path):
        def among(globs):
            return any(fnmatch.fnmatchcase(path, glob) for glob in globs)
        return not among(self.left_out) and (not self.only or among(self.only))

    def finds(self, text):
        """Matches in a text, those within an allowed phrase left out."""
        if self.kind == "identifier":
            if any(self.find.fullmatch(part) for part in text.split("_")) and not any(a.fullmatch(text) for a in self.allowed):
                yield 0, text
            return
        for found in self.find.finditer(text):
            if not any(a.start() <= found.start() and found.end() <= a.end() for allowed in self.allowed for a in allowed.finditer(text)):
                yield found.start(), found[0]


def rows():
    with open(TABLE, encoding="utf-8") as f:
        return [Row(line) for line in f if line.strip() and not line.startswith("#")]


def is_sentence(text):
    return text.count(" ") >= 2 and re.search(r"[a-z]{3}", text) is not None


def blank(found):
    return re.sub(r"[^\n]", " ", found[0])


def c_pieces(path, text):
    """(kind, offset, text): comments are prose, names identifiers, sentences messages. A split string is one sentence."""
    sentence, begin = "", 0
    for found in C_TOKEN.finditer(text):
        comment, string, _, name = found.groups()
        if string:
            joins = sentence and not text[begin + len(sentence):found.start()].strip()
            if sentence and not joins:
                yield "message", begin, sentence
                sentence = ""
            if not sentence:
                begin = found.start()
            sentence += text[begin + len(sentence):found.end()]
            continue
        if comment:
            yield "prose", found.start(), re.sub(r"`[^`\n]*`", blank, comment)
        elif name and path.endswith((".c", ".h", ".cpp")):
            yield "identifier", found.start(), name
    if sentence:
        yield "message", begin, sentence


def pieces(path, text):
    name = os.path.basename(path)
    if path.endswith(".md"):
        plain = FENCE.sub(blank, text)
        yield "prose", 0, re.sub(r"`[^`\n]*`", blank, plain)
    elif path.endswith(C_LIKE):
        yield from c_pieces(path, text)
    elif path.endswith(".lua"):
        for found in LUA_TOKEN.finditer(text):
            yield ("prose" if found[1] else "message"), found.start(), found[0]
    elif path.endswith(HASH_LIKE) or name in HASH_LIKE or path.startswith(".ci/"):
        for found in HASH_TOKEN.finditer(text):
            yield ("prose" if found[1] else "message"), found.start(), found[0]
    elif path.endswith((".json", ".html")) and not path.startswith("tests/"):
        for found in re.finditer(r'"(?:\\.|[^"\\\n])*"|>[^<>]+<', text):
            yield "message", found.start(), found[0]


def mistakes_of(path, text, table):
    """(offset, what) of one file."""
    by_kind = {kind: [row for row in table if row.kind == kind and row.is_for(path)] for kind in ("identifier", "metric", "prose", "message")}
    is_metric = path.endswith("metrics_table.c") or path == "docs/metrics.md"
    for kind, at, piece in pieces(path, text):
        if kind == "message" and not is_sentence(piece):
            continue
        asked = list(by_kind[kind])
        if kind == "message":
            asked += by_kind["prose"]
        if is_metric and kind in ("message", "prose"):
            asked += by_kind["metric"]
        for row in asked:
            for offset, found in row.finds(piece):
                yield at + offset, '%s "%s": %s' % (row.kind, found, row.instead)


def long_lines(path, text):
    """Docs: lines over the limit outside of code blocks; one that a URL alone makes long is left."""
    if not path.endswith(".md") or (path.startswith("docs/") and path.count("/") > 1) or path.startswith("tests/"):
        return
    at = 0
    for line, hidden in zip(text.split("\n"), FENCE.sub(blank, text).split("\n")):
        if len(hidden.rstrip()) > LINE_MAX and len(re.sub(r"\(?https?://\S+", "", line)) > LINE_MAX:
            yield at, "%d characters: at most %d" % (len(line), LINE_MAX)
        at += len(line) + 1


def tracked(root):
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z"], stdout=subprocess.PIPE, check=True).stdout
    for path in listed.decode().split("\0"):
        if not path or any(fnmatch.fnmatchcase(path, glob) for glob in LEFT_OUT):
            continue
        try:
            with open(os.path.join(root, path), encoding="utf-8") as f:
                yield path, f.read()
        except (OSError, UnicodeDecodeError):
            continue


def mistakes(root):
    table = rows()
    for path, text in tracked(root):
        for check in (mistakes_of(path, text, table), long_lines(path, text)):
            for at, what in check:
                yield path, text.count("\n", 0, at) + 1, what


def self_test():
    """Each row finds its sample; no row finds what it says instead; its exceptions let through what they name."""
    table, wrong = rows(), []
    for row in table:
        if not row.sample or not list(row.finds(row.sample)):
            wrong.append("%s %s: its sample is not found: %s" % (row.kind, row.pattern, row.sample))
        if list(row.finds(row.instead)):
            wrong.append("%s %s: it finds what is to be said" % (row.kind, row.pattern))
    sample = {"prose": ("docs/a.md", "One line\nthe overthrown owner\n```\nzombie\n```\n"),
              "message": ("pipeline/a.c", 'f("limit %u: 1 or more "\n  "is right");\n'),
              "identifier": ("pipeline/a.c", "int told_apart; /* fine */ struct weir_tell *x;\n"),
              "long": ("docs/b.md", "x" * 141 + "\n```\n" + "y" * 200 + "\n```\n")}
    for kind, (path, text) in sample.items():
        found = list(mistakes_of(path, text, table)) if kind != "long" else list(long_lines(path, text))
        if len(found) != 1:
            wrong.append("the %s sample: %d findings instead of one: %s" % (kind, len(found), found))
    print("\n".join(wrong) or "%d rows can fail" % len(table))
    return 1 if wrong else 0


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    if "--self-test" in sys.argv:
        return self_test()
    found = list(mistakes(arguments[0] if arguments else "."))
    if "--count" in sys.argv:
        folders = Counter("/".join(path.split("/")[:2]) if path.count("/") > 1 else path for path, _, _ in found)
        for folder, count in folders.most_common():
            print("%6d %s" % (count, folder))
    else:
        for path, line, what in found:
            print("%s:%d: %s" % (path, line, what))
    print("%d retired words and long lines" % len(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
