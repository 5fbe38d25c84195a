"""Rooms and circles: who may use whom, read from the objects of a build.

usage: rooms.py [--table FILE] [--summary] [--all] SOURCE_DIR BUILD_DIR
       rooms.py --self-test SOURCE_DIR BUILD_DIR

cmake/rooms.txt says which room may use which, and how many files of a room may call each other in a circle. This check
reads every object that compile_commands.json names: what each function refers to, and which file defines it. An
#include of another room's header counts as a use too, because inline functions leave no call in an object.

It fails, and prints the arrow or the circle by file and function, when
  a source belongs to no room or is not compiled, or two files define one name;
  the table itself has a circle of rooms;
  a room uses one that its row does not name;
  more files of a room call each other in a circle than its row allows.

--summary prints each room's files and circles, --all every arrow of a circle instead of its shortest way round.
"""

import argparse
import collections
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

TABLE = "cmake/rooms.txt"
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
SOURCES = (".c", ".h", ".cpp", ".hpp")
SYMBOL = re.compile(r"^([0-9a-f]+) (.{7}) (\S+)\s+[0-9a-f]+ (?:\.(?:hidden|protected|internal) )?(\S+)$")
SECTION = re.compile(r"^RELOCATION RECORDS FOR \[(.+)\]:$")
RELOCATION = re.compile(r"^([0-9a-f]+) \S+\s+(\S+?)(?:[+-]0x[0-9a-f]+)?$")
PART = re.compile(r"\.(?:cold|part|isra|constprop)\b.*$")  # pieces the compiler cuts from a function

Arrow = collections.namedtuple("Arrow", "file function callee_file callee")


class Mistake(Exception):
    """the check cannot be made: the table or the build is wrong"""


# The table


class Table:
    """rows of rooms.txt: room -> (rooms it may use, largest circle of files)"""

    def __init__(self, text):
        rows = []
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split("#")[0].split()
            if words:
                if len(words) < 3 or not words[1].isdigit():
                    raise Mistake("rooms.txt:%d: a row is a room, its largest circle and the rooms it may use" % number)
                rows.append((number, words[0], int(words[1]), [] if words[2] == "-" else words[2:]))
        self.circle = {room: circle for _, room, circle, _ in rows}
        if len(self.circle) != len(rows):
            raise Mistake("rooms.txt: a room has two rows")
        self.uses = {room: self.rooms_in(number, room, [n for n in names if n[0] != "("])
                     for number, room, _, names in rows}
        self.sees = {room: self.rooms_in(number, room, [n.strip("()") for n in names]) for number, room, _, names in rows}
        self.by_length = sorted(self.circle, key=len, reverse=True)

    def rooms_in(self, number, user, names):
        folder = os.path.dirname(user) or user
        out = set()
        for name in names:
            name = name if "/" in name or name in self.circle else folder + "/" + name
            found = [room for room in self.circle if room == name or name.endswith("/") and (room + "/").startswith(name)]
            if not found:
                raise Mistake("rooms.txt:%d: no room is called %s" % (number, name))
            out.update(found)
        return out

    def room(self, path):
        """the room a source lies in, or None"""
        for room in self.by_length:
            if path.startswith(room[:-1] if room.endswith("*") else (room + "/", room + ".", room + "_priv.")):
                return room
        return None

    def folders(self):
        return sorted({room.split("/")[0] for room in self.circle})


# What the objects say


class Object:
    """names an object defines, and what each of its functions refers to: [(function, name)]"""

    def __init__(self):
        self.defined = set()
        self.referred = set()


def read_objects(text):
    """{object path: Object} from the text of `objdump -t -r`"""
    out, path, symbols, raw = {}, None, None, None

    def close():
        if path is not None:
            out[path] = object_of(symbols, raw)

    section = None
    for line in text.splitlines():
        if "file format " in line and not line.startswith(" "):
            close()
            path, symbols, raw, section = line.split(":")[0], [], [], None
        elif path is None:
            continue
        elif (found := SECTION.match(line)) is not None:
            section = found[1]
        elif section is None and (found := SYMBOL.match(line)) is not None:
            symbols.append((int(found[1], 16), found[2], found[3], found[4]))
        elif section is not None and not section.startswith((".debug", ".eh_frame")):
            found = RELOCATION.match(line)
            if found:
                raw.append((section, int(found[1], 16), found[2]))
    close()
    return out


