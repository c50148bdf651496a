"""DNS messages (RFC 1035 section 4; EDNS: RFC 6891; negative answers: RFC 2308), as bytes in and values out.

No message raises, whatever it holds, and none costs more time than its length allows. Mail asks for six kinds of
records only, so they are read here and not by dnspython: its `dns.message.from_wire` makes a cold look-up take 220 µs
of CPU instead of 57, and in the version of Debian 12 one hostile answer of 64 KB keeps it busy for 20 seconds, since
it follows compression pointers without limit. Measurements and reproductions: docs/dns.md.

The tests compare both directions with dnspython's, for thousands of random messages.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from eximacl.mail.address import canonical_domain

KINDS = {"A": 1, "NS": 2, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
# What fits a packet on every path (DNS flag day 2020); more comes over TCP.
EDNS_BYTES = 1232
# Real chains have two or three; a loop costs no more than this.
CNAMES_MAX = 8
# No check reads more, and a client with a thousand PTR records must not fill the cache.
RECORDS_MAX = 100
RECORDS_CHARACTERS_MAX = 8_192
# RFC 1035 section 2.3.4: a whole name in wire form.
NAME_BYTES_MAX = 255
# A chain of eight aliases, each written with the end of the one before, needs nine; a hostile one could have thousands.
POINTERS_MAX = 16

ROOT_NS = b"\0\0\x02\0\x01"

_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_KIND_AND_CLASS = struct.Struct("!HH")
_IN = 1
_NS, _CNAME, _SOA, _OPT = 2, 5, 6, 41
_RESPONSE, _OPCODE, _TRUNCATED, _DESIRED, _AVAILABLE = 0x8000, 0x7800, 0x0200, 0x0100, 0x0080
_NOERROR, _FORMERR, _NXDOMAIN, _NOTIMP = 0, 1, 3, 4
_EDNS = b"\0" + _RECORD.pack(_OPT, EDNS_BYTES, 0, 0)
# RFC 2181 section 8: such a TTL counts as 0.
_TTL_SIGN = 0x80000000
_TTL_LARGEST = _TTL_SIGN - 1
# All that names in mail consist of. Spaces, backslashes and control characters would have to be escaped.
_LABEL = re.compile(rb"[!-\[\]-~]{1,63}")
_PLAIN = re.compile(rb"[a-z0-9_.-]*")
REFUSED = "REFUSED"
_RCODES = {1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: REFUSED, 6: "YXDOMAIN", 9: "NOTAUTH", 16: "BADVERS"}

_ByOwner: TypeAlias = dict[bytes, tuple[list[str], int]]


class Answer(NamedTuple):
    """The records' texts, and for how many seconds they hold (the lowest TTL, aliases included)."""

    texts: tuple[str, ...]
    seconds: int


class Absent(NamedTuple):
    """The name does not exist, or has no such record. seconds: for how long (RFC 2308); 0 if nothing says so."""

    seconds: int


class Redirect(NamedTuple):
    """The name is an alias of `name`, which is in wire form and about which the answer says nothing."""

    name: bytes
    seconds: int


class Failed(NamedTuple):
    """The server does not know. why: its error code, or what is wrong with its answer."""

    why: str


class Truncated(NamedTuple):
    """The answer needs TCP (RFC 1035 section 4.2.1)."""


Result: TypeAlias = Answer | Absent | Redirect | Failed | Truncated


def encode_name(name: str) -> bytes | None:
    """Return a name in wire form; None if it cannot exist (RFC 1035 section 2.3.4), and for the root."""
    labels = name.encode("utf-8", "surrogateescape").split(b".")
    if not all(map(_LABEL.fullmatch, labels)):
        return None
    wire = b"".join([bytes((len(label),)) + label for label in labels]) + b"\0"
    return wire if len(wire) <= NAME_BYTES_MAX else None


def canonical(name: str) -> str:
    """Return the one spelling of a name: lower case, A-labels, no trailing dot."""
    return canonical_domain(name)


def question(name: bytes, kind: str) -> bytes:
    """Return the question section for a name in wire form."""
    return name + _KIND_AND_CLASS.pack(KINDS[kind], _IN)


def query(number: int, asked: bytes, edns: bool) -> bytes:
    """Return a query for a recursive server."""
    header = _HEADER.pack(number, _DESIRED, 1, 0, 0, 1 if edns else 0)
    return header + asked + _EDNS if edns else header + asked


def number_of(wire: bytes) -> int:
    """Return a message's id; -1 if it is too short to have a header."""
    return int.from_bytes(wire[:2]) if len(wire) >= _HEADER.size else -1


