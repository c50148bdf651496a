"""Does each of Exim's ACL options name the snippet for it, and no other?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning
from eximacl.exim import EximConfig
from eximacl.exim.explain import settings_of
from eximacl.exim.place import local_place

NEEDED = ("rcpt", "data", "quit", "notquit")
# Those that Debian's configuration sets from a macro.
DEBIANS = ("mail", "rcpt", "data")


@diagnosis("exim")
def wiring(case: Case) -> Iterator[Finding]:
    """Each acl_smtp_… option names eximacl's file for its stage; none is missing or in the wrong place."""
    if case.complaint:
        return
    if not case.acls.get("rcpt"):
        yield _nothing_taken()
    if case.directory is None:
        yield problem(
            "eximacl is not in Exim's configuration",
            "Exim accepts mail as if there were no eximacl",
            "eximacl exim install; then restart Exim",
        )
        return
    if not case.settings:
        return  # the files are gone, which `snippets` reports
    wrong = [*_misplaced(case), *_missing(case)]
    yield from wrong
    if not wrong and case.acls.get("rcpt"):
        yield ok(f"Exim's ACL options name the files in {case.directory}")
    early = [stage for stage in ("connect", "helo", "mail") if f"{stage}.acl" in case.acls.get(stage, "")]
    if early and len(early) != 3:
        yield warning(
            f"only {', '.join(early)} of the early stages ask",
            "what a check could refuse at the others is refused only at RCPT",
            "set EXIMACL_ASK_EARLY = yes above the .include of macros, and no acl_smtp_… of these by hand",
        )


def _misplaced(case: Case) -> Iterator[Finding]:
    for stage, value in case.acls.items():
        for named in re.findall(rf"{re.escape(str(case.directory))}/(\w+)\.acl", value):
            if named != stage:
                yield problem(
                    f"acl_smtp_{stage} names {named}.acl",
                    f"what {named.upper()} needs is not known at {stage.upper()}: mail is deferred",
                    f"give acl_smtp_{stage} its own file, {stage}.acl, or leave the wiring to `macros` (docs/exim.md)",
                )
                return


def _nothing_taken() -> Finding:
    where = local_place()
    return problem(
        "acl_smtp_rcpt is not set",
        "Exim refuses all mail (550 Administrative prohibition)",
        _debians("rcpt", where)
        if where and where.kind != "plain"
        else "set acl_smtp_rcpt to your ACL; or, with eximacl's macros, EXIMACL_PLAIN = yes above their .include and "
        "your ACL in EXIMACL_NEXT_RCPT (docs/exim.md)",
    )


def _missing(case: Case) -> Iterator[Finding]:
    where = local_place()
    for stage in NEEDED:
        acl = case.acls.get(stage, "")
        if f"{case.directory}/{stage}.acl" in acl or (stage == "rcpt" and not acl):
            continue
        by_debian = where is not None and where.kind != "plain" and stage in DEBIANS
        yield problem(
            f"acl_smtp_{stage} does not name {stage}.acl: it is {acl or 'not set'}",
            _LOST[stage],
            _debians(stage, where) if where is not None and by_debian else _plains(stage, acl),
        )


def _plains(stage: str, acl: str) -> str:
    if not acl:
        return f"set EXIMACL_PLAIN = yes above the .include of macros; then they set acl_smtp_{stage} (docs/exim.md)"
    return f"remove your own acl_smtp_{stage}, and name its ACL in EXIMACL_NEXT_{stage.upper()} (docs/exim.md)"


def _debians(stage: str, where: EximConfig) -> str:
    """Return how to write what Debian has, a line that `macros` depends on."""
    own = settings_of(where, f"acl_smtp_{stage}")
    at = f"in {', '.join(own)}" if own else f"in {_HOME[where.kind]}, above `begin acl`,"
    macro = f"MAIN_ACL_CHECK_{stage.upper()}"
    return (
        f"write `acl_smtp_{stage} = {macro}` {at} again, as Debian has it; "
        f"your own ACL belongs into {macro}, at the top of {where.settings}; then update-exim4.conf"
    )


_HOME = {"split": "conf.d/main/02_exim4-config_options", "unsplit": "exim4.conf.template", "plain": "exim4.conf"}
_LOST = {
    "rcpt": "Exim does not ask about recipients, so nothing is refused",
    "data": "held messages are lost to the archive, and counted addresses are not counted",
    "quit": "slots of counted addresses stay taken for an hour when a client gives up",
    "notquit": "slots of counted addresses stay taken for an hour when a connection is lost",
}
