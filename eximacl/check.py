"""How a check is declared: a coroutine, its stages, and its options with type, default and help in one place.

    @dataclass(frozen=True, kw_only=True)
    class Options:
        tlds: Suffixes = option("lists/tld", "Top-level domains and longer suffixes that are refused.")

    @check("rdns_tld", stages={"connect", "helo", "mail", "rcpt"}, options=Options)
    async def rdns_tld(query: Query, options: Options, ask: Ask) -> Outcome: ...

Where options must agree with each other, `Options.__post_init__` raises ValueError with a text that starts
with the name of the option to change (`secrets: sign = true needs …`); lists are filled by then. The config
turns it into a problem of `checks.NAME`. A `ZoneInfo` may be given as "": the machine's own zone.

Rule: a declaration is data. The config reads TOML by it, the docs and `eximacl config explain` print it,
and nothing is registered by hand.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from eximacl.lists import Messages, Names, Networks, Patterns, PatternTimeout, Recipients, Secrets, Suffixes
from eximacl.model import STAGES, Action, Alias, Hit, OnUnknown, Outcome, Query, Stage, Unknown
from eximacl.questions import Ask

__all__ = [
    "Alias",
    "Ask",
    "Check",
    "CheckFunction",
    "Hit",
    "Messages",
    "Names",
    "Networks",
    "NoOptions",
    "Option",
    "Outcome",
    "PatternTimeout",
    "Patterns",
    "Query",
    "Recipients",
    "Secrets",
    "Suffixes",
    "Unknown",
    "check",
    "declared",
    "option",
    "options_of",
]

CheckFunction = Callable[[Query, Any, Ask], Awaitable[Outcome]]
F = TypeVar("F", bound=Callable[..., Awaitable[Outcome]])

_MARK = "__eximacl_check__"


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a check. `default` is what one would write in TOML; `minimum`/`maximum` bound numbers."""

    name: str
    type: Any
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A check as declared. `summary` and `doc` come from the function's docstring."""

    name: str
    run: CheckFunction
    stages: frozenset[Stage]
    options_type: type
    options: tuple[Option, ...]
    action: Action
    on_unknown: OnUnknown
    summary: str
    doc: str


@dataclass(frozen=True, kw_only=True)
class NoOptions:
    """For a check that has no options of its own."""


def option(default: Any, help: str, *, minimum: float | None = None, maximum: float | None = None) -> Any:  # noqa: A002
    """Declare a field of an Options dataclass as an option: its TOML default, its help, a number's bounds."""
    metadata = {"default": default, "help": help, "minimum": minimum, "maximum": maximum}
    return dataclasses.field(metadata=metadata)


def check(
    name: str,
    *,
    stages: Iterable[Stage],
    options: type = NoOptions,
    action: Action = "reject",
    on_unknown: OnUnknown = "accept",
) -> Callable[[F], F]:
    """Declare a coroutine function to be the check `name`. Raises TypeError on a malformed declaration."""

    def mark(marked: F) -> F:
        function: Callable[..., Awaitable[Outcome]] = marked
        doc = inspect.getdoc(function)
        if not doc:
            raise TypeError(f"check {name!r}: {marked.__name__} needs a docstring; it becomes the check's help")
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"check {name!r}: {marked.__name__} must be an async function")
        unknown = set(stages) - set(STAGES)
        if unknown or not stages:
            raise TypeError(f"check {name!r}: stages must be some of {', '.join(STAGES)}")
        declaration = Check(
            name=name,
            run=function,
            stages=frozenset(stages),
            options_type=options,
            options=options_of(f"check {name!r}", options),
            action=action,
            on_unknown=on_unknown,
            summary=doc.partition("\n")[0],
            doc=doc,
        )
        setattr(function, _MARK, declaration)
        return marked

    return mark


def declared(value: object) -> Check | None:
    """Return the declaration that `@check` put on a function, or None."""
    found = getattr(value, _MARK, None)
    return found if isinstance(found, Check) else None


def options_of(owner: str, options: type) -> tuple[Option, ...]:
    """Return what a dataclass of `option` fields declares. Raises TypeError, naming `owner`, on anything else."""
    if not dataclasses.is_dataclass(options):
        raise TypeError(f"{owner}: options must be a dataclass")
    types = typing.get_type_hints(options)
    found = []
    for field in dataclasses.fields(options):
        if "help" not in field.metadata:
            raise TypeError(f"{owner}: declare {field.name} with option(default, help)")
        found.append(Option(field.name, types[field.name], **field.metadata))
    return tuple(found)
