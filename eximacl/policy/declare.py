"""How a check is declared: a coroutine, its stages, and its options with type, default and help in one place.

    @dataclass(frozen=True, kw_only=True)
    class Options:
        tlds: Suffixes = option("lists/tld", "Top-level domains and longer suffixes that are refused.")

    @check("rdns_tld", stages={"connect", "helo", "mail", "rcpt"}, options=Options)
    async def rdns_tld(query: Query, options: Options, ask: Ask) -> Outcome: ...

Where options must agree with each other, `Options.__post_init__` raises ValueError with a text that starts
with the name of the option to change (`secrets: sign = true needs …`); lists are filled by then. The config
reports it as a problem of `checks.NAME`. A `ZoneInfo` may be given as "": the machine's own time zone.

A declaration is data: the config reads TOML by it, the docs and `eximacl config explain` print it.

An option may hold tables, each with a name and the same keys: `Tables[Zone]`, where `Zone` is a dataclass of options
made from `Named`. `zones = ["a", "b"]` is short for two tables in which nothing is set.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from eximacl.policy.outcome import Action, Hit, OnUnknown, Outcome
from eximacl.policy.query import STAGES, Query, Stage
from eximacl.policy.questions import Ask, Lookup
from eximacl.system import plugins

CheckFunction = Callable[[Query, Any, Ask], Awaitable[Outcome]]
F = TypeVar("F", bound=Callable[..., Awaitable[Outcome]])

_TABLE_NAME = "table_name"


@dataclass(frozen=True, kw_only=True)
class Named:
    """What a table of a `Tables` option becomes; subclasses declare its keys like options. name: the table's name.

    `__post_init__` may raise ValueError, like that of options; it is reported as a problem of this table.
    """

    name: str = dataclasses.field(metadata={_TABLE_NAME: True})


N_co = TypeVar("N_co", bound=Named, covariant=True)


class Tables(tuple[N_co, ...], Generic[N_co]):
    """The value of an option that holds tables, in the order of the file."""

    __slots__ = ()


class Text(str):
    """A text with {fields}, to be filled with `format`; a subclass names the fields that exist."""

    fields: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """One option. default: as it would be written in TOML. minimum, maximum: the bounds of a number."""

    name: str
    type: Any
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None


class ListProbe(NamedTuple):
    """How to test whether a DNS list works (RFC 5782, section 5): what it always lists, and what it never does.

    zone: as it is shown. listed, clean: the whole names to look up; an empty `listed` is not looked up.
    key: replaces `{key}` in these names; read at each look-up, since the file that holds it may change.
    part: the part of the zone that these test points are for, where it has several.
    """

    zone: str
    listed: str
    clean: str
    key: Iterable[str] = ()
    part: str = ""

    @property
    def name(self) -> str:
        """The name for `Ask.list_fault`, which is also shown where the list is at fault."""
        return f"{self.zone} ({self.part})" if self.part else self.zone

    def question(self) -> Lookup:
        """Return what to look up: `listed`, unless it is empty, then `clean`, each with the key as it is now."""
        points = [name for name in (self.listed, self.clean) if name]
        key = next(iter(self.key), "")
        return Lookup(tuple((name, "A") for name in points), (key,) * len(points), of_policy=True)


def _none(_options: Any) -> tuple[()]:
    return ()


def _never(_options: Any) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Check:
    """A check as declared. `summary` and `doc` come from the function's docstring.

    Each of these is called with the check's options.
    probes: how to test the DNS lists that it asks.
    listens_to: the names of earlier checks whose observed hits it reads from `Ask.observed`; where it runs at `data`,
    they run there too.
    counts: the names of later checks whose refusals it counts (see `CountFate`).
    idle: True if, with these options, it can never object; it is then skipped.
    no_effect: a text for the admin about each option whose value can never have the effect that it names.

    resolves: whether it can say whom a recipient's name stands for (`Alias`, `Hit.stands_for`). It then runs, without
    a say, also where mail is exempt from it, and in a domain in which it is off, as long as it is on in another.
    heeds_allowed: False if an earlier check's `Allowed` does not spare from it: it keeps limits that are the
    recipient's own, no matter who the client is.
    temporary: whether all of its objections are `Hit.temporary`. `config test` has a note on an action that
    asks for more than `defer`.
    allows: whether it may return `Allowed`. Where it is left out before a recipient is known, since a domain wants it
    otherwise, those that it might spare from are left out, too.
    spare_known: the default of the option `spare_known`: whether mail from senders to whom our users have written is
    spared from it.
    wants_resolved: whether it refuses names that it does not know, so that those which a check would resolve after it
    are refused, too. `config test` has a note on such an order.
    once: whether at DATA it judges the message as a whole. It then runs for the first recipient that is not exempt, and
    not for each of perhaps 50,000.
    """

    name: str
    run: CheckFunction
    stages: frozenset[Stage]
    options_type: type
    options: tuple[Option, ...]
    action: Action
    on_unknown: OnUnknown
    summary: str
    doc: str
    probes: Callable[[Any], Iterable[ListProbe]] = _none
    listens_to: Callable[[Any], Iterable[str]] = _none
    counts: Callable[[Any], Iterable[str]] = _none
    idle: Callable[[Any], bool] = _never
    no_effect: Callable[[Any], Iterable[str]] = _none
    resolves: bool = False
    heeds_allowed: bool = True
    once: bool = False
    spare_known: bool = False
    wants_resolved: bool = False
    temporary: bool = False
    allows: bool = False


@dataclass(frozen=True, kw_only=True)
class NoOptions:
    """For a check without options."""


# From the weakest to the strongest.
_STRENGTH: tuple[Action, ...] = ("off", "observe", "defer", "hold", "reject", "drop")


def strongest(hits: Iterable[Hit]) -> Hit | None:
    """Return the (first) hit with the strongest `action`; None where all of them are off."""
    counted = [hit for hit in hits if hit.action != "off"]
    return max(counted, key=lambda hit: _STRENGTH.index(hit.action or "reject"), default=None)


def option(default: Any, help: str, *, minimum: float | None = None, maximum: float | None = None) -> Any:  # noqa: A002
    """Declare a field of an Options dataclass as an option: its TOML default, its help, and a number's bounds."""
    metadata = {"default": default, "help": help, "minimum": minimum, "maximum": maximum}
    return dataclasses.field(metadata=metadata)


