#!/usr/bin/python3
"""A second implementation of grants.md, written from the document alone, to hold the first one to it.

usage: grants.py FILE...       checks tables of vectors (README.md beside this file says what stands in them);
                               prints each row that does not hold, ends with 1 when there is one
"""
import ipaddress
import json
import re
import sys

CAPABILITIES = ("fs.read", "fs.write", "net.dial", "process.exec")


class Refused(Exception):
    """A text that does not follow the grammar."""


def octets(text):
    """The bytes of a text in a table: its UTF-8, or what {"hex": …} says."""
    if isinstance(text, dict):
        return bytes.fromhex(text["hex"])
    return text.encode()


# --- Paths ------------------------------------------------------------------------------------------------------------


def components(path):
    """The components of a canonical absolute path; of "/" none."""
    if not path.startswith(b"/") or len(path) > 4095:
        raise Refused(path)
    if path == b"/":
        return ()
    parts = tuple(path[1:].split(b"/"))
    for part in parts:
        if not 1 <= len(part) <= 255 or b"\0" in part or part in (b".", b".."):
            raise Refused(path)
    return parts


class PathRule:
    def __init__(self, text):
        self.is_directory = text.endswith(b"/")
        self.path = components(text[:-1] if self.is_directory else text)
        if not self.path:
            raise Refused(text)
        # What the host opens before it resolves the rest without following links.
        self.opened = self.path if self.is_directory else self.path[:-1]

    def covers_path(self, path):
        if self.is_directory:
            return len(path) > len(self.path) and path[: len(self.path)] == self.path
        return path == self.path

    def covers(self, other):
        if other.is_directory:
            return self.is_directory and other.path[: len(self.path)] == self.path
        return self.covers_path(other.path)

    def same_as(self, other):
        return self.covers(other) and other.covers(self)

    def within(self, approved):
        """This rule, resolved from the directory that the approved one opens."""
        rule = PathRule.__new__(PathRule)
        rule.is_directory, rule.path, rule.opened = self.is_directory, self.path, approved.opened
        return rule


# --- Peers ------------------------------------------------------------------------------------------------------------


def name_labels(text):
    text = text.lower()
    labels = text.split(b".")
    if not 1 <= len(text) <= 253:
        raise Refused(text)
    for label in labels:
        if not re.fullmatch(rb"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", label):
            raise Refused(text)
    if re.fullmatch(rb"[0-9]+|0x[0-9a-f]*", labels[-1]):
        raise Refused(text)
    return tuple(labels)


def ipv6_spelling(number):
    """RFC 5952, with dotted decimals at the end of mapped and compatible addresses."""
    words = [number >> shift & 0xFFFF for shift in range(112, -1, -16)]
    start = length = 0
    for begin in range(8):
        end = begin
        while end < 8 and words[end] == 0:
            end += 1
        if end - begin > max(length, 1):
            start, length = begin, end - begin
    dotted = ".".join(str(number >> shift & 0xFF) for shift in (24, 16, 8, 0))
    if start == 0 and length == 6:
        return "::" + dotted
    if start == 0 and length == 5 and words[5] == 0xFFFF:
        return "::ffff:" + dotted
    if length == 0:
        return ":".join(f"{word:x}" for word in words)
    head, tail = words[:start], words[start + length :]
    return ":".join(f"{word:x}" for word in head) + "::" + ":".join(f"{word:x}" for word in tail)


def host(text):
    if text.startswith(b"[") and text.endswith(b"]"):
        inner = text[1:-1].decode("ascii", "replace")
        try:
            number = int(ipaddress.IPv6Address(inner)) if "%" not in inner else -1
        except ValueError:
            raise Refused(text) from None
        if number < 0 or ipv6_spelling(number) != inner:
            raise Refused(text)
        return ("ipv6", number)
    parts = text.split(b".")
    if len(parts) == 4 and all(re.fullmatch(rb"0|[1-9][0-9]{0,2}", part) and int(part) < 256 for part in parts):
        return ("ipv4", bytes(int(part) for part in parts))
    return ("name", name_labels(text))


def address(text):
    name, colon, port = text.rpartition(b":")
    if not colon or not re.fullmatch(rb"[1-9][0-9]{0,4}", port) or int(port) > 65535:
        raise Refused(text)
    return host(name), int(port)


WORDS = (b"private", b"loopback", b"plain")