def object_of(symbols, relocations):
    out = Object()
    places = collections.defaultdict(list)  # section -> [(address, function)]
    undefined = set()
    for address, flags, section, name in symbols:
        if section == "*UND*":
            undefined.add(name)
        elif section.startswith("*") or "d" in flags or "f" in flags:
            continue  # a section's or a file's own name
        else:
            places[section].append((address, PART.sub("", name)))
            if flags[0] == "g":
                out.defined.add(name)
    for names in places.values():
        names.sort()
    for section, at, name in relocations:
        if name in undefined:
            out.referred.add((enclosing(places[section], at), name))
    return out


def enclosing(names, at):
    held = "(data)"
    for address, name in names:
        if address > at:
            break
        held = name
    return held


# What the build holds


def compiled(root, build, table):
    """[(source, object)] of the rooms' sources, by compile_commands.json"""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as f:
        commands = json.load(f)
    out = []
    for entry in commands:
        source = os.path.relpath(os.path.join(entry["directory"], entry["file"]), root)
        if source.split("/")[0] not in table.folders():
            continue
        words = shlex.split(entry["command"])
        name = entry.get("output") or words[words.index("-o") + 1]
        # CMake gives outputs relative to the top of the build, commands to the folder of the target
        places = [os.path.join(build, name), os.path.join(entry["directory"], name)]
        found = [place for place in places if os.path.exists(place)]
        if not found:
            raise Mistake("%s is not built (%s): build all targets first" % (source, name))
        out.append((source, found[0]))
    return out


def objdump(paths):
    return subprocess.run(["objdump", "-t", "-r", "-w"] + paths, check=True, text=True, stdout=subprocess.PIPE).stdout


def objects_of(pairs):
    """{source: Object}: a source that is compiled twice counts once"""
    read = read_objects(objdump(sorted({path for _, path in pairs})))
    out = {}
    for source, path in pairs:
        known = out.setdefault(source, Object())
        known.defined |= read[path].defined
        known.referred |= read[path].referred
    return out


def arrows_of(objects):
    """(arrows between files, names two files define); nothing calls into a program's own file"""
    owner, twice = {}, []
    for source in sorted(objects):
        for name in sorted(objects[source].defined if "main" not in objects[source].defined else ()):
            if name in owner:
                twice.append("%s and %s both define %s" % (owner[name], source, name))
            owner.setdefault(name, source)
    arrows = [Arrow(source, function, owner[name], name)
              for source in sorted(objects) for function, name in sorted(objects[source].referred)
              if name in owner and owner[name] != source]
    return arrows, twice


def sources_in(root, table):
    for folder in table.folders():
        for directory, folders, names in os.walk(os.path.join(root, folder)):
            folders.sort()
            for name in sorted(names):
                if name.endswith(SOURCES):
                    yield os.path.relpath(os.path.join(directory, name), root)


def includes_of(root, table):
    """[(where, file, header)] of project headers"""
    for path in sources_in(root, table):
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
            for number, line in enumerate(f, 1):
                found = INCLUDE.match(line)
                if found and os.path.exists(os.path.join(root, found[1])):
                    yield "%s:%d" % (path, number), path, found[1]


# Circles


def strong_components(graph):
    """Tarjan, without recursion: lists of nodes that reach each other, of two or more"""
    index, low, on, stack, out = {}, {}, set(), [], []
    for start in sorted(graph):
        if start in index:
            continue
        work = [(start, iter(sorted(graph[start])))]
        index[start] = low[start] = len(index)
        stack.append(start)
        on.add(start)
        while work:
            node, rest = work[-1]
            for after in rest:
                if after not in index:
                    index[after] = low[after] = len(index)
                    stack.append(after)
                    on.add(after)
                    work.append((after, iter(sorted(graph.get(after, ())))))
                    break
                if after in on:
                    low[node] = min(low[node], index[after])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    at = stack.index(node)
                    if len(stack) - at > 1:
                        out.append(sorted(stack[at:]))
                    on.difference_update(stack[at:])
                    del stack[at:]
    return out


def shortest_circle(graph, nodes):
    """the shortest way round inside nodes, as a list of nodes"""
    best = None
    for start in nodes:
        before, queue = {start: None}, collections.deque([start])
        while queue:
            node = queue.popleft()
            if start in graph[node]:
                way = []
                while node is not None:
                    way.append(node)
                    node = before[node]
                if best is None or len(way) < len(best):
                    best = way[::-1]
                break
            for after in sorted(graph[node]):
                if after in nodes and after not in before:
                    before[after] = node
                    queue.append(after)
    return best


def graph_of(pairs):
    graph = collections.defaultdict(set)
    for a, b in pairs:
        graph[a].add(b)
        graph.setdefault(b, set())
    return graph


def told(arrow):
    return "%s:%s -> %s:%s" % arrow


