"""Looking at everything. Rule: a diagnosis that fails is a finding of its own, and keeps none of the others away."""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnoses
from eximacl.exim import SetupError


def examine(case: Case) -> Iterator[Finding]:
    """Yield what is found, as it is found. Where there is no Exim, what depends on it is left out."""
    if case.absent:
        means, cure = "nothing that depends on Exim was looked at", "name the program with --exim"
        yield Finding("problem", f"Exim cannot be asked: {case.absent}", means, cure, "config")
    for one in diagnoses():
        try:
            yield from one.findings(case)
        except Exception as error:  # the others may yet help
            if case.absent and str(error) == case.absent:
                continue
            why = str(error) if isinstance(error, SetupError | OSError) else f"a bug: {error!r}"
            means, cure = "nothing is known of it", "see whether another line explains it; else tell the authors"
            yield Finding("problem", f"this could not be looked at: {why}", means, cure, one.name)
