"""Can counts be remembered?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eximacl.doctor.case import Case
from eximacl.doctor.diagnoses.records import writable
from eximacl.doctor.model import Finding, diagnosis, ok


@diagnosis("disk")
def state(case: Case) -> Iterator[Finding]:
    """The daemon can write its state: the file and, for SQLite's own files beside it, the directory."""
    if case.loaded is None:
        return
    url = str(case.loaded.settings.state.url)
    kind, _, rest = url.partition(":")
    if kind != "sqlite":
        yield ok(f"state.url is {kind}:")
        return
    path = Path(rest)
    for each in (path, path.parent):
        found = list(writable(case, "state.url", each))
        if found[0].level != "ok":
            break
    yield from found
