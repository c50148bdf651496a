"""What stays the same in senders that are written anew for each message, and whose they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.mail.address import NULL_SENDER, Address, parse_address
from eximacl.mail.senders import original, reduced

ROWS = Path(__file__).parent.parent / "golden" / "senders.tsv"
SAME = [line.split("\t") for line in ROWS.read_text().splitlines() if not line.startswith("#")]


@pytest.mark.parametrize(("first", "second", "expected"), [row[1:] for row in SAME], ids=[row[0] for row in SAME])
def test_what_changes_is_reduced(first: str, second: str, expected: str) -> None:
    assert [reduced(parse_address(text)) for text in (first, second)] == [expected, expected]


# Different people, or different lists: each keeps a form of its own.
APART: list[tuple[str, ...]] = [
    ("john@example.net", "joan@example.net", "john@example.com"),
    ("john.smith@example.net", "john.smith2@example.net", "john.smyth@example.net"),
    ("12345678@qq.com", "12345679@qq.com", "123456789012@qq.com"),
    ("79161234567@mail.ru", "79161234568@mail.ru"),
    ("makarifulislamkariful24599@gmail.com", "patriciahernandez2xwz@gmail.com", "catherinebelle059450@gmail.com"),
    ("anna1985@example.net", "anna1986@example.net"),
    ("h4ck3r5@example.net", "h4ck3r6@example.net"),
    ("sales@b2b.example.net", "b2b@example.net", "w3c@example.net"),
    ("root@vmi1152785.contaboserver.net", "root@vmi1158185.contaboserver.net"),
    ("users-return-1-a=example.org@httpd.apache.org", "dev-return-1-a=example.org@httpd.apache.org"),
    ("bounce.handler@example.net", "bounce@example.net", "return.policy@example.net"),
    ("news-bounces@lists.example.net", "talk-bounces@lists.example.net"),
]


@pytest.mark.parametrize("senders", APART, ids=[row[0] for row in APART])
def test_people_are_kept_apart(senders: tuple[str, ...]) -> None:
    forms = [reduced(parse_address(text)) for text in senders]
    assert forms == [text.lower() for text in senders] or len(set(forms)) == len(senders)


def test_numbers_beside_a_name_are_merged() -> None:
    assert reduced(parse_address("anna.1985@example.net")) == reduced(parse_address("anna.1986@example.net"))


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("prvs=0787b0b1b2=ann@partner.example", "ann@partner.example"),
        ("SRS0=HHH0=TT=Partner.example=ann@fwd.example", "ann@partner.example"),
        ("ann+tag@partner.example", "ann+tag@partner.example"),
        ("prvs=@partner.example", "prvs=@partner.example"),
        ("SRS0=HHH0=TT=ann@fwd.example", "SRS0=HHH0=TT=ann@fwd.example"),
        ("prvs=" * 9 + "ann@partner.example", "prvs=ann@partner.example"),
    ],
)
def test_whose_a_sender_is(sender: str, expected: str) -> None:
    assert original(parse_address(sender)) == parse_address(expected)


def test_the_null_sender_is_itself() -> None:
    assert original(NULL_SENDER) == NULL_SENDER
    assert reduced(NULL_SENDER) == ""


@pytest.mark.parametrize("piece", ["a/", "=", "prvs=1=", "a1", "bounce-", "SRS0=a=b=c=", "-a", "\udcff", "0-", "+"])
def test_long_senders_take_no_time(piece: str) -> None:
    sender = Address(piece * (60_000 // len(piece)), "example.net")
    assert reduced(sender).endswith("@example.net") or original(sender) != sender
