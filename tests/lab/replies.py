"""What the lab's DNS server says: a zone's records and faults, made into messages (RFC 1035 section 4).

Bytes in, bytes out, no sockets. Messages are put together by hand, since dnspython's take 300 µs each and
the server has to keep up with a busy Exim; records are read by dnspython, and each only once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype

TTL_SECONDS = 60
MINIMUM_SECONDS = 30
UDP_BYTES = 512  # without EDNS, RFC 1035 section 4.2.1
# A chain that goes round is followed as far as this.
CNAMES_MAX = 20

SERVFAIL: Literal["SERVFAIL"] = "SERVFAIL"
SILENT: Literal["SILENT"] = "SILENT"


@dataclass(frozen=True)
class Reply:
    """How one question is answered where plain records are not enough.

    records: what the question's kind is answered with. minimum: of the SOA in a negative answer; None: no SOA.
    udp, tcp: `truncate` sends no record and the TC flag; `close` ends the connection without an answer.
    edns: whether a query may have EDNS; else it is answered with FORMERR (RFC 6891 section 7).
    follow: whether a CNAME is answered with what it leads to.
    lie: makes what is sent instead of the right message. elsewhere: sent from another port than the one asked.
    """

    records: Sequence[str] = ()
    rcode: str = "NOERROR"
    ttl: int = TTL_SECONDS
    minimum: int | None = MINIMUM_SECONDS
    delay_seconds: float = 0.0
    udp: Literal["answer", "silent", "truncate"] = "answer"
    tcp: Literal["answer", "silent", "close"] = "answer"
    edns: bool = True
    follow: bool = True
    lie: Callable[[bytes], Sequence[bytes]] | None = None
    elsewhere: bool = False


Answer: TypeAlias = Sequence[str] | Literal["SERVFAIL", "SILENT"] | Reply
Zone: TypeAlias = Mapping[tuple[str, str], Answer]

SERVFAILED = Reply(rcode="SERVFAIL")
SILENCE = Reply(udp="silent", tcp="silent")
NXDOMAIN = Reply(rcode="NXDOMAIN")
NODATA = Reply()

_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_SOA = struct.Struct("!IIIII")
_RESPONSE, _AUTHORITATIVE, _TRUNCATED, _DESIRED, _AVAILABLE = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080
_OPCODE = 0x7800
# The root's name, type OPT, 1232 bytes of payload, no flags, no data (RFC 6891 section 6.1.2).
_OPT = b"\0" + _RECORD.pack(41, 1232, 0, 0)
_POINTER = 0xC000


class Asked(NamedTuple):
    """A question as it came. payload: the largest message that its asker takes over UDP; 0: without EDNS."""

    id: int
    flags: int
    question: bytes
    name: str
    kind: str
    payload: int


def read(wire: bytes) -> Asked:
    """Read a query. Raises ValueError, IndexError or struct.error where it is none."""
    number, flags, questions, _, _, additional = _HEADER.unpack_from(wire)
    if questions != 1 or flags & _RESPONSE:
        raise ValueError("not a query with one question")
    labels, at = [], _HEADER.size
    while length := wire[at]:
        labels.append(wire[at + 1 : at + 1 + length].decode("latin-1"))
        at += 1 + length
    (kind,) = struct.unpack_from("!H", wire, at + 1)
    question = wire[_HEADER.size : at + 5]
    payload = struct.unpack_from("!H", wire, at + 8)[0] if additional else 0
    return Asked(number, flags, question, ".".join(labels).lower(), _kind_text(kind), payload)


def find(zone: Zone, names: set[str], name: str, kind: str) -> Reply:
    """Return how `name` is answered: by its own records, its CNAME's, or those of `*.` and one of its parents."""
    answer = zone.get((name, kind))
    parent = name
    while answer is None and parent:
        _, _, parent = parent.partition(".")
        if name not in names:
            answer = zone.get((f"*.{parent}", kind))
    if answer is None:
        return NODATA if name in names else NXDOMAIN
    if isinstance(answer, Reply):
        return answer
    if isinstance(answer, str):
        return SERVFAILED if answer == SERVFAIL else SILENCE
    return Reply(answer)


def write(asked: Asked, zone: Zone, names: set[str], found: Reply, *, tcp: bool = False) -> bytes:
    """Put the answer to `asked` together; over UDP no longer than its asker takes."""
    if asked.payload and not found.edns:
        return _message(asked, dns.rcode.FORMERR)
    if found.udp == "truncate" and not tcp:
        return _message(asked, 0, _TRUNCATED)
    answers, found = _answers(asked, zone, names, found)
    authority = [] if answers or found.minimum is None or found.rcode == SERVFAIL else [_soa(asked, found.minimum)]
    made = _message(asked, dns.rcode.from_text(found.rcode), 0, answers, authority)
    if not tcp and len(made) > max(asked.payload, UDP_BYTES):
        return _message(asked, 0, _TRUNCATED)
    return made


