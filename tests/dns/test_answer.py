"""Answers: each kind of answer and fault is a row; no bytes raise, and none take long."""

from __future__ import annotations

import socket
import time

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eximacl.dns import answer, message
from eximacl.dns.message import Absent, Answer, Failed, Redirect, Result, Truncated

NAME = "www.example.org"
SOA = "ns.example.org. root.example.org. 1 7200 900 1209600 {}"
Section = tuple[tuple[str, int, str, tuple[str, ...]], ...]


def asked(kind: str, name: str = NAME) -> bytes:
    wire = message.encode_name(name)
    assert wire
    return message.question(wire, kind)


def written(
    kind: str,
    answer: Section = (),
    authority: Section = (),
    rcode: int = dns.rcode.NOERROR,
    additional: Section = (),
    name: str = NAME,
    recursive: bool = True,
) -> dns.message.Message:
    """Return dnspython's answer. A section's records are an owner, a TTL, a kind and its texts."""
    response = dns.message.make_response(dns.message.make_query(name, kind, use_edns=0), recursive)
    response.set_rcode(dns.rcode.Rcode.make(rcode))
    sections = (response.answer, answer), (response.authority, authority), (response.additional, additional)
    for section, records in sections:
        section += [dns.rrset.from_text(f"{owner}.", ttl, "IN", of, *texts) for owner, ttl, of, texts in records]
    return response


def read(kind: str, made: dns.message.Message | bytes, name: str = NAME) -> Result:
    wire = made if isinstance(made, bytes) else made.to_wire(max_size=65535)
    assert message.is_answer(wire, asked(kind, name))
    return answer.read(wire, asked(kind, name))


def rows(*owners_and_kinds: tuple[str, int, str, str]) -> Section:
    return tuple((owner, ttl, kind, (text,)) for owner, ttl, kind, text in owners_and_kinds)


NEGATIVE = rows(("example.org", 300, "SOA", SOA.format(60)))
CHAIN = rows((NAME, 50, "CNAME", "b.example.net."), ("b.example.net", 70, "CNAME", "c.example.net."))
LOOP = rows((NAME, 50, "CNAME", "b.example.net."), ("b.example.net", 70, "CNAME", f"{NAME}."))
LONG_CHAIN = rows(*((f"n{n}.example.org", 9, "CNAME", f"n{n + 1}.example.org.") for n in range(20)))
REFERRAL = rows(("example.org", 300, "NS", "ns.example.org."))
FOREIGN = rows(("example.com", 300, "SOA", SOA.format(60)))
# It ends as the name does, but is not a parent of it.
LOOKALIKE = rows(("ww.example.org", 300, "SOA", SOA.format(60)))
OFF_TOPIC = Failed("an answer about another name")
ANOTHERS_SOA = Failed("the SOA of another zone")
NO_RESOLVER = Failed("nothing, and not a recursive server")

