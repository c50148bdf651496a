"""What can be known before the daemon runs a policy: what a start, a held message or a release would fail at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from eximacl.archive import Archive, ArchiveError, refusal
from eximacl.config import ConfigError, Loaded, load
from eximacl.config.problems import Problem
from eximacl.system import paths


def preflight(path: Path) -> Loaded:
    """Load a policy, and look at what it needs besides its own files; return it. Nothing is changed.

    Raises ConfigError with every problem, those of the policy file, its domain files, its lists and its archive.
    """
    loaded = load(path)
    problems = list(_archive_problems(loaded))
    if problems:
        raise ConfigError(problems)
    return loaded


def _archive_problems(loaded: Loaded) -> Iterator[Problem]:
    settings = loaded.settings.archive
    if settings.dir is None:
        return
    try:
        Archive(settings.dir, settings.group).writer.check()
    except ArchiveError as error:
        yield Problem(loaded.path.name, "", str(error))
    if not os.access(settings.sendmail, os.X_OK):
        text = f"{settings.sendmail} cannot be run, but `eximacl archive release` needs it"
        yield Problem(loaded.path.name, "archive.sendmail", text)


def spool_problem(loaded: Loaded, spool: Path = paths.EXIM_SPOOL) -> str:
    """Return why held messages will be lost, as far as this process can see; empty: nothing is known.

    spool: Exim's, which Debian's is taken for; the first held message shows whether Exim has another one.
    """
    policy = loaded.policy
    plans = (policy.base, *policy.overlays.values())
    if loaded.settings.archive.dir is None or not any(
        step.action == "hold" for plan in plans for step in plan.steps("rcpt")
    ):
        return ""
    why = refusal(str(spool))
    return f"held mail will be refused without being kept: {why}" if why else ""
