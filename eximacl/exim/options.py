"""What Exim's options must be for the snippets to work, compared with what Exim says that they are.

Exim's complaints are not enough: up to 4.98 it refuses an option that is set twice, but 4.100 takes the last one
without a word, and then an admin's `acl_smtp_rcpt` below ours would turn eximacl off, or ours an admin's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from eximacl.exim.program import Exim

# In the order of a session.
STAGES = ("connect", "helo", "mail", "rcpt", "data", "quit", "notquit")
# Those that `macros` wires always, and with EXIMACL_ASK_EARLY.
ALWAYS = ("rcpt", "data", "quit", "notquit")
EARLY = ("connect", "helo", "mail")
# Those that Debian's configuration sets from a macro, MAIN_ACL_CHECK_….
DEBIANS = ("mail", "rcpt", "data")
# In the order in which they have to stand, before all others.
ROUTERS = ("eximacl_tagged", "eximacl_disposable")


def option(stage: str) -> str:
    """Return the name of Exim's option for a stage."""
    return f"acl_smtp_{stage}"


def acls(exim: Exim) -> dict[str, str]:
    """Return Exim's ACL for each stage, as the configuration has it; without a stage that this Exim does not know."""
    found = exim.options(*map(option, STAGES))
    return {stage: found[option(stage)] for stage in STAGES if option(stage) in found}


def asks_early(exim: Exim) -> bool:
    """Return whether the configuration sets EXIMACL_ASK_EARLY."""
    return exim.macro("EXIMACL_ASK_EARLY") is not None


def not_ours(found: Mapping[str, str], directory: Path, *, early: bool) -> dict[str, str]:
    """Return the ACLs, by stage, that do not name the snippet for it, although they should.

    found: Exim's, by stage. directory: the snippets. early: whether connect, HELO and MAIL ask, too.
    """
    wanted = [stage for stage in STAGES if stage in ALWAYS or (early and stage in EARLY)]
    return {stage: found.get(stage, "") for stage in wanted if f"{directory}/{stage}.acl" not in found.get(stage, "")}


def not_called(before: Mapping[str, str], ours: Exim, stages: Collection[str]) -> dict[str, str]:
    """Return an admin's own ACLs, by stage, that ran before and that the snippets do not call.

    before: Exim's ACLs without eximacl. ours: Exim with it.
    """
    own = {stage: before[stage] for stage in stages if before.get(stage)}
    called = ours.lists(*(f"eximacl_next_{stage}" for stage in own)) if own else {}
    return {stage: acl for stage, acl in own.items() if called.get(f"eximacl_next_{stage}", "") != acl}


def routers(exim: Exim) -> tuple[str, ...]:
    """Return the names of Exim's routers, in their order."""
    return tuple(exim.run("-bP", "router_list").out.split())


def router_before(names: Sequence[str]) -> str:
    """Return the first router that stands before one of ours; empty where none does, or where ours are missing."""
    ours = [index for index, name in enumerate(names) if name in ROUTERS]
    return next((name for name in names[: ours[-1]] if name not in ROUTERS), "") if ours else ""
