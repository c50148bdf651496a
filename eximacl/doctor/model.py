"""What a diagnosis is and what it finds. Rule: one file, one diagnosis; no list of them exists, they are found."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from eximacl.doctor.case import Case

Level = Literal["ok", "warning", "problem"]
# In the order in which they are told: what comes first may explain what comes after (dead DNS makes sessions slow).
GROUPS = ("system", "exim", "daemon", "mail", "disk")


@dataclass(frozen=True)
class Finding:
    """One line: what is so, what that means, and what to do about it. The last two are empty where all is well."""

    level: Level
    what: str
    means: str = ""
    do: str = ""
    diagnosis: str = ""


def ok(what: str) -> Finding:
    """All is well."""
    return Finding("ok", what)


def warning(what: str, means: str, do: str) -> Finding:
    """It works, but not as it should, or perhaps not for long."""
    return Finding("warning", what, means, do)


def problem(what: str, means: str, do: str) -> Finding:
    """It does not work."""
    return Finding("problem", what, means, do)


Look = Callable[["Case"], Iterator[Finding]]


@dataclass(frozen=True)
class Diagnosis:
    """One thing to look at. doc: its docstring, which the manual shows."""

    name: str
    group: str
    doc: str
    look: Look

    def findings(self, case: Case) -> Iterator[Finding]:
        """Look, and put the diagnosis's name on each finding."""
        for finding in self.look(case):
            yield replace(finding, diagnosis=self.name)


_known: dict[str, Diagnosis] = {}


def diagnosis(group: str) -> Callable[[Look], Look]:
    """Register a diagnosis under its function's name."""

    def register(look: Look) -> Look:
        name = look.__name__.replace("_", "-")
        _known[name] = Diagnosis(name, group, " ".join((look.__doc__ or "").split()), look)
        return look

    return register


def diagnoses() -> tuple[Diagnosis, ...]:
    """Return all diagnoses, in the order in which they are told."""
    package = importlib.import_module("eximacl.doctor.diagnoses")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return tuple(sorted(_known.values(), key=lambda one: (GROUPS.index(one.group), one.name)))