def circle_text(room, most, files, arrows, every):
    inside = [a for a in arrows if a.file in files and a.callee_file in files]
    yield "%s: %d files call each other in a circle (at most %s): %s" % (
        room, len(files), most if most > 1 else "none", " ".join(os.path.basename(f) for f in files))
    if every:
        yield from ("    " + told(a) for a in inside)
        return
    way = shortest_circle(graph_of((a.file, a.callee_file) for a in inside), files)
    for file, after in zip(way, way[1:] + way[:1]):
        between = [a for a in inside if (a.file, a.callee_file) == (file, after)]
        more = " (and %d more)" % (len(between) - 1) if len(between) > 1 else ""
        yield "    " + told(between[0]) + more


# The check


def table_mistakes(table):
    for circle in strong_components(table.sees):
        yield "the table has a circle of rooms: " + " -> ".join(circle)


def placed_mistakes(root, table, objects):
    for path in sources_in(root, table):
        if table.room(path) is None:
            yield "%s lies in no room of the table" % path
        elif path.endswith((".c", ".cpp")) and path not in objects:
            yield "%s is not compiled: no library has it" % path


def room_mistakes(table, arrows, includes):
    def forbidden(a, b, allowed):
        mine, theirs = table.room(a), table.room(b)
        return mine and mine != theirs and (theirs is None or theirs not in allowed[mine])

    for arrow in arrows:
        if forbidden(arrow.file, arrow.callee_file, table.uses):
            yield "%s: %s may not use %s" % (told(arrow), table.room(arrow.file), table.room(arrow.callee_file))
    for where, path, header in includes:
        if forbidden(path, header, table.sees):
            yield "%s includes %s: %s may not use %s" % (where, header, table.room(path), table.room(header) or "it")


def file_circles(table, arrows):
    """{room: [files of a circle]}"""
    out = collections.defaultdict(list)
    for files in strong_components(graph_of((a.file, a.callee_file) for a in arrows
                                            if table.room(a.file) == table.room(a.callee_file))):
        out[table.room(files[0])].append(files)
    return out


def circle_mistakes(table, arrows, every=False):
    for room, circles in sorted(file_circles(table, arrows).items()):
        for files in circles:
            if len(files) > table.circle[room]:
                yield from circle_text(room, table.circle[room], files, arrows, every)


def mistakes(root, table, objects, every=False):
    arrows, twice = arrows_of(objects)
    yield from table_mistakes(table)
    yield from placed_mistakes(root, table, objects)
    yield from twice
    yield from room_mistakes(table, arrows, includes_of(root, table))
    yield from circle_mistakes(table, arrows, every)


def summary(table, objects):
    arrows, _ = arrows_of(objects)
    circles = file_circles(table, arrows)
    print("%-28s %5s  %s" % ("room", "files", "circles of files"))
    for room in table.circle:
        files = [f for f in objects if table.room(f) == room]
        print("%-28s %5d  %s" % (room, len(files), " ".join(str(len(c)) for c in circles[room]) or "-"))


# The self-test: each mistake is made once and must be seen


SAMPLE = """
a.o:     file format elf64-x86-64

SYMBOL TABLE:
0000000000000000 l    df *ABS*\t0000000000000000 a.c
0000000000000000 l    d  .text\t0000000000000000 .text
0000000000000000 l     F .text\t0000000000000010 helper
0000000000000010 g     F .text\t0000000000000020 a_face
0000000000000000         *UND*\t0000000000000000 b_face
0000000000000000 l     O .data.rel.ro\t0000000000000008 rows


RELOCATION RECORDS FOR [.text]:
OFFSET           TYPE              VALUE
0000000000000005 R_X86_64_PLT32    b_face-0x0000000000000004
0000000000000015 R_X86_64_PLT32    helper-0x0000000000000004


RELOCATION RECORDS FOR [.data.rel.ro]:
OFFSET           TYPE              VALUE
0000000000000000 R_X86_64_64       b_face


RELOCATION RECORDS FOR [.debug_info]:
OFFSET           TYPE              VALUE
0000000000000000 R_X86_64_64       b_face
"""


def made(**files):
    """{source: Object} from source="names it defines > names it refers to" """
    out = {}
    for name, text in files.items():
        defined, _, referred = text.partition(">")
        thing = out[name.replace("__", "/") + ".c"] = Object()
        thing.defined = set(defined.split())
        thing.referred = {(sorted(thing.defined)[0], name) for name in referred.split()}
    return out


def expect(what, found, *parts):
    text = "\n".join(found)
    assert all(part in text for part in parts) and bool(text) == bool(parts), "%s: got %r" % (what, text)


def test_reading():
    read = read_objects(SAMPLE)["a.o"]
    assert read.defined == {"a_face"}, read.defined
    assert read.referred == {("helper", "b_face"), ("rows", "b_face")}, read.referred


