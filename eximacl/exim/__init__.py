"""Exim's side of the machine: what it says about its configuration, and our snippets in it.

`program` asks Exim; `place` finds its configuration; `snippets` copies ours; `wiring` has the lines that include them;
`plan` says what would change, `trial` tries that in a copy, `apply` does it. `installation` and `removal` put these
together, `state` and `report` say what is there. Nothing here prints or talks to the daemon.
"""

from __future__ import annotations

from eximacl.exim.apply import apply_plan, reload_exim, stoppable
from eximacl.exim.errors import SetupError
from eximacl.exim.installation import Installation, drop_old_copies, install, prepare_install, purge
from eximacl.exim.place import ConfigKind, EximConfig, find_place
from eximacl.exim.plan import InstallPlan, plan_install, plan_remove
from eximacl.exim.program import Exim, RunResult
from eximacl.exim.removal import Removal, remove_by_force
from eximacl.exim.report import describe, edits_by_hand
from eximacl.exim.snippets import find_shipped, fingerprint
from eximacl.exim.state import InstallState, read_state, still_named
from eximacl.exim.trial import Trial, try_plan

__all__ = [
    "ConfigKind",
    "Exim",
    "EximConfig",
    "InstallPlan",
    "InstallState",
    "Installation",
    "Removal",
    "RunResult",
    "SetupError",
    "Trial",
    "apply_plan",
    "describe",
    "drop_old_copies",
    "edits_by_hand",
    "find_place",
    "find_shipped",
    "fingerprint",
    "install",
    "plan_install",
    "plan_remove",
    "prepare_install",
    "purge",
    "read_state",
    "reload_exim",
    "remove_by_force",
    "still_named",
    "stoppable",
    "try_plan",
]
