#!/usr/bin/env python3
"""A second verifier of toolgate's log, written apart from the first and sharing no code with it.

    verify_log.py [--key PUB] [--head FILE]... DIR      a log: SEALED, UNSEALED or BROKEN
    verify_log.py --proof FILE [--key PUB]              a proof that `toolgate audit prove` made
    verify_log.py --batch                               one JSON request a line on standard input

Only the standard library is used, and the `zstd` program for files that are sealed. It says what
it found as JSON on standard output; the exit code is 0, 1 for BROKEN or an empty log or a proof
that proves nothing, 2 for a wrong use.
"""

import base64
import hashlib
import json
import os
import re
import stat
import struct
import subprocess
import sys

RECORD_BYTES_MAX = 64 * 1024
NAME = re.compile(r"toolgate-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-(\d{6,})\.(jsonl|jsonl\.zst|kept)")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
ZERO = "0" * 64
HASH = re.compile("[0-9a-f]{64}")
# No log leaves out so many numbers of files.
JUMP_MAX = 1_000_000


class Bad(Exception):
    """What is wrong, in words."""


# Ed25519 (RFC 8032), for verifying alone.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def add(a, b):
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    w, x, y, z = f - e, h - g, h + g, f + e
    return (w * x % P, y * z % P, x * y % P, w * z % P)


def times(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def same(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def point(data):
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = point(bytes([0x58]) + bytes([0x66]) * 31)
VERIFIED = {}


def ed25519(key, text, signature):
    """Whether the key signed the text. Batches ask the same again and again."""
    question = (key, text, signature)
    if question not in VERIFIED:
        VERIFIED[question] = ed25519_once(key, text, signature)
    return VERIFIED[question]


def ed25519_once(key, text, signature):
    if len(key) != 32 or len(signature) != 64:
        return False
    a, r, s = point(key), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L or same(times(8, a), (0, 1, 1, 0)):
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), "little") % L
    return same(times(s, BASE), add(r, times(h, a)))


# Signed notes (C2SP signed-note) and the heads of a log (C2SP tlog-checkpoint).


def unbase64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return data if base64.b64encode(data).decode() == text else None


def is_name(name):
    return bool(name) and "+" not in name and not any(c.isspace() or ord(c) < 32 for c in name)