READ: dict[str, tuple[str, dns.message.Message, Result]] = {
    "A": ("A", written("A", ((NAME, 60, "A", ("192.0.2.1", "192.0.2.2")),)), Answer(("192.0.2.1", "192.0.2.2"), 60)),
    "AAAA": ("AAAA", written("AAAA", rows((NAME, 60, "AAAA", "2001:db8::1"))), Answer(("2001:db8::1",), 60)),
    "MX": ("MX", written("MX", rows((NAME, 60, "MX", "10 MX.Example.ORG."))), Answer(("10 mx.example.org",), 60)),
    "null MX": ("MX", written("MX", rows((NAME, 60, "MX", "0 ."))), Answer(("0 .",), 60)),
    "TXT": ("TXT", written("TXT", rows((NAME, 60, "TXT", '"a b" "c"'))), Answer(("a bc",), 60)),
    "empty TXT": ("TXT", written("TXT", rows((NAME, 60, "TXT", '""'))), Answer(("",), 60)),
    "TXT, UTF-8": ("TXT", written("TXT", rows((NAME, 60, "TXT", r'"\195\164"'))), Answer(("ä",), 60)),
    "TXT, bytes": ("TXT", written("TXT", rows((NAME, 60, "TXT", r'"\255"'))), Answer(("\udcff",), 60)),
    "PTR": ("PTR", written("PTR", rows((NAME, 60, "PTR", "MX.example.net."))), Answer(("mx.example.net",), 60)),
    "PTR, odd": (
        "PTR",
        written("PTR", rows((NAME, 60, "PTR", r"a\.b\032\010.net."))),
        Answer((r"a\.b\032\010.net",), 60),
    ),
    "PTR, root": ("PTR", written("PTR", rows((NAME, 60, "PTR", "."))), Answer((".",), 60)),
    "NS": ("NS", written("NS", rows((NAME, 60, "NS", "NS1.example.net."))), Answer(("ns1.example.net",), 60)),
    "owner in capitals": ("A", written("A", rows((NAME.upper(), 60, "A", "192.0.2.1"))), Answer(("192.0.2.1",), 60)),
    "another's record": ("A", written("A", rows(("example.com", 60, "A", "192.0.2.1"))), OFF_TOPIC),
    "another's record, and NXDOMAIN": (
        "A",
        written("A", rows(("example.com", 60, "A", "192.0.2.1")), NEGATIVE, dns.rcode.NXDOMAIN),
        OFF_TOPIC,
    ),
    "another's alias": ("A", written("A", rows(("example.com", 60, "CNAME", "b.example."))), OFF_TOPIC),
    "another kind": ("A", written("A", rows((NAME, 60, "AAAA", "2001:db8::1"))), Absent(0)),
    "the shorter TTL": (
        "A",
        written("A", rows((NAME, 60, "A", "192.0.2.1"), (NAME, 9, "A", "192.0.2.2"))),
        Answer(("192.0.2.1", "192.0.2.2"), 9),
    ),
    "a negative TTL": ("A", written("A", rows((NAME, 2**31 + 5, "A", "192.0.2.1"))), Answer(("192.0.2.1",), 0)),
    "alias": (
        "A",
        written("A", CHAIN + rows(("c.example.net", 90, "A", "192.0.2.3"))),
        Answer(("192.0.2.3",), 50),
    ),
    "alias, in any order": (
        "A",
        written("A", rows(("c.example.net", 5, "A", "192.0.2.3")) + CHAIN[::-1]),
        Answer(("192.0.2.3",), 5),
    ),
    "alias, not followed": ("A", written("A", CHAIN), Redirect(b"\1c\7example\3net\0", 50)),
    "alias in capitals, not followed": (
        "A",
        written("A", rows((NAME, 50, "CNAME", "C.Example.NET."))),
        Redirect(b"\1c\7example\3net\0", 50),
    ),
    "alias of nothing": ("A", written("A", CHAIN, NEGATIVE), Absent(50)),
    "alias of no name": ("A", written("A", CHAIN, NEGATIVE, dns.rcode.NXDOMAIN), Absent(50)),
    "alias in a loop": ("A", written("A", LOOP), Failed("a CNAME loop")),
    "a chain without end": ("A", written("A", LONG_CHAIN, name="n0.example.org"), Failed("a CNAME loop")),
    "NXDOMAIN": ("A", written("A", (), NEGATIVE, dns.rcode.NXDOMAIN), Absent(60)),
    "NODATA": ("A", written("A", (), NEGATIVE), Absent(60)),
    "SOA's own TTL": ("A", written("A", (), rows(("example.org", 7, "SOA", SOA.format(60)))), Absent(7)),
    "NXDOMAIN without SOA": ("A", written("A", rcode=dns.rcode.NXDOMAIN), Absent(0)),
    "NODATA without SOA": ("A", written("A"), Absent(0)),
    "NXDOMAIN, not recursive": ("A", written("A", (), NEGATIVE, dns.rcode.NXDOMAIN, recursive=False), Absent(60)),
    "NXDOMAIN without SOA, not recursive": (
        "A",
        written("A", rcode=dns.rcode.NXDOMAIN, recursive=False),
        NO_RESOLVER,
    ),
    "NODATA without SOA, not recursive": ("A", written("A", recursive=False), NO_RESOLVER),
    "NXDOMAIN, the root's SOA": (
        "A",
        written("A", (), rows(("", 300, "SOA", SOA.format(60))), dns.rcode.NXDOMAIN),
        Absent(60),
    ),
    "NXDOMAIN, the name's own SOA": ("A", written("A", (), rows((NAME, 300, "SOA", SOA.format(60)))), Absent(60)),
    "NODATA, another's SOA": ("A", written("A", (), FOREIGN), ANOTHERS_SOA),
    "NXDOMAIN, another's SOA": ("A", written("A", (), FOREIGN, dns.rcode.NXDOMAIN), ANOTHERS_SOA),
    "NODATA, a lookalike's SOA": ("A", written("A", (), LOOKALIKE), ANOTHERS_SOA),
    "alias, and another's SOA": ("A", written("A", CHAIN, FOREIGN), Redirect(b"\1c\7example\3net\0", 50)),
    "NXDOMAIN with records": (
        "A",
        written("A", rows((NAME, 60, "A", "192.0.2.1")), rcode=dns.rcode.NXDOMAIN),
        Failed("NXDOMAIN with records"),
    ),
    "referral": (
        "A",
        written("A", (), REFERRAL),
        Failed("a referral instead of an answer: not a recursive server"),
    ),
    "additional records": (
        "A",
        written("A", (), NEGATIVE, additional=rows(("ns.example.org", 60, "A", "192.0.2.1"))),
        Absent(60),
    ),
    "SERVFAIL": ("A", written("A", rcode=dns.rcode.SERVFAIL), Failed("SERVFAIL")),
    "REFUSED": ("A", written("A", rcode=dns.rcode.REFUSED), Failed("REFUSED")),
    "an unknown code": ("A", written("A", rcode=11), Failed("error code 11")),
    "BADVERS": ("A", written("A", rcode=dns.rcode.BADVERS), Failed("BADVERS")),
    "an unknown extended code": ("A", written("A", rcode=0x123), Failed("error code 291")),
}


