"""What the shell offers for an argument when Tab is pressed: references, checks, domains, options of the policy.

Where that cannot be found out, nothing is offered, and no error is printed. No value that is offered has a character
that a shell would interpret.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from eximacl.archive.index import entered, listed, read_envelope
from eximacl.archive.layout import KEY
from eximacl.cli.options import find_path
from eximacl.config import find_checks
from eximacl.config.render import all_tables
from eximacl.records.search import decode, text_of
from eximacl.system import paths
from eximacl.system.files import open_regular
from eximacl.system.text import printable

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

# The newest ones; nobody looks through more.
OFFERED_MAX = 50
# Some thousand lines of the log, which take a moment to read.
LOG_BYTES = 1024 * 1024

_HARMLESS = re.compile(r"[A-Za-z0-9_.-]+")


def archived_reference(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the references of the newest messages in the archive."""
    with contextlib.suppress(Exception):
        root = context.params.get("directory") or find_path(_config(context), "archive", "dir", KEY)
        if root is None:
            return []
        with entered(root):
            newest = sorted(listed(root), reverse=True)[:OFFERED_MAX]
            envelopes = [read_envelope(day.envelope(name)) for _, name, _, day in newest]
        return _offered(((one.ref, f"<{one.sender}> {one.subject}") for one in envelopes), incomplete)
    return []


def logged(key: str) -> Complete:
    """Return a function that offers the newest values of a key in the rejection log."""

    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        with contextlib.suppress(Exception):
            path = context.params.get("path")
            path = path or find_path(_config(context), "log", "rejections", "--log")
            if path is None:
                return []
            return _offered(
                ((text_of(entry, key), "") for entry in map(decode, _last_lines(path)) if entry), incomplete
            )
        return []

    return complete


def explained_name(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the tables and checks of the policy, and after a dot their options."""
    with contextlib.suppress(Exception):
        tables = all_tables(find_checks(_config(context)))
        names = [(name, "") for name in tables]
        if "." in incomplete:
            names = [(f"{name}.{option.name}", "") for name, table in tables.items() for option in table.options]
        return _offered(names, incomplete, len(names))
    return []


def _config(context: click.Context) -> Path:
    return Path(context.params.get("config_path") or paths.CONFIG)


def _last_lines(path: Path) -> Iterable[bytes]:
    """Return the last lines of a file, the newest first."""
    with open_regular(path) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_BYTES))
        return reversed(file.read(LOG_BYTES).split(b"\n"))


def _offered(found: Iterable[tuple[str, str]], incomplete: str, most: int = OFFERED_MAX) -> list[CompletionItem]:
    offered: dict[str, CompletionItem] = {}
    for value, about in found:
        if value.lower().startswith(incomplete.lower()) and _HARMLESS.fullmatch(value) and value not in offered:
            offered[value] = CompletionItem(value, help=printable(about) or None)
            if len(offered) == most:
                break
    return list(offered.values())
