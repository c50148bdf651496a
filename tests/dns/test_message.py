"""DNS messages: what we send is what dnspython reads, and which messages answer a question."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import pytest

from eximacl.dns import message

NAME = "www.example.org"
LONG = ".".join(["a" * 63] * 3 + ["b" * 61])
ADDRESS = b"\0\1\x81\x80\0\1\0\1\0\0\0\0\3www\7example\3org\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"


def asked(kind: str, name: str = NAME) -> bytes:
    wire = message.encode_name(name)
    assert wire
    return message.question(wire, kind)


def test_which_messages_answer_a_question() -> None:
    question = asked("A")
    assert message.is_answer(ADDRESS, question)
    assert message.is_answer(ADDRESS.replace(b"\3www", b"\3WwW"), question)
    assert not message.is_answer(ADDRESS, asked("AAAA"))
    assert not message.is_answer(ADDRESS, asked("A", "www.example.com"))
    assert not message.is_answer(ADDRESS[:4] + b"\0\2" + ADDRESS[6:], question)
    assert not message.is_answer(ADDRESS[:2] + b"\1" + ADDRESS[3:], question), "a query"
    bare = ADDRESS[:3] + b"\1" + bytes(8)
    assert message.is_answer(bare, question), "FORMERR without the question"
    assert message.refuses_edns(bare)
    assert not message.is_answer(ADDRESS[:3] + b"\2" + bytes(8), question), "SERVFAIL without the question"
    assert not message.refuses_edns(ADDRESS)
    assert message.number_of(b"\1\2" + bytes(10)) == 0x102
    assert message.number_of(b"\1\2" + bytes(9)) == -1


@pytest.mark.parametrize("edns", [True, False])
@pytest.mark.parametrize("kind", message.KINDS)
def test_dnspython_reads_our_queries(kind: str, edns: bool) -> None:
    query = dns.message.from_wire(message.query(0xABCD, asked(kind), edns))
    assert query.id == 0xABCD
    assert query.flags == dns.flags.RD
    assert (query.edns, query.payload) == ((0, message.EDNS_BYTES) if edns else (-1, 0))
    (one,) = query.question
    assert (one.name.to_text(), dns.rdatatype.to_text(one.rdtype), one.rdclass) == (f"{NAME}.", kind, 1)


NAMES: dict[str, bool] = {
    NAME: True,
    "x": True,
    "_dmarc.example.org": True,
    "a" * 63: True,
    LONG: True,
    "": False,
    ".": False,
    "a..b": False,
    ".a": False,
    "a.": False,
    "a" * 64: False,
    f"{LONG}b": False,
    "a b": False,
    "a\nb": False,
    "a\\b": False,
    "\x00": False,
    "ä.example.org": False,
    "\udcff.org": False,
}


@pytest.mark.parametrize("name", NAMES)
def test_which_names_can_exist(name: str) -> None:
    wire = message.encode_name(name)
    assert (wire is not None) is NAMES[name]
    if wire is not None:
        assert wire == dns.name.from_text(name).to_wire()


def test_one_spelling_of_a_name() -> None:
    assert message.canonical("Bücher.Example.ORG.") == "xn--bcher-kva.example.org"
