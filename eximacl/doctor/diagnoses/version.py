"""Is this Exim one that eximacl has been tried with, and are its known holes mended?"""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, warning
from eximacl.exim.version import dotted, holes, version_of

# The oldest whose language the snippets are written in.
OLDEST = (4, 96)


@diagnosis("exim")
def version(case: Case) -> Iterator[Finding]:
    """Exim has at least version 4.96 and no known hole, or its package's changelog says that the hole is mended."""
    said = case.exim.run("-bV").out
    found = version_of(said)
    if not found:
        return  # `config` has Exim's words
    if found < OLDEST:
        yield warning(
            f"Exim has version {dotted(found)}",
            f"eximacl has not been tried with it; the snippets are written for {dotted(OLDEST)} and later",
            "upgrade Exim, and see what the other lines say",
        )
    known = list(holes(said, case.exim_changelog))
    if known:
        named = "; ".join(f"{hole.names[0]} ({hole.what}, mended in {dotted(hole.mended)})" for hole in known)
        unsaid = ", which its package's changelog does not name" if case.exim_changelog else ""
        yield warning(
            f"Exim {dotted(found)} may have {'known holes' if known[1:] else 'a known hole'}{unsaid}: {named}",
            "a stranger may use it, unless your distribution has mended it in this version of its package",
            "upgrade Exim's packages; if there are no newer ones, your distribution's security tracker says more",
        )
    if not known and found >= OLDEST:
        yield ok(f"Exim {dotted(found)} has no known hole that is not mended")
