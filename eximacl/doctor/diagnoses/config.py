"""Does Exim read its configuration?"""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem


@diagnosis("exim")
def config(case: Case) -> Iterator[Finding]:
    """Exim reads its whole configuration without an error."""
    if not case.complaint:
        yield ok(f"Exim reads {case.exim.config_file() or 'its configuration'} without an error")
        return
    yield problem(
        f"Exim refuses its configuration: {case.complaint}",
        "a running Exim may go on with what it has read, but deliveries, queue runs and its next start fail",
        "mend the line that it names (exim4 -bV shows it again); `eximacl exim status` shows which part is eximacl's",
    )
