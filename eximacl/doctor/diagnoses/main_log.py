"""Can Exim write its log?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eximacl.doctor.access import FREE_BYTES_MIN, free_bytes, refusal
from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem
from eximacl.exim.startup import main_logs

MEANS = "Exim does not accept mail that it cannot log (421 Unexpected failure)"


@diagnosis("exim")
def main_log(case: Case) -> Iterator[Finding]:
    """Exim's main log is a file that Exim's user can write to, on a disk with space: else Exim accepts no mail."""
    if case.complaint:
        return
    for path in main_logs(case.exim):
        # A name with a date in it stands for many files, so look at the directory.
        where = path.parent if "%" in path.name else path
        wrong = _wrong(case, where)
        if wrong:
            yield problem(f"Exim's main log: {wrong[0]}", MEANS, wrong[1])
        else:
            yield ok(f"Exim can write its main log, {path}")


def _wrong(case: Case, path: Path) -> tuple[str, str] | None:
    """Return what is wrong, and what to do; None: nothing."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        return f"{path} is not a regular file", f"move {path} away; Exim creates a new one"
    who = case.exim_user
    why = refusal(who, path, "write", case.exim_view) if who else ""
    if why and who:
        return why, f"chown {who.name} {path}; its directory must belong to {who.name}, too"
    free = free_bytes(path, case.exim_view)
    if free is not None and free < FREE_BYTES_MIN:
        return f"the disk with {path} is full", "free space there"
    return None
