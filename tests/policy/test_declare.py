"""The declaration of a check: data that config and docs are made of, refused where it is malformed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from eximacl.mail.lists import Names
from eximacl.policy.declare import (
    ListProbe,
    Named,
    NoOptions,
    Option,
    Tables,
    Text,
    check,
    declared,
    option,
    options_of,
    tables_of,
)
from eximacl.policy.outcome import Outcome
from eximacl.policy.query import Query
from eximacl.policy.questions import Ask


@dataclass(frozen=True, kw_only=True)
class Options:
    names: Names = option(["joe"], "Names that are refused.")
    limit: int = option(3, "How many.", minimum=1, maximum=99)


@check("sample", stages=["rcpt", "data"], options=Options, action="observe", on_unknown="defer")
async def sample(query: Query, options: Options, ask: Ask) -> Outcome:
    """Refuse nobody.

    It is a sample.
    """
    return None


def test_a_declaration_is_data() -> None:
    declaration = declared(sample)
    assert declaration is not None
    assert declaration.run is sample
    assert (declaration.name, declaration.action, declaration.on_unknown) == ("sample", "observe", "defer")
    assert declaration.stages == {"rcpt", "data"}
    assert declaration.options_type is Options
    assert declaration.options == (
        Option("names", Names, ["joe"], "Names that are refused."),
        Option("limit", int, 3, "How many.", 1, 99),
    )
    assert declaration.summary == "Refuse nobody."
    assert declaration.doc == "Refuse nobody.\n\nIt is a sample."


def test_what_a_declaration_leaves_out() -> None:
    @check("bare", stages={"connect"})
    async def bare(query: Query, options: NoOptions, ask: Ask) -> Outcome:
        """Refuse nobody."""
        return None

    declaration = declared(bare)
    assert declaration is not None
    assert (declaration.action, declaration.on_unknown, declaration.options) == ("reject", "accept", ())


@pytest.mark.parametrize("value", [None, 3, "sample", Options, check])
def test_anything_else_declares_no_check(value: object) -> None:
    assert declared(value) is None


async def undocumented(query: Query, options: NoOptions, ask: Ask) -> Outcome:
    return None


def not_async(query: Query, options: NoOptions, ask: Ask) -> Any:
    """Refuse nobody."""


async def fine(query: Query, options: NoOptions, ask: Ask) -> Outcome:
    """Refuse nobody."""
    return None


@dataclass(frozen=True, kw_only=True)
class Undeclared:
    limit: int = 3


class NoDataclass:
    pass


MALFORMED: list[tuple[str, Callable[..., Any], dict[str, Any], str]] = [
    ("no docstring", undocumented, {"stages": {"rcpt"}}, "check 'x': undocumented needs a docstring"),
    ("not async", not_async, {"stages": {"rcpt"}}, "check 'x': not_async must be an async function"),
    ("no stage", fine, {"stages": set()}, "check 'x': stages must be some of connect, helo"),
    ("unknown stage", fine, {"stages": {"rcpt", "quit"}}, "check 'x': stages must be some of"),
    ("plain field", fine, {"stages": {"rcpt"}, "options": Undeclared}, "check 'x': declare limit with option"),
    ("no dataclass", fine, {"stages": {"rcpt"}, "options": NoDataclass}, "check 'x': options must be a dataclass"),
]


@pytest.mark.parametrize(
    ("function", "arguments", "error"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED]
)
def test_a_malformed_declaration_is_refused(
    function: Callable[..., Any], arguments: dict[str, Any], error: str
) -> None:
    with pytest.raises(TypeError, match=f"^{error}"):
        check("x", **arguments)(function)


def test_options_of_names_its_owner() -> None:
    assert [one.name for one in options_of("[server]", Options)] == ["names", "limit"]
    with pytest.raises(TypeError, match=r"^\[server\]: declare limit"):
        options_of("[server]", Undeclared)


@dataclass(frozen=True, kw_only=True)
class Zone(Named):
    weight: int = option(1, "How heavy.")


@dataclass(frozen=True, kw_only=True)
class WithTables:
    zones: Tables[Zone] = option([], "The zones.")
    weight: int = option(1, "How heavy.")


def test_an_option_may_hold_tables_that_know_their_names() -> None:
    zones, weight = options_of("with_tables", WithTables)
    assert (tables_of(zones), tables_of(weight)) == (Zone, None)
    assert [one.name for one in options_of("zones", Zone)] == ["weight"]
    made = Tables([Zone(name="a.example", weight=2)])
    assert [(one.name, one.weight) for one in made] == [("a.example", 2)]
    assert made == (Zone(name="a.example", weight=2),)


def test_a_probe_s_key_is_read_when_it_is_asked_for() -> None:
    key = ["one"]
    probe = ListProbe("x.example", "2.{key}.x.example", "1.{key}.x.example", key)
    asked = probe.question()
    assert asked.names() == (("2.one.x.example", "A"), ("1.one.x.example", "A"))
    assert asked.asked == (("2.{key}.x.example", "A"), ("1.{key}.x.example", "A"))
    key.clear()
    assert probe.question().names() == (("2..x.example", "A"), ("1..x.example", "A"))
    assert ListProbe("x.example", "", "1.x.example").question().names() == (("1.x.example", "A"),)


def test_a_probe_s_name_tells_which_part_of_a_zone_it_is_about() -> None:
    assert [ListProbe("x.example", "2", "1", (), part).name for part in ("", "IPv6")] == [
        "x.example",
        "x.example (IPv6)",
    ]


def test_a_text_has_the_fields_that_its_type_names() -> None:
    class Greeting(Text):
        fields = ("who",)

    assert Greeting("hello {who}").format(who="world") == "hello world"
    assert Text.fields == ()
