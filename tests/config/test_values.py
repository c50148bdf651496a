"""Each type of option: what TOML values it takes, what they become, and what is refused with which words."""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from eximacl.check import Named, Option, Tables, Text, option
from eximacl.checks._dns_lists import ZoneKey
from eximacl.config.problems import Missing, Refused
from eximacl.config.settings import NARROW_EXEMPT_TABLE, FileMode, Redacted, Servers, StateUrl, Table, Template
from eximacl.config.sources import Sources
from eximacl.config.values import (
    CHOICES,
    KINDS,
    Value,
    kind_of,
    read_given,
    read_table,
    read_value,
)
from eximacl.mail.lists import EntryList, Messages, Names, Networks, Secrets, Suffixes
from eximacl.policy.engine import Exempt
from tests.archive.holding import let_everybody_pass, nobody
from tests.config.world import option_of, site

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
    (bool, True, True),
    (int, 3, 3),
    (float, 3, 3.0),
    (float, 0.5, 0.5),
    (str, "", ""),
    (str, "x", "x"),
    (Colour, "red", "red"),
    (tuple[str, ...], ["a", "b"], ("a", "b")),
    (tuple[str, ...], [], ()),
    (Colours, ["green", "red", "green"], ("green", "red")),
    (Colours, [], ()),
    (Greeting, "{name}: {{{txt}}}", Greeting("{name}: {{{txt}}}")),
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
    (Path, "lists/tld", HOME / "lists/tld"),
    (Path, "../x", Path("/etc/x")),
    (Path, "/run/x", Path("/run/x")),
    (Path | None, "", None),
    (Path | None, "x", HOME / "x"),
    (FileMode, "0660", 0o660),
    (FileMode, "600", 0o600),
    (
        Servers,
        ["192.0.2.53", "127.0.0.1:5353", "[::1]:53", "[::1]"],
        ("192.0.2.53", "127.0.0.1:5353", "[::1]:53", "[::1]"),
    ),
    (Redacted, ["subject"], ("subject",)),
    (Redacted, [], ()),
    (StateUrl, "memory:", "memory:"),
    (StateUrl, "sqlite:/var/lib/x.db", "sqlite:/var/lib/x.db"),
    (StateUrl, "sqlite:state.db", "sqlite:/etc/eximacl/state.db"),
    (Template, "", ""),
    (Template, "no {detail} for {recipient}, {{really}}", "no {detail} for {recipient}, {{really}}"),
    (zoneinfo.ZoneInfo, "Europe/Helsinki", zoneinfo.ZoneInfo("Europe/Helsinki")),
]


@pytest.mark.parametrize(("kind", "raw", "value"), GOOD)
def test_good_values(kind: Any, raw: Any, value: Any) -> None:
    found = read(option_of(kind), raw)
    assert found == value
    assert type(found) is type(value)


