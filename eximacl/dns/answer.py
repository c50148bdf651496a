"""Reading an answer (RFC 1035 section 4, RFC 2181; negative answers: RFC 2308). No message raises, whatever it holds.

dnspython reads names and records. The sections are walked here: with its whole `Message`, a look-up would cost 220 µs
of CPU instead of 90 (docs/dns.md). What an answer proves is decided here, too: a check may refuse mail for good
because a name does not exist, so absence needs proof.
"""

from __future__ import annotations

import socket
import struct
from typing import Any, NamedTuple, TypeAlias

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

# dnspython imports these when it first meets a record, and remembers for good if that failed, as without a descriptor.
import dns.rdtypes.ANY.CNAME
import dns.rdtypes.ANY.MX
import dns.rdtypes.ANY.NS
import dns.rdtypes.ANY.PTR
import dns.rdtypes.ANY.TXT
import dns.wire

from eximacl.dns.message import KINDS, REFUSED, Absent, Answer, Failed, Redirect, Result, Truncated

# Real chains have two or three; a loop costs no more than this.
CNAMES_MAX = 8
# No check reads more, and a client with a thousand PTR records must not fill the cache.
RECORDS_MAX = 100
RECORDS_CHARACTERS_MAX = 8_192
# Owners' names to read, beside pointers to those: an honest answer has a chain, a zone and its servers. A hostile one
# has thousands, each of which takes dnspython up to 200 µs.
NAMES_MAX = 100

_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_IN = 1
_NS, _CNAME, _SOA, _MX, _TXT, _OPT = 2, 5, 6, 15, 16, 41
_FAMILIES = {KINDS["A"]: socket.AF_INET, KINDS["AAAA"]: socket.AF_INET6}
_TYPES = {number: dns.rdatatype.RdataType(number) for number in (*KINDS.values(), _CNAME)}
# Two names of the root, and five numbers.
_SOA_BYTES_MIN = 22
_OPCODE, _TRUNCATED, _AVAILABLE = 0x7800, 0x0200, 0x0080
_NOERROR, _NXDOMAIN = 0, 3
_RCODES = {1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: REFUSED, 6: "YXDOMAIN", 9: "NOTAUTH", 16: "BADVERS"}
# RFC 2181 section 8: such a TTL counts as 0.
_TTL_SIGN = 0x80000000
_TTL_LARGEST = _TTL_SIGN - 1
# A pointer (RFC 1035 section 4.1.4) begins with two set bits, and needs no label before it.
_POINTER = 0xC0
_TO_QUESTION = bytes((_POINTER, _HEADER.size))

# The labels of a name in lower case, with the root's empty one. dnspython's own names take 5 µs to hash or compare.
_Name: TypeAlias = tuple[bytes, ...]
_ROOT: _Name = (b"",)


def read(wire: bytes, asked: bytes) -> Result:
    """Read an answer to the question `asked`, of which `message.is_answer` holds. Never raises."""
    flags = wire[2] << 8 | wire[3]
    if flags & _OPCODE:
        return Failed("an answer to another operation than a query")
    if flags & _TRUNCATED:
        return Truncated()
    rcode = flags & 0xF
    if rcode not in (_NOERROR, _NXDOMAIN):
        return _failed(rcode)
    try:
        return _read(_Records(wire, asked), asked[-3], rcode, recursive=bool(flags & _AVAILABLE))
    except (dns.exception.DNSException, ValueError, struct.error):
        return Failed("a malformed answer")


def _failed(rcode: int) -> Failed:
    return Failed(_RCODES.get(rcode, f"error code {rcode}"))


class _Record(NamedTuple):
    """A record. kind: 0 for another class than IN. ttl: as it was sent. start, end: where its data are."""

    owner: _Name
    kind: int
    ttl: int
    start: int
    end: int

    @property
    def seconds(self) -> int:
        """For how long it holds."""
        return _ttl(self.ttl)


class _Records:
    """The records of one message, in order. name: the one that was asked about."""

    __slots__ = ("_left", "_names", "_parser", "_wire", "counts", "name")

    def __init__(self, wire: bytes, asked: bytes) -> None:
        self._wire = wire
        self._parser = dns.wire.Parser(wire, _HEADER.size)
        self.name = _labels(dns.name.from_wire_parser(self._parser))
        # Of the answer, the authority and the additional section.
        self.counts = _HEADER.unpack_from(wire)[3:]
        self._parser.seek(_HEADER.size + len(asked))
        # What a pointer stands for; nearly all owners are one to the question.
        self._names = {_TO_QUESTION: self.name}
        self._left = NAMES_MAX

    def next(self) -> _Record:
        """Read the next record, except its data."""
        owner = self._owner()
        at = self._parser.current
        kind, of_class, ttl, length = _RECORD.unpack_from(self._wire, at)
        start = at + _RECORD.size
        self._parser.seek(start + length)  # raises if the data are cut short
        return _Record(owner, kind if of_class == _IN or kind == _OPT else 0, ttl, start, start + length)

    def data(self, record: _Record) -> Any:
        """Return the data of a record, as dnspython's class for its kind."""
        parser = dns.wire.Parser(self._wire, record.start)
        with parser.restrict_to(record.end - record.start):
            return dns.rdata.from_wire_parser(dns.rdataclass.IN, _TYPES[record.kind], parser)

    def raw(self, record: _Record) -> bytes:
        """Return the data of a record as they are."""
        return self._wire[record.start : record.end]

    def all_read(self) -> bool:
        """Whether the message ends here."""
        return not self._parser.remaining()

    def _owner(self) -> _Name:
        at = self._parser.current
        start = self._wire[at : at + 2]
        known = self._names.get(start)
        if known is not None:
            self._parser.seek(at + 2)
            return known
        if start[:1] == b"\0":
            self._parser.seek(at + 1)
            return _ROOT
        if not self._left:
            raise ValueError("too many names")
        self._left -= 1
        name = _labels(dns.name.from_wire_parser(self._parser))
        if start[0] >= _POINTER:
            self._names[start] = name
        return name


