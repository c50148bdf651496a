"""What a diagnosis is, what it finds, and how all are run. Each is a generator marked with `@diagnosis`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from eximacl.exim import SetupError
from eximacl.system import plugins
from eximacl.system.text import one_line

if TYPE_CHECKING:
    from eximacl.doctor.case import Case

Level = Literal["ok", "warning", "problem"]
# In the order in which they run: an early finding may explain a later one (dead DNS makes sessions slow).
GROUPS = ("system", "exim", "daemon", "mail", "disk")


@dataclass(frozen=True)
class Finding:
    """One result: what was found, what that means, and what to do about it; the last two are empty where all is well.

    diagnosis: the name of the one that found it.
    """

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
    """One thing to look at. doc: its docstring on one line, which docs/doctor.md shows."""

    name: str
    group: str
    doc: str
    look: Look

    def findings(self, case: Case) -> Iterator[Finding]:
        """Look, and yield what is found, under the name of this diagnosis."""
        for finding in self.look(case):
            yield replace(finding, diagnosis=self.name)


def diagnosis(group: str) -> Callable[[Look], Look]:
    """Declare a generator to be a diagnosis, named after the function. group: one of GROUPS."""

    def declare(look: Look) -> Look:
        plugins.mark(look, Diagnosis(look.__name__.replace("_", "-"), group, one_line(look.__doc__ or ""), look))
        return look

    return declare


def diagnoses() -> tuple[Diagnosis, ...]:
    """Return all diagnoses of the package `eximacl.doctor.diagnoses`, in the order in which they run."""
    package = importlib.import_module("eximacl.doctor.diagnoses")
    found = [one for module in plugins.modules_in(package) for one in plugins.declarations_in(module, Diagnosis)]
    return tuple(sorted(found, key=lambda one: (GROUPS.index(one.group), one.name)))


def examine(case: Case, looks: Iterable[Diagnosis] | None = None) -> Iterator[Finding]:
    """Yield what the diagnoses find (by default all), as they find it. One that fails is a finding, too.

    Without Exim, those that need it are skipped.
    """
    if case.absent:
        means, cure = "nothing that depends on Exim was looked at", "name the program with --exim"
        yield Finding("problem", f"Exim cannot be asked: {case.absent}", means, cure, "config")
    for one in diagnoses() if looks is None else looks:
        try:
            yield from one.findings(case)
        except Exception as error:  # the others may still help
            if case.absent and str(error) == case.absent:
                continue
            why = str(error) if isinstance(error, SetupError | OSError) else f"a bug: {error!r}"
            means, cure = (
                "whether it is right is not known",
                "see whether another line explains it; else report a bug",
            )
            yield Finding("problem", f"this could not be looked at: {why}", means, cure, one.name)