def check(
    name: str,
    *,
    stages: Iterable[Stage],
    options: type = NoOptions,
    action: Action = "reject",
    on_unknown: OnUnknown = "accept",
    probes: Callable[[Any], Iterable[ListProbe]] = _none,
    listens_to: Callable[[Any], Iterable[str]] = _none,
    counts: Callable[[Any], Iterable[str]] = _none,
    idle: Callable[[Any], bool] = _never,
    no_effect: Callable[[Any], Iterable[str]] = _none,
    resolves: bool = False,
    heeds_allowed: bool = True,
    once: bool = False,
    spare_known: bool = False,
    wants_resolved: bool = False,
    temporary: bool = False,
    allows: bool = False,
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
            probes=probes,
            listens_to=listens_to,
            counts=counts,
            idle=idle,
            no_effect=no_effect,
            resolves=resolves,
            heeds_allowed=heeds_allowed,
            once=once,
            spare_known=spare_known,
            wants_resolved=wants_resolved,
            temporary=temporary,
            allows=allows,
        )
        plugins.mark(function, declaration)
        return marked

    return mark


def declared(value: object) -> Check | None:
    """Return the declaration that `@check` put on a function, or None."""
    return plugins.declaration_of(value, Check)


def options_of(owner: str, options: type) -> tuple[Option, ...]:
    """Return what a dataclass of `option` fields declares. Raises TypeError, naming `owner`, on anything else."""
    if not dataclasses.is_dataclass(options):
        raise TypeError(f"{owner}: options must be a dataclass")
    types = typing.get_type_hints(options)
    found = []
    for field in dataclasses.fields(options):
        if _TABLE_NAME in field.metadata:
            continue
        if "help" not in field.metadata:
            raise TypeError(f"{owner}: declare {field.name} with option(default, help)")
        found.append(Option(field.name, types[field.name], **field.metadata))
    return tuple(found)


def tables_of(option: Option) -> type[Named] | None:
    """Return what the tables of an option become; None where it holds no tables."""
    return typing.get_args(option.type)[0] if typing.get_origin(option.type) is Tables else None
