"""What is wrong with a configuration. A problem names file and key, fits on one line, and shows no secret."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from eximacl.system.text import printable

# More than anyone has options or hand-written domains; comparing a million would take minutes.
NEAREST_CANDIDATES_MAX = 1000
# A list that is really a mailbox or a picture has endless entries; this much of one is enough to see that.
LINE_CHARACTERS_MAX = 500


class Problem(NamedTuple):
    """One thing to change. `file` is relative to the configuration's directory; `key` is dotted, or empty."""

    file: str
    key: str
    message: str

    def __str__(self) -> str:
        line = printable(": ".join(part for part in self if part))
        return line if len(line) <= LINE_CHARACTERS_MAX else f"{line[:LINE_CHARACTERS_MAX]}…"


class ConfigError(Exception):
    """A configuration cannot be used. `problems` are all that were found; the text has a line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Refused(Exception):
    """A value cannot be used; each of `messages` says why, and what to write instead."""

    def __init__(self, *messages: str) -> None:
        self.messages = messages
        super().__init__("; ".join(messages))


class Missing(Refused):
    """What the value names does not exist."""


class Site(NamedTuple):
    """Where a value stands: a file, the directory its relative paths start from, and a dotted key.

    home: the configuration's directory, for showing paths; problems: where they are collected.
    """

    file: str
    directory: Path
    home: Path
    problems: list[Problem]
    key: str = ""

    def at(self, name: str) -> Site:
        """Return the site of `name` below this one."""
        return self._replace(key=f"{self.key}.{name}" if self.key else name)

    def report(self, *messages: str) -> None:
        """Collect a problem for each message."""
        self.problems.extend(Problem(self.file, self.key, message) for message in messages)

    def path(self, text: str) -> Path:
        """Return the path that `text` means here, with each `..` resolved textually."""
        return Path(os.path.normpath(self.directory / text))

    def shown(self, path: Path) -> str:
        """Return a path as an admin would write it in the main file."""
        return shown_path(path, self.home)


def shown_path(path: Path, home: Path) -> str:
    """Return `path` relative to `home` if it lies below, else unchanged."""
    return str(path.relative_to(home)) if path.is_relative_to(home) else str(path)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name of which `name` is most likely a misspelling; None if nothing is near."""
    found = difflib.get_close_matches(name, list(islice(known, NEAREST_CANDIDATES_MAX)), n=1)
    return found[0] if found else None


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Return the message for an unknown name, with the nearest known one, or else with all of them."""
    names = list(islice(known, NEAREST_CANDIDATES_MAX))
    near = nearest(name, names)
    if near:
        return f"unknown {what}; did you mean {near}?"
    return f"unknown {what}; known: {', '.join(names) or 'none'}"