class PeerRule:
    def __init__(self, text):
        self.words = frozenset()
        if not text.startswith(b"unix:"):
            text, *words = text.split(b" ")
            self.words = frozenset(words)
            if words != [word for word in WORDS if word in self.words]:
                raise Refused(text)
        if text.startswith(b"unix:"):
            path = components(text[5:])
            if not path:
                raise Refused(text)
            self.value = ("unix", path)
        elif text.startswith(b"*."):
            (kind, labels), port = address(text[2:])
            if kind != "name" or len(labels) < 2:
                raise Refused(text)
            self.value = ("star", labels, port)
        else:
            self.value = ("peer", address(text))
            if self.value[1][0][0] != "name" and self.words - {b"plain"}:
                raise Refused(text)

    def with_words_of(self, rules):
        rule = PeerRule.__new__(PeerRule)
        rule.value = self.value
        rule.words = frozenset().union(*(other.words for other in rules if other.covers(self)))
        return rule

    def covers_peer(self, peer):
        """For ("unix", path) and ("peer", (host, port))."""
        if self.value[0] != "star" or peer[0] != "peer":
            return self.value == peer
        (kind, labels), port = peer[1]
        return kind == "name" and port == self.value[2] and labels[1:] == self.value[1]

    def covers(self, other):
        return self.value == other.value if other.value[0] == "star" else self.covers_peer(other.value)

    def same_as(self, other):
        return self.value == other.value and self.words == other.words


# --- Commands ---------------------------------------------------------------------------------------------------------

LARGEST = 9223372036854775807
# Which bytes each group stands for; a class is a set of bytes.
GROUPS = {"a-z": "abcdefghijklmnopqrstuvwxyz", "a-f": "abcdef", "0-9": "0123456789", "_": "_", "-": "-"}
GROUPS.update({"A-Z": GROUPS["a-z"].upper(), "A-F": GROUPS["a-f"].upper()})
WORD = rb"[A-Za-z0-9_-]"


def number(text):
    if not re.fullmatch(r"0|[1-9][0-9]{0,18}", text) or int(text) > LARGEST:
        raise Refused(text)
    return int(text)


def bounds(text):
    low, dots, high = text.partition("..")
    if not dots or number(low) > number(high):
        raise Refused(text)
    return int(low), int(high)


def read_hole(text):
    """What stands between the braces: ("int", low, high) or ("word", bytes, min, max)."""
    if text == "fingerprint":
        return ("word", frozenset(b"0123456789abcdef"), 64, 64)
    if text == "int":
        return ("int", 0, LARGEST)
    if text.startswith("int:"):
        return ("int", *bounds(text[4:]))
    found = re.fullmatch(r"\[((?:a-z|a-f|A-Z|A-F|0-9|_)*-?)\]:(.*)", text, re.S)
    if not found:
        raise Refused(text)
    groups = re.findall(r"a-z|a-f|A-Z|A-F|0-9|_|-", found[1])
    members = "".join(GROUPS[group] for group in groups)
    low, high = bounds(found[2])
    if len(set(members)) != len(members) or not 1 <= low or high > 255:
        raise Refused(text)
    hole = ("word", frozenset(members.encode()), low, high)
    if not members.strip("-"):
        raise Refused(text)
    return hole


def read_argument(text):
    """Pieces: bytes for a whole word or what is between words, tuples for holes."""
    pieces = []  # bytes and holes as they come
    rest = text
    while rest:
        if rest.startswith(b"{{"):
            pieces.append(b"{")
            rest = rest[2:]
        elif rest.startswith(b"{"):
            inner, brace, rest = rest[1:].partition(b"}")
            if not brace:
                raise Refused(text)
            pieces.append(read_hole(inner.decode("latin-1")))
        else:
            pieces.append(rest[:1])
            rest = rest[1:]
    result = []
    for index, piece in enumerate(pieces):
        if isinstance(piece, tuple):
            for neighbour in pieces[max(0, index - 1) : index] + pieces[index + 1 : index + 2]:
                if isinstance(neighbour, tuple) or re.match(WORD, neighbour):
                    raise Refused(text)
            result.append(piece)
        elif result and isinstance(result[-1], bytes):
            result[-1] += piece
        else:
            result.append(piece)
    return tuple(part for piece in result for part in ([piece] if isinstance(piece, tuple) else words(piece)))


def words(text):
    return re.findall(WORD + rb"+|[^A-Za-z0-9_-]+", text)


def hole_accepts(hole, word):
    if hole[0] == "int":
        return bool(re.fullmatch(rb"0|[1-9][0-9]*", word)) and hole[1] <= int(word) <= hole[2]
    return hole[2] <= len(word) <= hole[3] and set(word) <= hole[1] and word[:1] != b"-"


