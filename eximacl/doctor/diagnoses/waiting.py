"""Will Exim start with the configuration that is generated next?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning
from eximacl.exim import Exim, EximConfig, SetupError, options
from eximacl.exim.explain import in_an_admins_words, settings_of
from eximacl.exim.place import local_place, sources
from eximacl.exim.private import private_directory
from eximacl.exim.program import check_configuration
from eximacl.exim.trial import generate


@diagnosis("exim")
def waiting(case: Case) -> Iterator[Finding]:
    """Exim's configuration was generated from what is in /etc/exim4 now; if not, Exim would accept what is there.

    For that it is generated in a private directory, so that a restart that would fail is reported before it does.
    """
    read, where = case.exim.config_file(), local_place()
    if read is None or not read.exists() or where is None or where.kind == "plain":
        return
    # In nanoseconds, since a file may change a moment after the configuration was generated.
    made = read.stat().st_mtime_ns
    newer = next((path for path in sources(where) if path.stat().st_mtime_ns > made), None)
    if newer is None:
        yield ok(f"{read} was generated from what is in {where.etc} now")
        return
    complaint, lost = _try(case, where)
    if complaint:
        yield problem(
            f"{newer} is newer than {read}, and Exim would refuse the next configuration: {complaint}",
            "the next restart of Exim fails, and then no mail comes in",
            "correct that line (settings of eximacl belong above its lines, not below); then systemctl restart exim4",
        )
    elif lost:
        yield problem(
            f"{newer} is newer than {read}, and with the next configuration Exim would not ask eximacl: {lost}",
            "Exim takes the last of two lines that set an option",
            "delete your line, and name its ACL in EXIMACL_NEXT_… above eximacl's lines; then systemctl restart exim4",
        )
    else:
        yield warning(
            f"{newer} is newer than {read}",
            "a change of the configuration is not in force yet",
            "update-exim4.conf && systemctl restart exim4",
        )


def _try(case: Case, where: EximConfig) -> tuple[str, str]:
    """Generate the configuration elsewhere and have Exim read it.

    Returns the complaint, and which ACL would not be eximacl's; empty: none.
    """
    with private_directory(case.exim_user.uid if case.exim_user else None) as home:
        made = home / "config"
        try:
            generate(where.etc, made)
        except SetupError as error:
            return str(error), ""
        exim = replace(case.exim, config=made)
        complaint = check_configuration(exim)
        return (_admins(complaint, made, where), "") if complaint else ("", _lost(exim, where))


def _lost(exim: Exim, where: EximConfig) -> str:
    """Return the first ACL that is not eximacl's although it includes our macros, and where that is set."""
    directory = exim.lists("eximacl_dir").get("eximacl_dir")
    others = options.not_ours(options.acls(exim), Path(directory), early=options.asks_early(exim)) if directory else {}
    for stage, acl in others.items():
        name = options.option(stage)
        return f"{name} is {acl or 'not set'}: {', '.join(settings_of(where, name))}"
    return ""


def _admins(complaint: str, made: Path, where: EximConfig) -> str:
    """Return Exim's words with the admin's file and line in place of those of the generated configuration."""
    twice = re.search(r'macro "(\w+)" is already defined|"(\w+)" option set for the second time', complaint)
    if twice:  # for these Exim names no line, or only the second
        words = re.sub(rf" in line \d+ of {re.escape(str(made))}", "", complaint)
        return f"{words}: {', '.join(settings_of(where, twice[1] or twice[2]))}"
    return in_an_admins_words(complaint, Exim(config=made), where)
