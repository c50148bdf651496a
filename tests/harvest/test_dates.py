"""Dates as hosts write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from eximacl.harvest.dates import AHEAD_SECONDS, EARLIEST_SECONDS, believable, mbox_seconds_of, seconds_of

NOW = datetime(2026, 11, 26, tzinfo=UTC).timestamp()


def iso(seconds: int | None) -> str:
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"from a by b; Thu, 26 Nov 2020 19:08:37 +0200 (EET)", "2020-11-26T17:08:37"),
        (b"from a; 1 Jan 2001 00:00:00 by b;\n\t 26 Nov 2020 19:08 -0130", "2020-11-26T20:38:00"),
        (b"Thu, 26 November 2020 9:08:37 GMT", "2020-11-26T09:08:37"),
        (b"26-nov-2020 19:08:37 EST", "2020-11-27T00:08:37"),
        (b"26 Nov 99 19:08:37", "1999-11-26T19:08:37"),
        (b"26 Nov 20 19:08:37 XYZ", "2020-11-26T19:08:37"),
        (b"31 Feb 2020 19:08:37 +0000", ""),
        (b"26 Nov 0000 19:08:37 +0000", ""),
        (b"yesterday", ""),
        (b"\xff\0;", ""),
    ],
)
def test_received_and_date(value: bytes, expected: str) -> None:
    assert iso(seconds_of(value)) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"From steve@example.org Thu Nov 26 19:08:37 2020", "2020-11-26T19:08:37"),
        (b"From steve@example.org Thu Nov  6 19:08 EET 2020\r", "2020-11-06T19:08:00"),
        (b"From steve@example.org Thu Nov 31 19:08:37 2020", ""),
        (b"From ", ""),
    ],
)
def test_mbox_lines(line: bytes, expected: str) -> None:
    assert iso(mbox_seconds_of(line)) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, False),
        (0, False),
        (EARLIEST_SECONDS - 1, False),
        (EARLIEST_SECONDS, True),
        (NOW + AHEAD_SECONDS, True),
        (NOW + AHEAD_SECONDS + 1, False),
    ],
)
def test_believable(seconds: float | None, expected: bool) -> None:
    assert believable(seconds, NOW) is expected