def _read(records: _Records, kind: int, rcode: int, *, recursive: bool) -> Result:
    found: dict[_Name, list[_Record]] = {}
    aliases: dict[_Name, _Record] = {}
    others: set[_Name] = set()
    answers = records.counts[0]
    for _ in range(answers):
        record = records.next()
        if record.kind == kind:
            found.setdefault(record.owner, []).append(record)
        elif record.kind == _CNAME:
            aliases[record.owner] = record
        elif record.kind not in (0, _OPT):
            others.add(record.owner)
    # From the name that was asked about, follow the aliases to the records; they may stand in any order.
    seconds = _TTL_LARGEST
    last, chain = records.name, [records.name]
    for _ in range(CNAMES_MAX + 1):
        if last in found:
            if rcode != _NOERROR:
                return Failed("NXDOMAIN with records")
            return _answer(records, found[last], seconds)
        if last not in aliases:
            if answers and last == records.name and last not in others:
                return Failed("an answer about another name")
            redirect = None if len(chain) == 1 else Redirect(_wire(last), seconds)
            return _absent(records, chain, redirect, rcode, recursive)
        alias = aliases[last]
        last = _labels(records.data(alias).target)
        chain.append(last)
        seconds = min(seconds, alias.seconds)
    return Failed("a CNAME loop")


def _answer(records: _Records, found: list[_Record], seconds: int) -> Answer:
    """Return the texts of these records, without what is too much; at least the beginning of one stays."""
    kept: list[str] = []
    room = RECORDS_CHARACTERS_MAX
    for record in found[:RECORDS_MAX]:
        text = _text(records, record)
        if kept and len(text) > room:
            break
        kept.append(text[:room])
        room -= len(kept[-1])
    return Answer(tuple(kept), min(seconds, *(record.seconds for record in found)))


def _absent(
    records: _Records, chain: list[_Name], redirect: Redirect | None, rcode: int, recursive: bool
) -> Absent | Redirect | Failed:
    """Distinguish absence from referrals, from aliases that were not followed (RFC 2308 section 2), and from noise.

    chain: the name and its aliases. redirect: the alias that the server has not followed. recursive: whether it is a
    recursive server.
    """
    seconds = redirect.seconds if redirect else _TTL_LARGEST
    known = foreign = referral = False
    for _ in range(records.counts[1]):
        record = records.next()
        if record.kind == _SOA and not known:
            known = any(name[-len(record.owner) :] == record.owner for name in chain)
            foreign = not known
            if known:
                seconds = min(seconds, record.seconds, _minimum(records.raw(record)))
        referral = referral or record.kind == _NS
    error = _extended(records)
    if error:
        return _failed(error << 4 | rcode)
    if not records.all_read():
        raise ValueError("the message goes on after its last record")
    if known:
        return Absent(seconds)
    if redirect and rcode != _NXDOMAIN:
        return redirect
    # Without the zone's SOA only a recursive server is believed: another one may just not know the name.
    if foreign:
        return Failed("the SOA of another zone")
    if referral and rcode != _NXDOMAIN:
        return Failed("a referral instead of an answer: not a recursive server")
    return Absent(0) if recursive else Failed("nothing, and not a recursive server")


def _extended(records: _Records) -> int:
    """Return the upper bits of the error code, from the additional section (RFC 6891 section 6.1.3)."""
    error = 0
    for _ in range(records.counts[2]):
        record = records.next()
        if record.kind == _OPT:
            error = error or record.ttl >> 24
    return error


def _minimum(soa: bytes) -> int:
    """Return the last number of an SOA, all that matters of it here; its two names would take 25 µs to read."""
    if len(soa) < _SOA_BYTES_MIN:
        raise ValueError("an SOA is cut short")
    return _ttl(int.from_bytes(soa[-4:]))


def _ttl(seconds: int) -> int:
    return 0 if seconds & _TTL_SIGN else seconds


def _text(records: _Records, record: _Record) -> str:
    family = _FAMILIES.get(record.kind)
    if family is not None:
        return socket.inet_ntop(family, records.raw(record))
    data = records.data(record)
    if record.kind == _TXT:
        return b"".join(data.strings).decode("utf-8", "surrogateescape")
    if record.kind == _MX:
        return f"{data.preference} {name_text(data.exchange)}"
    return name_text(data.target)


def _labels(name: dns.name.Name) -> _Name:
    return tuple([label.lower() for label in name.labels])


def _wire(name: _Name) -> bytes:
    return b"".join([bytes((len(label),)) + label for label in name])


def name_text(name: dns.name.Name) -> str:
    """Return a name in lower case without the last dot, odd characters escaped (RFC 1035, 5.1); the root is `.`."""
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else "."
