"""Names on the disk: harmless, never too long, never shared by two domains."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eximacl.archive.layout import (
    MAX_DOMAIN_CHARACTERS,
    Day,
    base_name,
    day_of,
    day_start,
    safe_name,
    stem,
    time_in,
)

KEPT = ["example.org", "xn--bcher-kva.example", "a_b.example", "x" * MAX_DOMAIN_CHARACTERS, "1.2.3.4", "-dash.example"]


@pytest.mark.parametrize("name", KEPT)
def test_a_plain_name_is_kept(name: str) -> None:
    assert safe_name(name) == name


CHANGED = [
    ("", "_-"),
    (".", "_-"),
    ("..", "_-"),
    ("../../etc", "_.._etc-"),
    (".hidden", "hidden-"),
    ("example.org.", "example.org-"),
    ("EXAMPLE.org", "example.org-"),
    ("a/b", "a_b-"),
    ("a\0b", "a_b-"),
    ("a\nb", "a_b-"),
    ("bücher.example", "b_cher.example-"),
    ("\udcff.example", "_.example-"),
    ("[ipv6:2001:db8::1]", "_ipv6_2001_db8__1_-"),
    ("x" * 5000, "x" * 107 + "-"),
]


@pytest.mark.parametrize(("name", "start"), CHANGED)
def test_any_other_gets_a_digest(name: str, start: str) -> None:
    safe = safe_name(name)
    assert safe.startswith(start)
    assert len(safe) == len(start) + 12


@given(st.text() | st.text("./_-aA\0:é", max_size=6))
def test_a_name_is_one_harmless_component(name: str) -> None:
    safe = safe_name(name)
    assert 0 < len(safe) <= MAX_DOMAIN_CHARACTERS
    assert set(safe) <= set("0123456789abcdefghijklmnopqrstuvwxyz_.-")
    assert not safe.startswith(".")
    assert safe_name(safe) == safe


@given(st.lists(st.text("./_-aA\0", max_size=4), min_size=2, max_size=2, unique=True))
def test_no_two_share_a_name(names: list[str]) -> None:
    assert safe_name(names[0]) != safe_name(names[1])


@pytest.fixture
def helsinki() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Helsinki"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("helsinki")
def test_days_are_local() -> None:
    midnight = 1_795_384_800  # 2026-11-22T22:00:00Z
    assert (day_of(midnight - 1), day_of(midnight)) == ("2026-11-22", "2026-11-23")
    assert day_start("2026-11-23") == midnight


@pytest.mark.parametrize(
    "name", ["today", "2026-13-01", "2026-02-30", "2026-1-1", "0000-01-01", "2026-11-23 ", "٢٠٢٦-11-23"]
)
def test_no_day(name: str) -> None:
    assert day_start(name) is None


NAME = "1795435200.M250000P4711Q0.mx.example.org.example.com"


def test_names_of_files() -> None:
    assert base_name(f"{NAME}:2,S") == base_name(NAME) == NAME
    assert stem(NAME) == "1795435200.M250000P4711Q0"
    assert time_in(NAME) == 1_795_435_200.25
    assert time_in("cat.jpg") is time_in("1795435200.M25P1Q1.h") is None


def test_a_day_s_directories() -> None:
    day = Day(Path("/a/example.org/2026-11-23"))
    assert [str(path.relative_to("/a/example.org")) for path in day.directories] == [
        ".",
        "2026-11-23",
        "2026-11-23/envelope",
        "2026-11-23/cur",
        "2026-11-23/new",
        "2026-11-23/tmp",
    ]
    assert day.envelope(NAME) == day.envelopes / f"{NAME}.json"
