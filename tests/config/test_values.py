"""Each type of option: what TOML values it takes, what they become, and what is refused with which words."""

from __future__ import annotations

import os
import zoneinfo
from pathlib import Path
from typing import Any, Literal

import pytest

from eximacl.check import Option
from eximacl.config.declare import NARROW_EXEMPT_TABLE, FileMode, Redacted, StateUrl, Table, Template
from eximacl.config.problems import Refused
from eximacl.config.sources import Sources
from eximacl.config.values import (
    KINDS,
    Value,
    kind_of,
    local_zone,
    read_given,
    read_table,
    read_value,
    toml_type,
)
from eximacl.lists import EntryList, Messages, Names, Networks, Secrets, Suffixes
from eximacl.policy import Exempt
from tests.config.world import option_of, site

HOME = Path("/etc/eximacl")
Colour = Literal["red", "green"]


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
    (Path, "lists/tld", HOME / "lists/tld"),
    (Path, "../x", Path("/etc/x")),
    (Path, "/run/x", Path("/run/x")),
    (Path | None, "", None),
    (Path | None, "x", HOME / "x"),
    (FileMode, "0660", 0o660),
    (FileMode, "600", 0o600),
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
    (Path, "", "the path is empty"),
    (Path, "a\0b", "a path cannot contain a NUL character"),
    (FileMode, "", "expected permissions in octal, such as \"0660\", got ''"),
    (FileMode, "1777", "expected permissions in octal, such as \"0660\", got '1777'"),
    (FileMode, "00660", "expected permissions in octal, such as \"0660\", got '00660'"),
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
    with pytest.raises(TypeError, match=r"options cannot be of type .*complex.*; use one of bool, int"):
        kind_of(complex)


@pytest.mark.parametrize("annotation", [*KINDS, Names, Colour])
def test_every_kind_has_a_word_for_the_docs(annotation: Any) -> None:
    kind = kind_of(Colour if annotation is Literal else annotation)
    assert kind.expected
    assert kind.word(Colour if annotation is Literal else annotation)


def test_words_for_what_toml_holds() -> None:
    raws: tuple[Any, ...] = (True, 1, 1.5, "", [], {}, None)
    words = [toml_type(raw) for raw in raws]
    assert words == [
        "a boolean", "a number", "a number", "a string", "an array", "a table", "a date or time",
    ]  # fmt: skip


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


def test_an_empty_time_zone_is_the_machine_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert read(option_of(zoneinfo.ZoneInfo), "").key == "Asia/Tokyo"