def is_answer(wire: bytes, asked: bytes) -> bool:
    """Whether a message of at least a header answers this question.

    An error about a query that the server could not read need not repeat the question.
    """
    flags, questions = wire[2] << 8 | wire[3], wire[4] << 8 | wire[5]
    if not flags & _RESPONSE:
        return False
    if questions == 1:
        return wire[_HEADER.size : _HEADER.size + len(asked)].lower() == asked
    return not questions and flags & 0xF in (_FORMERR, _NOTIMP)


def refuses_edns(wire: bytes) -> bool:
    """Whether the answer may mean that the server does not know EDNS (RFC 6891 section 7)."""
    return wire[3] & 0xF in (_FORMERR, _NOTIMP)


def read(wire: bytes, asked: bytes) -> Result:
    """Read an answer to `asked`, of which `is_answer` holds. Never raises."""
    flags = wire[2] << 8 | wire[3]
    if flags & _OPCODE:
        return Failed("an answer to another operation than a query")
    if flags & _TRUNCATED:
        return Truncated()
    rcode = flags & 0xF
    if rcode not in (_NOERROR, _NXDOMAIN):
        return Failed(_RCODES.get(rcode, f"error code {rcode}"))
    try:
        return _read(wire, asked, rcode)
    except (IndexError, ValueError, struct.error, OSError):
        return Failed("a malformed answer")


def _read(wire: bytes, asked: bytes, rcode: int) -> Result:
    _, _, _, answers, authority, additional = _HEADER.unpack_from(wire)
    name, kind = asked[:-4], asked[-3]
    at = _HEADER.size + len(asked)
    records: _ByOwner = {}
    aliases: dict[bytes, tuple[bytes, int]] = {}
    others: set[bytes] = set()
    for _ in range(answers):
        owner, at, found, ttl, end = _record(wire, at, name)
        if found == kind:
            texts, least = records.setdefault(owner, ([], ttl))
            texts.append(_text(wire, at, end, kind))
            records[owner] = texts, min(least, ttl)
        elif found == _CNAME:
            aliases[owner] = _name(wire, at)[0], ttl
        elif found not in (0, _OPT):
            others.add(owner)
        at = end
    # From the name that was asked about, follow the aliases to the records; they may stand in any order.
    seconds = _TTL_LARGEST
    last, chain = name, {name}
    for _ in range(CNAMES_MAX + 1):
        if last in records:
            if rcode != _NOERROR:
                return Failed("NXDOMAIN with records")
            texts, ttl = records[last]
            return Answer(_bounded(texts), min(seconds, ttl))
        if last not in aliases:
            if answers and last == name and name not in others:
                return Failed("an answer about another name")
            redirect = None if last == name else Redirect(last, seconds)
            return _absent(wire, at, (authority, additional), chain, redirect)
        last, ttl = aliases[last]
        chain.add(last)
        seconds = min(seconds, ttl)
    return Failed("a CNAME loop")


def _absent(
    wire: bytes, at: int, counts: tuple[int, int], chain: set[bytes], redirect: Redirect | None
) -> Absent | Redirect | Failed:
    """Distinguish absence from referrals, from aliases that were not followed (RFC 2308 section 2), and from noise.

    A check may refuse mail for good because a name is absent, so that absence needs proof. counts: of the authority
    records, and of the additional ones. chain: the name and its aliases. redirect: the alias that was not followed.
    """
    rcode = wire[3] & 0xF
    seconds = redirect.seconds if redirect else _TTL_LARGEST
    referral = known = foreign = False
    for _ in range(counts[0]):
        owner, at, kind, ttl, end = _record(wire, at, b"")
        if kind == _SOA and any(_is_within(name, owner) for name in chain):
            known = True
            seconds = min(seconds, ttl, _ttl(int.from_bytes(wire[end - 4 : end])))
        foreign = foreign or kind == _SOA
        referral = referral or kind == _NS
        at = end
    error, at = _extended(wire, at, counts[1])
    if error:
        return Failed(_RCODES.get(error << 4 | rcode, f"error code {error << 4 | rcode}"))
    if at != len(wire):
        raise ValueError("the message goes on after its last record")
    if known:
        return Absent(seconds)
    if redirect and rcode != _NXDOMAIN:
        return redirect
    return _unproved(wire, foreign, referral and rcode != _NXDOMAIN)


def _extended(wire: bytes, at: int, additional: int) -> tuple[int, int]:
    """Return the upper bits of the error code (RFC 6891 section 6.1.3), and where the additional records end."""
    error = 0
    for _ in range(additional):
        if wire[at : at + 3] == b"\0\0\x29":
            error = error or wire[at + 5]
        _, _, _, _, at = _record(wire, at, b"")
    return error, at


