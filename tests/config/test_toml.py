"""Writing TOML: whatever is written reads back as the same value, on one line."""

from __future__ import annotations

import datetime
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eximacl.config.toml import toml, toml_key, toml_type

TEXTS = st.text()
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)


@given(VALUES)
def test_round_trip(value: Any) -> None:
    written = toml(value)
    assert "\n" not in written
    assert tomllib.loads(f"key = {written}") == {"key": value}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (True, "true"),
        (0, "0"),
        (0.5, "0.5"),
        ('a "b" \\ \n\x7f', '"a \\"b\\" \\\\ \\n\\u007f"'),
        (("a", 1), '["a", 1]'),
        ({}, "{}"),
        ({"a": 1, "b c": "é"}, '{ a = 1, "b c" = "é" }'),
        ("lone \udcfc", '"lone ?"'),
    ],
)
def test_as_written(value: Any, written: str) -> None:
    assert toml(value) == written


def test_what_toml_has_not() -> None:
    with pytest.raises(TypeError, match="TOML has no date"):
        toml(datetime.date(2026, 1, 1))


@pytest.mark.parametrize(("key", "written"), [("rdns_tld", "rdns_tld"), ("example.org", '"example.org"'), ("", '""')])
def test_keys(key: str, written: str) -> None:
    assert toml_key(key) == written


def test_words_for_what_toml_holds() -> None:
    raws: tuple[Any, ...] = (True, 1, 1.5, "", [], {}, None)
    words = [toml_type(raw) for raw in raws]
    assert words == [
        "a boolean", "a number", "a number", "a string", "an array", "a table", "a date or time",
    ]  # fmt: skip
