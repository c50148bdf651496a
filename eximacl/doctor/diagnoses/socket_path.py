"""Do Exim and the daemon mean the same socket?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem


@diagnosis("daemon")
def socket_path(case: Case) -> Iterator[Finding]:
    """EXIMACL_SOCKET in Exim's configuration is the policy's server.socket."""
    named = case.settings.get("socket")
    if not named or (case.loaded is None and case.socket is None):
        return
    if Path(named) == case.daemon_socket:
        yield ok(f"Exim and the policy name the same socket, {named}")
        return
    yield problem(
        f"Exim asks at {named}, the daemon listens at {case.daemon_socket}",
        "no query arrives",
        f"set EXIMACL_SOCKET = {case.daemon_socket} above the .include of macros (or let `eximacl exim install` do so)",
    )