def _unproved(wire: bytes, foreign: bool, referral: bool) -> Absent | Failed:
    """Take absence without the zone's SOA from a recursive server only: another may just not know the name."""
    if foreign:
        return Failed("the SOA of another zone")
    if referral:
        return Failed("a referral instead of an answer: not a recursive server")
    return Absent(0) if wire[3] & _AVAILABLE else Failed("nothing, and not a recursive server")


def _is_within(name: bytes, zone: bytes) -> bool:
    """Whether a name is that of a zone or below it, both in wire form."""
    at = len(name) - len(zone)
    start = 0
    while start < at:
        start += name[start] + 1
    return start == at and name[at:] == zone


def _record(wire: bytes, at: int, asked: bytes) -> tuple[bytes, int, int, int, int]:
    """Return a record's owner, where its data begin, its kind (0 for another class), its TTL, and where it ends.

    asked: what a pointer to the question stands for; empty: read that name, too.
    """
    if asked and wire[at : at + 2] == b"\xc0\x0c":
        owner, at = asked, at + 2  # a pointer to the question, as in nearly all answers
    else:
        owner, at = _name(wire, at)
    kind, of_class, ttl, length = _RECORD.unpack_from(wire, at)
    at += _RECORD.size
    if at + length > len(wire):
        raise ValueError("a record's data are cut short")
    return owner, at, kind if of_class == _IN or kind == _OPT else 0, _ttl(ttl), at + length


def _ttl(seconds: int) -> int:
    return 0 if seconds & _TTL_SIGN else seconds


def _name(wire: bytes, at: int) -> tuple[bytes, int]:
    """Return a name in wire form and lower case, without pointers, and where the next field begins."""
    parts: list[bytes] = []
    size = end = hops = 0
    while length := wire[at]:
        if length >= 0xC0:
            end = end or at + 2
            target = (length & 0x3F) << 8 | wire[at + 1]
            if target >= at:  # backwards only, so that it ends
                raise ValueError("a pointer of a name leads forwards")
            hops += 1
            if hops > POINTERS_MAX:
                raise ValueError("a name has too many pointers")
            at = target
            continue
        if length > 63:
            raise ValueError("an unknown kind of label")
        parts.append(wire[at : at + length + 1])
        at += length + 1
        size += length + 1
        if size >= NAME_BYTES_MAX:
            raise ValueError("a name is too long")
    # Lengths are below 64, and so below the letters.
    return b"".join(parts).lower() + b"\0", end or at + 1


def _labels(name: bytes) -> Iterator[bytes]:
    at = 0
    while length := name[at]:
        yield name[at + 1 : at + 1 + length]
        at += length + 1


def name_text(name: bytes) -> str:
    """Return a name's text without the last dot; odd characters are escaped (RFC 1035 section 5.1), the root is `.`."""
    joined = b".".join(_labels(name))
    if _PLAIN.fullmatch(joined) and joined.count(b".") == sum(1 for _ in _labels(name)) - 1:
        return joined.decode("ascii")
    return _odd_name_text(name)


@lru_cache(maxsize=100)
def _odd_name_text(name: bytes) -> str:
    import dns.name  # seldom needed, and slow to import

    return dns.name.Name([*_labels(name), b""]).to_text(omit_final_dot=True) if name != b"\0" else "."


def _text(wire: bytes, at: int, end: int, kind: int) -> str:
    if kind == KINDS["A"]:
        return socket.inet_ntop(socket.AF_INET, wire[at:end])
    if kind == KINDS["AAAA"]:
        return socket.inet_ntop(socket.AF_INET6, wire[at:end])
    if kind == KINDS["TXT"]:
        return _strings(wire[at:end])
    if kind == KINDS["MX"]:
        return f"{wire[at] << 8 | wire[at + 1]} {_whole_name(wire, at + 2, end)}"
    return _whole_name(wire, at, end)


def _whole_name(wire: bytes, at: int, end: int) -> str:
    name, after = _name(wire, at)
    if after != end:
        raise ValueError("a name does not fill its record")
    return name_text(name)


def _strings(data: bytes) -> str:
    parts, at = [], 0
    while at < len(data):
        length = data[at]
        if at + 1 + length > len(data):
            raise ValueError("a string is cut short")
        parts.append(data[at + 1 : at + 1 + length])
        at += 1 + length
    return b"".join(parts).decode("utf-8", "surrogateescape")


def _bounded(texts: list[str]) -> tuple[str, ...]:
    """Drop what is too much; at least the beginning of one record stays."""
    if len(texts) == 1 and len(texts[0]) <= RECORDS_CHARACTERS_MAX:
        return tuple(texts)
    kept: list[str] = []
    room = RECORDS_CHARACTERS_MAX
    for text in texts[:RECORDS_MAX]:
        if kept and len(text) > room:
            break
        kept.append(text[:room])
        room -= len(kept[-1])
    return tuple(kept)