def in_both(left, right):
    """What two pieces have in common: a piece, or None."""
    if isinstance(left, bytes) and isinstance(right, bytes):
        return left if left == right else None
    if isinstance(right, bytes):
        return right if hole_accepts(left, right) else None
    if isinstance(left, bytes):
        return in_both(right, left)
    if left[0] == right[0] == "int":
        return tidy(("int", max(left[1], right[1]), min(left[2], right[2])))
    if left[0] == right[0] == "word":
        return tidy(("word", left[1] & right[1], max(left[2], right[2]), min(left[3], right[3])))
    if left[0] == "word":
        return in_both(right, left)
    if not right[1] >= set(GROUPS["0-9"].encode()):
        return None
    low = 0 if right[2] == 1 else 10 ** (right[2] - 1)
    return tidy(("int", max(left[1], low), min(left[2], 10 ** right[3] - 1)))


def tidy(hole):
    """One form for each set of texts; None for no text."""
    if hole[0] == "int":
        if hole[1] > hole[2]:
            return None
        return str(hole[1]).encode() if hole[1] == hole[2] else hole
    _, members, low, high = hole
    members -= set(b"-") if high == 1 else set()
    if low > high or not members - set(b"-"):
        return None
    if high == 1 and members == set(GROUPS["0-9"].encode()):
        return ("int", 0, 9)
    if members == set(b"_") and low == high:
        return b"_" * low
    return ("word", frozenset(members), low, high)


class CommandRule:
    def __init__(self, rule):
        terms = {}
        if isinstance(rule, dict):
            terms, rule = rule, rule["argv"]
        argv = [octets(text) for text in rule]
        check_argv(argv)
        self.program = argv[0]
        # A hole with one text becomes that text, and words are divided anew.
        self.arguments = tuple(
            tuple(piece if isinstance(piece, bytes) else tidy(piece) for piece in read_argument(text))
            for text in argv[1:]
        )
        self.pins = frozenset(terms.get("sha256", ()))
        self.setuid = terms.get("setuid", False)

    def covers_argv(self, argv):
        if argv[0] != self.program or len(argv) != len(self.arguments) + 1:
            return False
        for pattern, text in zip(self.arguments, argv[1:]):
            pieces = words(text)
            if len(pieces) != len(pattern) or any(in_both(a, b) is None for a, b in zip(pattern, pieces)):
                return False
        return True

    def both(self, approved):
        if self.program != approved.program or len(self.arguments) != len(approved.arguments):
            return None
        arguments = []
        for left, right in zip(self.arguments, approved.arguments):
            pieces = tuple(in_both(a, b) for a, b in zip(left, right))
            if len(left) != len(right) or None in pieces:
                return None
            arguments.append(pieces)
        rule = CommandRule.__new__(CommandRule)
        rule.program, rule.arguments = self.program, tuple(arguments)
        rule.pins, rule.setuid = approved.pins, approved.setuid
        return rule

    def covers(self, other):
        both = self.both(other)
        return both is not None and both.arguments == other.arguments

    def same_as(self, other):
        return self.covers(other) and other.covers(self) and (self.pins, self.setuid) == (other.pins, other.setuid)


def check_argv(argv):
    if not 1 <= len(argv) <= 64 or any(len(text) > 4096 or b"\0" in text for text in argv):
        raise Refused(argv)
    if not components(argv[0]):
        raise Refused(argv)


# --- Sets and decisions -----------------------------------------------------------------------------------------------


def read_rule(capability, rule):
    if capability == "process.exec":
        return CommandRule(rule)
    return (PeerRule if capability == "net.dial" else PathRule)(octets(rule))


def read_set(grants):
    return {name: [read_rule(name, rule) for rule in grants.get(name, ())] for name in CAPABILITIES}


def intersection(declared, approved):
    effective = {}
    for name in ("fs.read", "fs.write"):
        rules = [rule for rule in approved[name] if any(other.covers(rule) for other in declared[name])]
        for rule in declared[name]:
            wider = [other for other in approved[name] if other.covers(rule)]
            if wider:
                rules.append(rule.within(max(wider, key=lambda other: len(other.opened))))
        effective[name] = rules
    effective["net.dial"] = [
        rule for rule in approved["net.dial"] if any(other.covers(rule) for other in declared["net.dial"])
    ] + [
        rule.with_words_of(approved["net.dial"])
        for rule in declared["net.dial"]
        if any(other.covers(rule) for other in approved["net.dial"])
    ]
    both = [one.both(other) for one in declared["process.exec"] for other in approved["process.exec"]]
    effective["process.exec"] = [rule for rule in both if rule]
    return effective


