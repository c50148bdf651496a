"""Installing eximacl into Exim's configuration and removing it, with an admin's consent between plan and change.

An installation is prepared (planned, and tried in a copy), shown, and carried out; each step is a function here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from eximacl.exim import options
from eximacl.exim.apply import apply_plan
from eximacl.exim.errors import SetupError
from eximacl.exim.place import EximConfig
from eximacl.exim.plan import InstallPlan, plan_install
from eximacl.exim.program import Exim, check_configuration
from eximacl.exim.snippets import copy, fingerprint, prune
from eximacl.exim.state import InstallState, read_state, still_named
from eximacl.exim.trial import try_plan
from eximacl.system import paths


@dataclass(frozen=True)
class Installation:
    """An installation that Exim has accepted in a copy, and that is still to be carried out.

    plan: the changes of files. own_acls: the admin's ACLs by SMTP stage (mail, rcpt, data, …). before: what is
    installed now. shipped: this version's snippets.
    """

    plan: InstallPlan
    own_acls: Mapping[str, str]
    before: InstallState
    shipped: Path

    @property
    def directory(self) -> Path:
        """The copy of the snippets that Exim will read."""
        return self.plan.place.own / fingerprint(self.shipped)

    @property
    def is_done(self) -> bool:
        """Whether all of it is installed already, and in force."""
        before = self.before
        right = before.in_force and before.current and not before.elsewhere
        return not self.plan.edits and right and before.directory == self.directory


def prepare_install(
    place: EximConfig, shipped: Path, settings: Mapping[str, str], exim: Exim, *, router: bool
) -> Installation:
    """Plan to wire in this version's snippets, or to update them, and try that in a copy; change nothing.

    settings: macros that Exim needs. router: change Debian's template, too. Raises SetupError where Exim would refuse
    the result, with its words, and where it refuses its configuration already.
    """
    tried = try_plan(place, shipped, settings, exim, router=router)
    if tried.complaint:
        raise SetupError(f"Exim would refuse this, so nothing was changed:\n{tried.complaint}")
    plan = plan_install(place, place.own / fingerprint(shipped), {**settings, **tried.needed}, router=router)
    return Installation(plan, tried.own, read_state(place, shipped, exim), shipped)


def install(wanted: Installation, exim: Exim, stamp: str) -> Path | None:
    """Copy the snippets and carry the plan out; return the directory with the files as they were, if there were any.

    stamp: names that directory, a date. Where all is done already, only what everybody must be able to read is made so
    again. Raises SetupError, and has put everything back then.
    """
    place = wanted.plan.place
    copy(wanted.shipped, place.own)
    if wanted.is_done:
        return None

    def confirm(program: Exim) -> str:
        """Return Exim's complaint about the result, or where it does not use it; empty: it is in force."""
        if place.etc != paths.EXIM_CONFIG:
            return ""
        complaint = check_configuration(program)
        others = options.not_ours(options.acls(program), wanted.directory, early=options.asks_early(program))
        if complaint or not others:
            return complaint
        stage, found = next(iter(others.items()))
        return f"Exim's {options.option(stage)} is {found!r} all the same: does it read {place.etc}?"

    return apply_plan(wanted.plan, exim, stamp, confirm=confirm)


def drop_old_copies(done: Installation) -> None:
    """Delete the copies of other versions' snippets, but the one that was in force until now.

    A process of Exim that began before may still read that one.
    """
    old = done.before.directory
    prune(done.plan.place.own, {done.directory.name, old.name if old else ""})


def purge(place: EximConfig, exim: Exim) -> list[Path]:
    """Delete all copies of the snippets; return them. Raises SetupError where Exim's configuration still names one.

    Its ACL would do nothing without them.
    """
    named = still_named(place, exim)
    if named:
        raise SetupError(
            f"{place.own} stays, since it is still in use: take eximacl out of {named} first, and see that "
            "acl_smtp_rcpt and acl_smtp_data name your own ACLs again"
        )
    deleted = prune(place.own, set())
    if place.own.is_dir() and not any(place.own.iterdir()):
        place.own.rmdir()
    return deleted
