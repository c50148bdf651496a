"""Are the snippets that Exim reads there, and of this version?"""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning
from eximacl.exim_setup.snippets import files_of, fingerprint


@diagnosis("exim")
def snippets(case: Case) -> Iterator[Finding]:
    """The snippets that Exim reads are all there, unchanged, and those of the installed version."""
    directory = case.directory
    if directory is None:
        return
    there = {path.name for path in files_of(directory)}
    missing = sorted({path.name for path in files_of(case.shipped)} - there)
    if not there:
        yield problem(
            f"{directory} with the snippets is missing",
            "Exim takes mail without asking",
            "eximacl exim install, then restart Exim",
        )
    elif missing:
        yield problem(
            f"{directory} lacks {', '.join(missing)}",
            "Exim defers the mail for which it needs them",
            "eximacl exim install, then restart Exim; or copy them from " + str(case.shipped),
        )
    elif fingerprint(directory) != fingerprint(case.shipped):
        yield warning(
            f"the snippets in {directory} are not those of this version",
            "Exim and the daemon may misunderstand each other, and faults that are mended stay in force",
            "eximacl exim install --reload; copies made by hand: copy them again from " + str(case.shipped),
        )
    else:
        yield ok(f"the snippets in {directory} are of this version")
    user = case.exim_user
    unreadable = [path.name for path in files_of(directory) if user and not user.has(path.stat(), "read")]
    if user and unreadable:
        yield problem(
            f"Exim's user {user.name} may not read {', '.join(unreadable)} in {directory}",
            "Exim defers all mail",
            f"chmod 644 {directory}/*",
        )