BAD = [
    (bool, 1, "expected true or false, got a number"),
    (bool, "yes", "expected true or false, got a string"),
    (int, "3", "expected a whole number, got a string"),
    (int, True, "expected a whole number, got a boolean"),
    (int, 3.0, "expected a whole number, got 3.0"),
    (float, "3", "expected a number, got a string"),
    (float, False, "expected a number, got a boolean"),
    (float, float("nan"), "expected a finite number, got nan"),
    (str, 3, "expected a string, got a number"),
    (str, ["a"], "expected a string, got an array"),
    (str, {}, "expected a string, got a table"),
    (Colour, "gren", "expected one of red, green, got 'gren'; did you mean green?"),
    (Colour, "blue", "expected one of red, green, got 'blue'"),
    (Colour, 1, "expected a string, got a number"),
    (tuple[str, ...], "a", "expected an array of strings, got a string"),
    (tuple[str, ...], ["a", 1], "entry 2: expected a string, got a number"),
    (Colours, "red", "expected an array of strings, got a string"),
    (Colours, ["red", "gren"], "expected one of red, green, got 'gren'; did you mean green?"),
    (Greeting, 1, "expected a string, got a number"),
    (Greeting, "{nam}", "{nam}: unknown field; did you mean name?"),
    (Tables[Leaf], "a", "expected tables, or an array of names"),
    (Tables[Leaf], ["a", 1], "expected tables, or an array of names; the array holds something else"),
    (Tables[Leaf], ["a", "a"], '"a" is listed 2 times'),
    (
        Tables[Leaf],
        {"list": {"example": {"net": {"size": 2}}}},
        'list.example.net is read as tables in tables; put the name in quotes: "list.example.net"',
    ),
    (Path, "", "the path is empty"),
    (Path, "a\0b", "a path cannot contain a NUL character"),
    (FileMode, "", "expected permissions in octal, such as \"0660\", got ''"),
    (FileMode, "1777", "expected permissions in octal, such as \"0660\", got '1777'"),
    (FileMode, "00660", "expected permissions in octal, such as \"0660\", got '00660'"),
    (
        Servers,
        ["127.0.0.1:0", "ns.example.net"],
        "'127.0.0.1:0': expected an IP address, or one with a port: 127.0.0.1:5353 or [::1]:53; "
        "'ns.example.net': expected an IP address, or one with a port: 127.0.0.1:5353 or [::1]:53",
    ),
    (Redacted, "subject", "expected an array of strings, got a string"),
    (Redacted, ["subjekt"], "subjekt: unknown name; did you mean subject?"),
    (StateUrl, "memory:x", "expected sqlite:PATH or memory:, got 'memory:x'"),
    (StateUrl, "sqlite", "expected sqlite:PATH or memory:, got 'sqlite'"),
    (
        zoneinfo.ZoneInfo,
        "../etc/passwd",
        "unknown time zone '../etc/passwd'; expected a name such as Europe/Helsinki, or \"\"",
    ),
    (Names, 1, "expected an array, or the path of a list, got a number"),
    (Names, {"joe": "x"}, "expected an array, or the path of a list, got a table"),
    (Messages, {"joe": 1}, "joe: expected a string, got a number"),
    (Suffixes, ["sa", "s a", "vn", "."], "entry 2: 's a' is not a domain name; entry 4: '.' is not a domain name"),
    (Suffixes, "", "the path is empty"),
    (Template, "{recipent}", "{recipent}: unknown field; did you mean recipient?"),
    (Template, "{ip!r}{ip:>9}", "; ".join(["{ip}: write the field's name alone between the braces"] * 2)),
    (Template, "{", "Single '{' encountered in format string; for a brace itself write {{ or }}"),
    (Secrets, ["x"], "expected the path of a file, got an array; secrets do not belong in this file"),
    (Exempt, [], "expected a table, got an array"),
]


@pytest.mark.parametrize(("kind", "raw", "message"), BAD)
def test_bad_values(kind: Any, raw: Any, message: str) -> None:
    with pytest.raises(Refused) as raised:
        read(option_of(kind), raw)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("bounds", "raw", "message"),
    [
        ({"minimum": 1}, 0, "expected at least 1, got 0"),
        ({"maximum": 9}, 10, "expected at most 9, got 10"),
        ({"minimum": 1, "maximum": 9}, 10, "expected at least 1 and at most 9, got 10"),
        ({"minimum": 1, "maximum": 9}, 1, ""),
        ({"minimum": 1, "maximum": 9}, 9, ""),
    ],
)
@pytest.mark.parametrize("kind", [int, float])
def test_bounds(kind: type, bounds: dict[str, float], raw: int, message: str) -> None:
    option = option_of(kind, **bounds)
    if not message:
        assert read(option, raw) == raw
        return
    with pytest.raises(Refused, match=message):
        read(option, raw)


def test_an_array_stands_for_itself() -> None:
    assert "steve" in read(option_of(Names), ["Steve", "joe"])


def test_a_table_gives_recipients_their_texts() -> None:
    found = read(option_of(Messages), {"joe": "No longer here", "@example.net": ""})
    assert found.match("joe", "example.org") == ("joe", "No longer here")
    assert found.match("ann", "example.net") == ("@example.net", "")


def test_a_string_is_the_path_of_a_list(tmp_path: Path) -> None:
    (tmp_path / "nets").write_text("192.0.2.0/24\n")
    assert "192.0.2.7" in read(option_of(Networks), "nets", tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("the-secret-itself", id="no such file"),
        pytest.param("file/the-secret-itself", id="below a file"),
        pytest.param("the-secret-itself" * 100, id="too long for a name"),
    ],
)
@pytest.mark.parametrize("kind", [Secrets, ZoneKey])
def test_a_secret_in_place_of_its_file_is_not_shown(tmp_path: Path, text: str, kind: type) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Missing, match=r"^names a file that holds the key; that file does not exist$"):
        read(option_of(kind), text, tmp_path)


