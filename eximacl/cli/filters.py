"""The search options of `eximacl log` and `eximacl archive list`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import click

from eximacl.cli import exits
from eximacl.cli.complete import logged
from eximacl.cli.options import Failure
from eximacl.records.references import normalise
from eximacl.records.search import Wanted
from eximacl.system.times import parse_time

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--domain",
        metavar="DOMAIN",
        shell_complete=logged("domain"),
        help="The recipient's domain; with a dot before it, all below it.",
    ),
    click.option(
        "--recipient", "--rcpt", "recipient", metavar="WHO", help="The recipient: a localpart, an address, or @domain."
    ),
    click.option(
        "--sender",
        "--from",
        "sender",
        metavar="WHO",
        help="The envelope sender, in the same way; '<>' is the null sender of a bounce.",
    ),
    click.option("--ip", metavar="IP", help="The client's address, or its network (192.0.2.0/24)."),
    click.option(
        "--check",
        metavar="SLUG",
        shell_complete=logged("check"),
        help="The reason, as in the column CHECK, such as rdns-tld.",
    ),
    click.option("--ref", metavar="REF", shell_complete=logged("ref"), help="The reference in the bounce."),
    click.option("--since", metavar="WHEN", help="Since then: 2h, 3d, 2026-12-31, 2026-12-31T14:30."),
    click.option("--until", metavar="WHEN", help="Before then; a day means its beginning."),
)
NAMES = ("domain", "recipient", "sender", "ip", "check", "ref", "since", "until")


def filter_options(function: F) -> F:
    """Add all search options."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def last_option(function: F) -> F:
    """Add --last."""
    return click.option("-n", "--last", type=click.IntRange(min=1), metavar="N", help="Only the last N found.")(
        function
    )


def reference_of(text: str) -> str:
    """Return a reference in its one spelling. Raises Failure."""
    try:
        return normalise(text)
    except ValueError as error:
        raise Failure(str(error), exits.DATA) from None


def wanted_of(given: dict[str, str | None]) -> Wanted:
    """Return the search that the options ask for. Raises UsageError, and Failure for a wrong reference."""
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if "ref" in values:
        values["ref"] = reference_of(values["ref"])
    now = time.time()
    for name, value in values.items():
        if value == "":
            raise click.UsageError(f"--{name} is empty" + ("; the null sender is '<>'" if name == "sender" else ""))
        try:
            if name in ("since", "until"):
                value = values[name] = parse_time(value, now)
            Wanted(**{name: value})
        except ValueError as error:
            raise click.UsageError(f"--{name}: {error}") from None
    if "since" in values and "until" in values and values["until"] <= values["since"]:
        raise click.UsageError("--until is not after --since, so nothing can be found")
    return Wanted(**values)