class Key:
    def __init__(self, text):
        parts = text.split("+", 2)
        data = unbase64(parts[2]) if len(parts) == 3 else None
        if not data or data[0] != 1 or len(data) != 33 or not is_name(parts[0]):
            raise Bad("this is no key: " + text)
        self.text, self.name, self.key = text, parts[0], data[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n\x01" + self.key).digest()[:4]
        if self.id.hex() != parts[1]:
            raise Bad("this is no key: " + text)

    def __eq__(self, other):
        return other is not None and self.text == other.text

    def signed(self, note):
        """True, False for a signature that does not fit, None for no signature."""
        ours = [s for n, i, s in note.signatures if n == self.name and i == self.id]
        if not ours:
            return None
        return all(ed25519(self.key, note.text.encode(), signature) for signature in ours)


class Note:
    def __init__(self, note):
        text, blank, lines = note.rpartition("\n\n")
        if not blank or not text or not lines.endswith("\n") or re.search("[\0-\t\v-\x1f]", note):
            raise Bad("this is no signed note")
        self.whole, self.text, self.signatures = note, text + "\n", []
        for line in lines[:-1].split("\n"):
            parts = line.split(" ", 2)
            data = unbase64(parts[2]) if len(parts) == 3 and parts[0] == "—" else None
            if not data or len(data) < 5 or not is_name(parts[1]):
                raise Bad("this is no signed note")
            self.signatures.append((parts[1], data[:4], data[4:]))


class Head:
    def __init__(self, note):
        self.note = Note(note)
        lines = self.note.text[:-1].split("\n")
        number = r"(?:0|[1-9]\d*)"
        shape = [r"toolgate/\S{36}", number, r"\S{44}", "epoch " + number, "time " + TIME.pattern]
        shape += ["next .*"] * (len(lines) == 6)
        if len(lines) != len(shape) or not all(map(re.fullmatch, shape, lines)):
            raise Bad("this is no head of a log")
        self.stream, self.size = lines[0].partition("/")[2], int(lines[1])
        self.root, self.epoch = unbase64(lines[2]), int(lines[3][6:])
        self.time = lines[4][5:]
        self.next = Key(lines[5][5:]) if len(lines) == 6 else None
        if self.root is None or len(self.root) != 32:
            raise Bad("this is no head of a log")


class Keys:
    """Which key may sign here."""

    def __init__(self, trusted):
        self.trusted, self.keys, self.used = trusted, [], False

    def take(self, head):
        if not self.keys:
            if head.next is None or not head.next.signed(head.note):
                raise Bad("nothing certifies the key of this head")
            if self.trusted and self.trusted != head.next:
                raise Bad("the first key is another than the one that is trusted")
            self.keys.append((head.epoch, head.next))
            return
        epoch, key = self.keys[-1]
        signed = key.signed(head.note)
        if signed is False:
            raise Bad("the signature does not fit")
        if signed is None or head.epoch != epoch:
            again = len(self.keys) > 1 and not self.used and head.next == key
            before = self.keys[-2] if again else None
            if before and head.epoch == before[0] and before[1].signed(head.note):
                return
            raise Bad("nothing certifies the key of this head")
        self.used = True
        if head.next is not None and head.next != key:
            self.keys.append((epoch + 1, head.next))
            self.used = False

    def knows(self, head):
        return any(epoch == head.epoch and key.signed(head.note) for epoch, key in self.keys)


# The tree (RFC 6962), kept as (height, hash) of its whole subtrees.


def leaf(line):
    return hashlib.sha256(b"\0" + line).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    def __init__(self):
        self.size, self.stack = 0, []

    @staticmethod
    def of(size, hashes):
        heights = [height for height in range(64, -1, -1) if size >> height & 1]
        if len(heights) != len(hashes) or any(h is None or len(h) != 32 for h in hashes):
            raise Bad("this is no head of a log")
        tree = Tree()
        tree.size, tree.stack = size, list(zip(heights, hashes))
        return tree

    def push(self, value):
        height = 0
        while self.stack and self.stack[-1][0] == height:
            value = node(self.stack.pop()[1], value)
            height += 1
        self.stack.append((height, value))
        self.size += 1

    def root(self):
        if not self.stack:
            return hashlib.sha256(b"").digest()
        value = self.stack[-1][1]
        for _, left in reversed(self.stack[:-1]):
            value = node(left, value)
        return value


def root_of_path(index, size, value, path):
    """The root that a path leads to, by the recursive definition: no copy of RFC 9162's loop."""
    path = list(path)
    if index >= size:
        raise Bad("the record is behind the head")

    def up(low, high):
        if high - low == 1:
            return value
        middle = low + (1 << (high - low - 1).bit_length() - 1)
        if index < middle:
            below = up(low, middle)
            return node(below, beside())
        below = up(middle, high)
        return node(beside(), below)

    def beside():
        if not path:
            raise Bad("the path is too short")
        return path.pop(0)

    root = up(0, size)
    if path:
        raise Bad("the path is too long")
    return root


def roots_of_consistency(old, new, old_root, path):
    path = list(path)

    def take():
        if not path:
            raise Bad("the path is too short")
        return path.pop(0)

    def both(end, low, high, whole):
        if end == high:
            value = old_root if whole else take()
            return value, value
        middle = low + (1 << (high - low - 1).bit_length() - 1)
        if end <= middle:
            first, second = both(end, low, middle, whole)
            return first, node(second, take())
        first, second = both(end, middle, high, False)
        left = take()
        return node(left, first), node(left, second)

    if old == new or old == 0:
        roots = old_root, old_root
        if old == 0:
            raise Bad("a head of nothing proves nothing")
    else:
        roots = both(old, 0, new, True)
    if path:
        raise Bad("the path is too long")
    return roots


# Lines.


def no_constant(text):
    raise ValueError(text)


def once(pairs):
    fields = dict(pairs)
    links = ("v", "seq", "stream", "prev", "kind", "details")
    if len(fields) != len(pairs) and any([k for k, _ in pairs].count(link) > 1 for link in links):
        raise ValueError("a field stands twice")
    return fields


def parse(line):
    if len(line) >= RECORD_BYTES_MAX:
        raise Bad("the line is too long")
    try:
        text = line.decode("utf-8")
        record = json.loads(text, parse_constant=no_constant, object_pairs_hook=once)
        good = isinstance(record, dict) and text.strip(" \t\r") == text.strip()
        whole = good and all(type(record[name]) is int for name in ("v", "seq"))
        whole = whole and 0 <= record["seq"] < 2**64 and 0 <= record["v"] < 2**32
        whole = whole and all(type(record[name]) is str for name in ("stream", "prev"))
        if not whole or not isinstance(record.get("kind", ""), str):
            raise ValueError("a field is missing")
    except (ValueError, KeyError, RecursionError) as why:
        raise Bad("the line is no record: %s" % why) from why
    return record


def head_of(record, line):
    """The head that a record keeps: its line is known to the last byte."""
    details = record.get("details")
    note = details.get("note") if isinstance(details, dict) else None
    tree = details.get("tree") if isinstance(details, dict) else None
    if not isinstance(note, str) or not isinstance(tree, list):
        raise Bad("this is no head of a log")
    head = Head(note)
    kind = "audit.key" if head.next else "audit.checkpoint"
    expected = {"v": 1, "seq": head.size + 1, "ts": head.time, "stream": head.stream, "kind": kind}
    expected.update(details={"note": note, "tree": tree}, prev=record["prev"])
    text = json.dumps(expected, ensure_ascii=False, separators=(",", ":"))
    if text.encode() != line or len(head.note.signatures) != 1:
        raise Bad("this is no head of a log")
    listed = Tree.of(head.size, [unbase64(hash) for hash in tree if isinstance(hash, str)])
    if listed.root() != head.root:
        raise Bad("this is no head of a log")
    return head, listed


class Stream:
    def __init__(self):
        # The last record: None before the first, False where it is not known.
        self.last, self.last_hash, self.tree = None, ZERO, Tree()
        # What no head covers: the file of each record, and what they tell is gone. A start found
        # the first of them so, and has written the others.
        self.found, self.pending, self.found_gone, self.gone = [], [], set(), set()
        # How many records the last head covers, and the one before it.
        self.covered = (0, 0)

    def start(self):
        self.found += self.pending
        self.found_gone |= self.gone
        self.pending, self.gone = [], set()


def gone_in(record):
    """What a record tells was deleted: files with the digest of what is kept, and texts."""
    details = record.get("details")
    if not isinstance(details, dict):
        return set()
    if record.get("kind") == "audit.retention":
        files = details.get("files")
        files = [one for one in files if isinstance(one, dict)] if isinstance(files, list) else []
        return {(str(one.get("file")), str(one.get("kept"))) for one in files}
    names = details.get("blobs") if record.get("kind") == "audit.erased" else None
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def texts_in(record):
    """The texts beside the log that a record names."""
    for capture in (record.get("input"), record.get("output")):
        redactions = capture.get("redactions") if isinstance(capture, dict) else None
        for one in redactions if isinstance(redactions, list) else []:
            name = one.get("blob") if isinstance(one, dict) else None
            if isinstance(name, str) and HASH.fullmatch(name):
                yield name


class Log:
    def __init__(self, directory, key, heads):
        self.directory, self.keys, self.heads = directory, Keys(key), heads
        self.seen, self.streams, self.files, self.flaws, self.gaps = set(), {}, [], [], []
        # What is gone as heads vouch, as only somebody says, what retention left, what is named.
        self.gone, self.hearsay, self.holes, self.named, self.newest = set(), set(), [], {}, None

    def verify(self):
        found = {}
        for name in os.listdir(self.directory):
            match = NAME.fullmatch(name)
            if match:
                place = (int(match[2]), match[1])
                form = ["jsonl", "jsonl.zst", "kept"].index(match[3])
                found[place] = min(found.get(place, (9, "")), (form, name))
        ours, last = [], 0
        for place, file in sorted(found.items()):
            if place[0] - last > JUMP_MAX:
                break
            ours.append((place, file))
            last = place[0]
        for number, (place, (form, name)) in enumerate(ours):
            self.add(name)
            self.newest = place[1]
            path = os.path.join(self.directory, name)
            try:
                if not stat.S_ISREG(os.lstat(path).st_mode):
                    raise OSError("this is no file")
                if form == 2:
                    self.kept(place[1], path)
                else:
                    self.lines(place[1], self.read(form, path), number + 1 == len(ours))
            except OSError as why:
                self.bad(place[1], str(why))
                # What a start names as the end of what it cannot read.
                self.streams[place[1]].last_hash = hashlib.sha256(b"").hexdigest()
        for place, (form, name) in sorted(found.items())[len(ours):]:
            self.add(name)
            self.files[-1]["bad"] = (0, "its number is none that a log comes to")
        return self.report()

    def add(self, name):
        file = {"file": name, "records": 0, "uncovered": 0, "on_trust": 0, "bad": None, "torn": 0}
        self.files.append(file)

    @staticmethod
    def read(form, path):
        if form == 0:
            with open(path, "rb") as file:
                return file.read()
        done = subprocess.run(["zstd", "-dcq", path], capture_output=True, check=False)
        if done.returncode:
            raise OSError("the file is damaged")
        return done.stdout

    def lines(self, stream, data, is_newest):
        lines = data.split(b"\n")
        rest = lines.pop()
        for line in lines:
            self.line(stream, line)
        if rest and is_newest:
            self.files[-1]["torn"] = len(rest)
        elif rest:
            self.bad(stream, "the line is cut off")

    def bad(self, name, why):
        stream = self.streams.setdefault(name, Stream())
        self.files[-1]["records"] += 1
        stream.last = False
        self.flaw(stream, why)

    def flaw(self, stream, why):
        stream.tree = None
        self.uncovered(stream)
        if self.files[-1]["bad"] is None:
            self.files[-1]["bad"] = (self.files[-1]["records"], why)

    def uncovered(self, stream):
        for file in stream.found + stream.pending:
            self.files[file]["uncovered"] += 1
        self.hearsay |= stream.found_gone | stream.gone
        stream.found, stream.pending, stream.found_gone, stream.gone = [], [], set(), set()

    def line(self, name, line):
        is_first = name not in self.streams
        stream = self.streams.setdefault(name, Stream())
        digest = hashlib.sha256(line).hexdigest()
        try:
            record = parse(line)
        except Bad as why:
            stream.last_hash = digest
            return self.bad(name, str(why))
        self.files[-1]["records"] += 1
        before, stream.last = stream.last, (record["seq"], digest)
        stream.last_hash = digest
        own = record.get("kind") in ("audit.checkpoint", "audit.key")
        try:
            self.follows(name, before, record)
            if own:
                self.head(stream, *head_of(record, line))
            self.starts(stream, record)
            if is_first:
                self.begins(name, record)
        except Bad as why:
            return self.flaw(stream, str(why))
        for text in texts_in(record):
            self.named[text] = (name, record["seq"])
        return self.leaf(name, leaf(line), own, gone_in(record))

    @staticmethod
    def starts(stream, record):
        if record.get("kind") != "audit.open":
            return
        stream.start()
        if isinstance(record.get("details"), dict) and "rolled_back" in record["details"]:
            raise Bad("this start found less than the log's key had signed")

    def follows(self, name, before, record):
        if record["v"] != 1 or record["stream"] != name:
            raise Bad("it is of another version or stream")
        if before is False:
            return
        seq, prev = before or (0, ZERO)
        if record["seq"] != seq + 1:
            if record["seq"] > seq + 1:
                self.gaps.append([name, seq + 1, record["seq"] - 1])
            raise Bad("record %d where %d should be" % (record["seq"], seq + 1))
        if record["prev"] != prev:
            raise Bad("the line before it, or this link to it, was changed")

    def begins(self, name, record):
        details = record.get("details")
        previous = details.get("previous") if isinstance(details, dict) else None
        if not isinstance(previous, dict) or previous.get("stream") == name:
            return
        before = self.streams.get(previous.get("stream"))
        if before is None or before.last_hash != previous.get("head"):
            raise Bad("the stream before it is missing, or ends in another record")

    def head(self, stream, head, listed):
        self.keys.take(head)
        if stream.tree is None:
            stream.tree = listed
        elif (stream.tree.size, stream.tree.root()) != (head.size, head.root):
            raise Bad("the records before this head are not those that were signed")
        stream.covered = (head.size, stream.covered[0])
        for file in stream.found:
            self.files[file]["on_trust"] += 1
        self.gone |= stream.gone
        self.hearsay |= stream.found_gone
        stream.found, stream.pending, stream.found_gone, stream.gone = [], [], set(), set()

    def leaf(self, name, value, own, gone):
        stream = self.streams[name]
        if stream.tree is not None:
            stream.tree.push(value)
        if not own:
            stream.pending.append(len(self.files) - 1)
        stream.gone |= gone
        for number, head in enumerate(self.heads):
            tree = stream.tree
            if tree is not None and (head.stream, head.size) == (name, tree.size):
                self.seen.add(number)
                if tree.root() != head.root:
                    self.flaws.append("the outside head is of other records")

    def kept(self, name, path):
        """What retention left: a header, the log's own lines, and the leaf of each record."""
        with open(path, "rb") as file:
            first_line, data = file.readline(), file.read()
        header = json.loads(first_line)
        stem = os.path.basename(path).partition(".")[0]
        digest = hashlib.sha256(first_line + data).hexdigest()
        self.holes.append((len(self.files) - 1, (stem, digest)))
        first, last, bytes_ = header["first"], header["last"], header["kept_bytes"]
        leaves = data[bytes_:]
        if header["v"] != 1 or len(leaves) != 32 * (last - first + 1):
            raise OSError("what retention kept is damaged")
        own = {}
        for line in data[:bytes_].splitlines():
            record = parse(line)
            own[record["seq"]] = (record, line)
        stream = self.streams.setdefault(name, Stream())
        expected = (0, ZERO) if stream.last is None else stream.last
        if expected and expected != (first - 1, header["prev"]):
            self.flaw(stream, "the records before what retention kept are others")
        for seq, (value,) in zip(range(first, last + 1), struct.iter_unpack("32s", leaves)):
            self.files[-1]["records"] += 1
            record, line = own.get(seq, (None, None))
            try:
                is_head = record is not None and record["kind"] in ("audit.checkpoint", "audit.key")
                if record is not None and leaf(line) != value:
                    raise Bad("a kept line is not its leaf")
                if is_head:
                    self.head(stream, *head_of(record, line))
                if record is not None:
                    self.starts(stream, record)
                self.leaf(name, value, is_head, gone_in(record) if record else set())
            except Bad as why:
                self.flaw(stream, str(why))
        stream.last, stream.last_hash = (last, header["head"]), header["head"]

    def report(self):
        end = self.streams.get(self.newest) or Stream()
        is_open = (self.files and self.files[-1]["torn"]) or end.found or end.pending
        open_from = end.covered[1] if is_open else None
        for stream in self.streams.values():
            self.uncovered(stream)
        signed = bool(self.keys.keys)
        gone = self.gone if signed else self.gone | self.hearsay
        for number, hole in self.holes:
            if hole not in gone and self.files[number]["bad"] is None:
                self.files[number]["bad"] = (0, "no record that is vouched for tells of the deletion")
        for file in self.files:
            whole = signed and file["records"] and not file["uncovered"] and not file["torn"]
            whole = whole and not file["on_trust"]
            file["state"] = "BROKEN" if file["bad"] else "SEALED" if whole else "UNSEALED"
        if self.keys.trusted and not signed:
            self.flaws.append("nothing is signed, though a key is trusted")
        for number, head in enumerate(self.heads):
            if not self.keys.knows(head):
                self.flaws.append("the outside head is signed by no key of this log")
            elif number not in self.seen:
                self.flaws.append("the log was cut off: the outside head is of more records")
        counted = [f for f in self.files if f["records"] or f["torn"] or f["bad"]]
        states = [file["state"] for file in counted]
        order = ["SEALED", "UNSEALED", "BROKEN"]
        state = "BROKEN" if self.flaws else max(states, key=order.index, default="UNSEALED")
        records = sum(file["records"] for file in self.files)
        return {"state": state, "records": records, "flaws": self.flaws, "gaps": self.gaps,
                "files": self.files, "texts": self.texts(gone, open_from)}

    def texts(self, gone, open_from):
        """How the texts beside the log stand against the records that name them."""
        texts = {"named": len(self.named), "erased": 0, "open": 0}
        texts.update(missing=[], hearsay=[], changed=[])
        for name, (stream, seq) in sorted(self.named.items()):
            path = os.path.join(self.directory, "blobs", name[:2], name)
            if os.path.lexists(path):
                whole = stat.S_ISREG(os.lstat(path).st_mode)
                if whole:
                    with open(path, "rb") as file:
                        whole = hashlib.sha256(file.read()).hexdigest() == name
                if not whole:
                    texts["changed"].append(name)
            elif name in gone:
                texts["erased"] += 1
            elif name in self.hearsay:
                texts["hearsay"].append(name)
            elif open_from is not None and stream == self.newest and seq > open_from:
                texts["open"] += 1
            else:
                texts["missing"].append(name)
        return texts


def check_proof(bundle, key):
    """What a proof proves, in one word; raises if it proves nothing."""
    try:
        inclusion = ["head", "index", "keys", "line", "path", "size", "toolgate_proof"]
        consistency = ["first", "keys", "path", "second", "toolgate_proof"]
        if sorted(bundle) not in (inclusion, consistency):
            raise Bad("the proof holds more or less than a proof")
        keys = Keys(key)
        for note in bundle["keys"]:
            head = Head(note)
            if head.next is None:
                raise Bad("a certificate is none")
            keys.take(head)
        path = [unbase64(value) for value in bundle["path"]]
        if any(value is None or len(value) != 32 for value in path):
            raise Bad("the path is none")
        if bundle["toolgate_proof"] == "inclusion 1":
            head, line = Head(bundle["head"]), bundle["line"].encode()
            keys.take(head)
            record = parse(line)
            place = (head.stream, bundle["index"] + 1, head.size)
            if (record["stream"], record["seq"], bundle["size"]) != place:
                raise Bad("the line is of another record")
            if root_of_path(bundle["index"], head.size, leaf(line), path) != head.root:
                raise Bad("the path does not lead to the head")
            return "inclusion"
        if bundle["toolgate_proof"] != "consistency 1":
            raise Bad("this is no proof")
        first, second = Head(bundle["first"]), Head(bundle["second"])
        keys.take(second)
        if not keys.knows(first) or first.stream != second.stream or first.size > second.size:
            raise Bad("the older head is not of this log")
        roots = roots_of_consistency(first.size, second.size, first.root, path)
        if roots != (first.root, second.root):
            raise Bad("the newer head does not go on from the older one")
        return "consistency"
    except (KeyError, TypeError, AttributeError) as why:
        raise Bad("this is no proof: %r" % why) from why


def key_of(text):
    if text is None:
        return None
    if os.path.exists(text):
        with open(text, encoding="utf-8") as file:
            text = file.read().strip()
    return Key(text)


def heads_in(path):
    """One head, or several behind each other, the last of which may be cut off."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    notes = re.findall(r"toolgate/(?:[^\n]+\n)+\n(?:\u2014 [^\n]+\n)+", text)
    return [Head(note) for note in notes] or [Head(text)]


def answer(request):
    """One request of a batch: `{"dir"}` or `{"proof"}`, with `key` and `heads` if known."""
    try:
        key = key_of(request.get("key"))
        if "proof" in request:
            return {"proved": check_proof(request["proof"], key)}
        heads = [Head(note) for note in request.get("heads", [])]
        return Log(request["dir"], key, heads).verify()
    except Bad as why:
        return {"error": str(why)}


def main(arguments):
    if arguments == ["--batch"]:
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line))), flush=True)
        return 0
    key, heads, proof, rest = None, [], None, []
    words = iter(arguments)
    for word in words:
        if word == "--key":
            key = key_of(next(words))
        elif word == "--head":
            heads.extend(heads_in(next(words)))
        elif word == "--proof":
            proof = next(words)
        else:
            rest.append(word)
    if proof is not None and not rest:
        with open(proof, encoding="utf-8") as file:
            print(json.dumps({"proved": check_proof(json.load(file), key)}))
        return 0
    if len(rest) != 1 or proof is not None:
        print(__doc__, file=sys.stderr)
        return 2
    report = Log(rest[0], key, heads).verify()
    print(json.dumps(report, indent=2))
    texts = report["texts"]
    is_wrong = texts["missing"] or texts["hearsay"] or texts["changed"]
    return 1 if report["state"] == "BROKEN" or is_wrong or not report["records"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Bad, json.JSONDecodeError) as bad:
        print("BROKEN: %s" % bad, file=sys.stderr)
        sys.exit(1)
    except (OSError, StopIteration) as bad:
        print("error: %s" % bad, file=sys.stderr)
        sys.exit(2)