def test_secrets_that_may_not_be_looked_for_are_named(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    let_everybody_pass(tmp_path)
    (tmp_path / "closed").chmod(0o700)
    with nobody(), pytest.raises(Refused, match="closed/key cannot be read: Permission denied"):
        read(option_of(Secrets), "closed/key", tmp_path)


def test_secrets_come_from_a_file_or_there_are_none(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("a-long-enough-secret\n")
    path.chmod(0o600)
    assert list(read(option_of(Secrets), "secret", tmp_path)) == [b"a-long-enough-secret"]
    assert not list(read(option_of(Secrets), ""))


def test_a_list_that_refuses_entries_only_together_says_why() -> None:
    class AtMostOne(Names):
        def replace(self, entries: Any) -> None:
            super().replace(entries)
            if len(self) > 1:
                raise ValueError("only one")

    with pytest.raises(Refused, match="only one"):
        read(option_of(AtMostOne), ["a", "b"])


def test_exemptions_are_a_table_of_lists() -> None:
    found = read(option_of(Exempt), {"hosts": [".example.net"], "ips": ["192.0.2.7"]})
    assert found.hosts.match("mx.example.net")
    assert "192.0.2.7" in found.ips
    assert not len(found.senders)


def test_types_that_no_entry_covers_are_a_programming_error() -> None:
    for kind in (complex, tuple[int, ...], tuple[complex, ...]):
        with pytest.raises(TypeError, match=r"options cannot be of type .*; use one of bool, int"):
            kind_of(kind)


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
    table = Table("t", "", (Option("branches", Tables[Branch], [], "Help."),))
    read_given(table, {"branches": raw}, here, Sources(HOME))
    assert sorted(map(str, here.problems)) == sorted(f"eximacl.toml: t.branches{one}" for one in problems)


def test_a_private_list_comes_from_a_file_only(tmp_path: Path) -> None:
    class Key(Names):
        private = True

    path = tmp_path / "key"
    path.write_text("hidden\n")
    path.chmod(0o600)
    assert len(read(option_of(Key), "key", tmp_path)) == 1
    assert not len(read(option_of(Key), ""))
    with pytest.raises(Refused, match="secrets do not belong in this file"):
        read(option_of(Key), ["hidden"])
    path.chmod(0o644)
    with pytest.raises(Refused, match="everyone may read"):
        read(option_of(Key), "key", tmp_path)


@pytest.mark.parametrize("annotation", [*KINDS, Names, Colour, Colours, Greeting, Tables[Leaf]])
def test_every_kind_has_a_word_for_the_docs(annotation: Any) -> None:
    annotation = {Literal: Colour, CHOICES: Colours}.get(annotation, annotation)
    kind = kind_of(annotation)
    assert kind.expected
    assert kind.word(annotation)


def test_a_table_takes_defaults_for_what_is_not_given() -> None:
    table = Table("table", "", (Option("a", int, 1, ""), Option("b", tuple[str, ...], ("x",), "")))
    here = site()
    assert read_table(table, {"a": 2}, here, Sources(HOME)) == {"a": Value(2, 2), "b": Value(("x",), ["x"])}
    assert here.problems == []


def test_a_table_reports_all_that_is_wrong_and_returns_the_rest() -> None:
    table = Table(
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
    assert read_table(Table("t", "", (Option("c", Suffixes, "tld", ""),)), {}, here, Sources(tmp_path)) == {}
    assert str(here.problems[0]) == "eximacl.toml: t.c: tld line 1: 's a' is not a domain name"


def test_what_is_no_table_has_no_values() -> None:
    here = site(key="t")
    assert read_given(NARROW_EXEMPT_TABLE, [], here, Sources(HOME)) == {}
    assert str(here.problems[0]) == "eximacl.toml: t: expected a table, got an array"


def test_only_what_is_given_is_read() -> None:
    given = read_given(NARROW_EXEMPT_TABLE, {"hosts": []}, site(), Sources(HOME))
    assert list(given) == ["hosts"]
    assert isinstance(given["hosts"].value, EntryList)


def test_an_empty_time_zone_is_the_machine_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert read(option_of(zoneinfo.ZoneInfo), "").key == "Asia/Tokyo"
