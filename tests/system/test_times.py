"""Times and spans as people type them."""

from __future__ import annotations

import os
import time
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

import pytest

from eximacl.system.times import TIME_MAX_SECONDS, local, local_zone, parse_instant, parse_span, parse_time

NOW = 1_795_450_593.8


@pytest.fixture(autouse=True)
def helsinki(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Helsinki")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("3 d", 259_200), (" 2W ", 1_209_600), ("0s", 0)],
)
def test_spans(text: str, seconds: float) -> None:
    assert parse_span(text) == seconds
    assert parse_time(text, NOW) == NOW - seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2026-12-31", 1_798_668_000, id="a day begins at midnight here"),
        pytest.param("2026-12-31 14:30", 1_798_720_200, id="a time here"),
        pytest.param("2026-12-31T14:30:05Z", 1_798_727_405, id="with a zone"),
        pytest.param(" 2026-12-31T14:30:05.5+01:00 ", 1_798_723_805.5, id="with an offset"),
    ],
)
def test_times(text: str, expected: float) -> None:
    assert parse_time(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "2", "h", "-2h", "2h3m", "1.5h", "two hours", "٣d", "30days"])
def test_no_span(text: str) -> None:
    with pytest.raises(ValueError, match="is not a span of time; give a number and one of s, m, h, d, w"):
        parse_span(text)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-12", "0001-01-01", "12:30"])
def test_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time; give a span such as 2h"):
        parse_time(text, NOW)


def test_too_long_a_span() -> None:
    for parse in (parse_span, lambda text: parse_time(text, NOW)):
        with pytest.raises(ValueError, match="'9999999d' is too long; the number has at most 6 digits"):
            parse("9999999d")


@pytest.mark.parametrize(
    "text",
    ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "0001-01-01", "1969-12-31T23:59:59Z", "9999-01-02"],
)
def test_what_the_calendar_of_some_zone_does_not_have(text: str) -> None:
    with pytest.raises(ValueError, match="is outside the calendar"):
        parse_instant(text)


def test_every_other_instant_can_be_shown() -> None:
    assert local(parse_instant("1970-01-01T00:00:00Z")) == "1970-01-01 02:00:00"
    assert local(TIME_MAX_SECONDS - 1) == "9999-01-01 01:59:59"


def test_local() -> None:
    assert local(NOW) == "2026-11-23 18:16:33"


@pytest.mark.parametrize(
    ("variable", "key"),
    [("Asia/Tokyo", "Asia/Tokyo"), (":Asia/Tokyo", "Asia/Tokyo"), ("", "localtime"), ("EST5EDT,M3.2.0", "localtime")],
)
def test_the_local_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, key: str) -> None:
    monkeypatch.setenv("TZ", variable)
    localtime = tmp_path / "localtime"
    localtime.write_bytes(
        next(root for root in map(Path, zoneinfo.TZPATH) if root.is_dir()).joinpath("Europe/Helsinki").read_bytes()
    )
    assert local_zone(localtime).key == key
    monkeypatch.delenv("TZ")
    assert local_zone(localtime).key == "localtime"
    assert local_zone(tmp_path / "nowhere").key == "UTC"
    os.mkfifo(tmp_path / "fifo")
    assert local_zone(tmp_path / "fifo").key == "UTC"
