"""Which fields of one message count, with the rule for mailing lists; tags, disposable addresses, dates."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from eximacl.harvest import message
from eximacl.harvest.message import Broken, Criteria, Reader, is_mail
from eximacl.mail.disposable import Rules
from eximacl.mail.lists import Domains

NOW = datetime(2026, 11, 26, tzinfo=UTC).timestamp()
OURS = Domains(["example.org", ".example.net"])
OWN_RULES = Rules(timezone=ZoneInfo("UTC"))


def read(header: str | bytes, *, wanted: Criteria | None = None) -> str:
    data = header if isinstance(header, bytes) else header.encode()
    return " ".join(sorted(Reader(wanted or Criteria(OURS, disposable=OWN_RULES), NOW).read(data).recipients))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param("To: Steve <Steve@Example.ORG>, a@example.com\n", "steve@example.org", id="To"),
        pytest.param("CC : a@example.org\nResent-To: b@example.org\nResent-Cc: c@example.org\n",
                     "a@example.org b@example.org c@example.org", id="Cc and Resent"),
        pytest.param("Delivered-To: a@example.org\nEnvelope-to: b@example.org\nX-Original-To: c@example.org\n"
                     "X-Envelope-To: d@example.org\nX-Delivered-To: e@example.org\n",
                     "a@example.org b@example.org c@example.org d@example.org e@example.org", id="delivery"),
        pytest.param("To: a@b.example.net, b@example.net\n", "a@b.example.net", id="all below a domain"),
        pytest.param("To: a@example.org\nDelivered-To: a@example.org\n", "a@example.org", id="once"),
        pytest.param("To:\r\n a@example.org,\r\n\tb@example.org\r\n", "a@example.org b@example.org", id="folded, CRLF"),
        pytest.param("From: a@example.org\nReply-To: b@example.org\nX-To: c@example.org\nTom: d@example.org\n", "",
                     id="fields that do not count"),
        pytest.param("Subject: x\n\tTo: a@example.org\n", "", id="in a folded line"),
        pytest.param("Delivered-To: example.org-steve@example.org\n", "steve@example.org", id="qmail"),
        pytest.param("X-Original-To: example.org-steve@example.org\n", "example.org-steve@example.org", id="not qmail"),
        pytest.param("To: steve+shop@example.org\n", "steve@example.org", id="tag"),
        pytest.param("To: steve.3.count@example.org, juha.date.31-12-2026@example.org\n",
                     "juha@example.org steve@example.org", id="disposable"),
        pytest.param("To: steve+x.3.count@example.org\n", "steve@example.org", id="disposable of a tagged one"),
        pytest.param("Envelope-to: prvs=0787b0b1b2=steve@example.org\n", "steve@example.org", id="bounce tag"),
        pytest.param("Envelope-to: PRVS=0787b0b1b2=steve+x@example.org\n", "steve@example.org", id="tags"),
        pytest.param("Envelope-to: SRS0=aBcD=EF=example.net=ann@example.org\nTo: SRS1+x=a.example==b@example.org\n",
                     "", id="a forwarder's senders"),
        pytest.param("To: 'steve@example.org'\nCc: a@example.org b@example.org\n",
                     "a@example.org b@example.org steve@example.org", id="as people write it"),
        pytest.param("To: steve.999.count@example.org\n", "steve.999.count@example.org", id="not disposable"),
        pytest.param("List-Post: <mailto:l@example.com>\nTo: l@example.com\nCc: old@example.org\n"
                     "Envelope-to: a@example.org\n", "a@example.org", id="list"),
        pytest.param("List-Post: <mailto:l@example.com>\nTo: l@example.com\nCc: old@example.org\n", "",
                     id="list without delivery field"),
        pytest.param("List-Post: <mailto:l@example.org>\nTo: l@example.org\nCc: old@example.org\n"
                     "Envelope-to: a@example.org\n", "a@example.org l@example.org", id="a list of our own"),
        pytest.param("List-Id: news <n.example.com>\nTo: a@example.org\n", "a@example.org", id="newsletter"),
        pytest.param("List-Id: news <n.example.com>\nTo: a@example.org\nDelivered-To: b@example.org\n",
                     "b@example.org", id="newsletter with delivery field"),
        pytest.param("Precedence: list\nTo: a@example.org\nDelivered-To: b@example.org\n", "b@example.org",
                     id="Precedence: list"),
        pytest.param("Precedence: bulk\nTo: a@example.org\nDelivered-To: b@example.org\n",
                     "a@example.org b@example.org", id="Precedence: bulk"),
        pytest.param("List-Post: <mailto:l@example.org>\nSubject: x\n", "", id="List-Post alone"),
        pytest.param(b"To: J\xf6rg <j\xf6@example.org>, b@example.org\0\n", "b@example.org jö@example.org"
                     .replace("ö", "\udcf6"), id="8 bit and NUL"),
    ],
)  # fmt: skip
def test_recipients(header: str | bytes, expected: str) -> None:
    assert sorted(read(header).split()) == sorted(expected.split())


def test_what_can_be_switched_off() -> None:
    header = "To: to@example.org\nDelivered-To: steve+x@example.org\nEnvelope-To: steve.3.count@example.org\n"
    assert read(header, wanted=Criteria(OURS, False, "")) == "steve+x@example.org steve.3.count@example.org"


@pytest.mark.parametrize(
    ("header", "envelope", "expected"),
    [
        ("Received: a; 1 Feb 2020 10:00:00 +0000\nReceived: b; 1 Jan 2020 10:00:00 +0000\nDate: 1 Mar 2020 10:00 GMT\n",
         b"", "2020-02-01"),
        ("Received: a; 1 Feb 1970 10:00:00 +0000\nDate: 1 Mar 2020 10:00 GMT\n", b"", "2020-03-01"),
        ("Date: 1 Mar 2036 10:00 GMT\n", b"From a Sat Apr  4 10:00:00 2020", "2020-04-04"),
        ("Date: 1 Mar 2036 10:00 GMT\n", b"From a Sat Apr  4 10:00:00 2040", ""),
        ("Subject: x\n", b"", ""),
    ],
)  # fmt: skip
def test_time(header: str, envelope: bytes, expected: str) -> None:
    seconds = Reader(Criteria(OURS), NOW).read(header.encode(), envelope).seconds
    assert (f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}" if seconds else "") == expected


@pytest.mark.parametrize("data", [b"", b"\n\r\n", b"\0\1\2\xff" * 50, b"no field here\nnor here\n"])
def test_broken(data: bytes) -> None:
    with pytest.raises(Broken, match="it "):
        read(data)


def test_is_mail() -> None:
    assert is_mail(b"X: y\nsubject: z\n")
    assert not is_mail(b"root:x:0:0:root:/root:/bin/bash\n")


def test_the_memory_of_values_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message, "CACHED_VALUES_MAX", 2)
    reader = Reader(Criteria(OURS), NOW)
    for k in range(5):
        header = f"To: a{k}@example.org\nCc: {'x' * message.CACHED_VALUE_BYTES_MAX} <b{k}@example.org>\n"
        assert len(reader.read(header.encode()).recipients) == 2
    assert reader.remembered <= 2