@pytest.mark.parametrize("row", READ)
def test_answers_are_read(row: str) -> None:
    kind, made, expected = READ[row]
    name = made.question[0].name.to_text(omit_final_dot=True)
    found = read(kind, made, name)
    if isinstance(found, Answer):  # dnspython writes a set in any order
        found = Answer(tuple(sorted(found.texts)), found.seconds)
    assert found == expected


def test_a_truncated_answer_needs_tcp() -> None:
    made = written("A", rows((NAME, 60, "A", "192.0.2.1")))
    made.flags |= dns.flags.TC
    assert read("A", made) == Truncated()


ADDRESS = written("A", rows((NAME, 60, "A", "192.0.2.1"))).to_wire()
END = 12 + len(asked("A"))
BROKEN: dict[str, bytes] = {
    "ends in the data": ADDRESS[:-12],
    "ends in the header": ADDRESS[: END + 5],
    "no record": ADDRESS[:END],
    "a pointer to itself": ADDRESS[:END] + bytes((0xC0, END)) + ADDRESS[END + 2 :],
    "a pointer forwards": ADDRESS[:END] + b"\xc0\xff" + ADDRESS[END + 2 :],
    "an unknown label": ADDRESS[:END] + b"\x80\x0c" + ADDRESS[END + 2 :],
    "an address too short": ADDRESS[: END + 11] + b"\3" + ADDRESS[END + 12 :],
    "an address too long": ADDRESS[: END + 11] + b"\5" + ADDRESS[END + 12 :],
    "trailing bytes": written("A").to_wire() + b"\xff" * 50,
    "an endless name": ADDRESS[:END] + (b"\x3f" + b"a" * 63) * 5 + ADDRESS[END:],
}
CUT_STRING = written("TXT", rows((NAME, 60, "TXT", '"abcd"'))).to_wire().replace(b"\4abcd", b"\5abcd")
LOOSE_NAME = written("PTR", rows((NAME, 60, "PTR", "a.b."))).to_wire().replace(b"\1a\1b\0", b"\1a\0b\0")


@pytest.mark.parametrize("row", BROKEN)
def test_a_malformed_answer_is_a_failure(row: str) -> None:
    assert read("A", BROKEN[row]) == Failed("a malformed answer")


@pytest.mark.parametrize(("kind", "wire"), [("TXT", CUT_STRING), ("PTR", LOOSE_NAME)], ids=["string", "name"])
def test_malformed_data_are_a_failure(kind: str, wire: bytes) -> None:
    assert read(kind, wire) == Failed("a malformed answer")


def test_a_zone_s_soa_that_is_cut_short_is_malformed() -> None:
    wire = written("A", (), NEGATIVE).to_wire()
    at = wire.index(b"\2ns")
    assert read("A", wire[: at - 2] + b"\0\4" + wire[-15:-11] + wire[-11:]) == Failed("a malformed answer")


def test_few_names_are_read() -> None:
    """Each record has a name of its own, where an honest answer has pointers."""
    for count in (answer.NAMES_MAX, answer.NAMES_MAX + 1):
        many = rows(*((f"n{number}.example.org", 9, "A", "192.0.2.1") for number in range(count)))
        good = count <= answer.NAMES_MAX
        assert read("A", written("A", many)) == (OFF_TOPIC if good else Failed("a malformed answer"))


# One answer over TCP, as long as it can be, whose records' names lead through thousands of pointers.
HOPS = b"".join((0xC000 | (at or 12)).to_bytes(2) for at in [0, *range(END + 12, END + 12 + 15_998, 2)])
HOLDER = b"\xc0\x0c\xff\0\0\1\0\0\0\x3c" + len(HOPS).to_bytes(2) + HOPS
LED = (0xC000 | (END + 12 + 15_998)).to_bytes(2) + b"\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"


def test_no_answer_takes_long_to_read() -> None:
    """Read pointer by pointer, this one takes 20 s."""
    wire = b"\0\1\x81\x80\0\1" + (3001).to_bytes(2) + bytes(4) + asked("A") + HOLDER + LED * 3000
    began = time.process_time()
    read("A", wire)
    assert time.process_time() - began < 2


