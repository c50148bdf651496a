"""Can the state be kept?"""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.diagnoses.records import writable
from eximacl.doctor.model import Finding, diagnosis, ok
from eximacl.state import file_of


@diagnosis("disk")
def state(case: Case) -> Iterator[Finding]:
    """The daemon can write its state: the file and, for SQLite's own files beside it, the directory."""
    if case.loaded is None:
        return
    url = case.loaded.settings.state.url
    path = file_of(url)
    if path is None:
        yield ok(f"state.url is {url}")
        return
    found = [*writable(case, "state.url", path, "file"), *writable(case, "state.url", path.parent, "directory")]
    wrong = [each for each in found if each.level != "ok"]
    yield from wrong[:1] or found[-1:]
