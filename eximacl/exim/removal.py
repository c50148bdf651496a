"""Removing eximacl from a machine: what stays in Exim's configuration must not stop any mail.

The lines may stay: taking them out has failed, or an admin has written them. And an Exim that was started before knows
them in any case. So the files that ask get other names: the wiring looks for them at each message, and without them
goes on with the site's own ACLs, whatever EXIMACL_ON_FAILURE says. data.acl, for a message half taken, stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from eximacl.exim.apply import apply_plan
from eximacl.exim.errors import SetupError
from eximacl.exim.place import SNIPPETS, find_place
from eximacl.exim.plan import plan_remove
from eximacl.exim.program import Exim

# The ACLs that ask, by the names that `macros` looks for.
ASKING = ("connect", "helo", "mail", "rcpt")
ASIDE = ".removed"

# Which copies Exim's configuration names: those in our directory below Exim's, others, or none.
NamedCopies = Literal["ours", "others", ""]


@dataclass(frozen=True)
class Removal:
    """What a removal has done. changed: lines were taken out; backup: the files as they were; failure: why that failed.

    left: what Exim's configuration still names. aside: the files that ask have other names now.
    """

    changed: bool
    backup: Path | None
    failure: str
    aside: bool
    left: NamedCopies

    @property
    def harmless(self) -> bool:
        """Whether mail goes on without the daemon, whatever EXIMACL_ON_FAILURE says."""
        return not self.left or (self.left == "ours" and self.aside)


def remove_by_force(etc: Path, exim: Exim, stamp: str) -> Removal:
    """Take eximacl out of the configuration in `etc`, and see to it that no Exim asks any more. Raises nothing.

    stamp: the name of the backups.
    """
    own = etc / SNIPPETS
    before = named_by(exim, own)
    changed, backup, failure = False, None, ""
    try:
        plan = plan_remove(find_place(etc))
        if plan.edits:
            backup, changed = apply_plan(plan, exim, stamp), True
    except (SetupError, OSError) as error:
        failure = str(error)
    # Even where the lines are gone, since the Exim that runs has read them.
    aside = before == "ours" and put_aside(own)
    return Removal(changed, backup, failure, aside, named_by(exim, own))


def named_by(exim: Exim, own: Path) -> NamedCopies:
    """Return which snippets Exim names for RCPT; ours, too, where Exim cannot say and `own` is there."""
    try:
        said = exim.run("-bP", "acl_smtp_rcpt")
    except SetupError:
        return ""  # no Exim, no configuration
    if said.status != 0:
        return "ours" if own.is_dir() else ""
    if f"exists{{{own}/" in said.out:
        return "ours"
    return "others" if "rcpt.acl" in said.out else ""


def put_aside(own: Path) -> bool:
    """Rename the files that ask, in all copies below `own`; return whether none is left."""
    try:
        for name in ASKING:
            for path in (own / f"{name}.acl", *own.glob(f"*/{name}.acl")):
                if path.exists():
                    path.rename(path.with_name(path.name + ASIDE))
    except OSError:
        return False
    return True
