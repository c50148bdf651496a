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
    found = [*writable(case, "state.url", path, "file"), *writable(case, "state.url", path.parent, "directory")]
    wrong = [each for each in found if each.level != "ok"]
    yield from wrong[:1] or found[-1:]