def _answers(asked: Asked, zone: Zone, names: set[str], found: Reply) -> tuple[list[bytes], Reply]:
    """Return the answer section: the CNAMEs first, then what the last of them leads to."""
    answers: list[bytes] = []
    owner, name = struct.pack("!H", _POINTER | _HEADER.size), asked.name
    while not found.records and len(answers) < CNAMES_MAX:
        alias = find(zone, names, name, "CNAME")
        if not alias.records:
            return answers, found
        answers.append(_record(owner, "CNAME", alias.ttl, alias.records[0]))
        if not alias.follow:
            return answers, Reply(minimum=None)
        owner, name = dns.name.from_text(alias.records[0]).to_wire() or b"", alias.records[0].rstrip(".").lower()
        found = find(zone, names, name, asked.kind)
    answers += [_record(owner, asked.kind, found.ttl, text) for text in found.records]
    return answers, found


def _record(owner: bytes, kind: str, ttl: int, text: str) -> bytes:
    number, data = data_of(kind, text)
    return owner + _RECORD.pack(number, dns.rdataclass.IN, ttl, len(data)) + data


@lru_cache(maxsize=100_000)
def data_of(kind: str, text: str) -> tuple[int, bytes]:
    """Return a kind's number and a record's data. Raises a DNSException where the text is wrong."""
    number = dns.rdatatype.from_text(kind)
    data = dns.rdata.from_text(dns.rdataclass.IN, number, text, dns.name.root, relativize=False)
    return number, data.to_wire() or b""


def _soa(asked: Asked, minimum: int) -> bytes:
    """The zone is taken to be the name's parent; a longer TTL than its minimum must not count (RFC 2308 section 3)."""
    first = asked.question[0]
    owner = struct.pack("!H", _POINTER | _HEADER.size + (first + 1 if first else 0))
    data = owner + owner + _SOA.pack(1, 7200, 900, 1_209_600, minimum)
    return owner + _RECORD.pack(dns.rdatatype.SOA, dns.rdataclass.IN, 2 * minimum, len(data)) + data


def _message(
    asked: Asked, rcode: int, flags: int = 0, answers: Sequence[bytes] = (), authority: Sequence[bytes] = ()
) -> bytes:
    flags |= _RESPONSE | _AUTHORITATIVE | _AVAILABLE | asked.flags & (_OPCODE | _DESIRED) | rcode
    opt = _OPT if asked.payload and rcode != dns.rcode.FORMERR else b""
    header = _HEADER.pack(asked.id, flags, 1, len(answers), len(authority), 1 if opt else 0)
    return b"".join((header, asked.question, *answers, *authority, opt))


@lru_cache(maxsize=1000)
def _kind_text(kind: int) -> str:
    return dns.rdatatype.to_text(dns.rdatatype.RdataType.make(kind))


# Lies. Each takes the right message and returns what is sent instead.


def wrong_id(wire: bytes) -> Sequence[bytes]:
    """Answer as if another question had been asked."""
    return [bytes((wire[0] ^ 0x5A, wire[1] ^ 0xA5)) + wire[2:]]


def wrong_question(wire: bytes) -> Sequence[bytes]:
    """Answer the right id about another name: its first letter is changed."""
    at = _HEADER.size + 1
    return [wire[:at] + (b"y" if wire[at : at + 1] == b"x" else b"x") + wire[at + 1 :]]


def spoofed(wire: bytes) -> Sequence[bytes]:
    """Answer with wrong messages before the right one, as an attacker's that come first."""
    return [*wrong_id(wire), *wrong_question(wire), b"", b"\0", wire[:5], wire]


def garbage(wire: bytes) -> Sequence[bytes]:
    """Answer the right id, flags and question, and then bytes that mean nothing."""
    return [wire[: _HEADER.size] + _question_of(wire) + b"\xff" * 40]


def noise(wire: bytes) -> Sequence[bytes]:
    """Answer the right id and flags, and then bytes that mean nothing."""
    return [wire[: _HEADER.size] + b"\xff" * 40]


def cut(wire: bytes) -> Sequence[bytes]:
    """Answer with a message that ends within its last record."""
    return [wire[: len(wire) - (len(_OPT) + 3 if wire.endswith(_OPT) else 3)]]


def looping(wire: bytes) -> Sequence[bytes]:
    """Answer with a record whose name is a pointer to itself."""
    end = len(_question_of(wire)) + _HEADER.size
    return [wire[:end] + struct.pack("!H", _POINTER | end) + wire[end + 2 :]]


def two_questions(wire: bytes) -> Sequence[bytes]:
    """Answer with the question's count wrong."""
    return [wire[:4] + b"\0\2" + wire[6:]]


def not_a_response(wire: bytes) -> Sequence[bytes]:
    """Send the question back, as a reflector does."""
    return [wire[:2] + bytes((wire[2] & 0x7F,)) + wire[3:]]


def truncated(wire: bytes) -> Sequence[bytes]:
    """Say that there would be more, however it is asked."""
    return [wire[:2] + bytes((wire[2] | 0x02,)) + wire[3:]]


def wrong_question_when_whole(wire: bytes) -> Sequence[bytes]:
    """Tell the truth about being truncated, and then answer about another name."""
    return [wire] if wire[2] & 0x02 else wrong_question(wire)


def _question_of(wire: bytes) -> bytes:
    at = _HEADER.size
    while wire[at]:
        at += 1 + wire[at]
    return wire[_HEADER.size : at + 5]
