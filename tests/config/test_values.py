"""Whole tables, the tables of an option in both forms, and a type for every option."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from eximacl.check import Named, Option, Tables, Text, option
from eximacl.config.kinds import CHOICES
from eximacl.config.problems import Refused
from eximacl.config.settings import NARROW_EXEMPT_TABLE, OptionTable
from eximacl.config.sources import Sources
from eximacl.config.values import KINDS, Value, given_tables, kind_of, read_given, read_table, read_value
from eximacl.mail.entry_list import EntryList
from eximacl.mail.lists import Names, Suffixes
from eximacl.policy.plan import Exempt
from tests.config.world import option_of, site
from tests.mail.test_entries import BLANK

HOME = Path("/etc/eximacl")
Colour = Literal["red", "green"]
Colours = tuple[Colour, ...]


class Greeting(Text):
    fields = ("name", "txt")


@dataclass(frozen=True, kw_only=True)
class Leaf(Named):
    """A leaf."""

    size: int = option(1, "Its size.", minimum=1)


@dataclass(frozen=True, kw_only=True)
class Branch(Named):
    """A branch."""

    weight: float = option(1, "Its weight.")
    colour: Colour = option("red", "Its colour.")
    leaves: Tables[Leaf] = option(["only"], "Its leaves.")

    def __post_init__(self) -> None:
        if self.name == "rotten":
            raise ValueError("weight: a rotten branch has none")


ONLY = Tables([Leaf(name="only", size=1)])


def read(option: Option, raw: Any, home: Path = HOME) -> Any:
    return read_value(option, raw, site(home), Sources(home))


GOOD = [
    (Tables[Leaf], [], Tables()),
    (Tables[Leaf], {}, Tables()),
    (Tables[Leaf], ["a.b", ""], Tables([Leaf(name="a.b", size=1), Leaf(name="", size=1)])),
    (Tables[Leaf], {"b": {"size": 2}, "a": {}}, Tables([Leaf(name="b", size=2), Leaf(name="a", size=1)])),
    (Tables[Branch], ["x"], Tables([Branch(name="x", weight=1.0, colour="red", leaves=ONLY)])),
    (
        Tables[Branch],
        {"x": {"weight": 2, "leaves": {"l.m": {"size": 3}}}},
        Tables([Branch(name="x", weight=2.0, colour="red", leaves=Tables([Leaf(name="l.m", size=3)]))]),
    ),
]


@pytest.mark.parametrize(("kind", "raw", "value"), GOOD)
def test_good_values(kind: Any, raw: Any, value: Any) -> None:
    assert read(option_of(kind), raw) == value


BAD = [
    (Tables[Leaf], "a", "expected tables, or an array of names"),
    (Tables[Leaf], ["a", 1], "expected tables, or an array of names; the array holds something else"),
    (Tables[Leaf], ["a", "a"], '"a" is listed 2 times'),
    (
        Tables[Leaf],
        {"list": {"example": {"net": {"size": 2}}}},
        'list.example.net is read as tables in tables; put the name in quotes: "list.example.net"',
    ),
    (Exempt, [], "expected a table, got an array"),
]


@pytest.mark.parametrize(("kind", "raw", "message"), BAD)
def test_bad_values(kind: Any, raw: Any, message: str) -> None:
    with pytest.raises(Refused) as raised:
        read(option_of(kind), raw)
    assert str(raised.value) == message


def test_exemptions_are_a_table_of_lists() -> None:
    found = read(option_of(Exempt), {"hosts": [".example.net"], "ips": ["192.0.2.7"]})
    assert found.hosts.match("mx.example.net")
    assert "192.0.2.7" in found.ips
    assert not len(found.senders)


def test_a_key_of_a_table_with_a_name_says_where_it_stands() -> None:
    here = site(key="t")
    table = OptionTable("t", "", (Option("branches", Tables[Branch], [], "Help."),))
    read_given(table, {"weight": 2}, here, Sources(HOME))
    told = "eximacl.toml: t.weight: unknown key; it stands in a table with a name: [t.branches.NAME]"
    assert list(map(str, here.problems)) == [told]


WRONG_TABLES = [
    ({"a.b": 1}, ['."a.b": expected a table, got a number']),
    ({"a.b": {"weigth": 2}}, ['."a.b".weigth: unknown key; did you mean weight?']),
    ({"a": {"colour": "gren"}}, [".a.colour: expected one of red, green, got 'gren'; did you mean green?"]),
    ({"a": {"leaves": {"l": {"size": 0}}}}, [".a.leaves.l.size: expected at least 1, got 0"]),
    ({"a": {"leafs": {"l": {}}}}, [".a.leafs: unknown key; did you mean leaves?"]),
    ({"a": {"leaves": ["l", "l"]}}, ['.a.leaves: "l" is listed 2 times']),
    (
        {"rotten": {}, "b": {"weight": "2"}},
        [".rotten: weight: a rotten branch has none", ".b.weight: expected a number, got a string"],
    ),
]


@pytest.mark.parametrize(("raw", "problems"), WRONG_TABLES)
def test_what_is_wrong_in_a_table_is_said_where_it_stands(raw: Any, problems: list[str]) -> None:
    here = site(key="t")
    table = OptionTable("t", "", (Option("branches", Tables[Branch], [], "Help."),))
    read_given(table, {"branches": raw}, here, Sources(HOME))
    assert sorted(map(str, here.problems)) == sorted(f"eximacl.toml: t.branches{one}" for one in problems)


def test_a_table_takes_defaults_for_what_is_not_given() -> None:
    table = OptionTable("table", "", (Option("a", int, 1, ""), Option("b", tuple[str, ...], ("x",), "")))
    here = site()
    assert read_table(table, {"a": 2}, here, Sources(HOME)) == {"a": Value(2, 2), "b": Value(("x",), ["x"])}
    assert here.problems == []


def test_a_table_reports_all_that_is_wrong_and_returns_the_rest() -> None:
    table = OptionTable(
        "t", "", (Option("a", int, 1, ""), Option("b", str, None, "The b."), Option("c", Names, "nowhere", ""))
    )
    here = site(key="t")
    assert read_table(table, {"a": "x", "d": 1}, here, Sources(HOME)).keys() == {"c"}
    assert [str(problem) for problem in here.problems] == [
        "eximacl.toml: t.a: expected a whole number, got a string",
        "eximacl.toml: t.d: unknown key; known: a, b, c",
        "eximacl.toml: t.b: must be set: The b.",
    ]


def test_a_default_that_is_refused_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "tld").write_text("s a\n")
    here = site(tmp_path, "t")
    assert read_table(OptionTable("t", "", (Option("c", Suffixes, "tld", ""),)), {}, here, Sources(tmp_path)) == {}
    assert str(here.problems[0]) == f"eximacl.toml: t.c: tld line 1: 's a' is not a domain name: {BLANK}"


def test_what_is_no_table_has_no_values() -> None:
    here = site(key="t")
    assert read_given(NARROW_EXEMPT_TABLE, [], here, Sources(HOME)) == {}
    assert str(here.problems[0]) == "eximacl.toml: t: expected a table, got an array"


def test_only_what_is_given_is_read() -> None:
    given = read_given(NARROW_EXEMPT_TABLE, {"hosts": []}, site(), Sources(HOME))
    assert list(given) == ["hosts"]
    assert isinstance(given["hosts"].value, EntryList)


def test_types_that_no_entry_covers_are_a_programming_error() -> None:
    for kind in (complex, tuple[int, ...], tuple[complex, ...]):
        with pytest.raises(TypeError, match=r"options cannot be of type .*; use one of bool, int"):
            kind_of(kind)


def test_types_have_the_names_that_one_writes() -> None:
    """Python's own text for a union differs from version to version."""
    with pytest.raises(TypeError) as raised:
        kind_of(complex)
    assert str(raised.value).startswith(
        "options cannot be of type complex; use one of bool, int, float, str, Literal, "
    )
    assert ", tuple[str, ...], " in str(raised.value)
    assert ", Path | None, " in str(raised.value)


@pytest.mark.parametrize("annotation", [*KINDS, Names, Colour, Colours, Greeting, Tables[Leaf]])
def test_every_kind_has_a_word_for_the_docs(annotation: Any) -> None:
    annotation = {Literal: Colour, CHOICES: Colours}.get(annotation, annotation)
    kind = kind_of(annotation)
    assert kind.expected
    assert kind.word(annotation)


TABLE = OptionTable("zones", "", (Option("weight", float, 1, ""), Option("codes", Tables, [], "")))
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
