"""What a client may put into its commands and headers reaches the daemon as it was sent, and nothing else happens."""

from __future__ import annotations

import pytest

from tests.lab import Site
from tests.smtp.answers import RESERVED, by
from tests.smtp.conftest import Labs

START = "S: 220\nC: EHLO mx.example.net\nS: 250\nC: MAIL FROM:<a@example.net>\nS: 250\n"

# How a localpart is sent; how the daemon sees it: without SMTP's quoting (RFC 5321 section 4.1.2), case kept.
LOCALPARTS = [
    ("Steve", "Steve"),
    ('"a b"', "a b"),
    ('"  "', "  "),
    ('"a,b"', "a,b"),
    ("a|b", "a|b"),
    ('"|/bin/sh"', "|/bin/sh"),
    ("50%off", "50%off"),
    ("%s%n", "%s%n"),
    ("o'hara", "o'hara"),
    ('"a\\"b"', 'a"b'),
    ('"\\"\\""', '""'),
    ('"\\\\"', "\\"),
    ('"a\\\\nb"', "a\\nb"),
    ("$local_part", "$local_part"),
    ("${run{/bin/false}}", "${run{/bin/false}}"),
    ("{}", "{}"),
    ("café", "café"),
    ("日本", "日本"),
    ("\udcff\udc80x", "\udcff\udc80x"),
    ('"\udc9f"', "\udc9f"),
    ('"a\tb"', "a\tb"),
    ('"a\x01\x7fb"', "a\x01\x7fb"),
    ("a=b", "a=b"),
    ('"rcpt=x v=2"', "rcpt=x v=2"),
    ("steve+tag", "steve+tag"),
    ("#x", "#x"),
    ("a" * 64, "a" * 64),
    ("a" * 200, "a" * 200),
]


@pytest.mark.parametrize(("sent", "seen"), LOCALPARTS, ids=[ascii(sent)[:30] for sent, _ in LOCALPARTS])
@pytest.mark.parametrize("kind", ["split", "plain"])
def test_a_hostile_localpart_arrives_intact(labs: Labs, kind: str, sent: str, seen: str) -> None:
    lab, daemon = labs(Site("plain" if kind == "plain" else "split"))
    lab.play(f"{START}C: RCPT TO:<{sent}@example.org>\nS: ")
    assert [asked["rcpt"] for asked in daemon.asked] == [f"{seen}@example.org"]
    assert set(daemon.asked[0].values) >= {"v", "tx", "ip", "from", "rcpt", "count"}


SENDERS = [
    ("", ""),
    ('"a b"@example.net', '"a b"@example.net'),
    ("a'b|c@example.net", "a'b|c@example.net"),
    ("${x}@example.net", "${x}@example.net"),
    ("\udcff@example.net", "\udcff@example.net"),
]


@pytest.mark.parametrize(("sent", "seen"), SENDERS, ids=[ascii(sent) for sent, _ in SENDERS])
def test_a_hostile_sender_arrives_intact(labs: Labs, sent: str, seen: str) -> None:
    lab, daemon = labs(Site())
    lab.play(
        f"S: 220\nC: EHLO mx.example.net\nS: 250\nC: MAIL FROM:<{sent}>\nS: 250\nC: RCPT TO:<juha@example.org>\nS: 250"
    )
    assert daemon.asked[0]["from"] == seen


HELOS = ["[127.0.0.2]", "a_b.example.net", "1.2.3.4"]


def test_a_helo_longer_than_a_name_is_cut(labs: Labs) -> None:
    """Otherwise each recipient would write 16 kB into the records."""
    lab, daemon = labs(Site(macros={"EXIMACL_ASK_EARLY": "yes"}))
    lab.play(f"S: 220\nC: EHLO {'a' * 16_000}\nS: 250\nC: MAIL FROM:<>\nS: 250\nC: RCPT TO:<juha@example.org>\nS: 250")
    assert [(asked.stage, len(asked.values.get("helo", ""))) for asked in daemon.asked] == [
        ("connect", 0),
        ("helo", 255),
        ("mail", 255),
        ("rcpt", 255),
    ]


@pytest.mark.parametrize("helo", HELOS)
def test_helo_arrives_intact(labs: Labs, helo: str) -> None:
    lab, daemon = labs(Site(main="helo_allow_chars = _"))
    lab.play(f"S: 220\nC: HELO {helo}\nS: 250\nC: MAIL FROM:<>\nS: 250\nC: RCPT TO:<juha@example.org>\nS: 250")
    assert daemon.asked[0]["helo"] == helo


def test_any_helo_arrives_intact_where_exim_takes_junk(labs: Labs) -> None:
    lab, daemon = labs(Site(main="helo_accept_junk_hosts = *"))
    junk = 'a b" verdict=accept\\ \udcff ${x}'
    lab.play(f"S: 220\nC: HELO {junk}\nS: 250\nC: MAIL FROM:<>\nS: 250\nC: RCPT TO:<juha@example.org>\nS: 250")
    assert daemon.asked[0]["helo"] == junk


HEADERS = [
    'X-Quotes: "a" \\"b\\" \\n',
    "X-Dollar: ${run{/bin/false}} $1 \\N",
    "X-Bytes: \udcff\udc80 café",
    "X-Folded: one\n two\n\tthree",
    "X-Pair: rcpt=x want=end",
    "X-Long: " + "x" * 900,
]


@pytest.mark.parametrize("header", HEADERS, ids=[header.partition(":")[0] for header in HEADERS])
def test_a_hostile_header_arrives_intact(labs: Labs, header: str) -> None:
    lab, daemon = labs(Site())
    daemon.answer = by(steve3count=RESERVED)
    lines = "".join(f"C: {line}\n" for line in header.split("\n"))
    lab.play(
        f"{START}C: RCPT TO:<steve.3.count@example.org>\nS: 250\nC: DATA\nS: 354\n{lines}C:\nC: text\nC: .\nS: 250"
    )
    assert f"\n{header}\n" in daemon.asked[-1]["headers"]


def test_many_headers_are_still_judged(labs: Labs) -> None:
    """Exim's header_maxsize is 1 MB; what it accepts, it can ask about."""
    lab, daemon = labs(Site())
    daemon.answer = by(steve3count=RESERVED)
    lines = "".join(f"C: X-{number}: {'y' * 900}\n" for number in range(900))
    lab.play(f"{START}C: RCPT TO:<steve.3.count@example.org>\nS: 250\nC: DATA\nS: 354\n{lines}C:\nC: .\nS: 250")
    assert daemon.asked[-1].stage == "data"
    assert "X-0: yyy" in daemon.asked[-1]["headers"]