OPERATIONS = {"read": "fs.read", "stat": "fs.read", "write": "fs.write", "remove": "fs.write", "run": "process.exec"}


def decide(kind, subject, scope, effective, declared):
    """("allowed", the directory to open, or the words for a peer, or None) or ("denied", reason)."""
    if kind in ("read", "stat", "write", "remove"):
        try:
            path = components(octets(subject))
        except Refused:
            return ("denied", "bad-path")
        names = ("fs.read", "fs.write") if kind == "stat" else (OPERATIONS[kind],)
        covering = lambda grants: [rule for name in names for rule in grants[name] if rule.covers_path(path)]
    elif kind == "run":
        argv = [octets(text) for text in subject]
        try:
            check_argv(argv)
        except Refused:
            return ("denied", "bad-arguments")
        covering = lambda grants: [rule for rule in grants["process.exec"] if rule.covers_argv(argv)]
    elif kind in ("connect", "send"):
        text = octets(subject)
        try:
            if text.startswith(b"unix:"):
                peer = ("unix", components(text[5:]))
            else:
                peer = ("peer", address(text))
        except Refused:
            return ("denied", "bad-address")
        covering = lambda grants: [rule for rule in grants["net.dial"] if rule.covers_peer(peer)]
    else:
        return ("denied", "unsupported")
    if scope == "read-only" and kind in ("write", "remove", "run", "send"):
        return ("denied", "read-only-scope")
    rules = covering(effective)
    if rules:
        if kind == "run":
            return ("allowed", None)
        if kind in ("connect", "send"):
            return ("allowed", [word.decode() for word in WORDS if any(word in rule.words for rule in rules)])
        deepest = max(rules, key=lambda rule: len(rule.opened))
        return ("allowed", "/" + b"/".join(deepest.opened).decode("utf-8", "backslashreplace"))
    if declared is not None and not covering(declared):
        return ("denied", "not-declared")
    return ("denied", "not-granted")


# --- Tables -----------------------------------------------------------------------------------------------------------


def words_of(rule):
    return rule.words if isinstance(rule, PeerRule) else frozenset()


def same_rules(found, expected):
    """Each rule has one on the other side that covers it, so both amount to the same."""
    return all(
        any(other.covers(rule) and words_of(other) >= words_of(rule) for other in right)
        for left, right in ((found, expected), (expected, found))
        for rule in left
    )


def check(row):
    """Yields what does not hold."""
    if "rule" in row:
        try:
            rule = read_rule(row["capability"], row["rule"])
            found = True
        except Refused:
            found = False
        if found != row["accepted"]:
            yield f"accepted: {found}"
        elif found and "means" in row and not rule.same_as(read_rule(row["capability"], row["means"])):
            yield f"does not mean {row['means']}"
        return
    approved = read_set(row["approved"])
    declared = read_set(row["declared"]) if "declared" in row else None
    effective = approved if declared is None else intersection(declared, approved)
    if "effective" in row:
        expected = read_set(row["effective"])
        for name in CAPABILITIES:
            if not same_rules(effective[name], expected[name]):
                yield f"effective {name} is {len(effective[name])} other rules"
    if "missing" in row:
        for name in CAPABILITIES:
            rules = row["declared"].get(name, ())
            missing = [
                text
                for text, rule in zip(rules, declared[name])
                if not any(other.covers(rule) for other in approved[name])
            ]
            if missing != row["missing"].get(name, []):
                yield f"missing {name} is {missing}"
    for case in row["cases"] if "cases" in row else [row] if "operation" in row else []:
        ((kind, subject),) = case["operation"].items()
        decision, detail = decide(kind, subject, case.get("scope", "mutating"), effective, declared)
        if decision != case["decision"]:
            yield f"{case['operation']}: {decision} {detail}"
        elif decision == "denied" and detail != case["reason"]:
            yield f"{case['operation']}: reason {detail}"
        elif decision == "allowed" and case.get("beneath", case.get("permits", detail)) != detail:
            yield f"{case['operation']}: beneath or permits {detail}"


def main(names):
    rows = cases = failures = 0
    for name in names:
        with open(name, encoding="utf-8") as table:
            for line, text in enumerate(table, 1):
                row = json.loads(text)
                rows += 1
                cases += len(row.get("cases", [row]))
                for fault in check(row):
                    failures += 1
                    print(f"{name}:{line}: {row.get('id', '')}: {fault}", file=sys.stderr)
    print(f"{rows} rows, {cases} cases, {failures} failures")
    return 1 if failures or not rows else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if len(sys.argv) > 1 else print(__doc__) or 2)
