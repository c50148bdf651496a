"""Envelopes: what was written is read again, whatever bytes a client sent; what is damaged says how."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eximacl.archive.envelope import Envelope, ReleaseNote, format_envelope, parse_envelope
from tests.archive.holding import NOON
from tests.lab.site import ROOT

TEXTS = st.text() | st.binary(max_size=20).map(lambda data: data.decode("utf-8", "surrogateescape"))
RELEASES = st.builds(ReleaseNote, time=st.integers(0, 4_000_000_000).map(float), recipients=st.tuples(TEXTS), by=TEXTS)
ENVELOPES = st.builds(
    Envelope,
    **dict.fromkeys(("ref", "sender", "ip", "host", "helo", "reason", "check", "sentence", "subject"), TEXTS),
    message_id=TEXTS,
    time=st.integers(0, 4_000_000_000).map(float),
    recipients=st.lists(TEXTS, min_size=1, max_size=3).map(tuple),
    size=st.integers(0, 2**40),
    sha256=TEXTS,
    released=st.lists(RELEASES, max_size=2).map(tuple),
)


@given(ENVELOPES)
def test_what_is_written_is_read(envelope: Envelope) -> None:
    data = format_envelope(envelope)
    assert data.isascii()
    assert all(byte == 0x0A or 0x20 <= byte < 0x7F for byte in data)
    assert parse_envelope(data) == envelope
    json.dumps(json.loads(data), ensure_ascii=False).encode("utf-8")  # raises where a surrogate is left


GOOD: dict[str, Any] = {
    "ref": "7KQ2M9D4",
    "time": "2026-11-23T12:00:00.250000+00:00",
    "from": "ann@example.net",
    "recipients": ["joe@example.org"],
    "ip": "192.0.2.7",
    "host": "",
    "helo": "mx.example.net",
    "reason": "unknown-recipient",
    "check": "valid_recipient",
    "sentence": "Mail for joe not accepted at example.org",
    "message-id": "<1@example.net>",
    "subject": "hello",
    "size": 51,
    "sha256": "00",
    "released": [{"time": "2026-11-24T12:00:00+02:00", "to": ["joe@example.org"], "by": "root"}],
}


def test_the_keys_and_their_order() -> None:
    envelope = parse_envelope(json.dumps(GOOD).encode())
    assert (envelope.time, envelope.sender, envelope.message_id) == (NOON, "ann@example.net", "<1@example.net>")
    assert envelope.released[0].time == NOON + 22 * 3600 - 0.25
    assert envelope.released[0].state == "sent"
    assert list(json.loads(format_envelope(envelope))) == list(GOOD)


def test_the_page_s_example_is_one() -> None:
    (example,) = re.findall(r"```json\n(\{\n \"ref\".*?)```", (ROOT / "docs/archive.md").read_text(), re.DOTALL)
    assert list(json.loads(example)) == list(GOOD)
    assert json.loads(format_envelope(parse_envelope(example.encode()))) == json.loads(example)


def test_what_a_later_version_adds_does_not_matter() -> None:
    assert parse_envelope(json.dumps({**GOOD, "colour": "red"}).encode()).ref == "7KQ2M9D4"


DAMAGED = [
    (b"", "is not JSON: Expecting value"),
    (b"\xff", "is not JSON"),
    (b"[" * 100_000, "is not JSON"),
    (b"[]", "is not a JSON object"),
    (json.dumps(GOOD).encode()[:-1], "is not JSON"),
    *[
        (json.dumps({**GOOD, key: value}).encode(), text)
        for key, value, text in (
            ("ref", None, "ref is not a string"),
            ("from", 1, "from is not a string"),
            ("recipients", "joe", "recipients is not a list"),
            ("recipients", [1], "recipients is not a list of strings"),
            ("recipients", [], "recipients is empty"),
            ("time", 1.5, "time is not a string"),
            ("time", "9999-12-31T23:59:59-23:59", "time is not a time in the years 1970 to 9998"),
            ("time", "0001-01-01T00:00:00+23:59", "time is not a time in the years 1970 to 9998"),
            ("time", "1969-12-31T23:59:59+00:00", "time is not a time in the years 1970 to 9998"),
            ("time", "yesterday", "time is not a time"),
            ("time", "2026-11-23T12:00:00", "time has no time zone"),
            ("size", "51", "size is not a number of bytes"),
            ("size", True, "size is not a number of bytes"),
            ("size", 2**63, "size is not a number of bytes"),
            ("size", 10**400, "size is not a number of bytes"),
            ("size", 1e30, "size is not a number of bytes"),
            ("size", -1, "size is not a number of bytes"),
            ("released", {}, "released is not a list"),
            ("released", ["x"], "released is not a list of objects"),
            (
                "released",
                [{"time": "9999-12-31T23:59:59-23:59", "to": [], "by": ""}],
                "time is not a time in the years",
            ),
            ("released", [{"time": GOOD["time"], "to": []}], "by is not a string"),
            ("released", [{**GOOD["released"][0], "state": "x"}], "released has a state other than sent, sending"),
        )
    ],
]


@pytest.mark.parametrize(
    ("data", "text"), DAMAGED, ids=[f"{text} {number}" for number, (_, text) in enumerate(DAMAGED)]
)
def test_a_damaged_one_says_what_is_wrong(data: bytes, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parse_envelope(data)
