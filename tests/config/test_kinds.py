"""Each type of option: what TOML values it takes, what they become, and what is refused with which words."""

from __future__ import annotations

import zoneinfo
from pathlib import Path
from typing import Any, Literal

import pytest

from eximacl.check import Option, Text
from eximacl.checks._list_zones import ZoneKey
from eximacl.config.problems import Missing, Refused
from eximacl.config.settings import FileMode, Redacted, Separators, Servers, StateUrl, Template
from eximacl.config.sources import Sources
from eximacl.config.values import (
    read_value,
)
from eximacl.mail.lists import Messages, Names, Networks, Secrets, Suffixes
from eximacl.state import forms
from tests.archive.holding import let_everybody_pass, nobody
from tests.config.world import option_of, site
from tests.mail.test_entries import BLANK

HOME = Path("/etc/eximacl")
Colour = Literal["red", "green"]
Colours = tuple[Colour, ...]


class Greeting(Text):
    fields = ("name", "txt")


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
    (Separators, "", ""),
    (Separators, "+", "+"),
    (Separators, "+-._=#", "+-._=#"),
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
    (tuple[str, ...], "a", 'expected an array of strings, got a string; write ["a"]'),
    (tuple[str, ...], ["a", 1], "entry 2: expected a string, got a number"),
    (Colours, "red", 'expected an array of strings, got a string; write ["red"]'),
    (Colours, ["red", "gren"], "expected one of red, green, got 'gren'; did you mean green?"),
    (Greeting, 1, "expected a string, got a number"),
    (Greeting, "{nam}", "{nam}: unknown field; did you mean name?"),
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
    (Redacted, "subject", 'expected an array of strings, got a string; write ["subject"]'),
    (Redacted, ["subjekt"], "subjekt: unknown name; did you mean subject?"),
    (StateUrl, "memory:x", f"expected {forms()}, got 'memory:x'"),
    (StateUrl, "sqlite", f"expected {forms()}, got 'sqlite'"),
    (
        zoneinfo.ZoneInfo,
        "../etc/passwd",
        "unknown time zone '../etc/passwd'; expected a name such as Europe/Helsinki, or \"\"",
    ),
    (Names, 1, "expected an array, or the path of a list, got a number"),
    (Names, {"joe": "x"}, "expected an array, or the path of a list, got a table"),
    (Messages, {"joe": 1}, "joe: expected a string, got a number"),
    (
        Suffixes,
        ["sa", "s a", "vn", "."],
        f"entry 2: 's a' is not a domain name: {BLANK}; entry 4: '.' is not a domain name",
    ),
    (Suffixes, "", "the path is empty"),
    (Separators, "+s5@ ", "'s5@ ' cannot start a tag; expected some of !#$%&'*+-./=?^_`{|}~"),
    (Separators, "\u00a7", "'\u00a7' cannot start a tag; expected some of !#$%&'*+-./=?^_`{|}~"),
    (Template, "{recipent}", "{recipent}: unknown field; did you mean recipient?"),
    (Template, "{ip!r}{ip:>9}", "; ".join(["{ip}: write the field's name alone between the braces"] * 2)),
    (Template, "{", "Single '{' encountered in format string; for a brace itself write {{ or }}"),
    (Secrets, ["x"], "expected the path of a file, got an array; secrets do not belong in this file"),
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
    with pytest.raises(Missing, match=r"^names a file that holds the key; that file( in file)? does not exist$"):
        read(option_of(kind), text, tmp_path)


def test_the_path_of_a_secret_that_is_missing_is_shown(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    for text in ("keys/bounce", f"{tmp_path}/keys/bounce"):
        with pytest.raises(Missing, match=rf"^names a file that holds the key; {tmp_path}/keys/bounce does not exist$"):
            read(option_of(Secrets), text, tmp_path)
    with pytest.raises(Missing, match=r"that file in / does not exist$"):
        read(option_of(Secrets), "/the-secret+itself==", tmp_path)


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


def test_an_empty_time_zone_is_the_machine_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert read(option_of(zoneinfo.ZoneInfo), "").key == "Asia/Tokyo"
