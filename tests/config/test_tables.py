"""Tables with names, as they stand in TOML: both forms, names with dots, and names that lost their quotes."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from eximacl.check import Option, Tables
from eximacl.config.problems import Refused
from eximacl.config.settings import Table
from eximacl.config.tables import given_tables

TABLE = Table("zones", "", (Option("weight", float, 1, ""), Option("codes", Tables, [], "")))
EXPECTED = "tables, or an array of names"


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("zones = []", {}),
        ("[zones]", {}),
        ('zones = ["b.example", "a.example"]', {"b.example": {}, "a.example": {}}),
        ('[zones."a.example"]', {"a.example": {}}),
        ('[zones."a.example"]\nweight = 2\n[zones."b.example"]', {"a.example": {"weight": 2}, "b.example": {}}),
        ("[zones.local.codes.x]", {"local": {"codes": {"x": {}}}}),
        ("[zones.local.code.x]", {"local": {"code": {"x": {}}}}),
        ('[zones."a.example".other.x]', {"a.example": {"other": {"x": {}}}}),
        ('zones = { "a.example" = 1 }', {"a.example": 1}),
    ],
)
def test_what_is_given(text: str, given: dict[str, Any]) -> None:
    found = given_tables(tomllib.loads(text)["zones"], TABLE, EXPECTED)
    assert list(found.items()) == list(given.items())


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("zones = 1", ["expected tables, or an array of names"]),
        ("zones = [1]", ["expected tables, or an array of names; the array holds something else"]),
        ('zones = ["a", "b", "a", "b", "a"]', ['"a" is listed 3 times', '"b" is listed 2 times']),
        (
            "[zones.a.example]",
            ['a.example is read as tables in tables; put the name in quotes: "a.example"'],
        ),
        (
            "[zones.a.example.net]\nweight = 1\n[zones.b.example]\ncodes = []\n[zones.c]",
            [
                'a.example.net is read as tables in tables; put the name in quotes: "a.example.net"',
                'b.example is read as tables in tables; put the name in quotes: "b.example"',
            ],
        ),
    ],
)
def test_what_is_refused(text: str, problems: list[str]) -> None:
    with pytest.raises(Refused) as raised:
        given_tables(tomllib.loads(text)["zones"], TABLE, EXPECTED)
    assert list(raised.value.messages) == problems
