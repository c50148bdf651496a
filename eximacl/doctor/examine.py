"""Running all diagnoses. One that fails is a finding, and the others run all the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Diagnosis, Finding, diagnoses
from eximacl.exim import SetupError


def examine(case: Case, looks: Iterable[Diagnosis] | None = None) -> Iterator[Finding]:
    """Yield what the diagnoses find (by default all), as they find it. Without Exim, those that need it are skipped."""
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