def test_other_classes_and_options_say_nothing_about_the_name() -> None:
    chaos = ADDRESS[: END + 5] + b"\3" + ADDRESS[END + 6 :]
    assert read("A", chaos) == OFF_TOPIC
    # The option record stands among the answers.
    option = written("A").to_wire()
    assert read("A", option[:6] + b"\0\1\0\0\0\0" + option[12:]) == OFF_TOPIC


def test_an_answer_to_an_update_is_a_failure() -> None:
    made = written("A", (), NEGATIVE)
    made.set_opcode(dns.opcode.UPDATE)
    wire = made.to_wire()
    assert answer.read(wire, asked("A")) == Failed("an answer to another operation than a query")


def test_a_name_may_lead_through_sixteen_pointers() -> None:
    """The answer's name leads through pointers within a TXT record's string to the question's.

    How many more dnspython takes depends on its version; `test_no_answer_takes_long_to_read` bounds what they cost.
    """
    pointers = b"".join((0xC000 | (at or 12)).to_bytes(2) for at in [0, *range(END + 13, END + 13 + 2 * 14, 2)])
    text = bytes((len(pointers),)) + pointers
    first = b"\xc0\x0c\0\x10\0\1\0\0\0\x3c" + len(text).to_bytes(2) + text
    last = (0xC000 | END + 13 + 2 * 14).to_bytes(2) + b"\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"
    wire = b"\0\1\x81\x80\0\1\0\2\0\0\0\0" + asked("A") + first + last
    assert read("A", wire) == Answer(("192.0.2.1",), 60)


def test_what_is_too_much_is_dropped() -> None:
    many = tuple(f"{n // 250}.example{n % 250}.org." for n in range(1000))
    found = read("PTR", written("PTR", ((NAME, 60, "PTR", many),)))
    assert isinstance(found, Answer)
    assert len(found.texts) == answer.RECORDS_MAX
    strings = " ".join(['"' + "x" * 250 + '"'] * 50)
    found = read("TXT", written("TXT", ((NAME, 60, "TXT", (strings,)),)))
    assert found == Answer(("x" * answer.RECORDS_CHARACTERS_MAX,), 60)
    found = read("TXT", written("TXT", ((NAME, 60, "TXT", ('"short"', strings)),)))
    assert isinstance(found, Answer)
    assert found.texts == ("short",) or found.texts == ("x" * answer.RECORDS_CHARACTERS_MAX,)


LABELS = st.binary(min_size=1, max_size=63)
TARGETS = st.lists(LABELS, min_size=0, max_size=3).map(lambda labels: dns.name.Name([*labels, b""]))
TEXTS = {
    "A": st.ip_addresses(v=4).map(str),
    "AAAA": st.ip_addresses(v=6).map(str),
    "MX": st.builds(lambda number, name: f"{number} {name}", st.integers(0, 65535), TARGETS),
    "NS": TARGETS.map(str),
    "PTR": TARGETS.map(str),
    "TXT": st.text(max_size=60)
    .map(lambda text: text.replace("\\", "").replace('"', ""))
    .map(lambda text: '"' + "".join(f"\\{byte:03}" for byte in text.encode()) + '"'),
}


@given(st.data())
def test_random_answers_are_read_as_dnspython_reads_them(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(TEXTS)))
    texts = data.draw(st.lists(TEXTS[kind], min_size=1, max_size=5))
    made = written(kind, ((NAME, data.draw(st.integers(0, 2**31 - 1)), kind, tuple(texts)),))
    (rrset,) = made.answer
    expected = [_as_ours(kind, record.to_text().lower() if kind != "TXT" else record.to_text()) for record in rrset]
    found = read(kind, made)
    assert isinstance(found, Answer)
    assert sorted(found.texts) == sorted(expected)
    assert found.seconds == rrset.ttl


def _as_ours(kind: str, text: str) -> str:
    """Turn dnspython's text into the one we promise."""
    if kind == "TXT":
        (record,) = dns.rrset.from_text("x.", 0, "IN", "TXT", text)
        return b"".join(record.strings).decode("utf-8", "surrogateescape")
    if kind in ("A", "AAAA"):
        family = socket.AF_INET if kind == "A" else socket.AF_INET6
        return socket.inet_ntop(family, socket.inet_pton(family, text))  # ::ffff:0:0 has two spellings
    return text if text == "." or text.endswith(" .") else text[:-1]


@given(st.sampled_from([made for _, made, _ in READ.values()]), st.data())
def test_no_bytes_raise(made: dns.message.Message, data: st.DataObject) -> None:
    wire = bytearray(made.to_wire())
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(wire[: data.draw(st.integers(0, len(wire)))])
    if message.number_of(cut) >= 0:
        message.is_answer(cut, asked("A"))
        message.refuses_edns(cut)
        for kind in message.KINDS:
            assert isinstance(answer.read(cut, asked(kind)), (Answer, Absent, Redirect, Failed, Truncated))
