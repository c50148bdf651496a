"""DNS messages as bytes (RFC 1035 section 4; EDNS: RFC 6891), and what an answer may say; `answer.py` reads it.

Queries are put together here: all of ours have the same few bytes around the name, and dnspython needs 90 µs for one.
The tests have dnspython read them.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple, TypeAlias

from eximacl.mail.address import canonical_domain

KINDS = {"A": 1, "NS": 2, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
# What fits a packet on every path (DNS flag day 2020); more comes over TCP.
EDNS_BYTES = 1232
# RFC 1035 section 2.3.4: a whole name in wire form.
NAME_BYTES_MAX = 255
# The question for the root's name servers, as `question` makes it of other names.
ROOT_NS = b"\0\0\x02\0\x01"

_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_KIND_AND_CLASS = struct.Struct("!HH")
_IN = 1
_OPT = 41
_RESPONSE, _DESIRED = 0x8000, 0x0100
_FORMERR, _NOTIMP = 1, 4
_EDNS = b"\0" + _RECORD.pack(_OPT, EDNS_BYTES, 0, 0)
# All that names in mail consist of. Spaces, backslashes and control characters would have to be escaped.
_LABEL = re.compile(rb"[!-\[\]-~]{1,63}")
REFUSED = "REFUSED"


class Answer(NamedTuple):
    """The records' texts, and for how many seconds they hold (the lowest TTL, aliases included)."""

    texts: tuple[str, ...]
    seconds: int


class Absent(NamedTuple):
    """The name does not exist, or has no such record. seconds: for how long (RFC 2308); 0 if nothing says so."""

    seconds: int


class Redirect(NamedTuple):
    """The name is an alias of `name`, about which the answer says nothing. name: in wire form, lower case."""

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
