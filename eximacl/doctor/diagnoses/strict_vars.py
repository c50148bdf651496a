"""Do variables that are not set yet mean an empty string?"""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem


@diagnosis("exim")
def strict_vars(case: Case) -> Iterator[Finding]:
    """The option strict_acl_vars is off, as the snippets need it."""
    if case.complaint or not case.settings:
        return
    if case.exim.run("-bP", "strict_acl_vars").out.startswith("no_"):  # as Exim prints an option that is off
        yield ok("strict_acl_vars is off")
        return
    yield problem("strict_acl_vars is on", "Exim defers all mail that it asks about", "set strict_acl_vars = false")
