"""Are the snippets that Exim reads there, and of this version?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eximacl.doctor.access import refusal, shut
from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning
from eximacl.exim.snippets import files_of


@diagnosis("exim")
def snippets(case: Case) -> Iterator[Finding]:
    """The snippets that Exim reads are complete, unchanged, and of the installed version."""
    directory = case.directory
    if directory is None:
        return
    there = {path.name for path in files_of(directory)}
    missing = sorted({path.name for path in files_of(case.shipped)} - there)
    if not there:
        yield problem(
            f"{directory} with the snippets is missing",
            "Exim accepts mail without asking; with a configuration written by hand, whose acl_smtp_rcpt only `macros` "
            "sets, it refuses all mail after its next start",
            "eximacl exim install, then restart Exim; copies made by hand: copy them again from " + str(case.shipped),
        )
    elif missing:
        yield problem(
            f"{directory} lacks {', '.join(missing)}",
            "Exim defers the mail for which it needs them",
            "eximacl exim install, then restart Exim; or copy them from " + str(case.shipped),
        )
    elif _differs(directory, case.shipped):
        yield warning(
            f"the snippets in {directory} are not those of this version",
            "Exim and the daemon may misunderstand each other, and bugs that are fixed remain",
            "eximacl exim install --reload; copies made by hand: copy them again from " + str(case.shipped),
        )
    else:
        yield ok(f"the snippets in {directory} are of this version")
    yield from _unreadable(case, directory)


def _differs(directory: Path, shipped: Path) -> bool:
    """Return whether a file that we ship differs there. Other files there are the admin's (keys, say)."""
    return any((directory / path.name).read_bytes() != path.read_bytes() for path in files_of(shipped))


def _unreadable(case: Case, directory: Path) -> Iterator[Finding]:
    user = case.exim_user
    shipped = {path.name for path in files_of(case.shipped)}
    found = [path for path in files_of(directory) if path.name in shipped]
    refused = {path.name: refusal(user, path, "read", case.exim_view) for path in found} if user else {}
    refused = {name: why for name, why in refused.items() if why}
    if user is None or not refused:
        return
    closed = shut(user, directory / "macros", case.exim_view)
    yield problem(
        f"Exim's user {user.name} may not read {', '.join(refused)} in {directory}: {next(iter(refused.values()))}",
        "Exim defers all mail, or accepts it without asking",
        f"chmod 755 {closed}" if closed else f"chmod 644 {directory}/*",
    )