def test_rules():
    table = Table("low 1 -\nhigh 2 low\nhigh/in 1 low many*\nhigh/many* 1 -\ntop 1 high/\nflat 1 high")
    assert table.uses["high/in"] == {"low", "high/many*"}
    assert (table.uses["top"], table.uses["flat"]) == ({"high", "high/in", "high/many*"}, {"high"}), table.uses
    assert [table.room(p) for p in ("low/a.c", "high/in/a.c", "high/in_priv.h", "high/in_a.c", "high/many_b.c", "highest/a.c")] == [
        "low", "high/in", "high/in", "high", "high/many*", None]
    down = made(low__a="a", high__b="b > a")
    expect("an arrow that the table allows", room_mistakes(table, arrows_of(down)[0], []))
    up = made(low__a="a > b", high__b="b")
    expect("a call upwards", room_mistakes(table, arrows_of(up)[0], []), "low/a.c:a -> high/b.c:b: low may not use high")
    expect("an include upwards", room_mistakes(table, [], [("low/a.c:3", "low/a.c", "high/b.h")]),
           "low/a.c:3 includes high/b.h: low may not use high")
    types = Table("low 1 -\nhigh 1 (low)")
    expect("a call where types may be seen", room_mistakes(types, arrows_of(down)[0], []), "high/b.c:b -> low/a.c:a")
    expect("types that may be seen", room_mistakes(types, [], [("high/b.c:1", "high/b.c", "low/a.h")]))
    expect("one name twice", arrows_of(made(low__a="a", high__b="a"))[1], "high/b.c and low/a.c both define a")
    expect("one name in two programs", arrows_of(made(low__a="a main", high__b="a main"))[1])
    expect("a table with a circle", table_mistakes(Table("a 1 b\nb 1 c\nc 1 a")), "a -> b -> c")
    ring = made(low__a="a > b", low__b="b > c", low__c="c > a", low__d="d > a")
    expect("three files in a circle", circle_mistakes(table, arrows_of(ring)[0]), "low: 3 files", "low/a.c:a -> low/b.c:b",
           "low/b.c:b -> low/c.c:c", "low/c.c:c -> low/a.c:a")
    pair = made(high__a="a > b", high__b="b > a")
    expect("two files where two may", circle_mistakes(table, arrows_of(pair)[0]))


def test_real(root, build, table, pairs):
    """a call that is added to a scratch copy of one object turns the check red"""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as f:
        commands = {os.path.relpath(entry["file"], root): entry for entry in json.load(f)}
    low, high = "config/base/slice.c", "pipeline/cli/cli.c"
    callee = sorted(objects_of([p for p in pairs if p[0] == high])[high].defined)[0]
    with tempfile.TemporaryDirectory() as scratch:
        copy, changed = os.path.join(scratch, "slice.c"), os.path.join(scratch, "slice.o")
        with open(os.path.join(root, low), encoding="utf-8") as f:
            text = f.read()
        with open(copy, "w", encoding="utf-8") as f:
            f.write(text + "\nvoid %s(void);\nvoid added_on_purpose(void);\nvoid added_on_purpose(void) { %s(); }\n" % (
                callee, callee))
        words = shlex.split(commands[low]["command"])
        words[words.index("-o") + 1] = changed
        words = [copy if word.endswith(low) else word for word in words]
        subprocess.run(words, check=True, cwd=commands[low]["directory"])
        objects = objects_of([(s, changed if s == low else o) for s, o in pairs])
    found = [line for line in mistakes(root, table, objects) if "added_on_purpose" in line]
    expect("a call added to " + low, found, "%s:added_on_purpose -> %s:%s: config/base may not use pipeline/cli" % (
        low, high, callee))


def self_test(root, build, table, pairs):
    test_reading()
    test_rules()
    test_real(root, build, table, pairs)
    print("each mistake made on purpose is seen")


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1])
    parser.add_argument("--table")
    for option in ("--summary", "--all", "--self-test"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("root")
    parser.add_argument("build")
    args = parser.parse_args()
    root, build = os.path.abspath(args.root), os.path.abspath(args.build)
    with open(args.table or os.path.join(root, TABLE), encoding="utf-8") as f:
        table = Table(f.read())
    pairs = compiled(root, build, table)
    if args.self_test:
        return self_test(root, build, table, pairs)
    objects = objects_of(pairs)
    if args.summary:
        summary(table, objects)
    found = list(mistakes(root, table, objects, args.all))
    print("\n".join(found) or "%d files in %d rooms: no arrow out of place, no circle" % (len(objects), len(table.circle)))
    return 1 if found else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Mistake as mistake:
        sys.exit(str(mistake))
