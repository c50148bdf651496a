"""Does each of Exim's ACL options name the snippet for it, and no other?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning
from eximacl.exim import EximConfig
from eximacl.exim.explain import settings_of
from eximacl.exim.options import DEBIANS, EARLY, not_ours
from eximacl.exim.place import local_place


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
    wrong = [*_misplaced(case), *_missing(case), *_hidden(case)]
    yield from wrong
    if not wrong and case.acls.get("rcpt"):
        yield ok(f"Exim's ACL options name the files in {case.directory}")
    early = [stage for stage in EARLY if f"{stage}.acl" in case.acls.get(stage, "")]
    if early and len(early) != len(EARLY) and not case.early:
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
    found = not_ours(case.acls, case.directory, early=case.early) if case.directory else {}
    for stage, acl in found.items():
        if stage == "rcpt" and not acl:
            continue  # said already
        by_debian = where is not None and where.kind != "plain" and stage in DEBIANS
        yield (warning if stage in EARLY else problem)(
            f"acl_smtp_{stage} does not name {stage}.acl: it is {acl or 'not set'}",
            _LOST.get(stage, "Exim does not ask there, and what a check could refuse there is refused only at RCPT"),
            _debians(stage, where) if where is not None and by_debian else _plains(stage, acl, where),
        )


def _hidden(case: Case) -> Iterator[Finding]:
    """Yield each ACL of an admin's that Exim (from 4.100) passes over without a word, since ours is set below it."""
    where = local_place()
    for stage, acl in case.acls.items():
        own = settings_of(where, f"acl_smtp_{stage}", always=True) if where and stage not in DEBIANS else []
        if own and f"{case.directory}/{stage}.acl" in acl:
            yield warning(
                f"acl_smtp_{stage} is set in {', '.join(own)}, too, and Exim takes only eximacl's",
                "your own ACL does not run",
                f"delete that line, and name its ACL in EXIMACL_NEXT_{stage.upper()} (docs/exim.md)",
            )


def _plains(stage: str, acl: str, where: EximConfig | None) -> str:
    if not acl:
        return f"set EXIMACL_PLAIN = yes above the .include of macros; then they set acl_smtp_{stage} (docs/exim.md)"
    own = settings_of(where, f"acl_smtp_{stage}") if where else []
    at = f" ({', '.join(own)})" if own else ""
    return f"remove your own acl_smtp_{stage}{at}, and name its ACL in EXIMACL_NEXT_{stage.upper()} (docs/exim.md)"


def _debians(stage: str, where: EximConfig) -> str:
    """Return how to write what Debian has, a line that `macros` depends on."""
    name, macro = f"acl_smtp_{stage}", f"MAIN_ACL_CHECK_{stage.upper()}"
    own, others = settings_of(where, name), settings_of(where, name, but=macro)
    if others and others != own:  # Exim from 4.100 takes the last
        at = ", ".join(others)
        return f"delete your own {name} ({at}); your ACL belongs into {macro}, at the top of {where.settings}"
    at = f"in {', '.join(own)}" if own else f"in {_HOME[where.kind]}, above `begin acl`,"
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
