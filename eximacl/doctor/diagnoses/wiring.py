"""Does each of Exim's ACL options name the snippet for it, and no other?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning

NEEDED = ("rcpt", "data", "quit", "notquit")


@diagnosis("exim")
def wiring(case: Case) -> Iterator[Finding]:
    """Each acl_smtp_… option names eximacl's file for its stage: none is missing, none is in another's place."""
    if case.complaint:
        return
    if case.directory is None:
        yield problem(
            "eximacl is not in Exim's configuration",
            "Exim takes mail as if there were no eximacl",
            "eximacl exim install; then restart Exim",
        )
        return
    if not case.settings:
        return  # the files are gone; that is told of the snippets
    wrong = [*_misplaced(case), *_missing(case)]
    yield from wrong or [ok(f"Exim's ACL options name the files in {case.directory}")]
    early = [stage for stage in ("connect", "helo", "mail") if f"{stage}.acl" in case.acls.get(stage, "")]
    if early and len(early) != 3:
        yield warning(
            f"of the early stages only {', '.join(early)} ask",
            "what a check could refuse at the others is refused at RCPT",
            "set EXIMACL_ASK_EARLY = yes above the .include of macros, and no acl_smtp_… of these by hand",
        )


def _misplaced(case: Case) -> Iterator[Finding]:
    for stage, value in case.acls.items():
        for named in re.findall(rf"{re.escape(str(case.directory))}/(\w+)\.acl", value):
            if named != stage:
                yield problem(
                    f"acl_smtp_{stage} names {named}.acl",
                    f"what {named.upper()} needs is not known at {stage.upper()} yet: mail is deferred",
                    f"give acl_smtp_{stage} its own file, {stage}.acl, or leave the wiring to `macros` (docs/exim.md)",
                )
                return


def _missing(case: Case) -> Iterator[Finding]:
    for stage in NEEDED:
        if f"{case.directory}/{stage}.acl" not in case.acls.get(stage, ""):
            yield problem(
                f"acl_smtp_{stage} does not name {stage}.acl: it is {case.acls.get(stage, '') or 'not set'}",
                _LOST[stage],
                f"take your own acl_smtp_{stage} out, and name its ACL in EXIMACL_NEXT_{stage.upper()} (docs/exim.md)",
            )


_LOST = {
    "rcpt": "Exim does not ask about recipients, so nothing is refused",
    "data": "held messages are lost to the archive, and counted addresses are not counted",
    "quit": "places of counted addresses stay taken for an hour when a client gives up",
    "notquit": "places of counted addresses stay taken for an hour when a connection is lost",
}
