"""What stays the same in senders that are written for one message only, and whose they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.mail.address import NULL_SENDER, Address, parse_address
from eximacl.mail.senders import correspondent, is_for_one_message, original, reduced, untagged

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


@pytest.mark.parametrize(
    "text",
    [
        "ann@p.example",
        "Ann@P.Example",
        "ann+x@p.example",
        "prvs=0787b0b1b2=ann+x@p.example",
        "SRS0=H=T=P.example=ann@f.example",
    ],
)
def test_a_correspondent(text: str) -> None:
    assert correspondent(parse_address(text)) == "ann@p.example"


def test_the_null_sender_is_itself() -> None:
    assert original(NULL_SENDER) == NULL_SENDER
    assert reduced(NULL_SENDER) == ""


@pytest.mark.parametrize("piece", ["a/", "=", "prvs=1=", "a1", "bounce-", "SRS0=a=b=c=", "-a", "\udcff", "0-", "+"])
def test_long_senders_take_no_time(piece: str) -> None:
    sender = Address(piece * (60_000 // len(piece)), "example.net")
    assert reduced(sender).endswith("@example.net") or original(sender) != sender


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("boss@partner.example", "boss@partner.example"),
        ("prvs=0787b0b1b2=boss@partner.example", "boss@partner.example"),
        ("PRVS=0787B0B1B2=Boss@partner.example", "Boss@partner.example"),
        ("prvs=boss=0787b0b1b2@partner.example", "boss@partner.example"),
        ("prvs=4068eb2540=prvs=0787b0b1b2=boss@partner.example", "boss@partner.example"),
        ("btv1==0787b0b1b22==boss@partner.example", "boss@partner.example"),
        ("msprvs1=17683kD2qmLKR=boss@partner.example", "boss@partner.example"),
        ("prvs=0787b0b1b2=first.last+x=y@partner.example", "first.last+x=y@partner.example"),
        # Not tags, and what anyone can write into a sender of his own.
        ("SRS0=277b=jr=partner.example=boss@forwarder.example", "SRS0=277b=jr=partner.example=boss@forwarder.example"),
        (
            "boss+SRS=Ab1=X=partner.example=ann@forwarder.example",
            "boss+SRS=Ab1=X=partner.example=ann@forwarder.example",
        ),
        ("list-bounces+boss=partner.example@list.example", "list-bounces+boss=partner.example@list.example"),
        ("prvs=@partner.example", "prvs=@partner.example"),
        ("prvs==boss@partner.example", "prvs==boss@partner.example"),
        ("btv1=0787b0b1b22=boss@partner.example", "btv1=0787b0b1b22=boss@partner.example"),
        ("xprvs=0787b0b1b2=boss@partner.example", "xprvs=0787b0b1b2=boss@partner.example"),
        ("", ""),
    ],
)
def test_who_is_behind_a_tag(sender: str, expected: str) -> None:
    assert str(untagged(parse_address(sender))) == expected


FOR_ONE_MESSAGE = [
    "SRS0=277b=jr=example.net=joe@forwarder.example",
    "SRS1=9Hk=other.example==277b=jr=example.net=joe@forwarder.example",
    "joe+SRS=Ab1cD=XY=example.net=ann@forwarder.example",
    "prvs=0787b0b1b2=SRS0=277b=jr=example.net=joe@forwarder.example",
    "bounce-1-2345@list.example",
    "bounce-17-steve=example.org@list.example",
    "bounces+1234567-ab12-steve=example.org@em.shop.example",
    "bounce.98765@news.example",
    "bounce12345@news.example",
    "list-return-123-steve=example.org@list.example",
    "news-17-steve=example.org@shop.example",
    "bounce-mc.us1_1234567.8901-steve=example.org@mail1.shop.example",
    "msprvs1=17683kD2qmLKR=bounces-243655-5@shop.example",
    "0100018f3c0e5a2b-7a1e4c8f-9d21-4b6c-8a3e-5f6071829304-000000@ses.example",
    "forum+bncBCLK3T7YXA2BB@groups.example",
    "3kd9xq2lp0zz@bounces.example",
    "v7kd9q2lp0.1@bounces.example",
    "bounce+5c1a2b.4d3e1f-steve=example.org@mg.example",
    "v-abcdef_1234567_1@bounce.shop.example",
    "3AbCdEfGhIjKlMnOpQrStUvWxYz@scoutcamp.bounces.example",
]
FOR_ALL = [
    "boss@partner.example",
    "prvs=0787b0b1b2=boss@partner.example",
    "first.last1985@mail.example",
    "john.1985@mail.example",
    "12345678@qq.example",
    "0441234567890@phone.example",
    "bounces@list.example",
    "returns@shop.example",
    "bounce-handler@shop.example",
    "list-bounces+steve=example.org@list.example",
    "noreply2024@shop.example",
    "ann2b@mail.example",
    "3com4u2@mail.example",
    "orders-eu-1@shop.example",
    "team+invoices@shop.example",
    "deadbeefcafe@mail.example",
    "name=home@mail.example",
    "boss@bounces.example",
    "anna1985@bounces.example",
    "12345678@bounces.example",
    "list-bounces+steve=example.org@bounces.example",
    "JohnFitzgeraldKennedy@mail.example",
    "bounce+ann.bee-cee@mail.example",
    "\u00e4nn2@mail.example",
    "",
]


@pytest.mark.parametrize("sender", FOR_ONE_MESSAGE)
def test_what_no_later_message_will_have(sender: str) -> None:
    assert is_for_one_message(parse_address(sender))


@pytest.mark.parametrize("sender", FOR_ALL)
def test_what_later_messages_will_have(sender: str) -> None:
    assert not is_for_one_message(parse_address(sender))
