"""Will Exim start with the configuration that is made next?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning
from eximacl.exim import Exim, EximConfig, SetupError
from eximacl.exim.explain import in_an_admins_words, settings_of
from eximacl.exim.place import local_place, sources
from eximacl.exim.private import private_directory
from eximacl.exim.program import check_configuration
from eximacl.exim.trial import generate


@diagnosis("exim")
def waiting(case: Case) -> Iterator[Finding]:
    """Exim's configuration is made of all that is in /etc/exim4 now; what waits to be made, Exim would read.

    What waits is made and read in a directory of its own, so a restart that would fail is told before it does.
    """
    read, where = case.exim.config_file(), local_place()
    if read is None or not read.exists() or where is None or where.kind == "plain":
        return
    # To the last digit: what is changed a moment after it was made waits, too.
    made = read.stat().st_mtime_ns
    newer = next((path for path in sources(where) if path.stat().st_mtime_ns > made), None)
    if newer is None:
        yield ok(f"{read} is made of all that is in {where.etc}")
        return
    complaint = _try(case, where)
    if complaint:
        yield problem(
            f"{newer} is newer than {read}, and Exim refuses what would be made of it: {complaint}",
            "the next restart of Exim fails, and then no mail comes in",
            "mend that line; a setting of eximacl's stands above its lines, not below; then systemctl restart exim4",
        )
    else:
        yield warning(
            f"{newer} is newer than {read}",
            "a change of the configuration is not in force yet",
            "update-exim4.conf && systemctl restart exim4",
        )


def _try(case: Case, where: EximConfig) -> str:
    """Make the configuration elsewhere and let Exim read it; return what is said against it, empty: nothing."""
    with private_directory(case.exim_user.uid if case.exim_user else None) as home:
        made = home / "config"
        try:
            generate(where.etc, made)
        except SetupError as error:
            return str(error)
        return _admins(check_configuration(replace(case.exim, config=made)), made, where)


def _admins(complaint: str, made: Path, where: EximConfig) -> str:
    """Return Exim's words with the admin's file and line in the place of that of the made configuration."""
    twice = re.search(r'macro "(\w+)" is already defined|"(\w+)" option set for the second time', complaint)
    if twice:  # of these Exim names no line, or the second only
        words = re.sub(rf" in line \d+ of {re.escape(str(made))}", "", complaint)
        return f"{words}: {', '.join(settings_of(where, twice[1] or twice[2]))}"
    return in_an_admins_words(complaint, Exim(config=made), where)
