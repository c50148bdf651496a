"""Do Exim and the daemon use the same socket?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning
from eximacl.exim.explain import settings_of
from eximacl.exim.place import local_place

SET = "EXIMACL_SOCKET"


@diagnosis("daemon")
def socket_path(case: Case) -> Iterator[Finding]:
    """EXIMACL_SOCKET in Exim's configuration is the policy's server.socket."""
    named = case.settings.get("socket")
    if not named or (case.loaded is None and case.socket is None):
        return
    if Path(named) != case.daemon_socket:
        yield problem(
            f"Exim asks at {named}, the daemon listens at {case.daemon_socket}",
            "no query arrives",
            _cure(case.daemon_socket),
        )
    elif case.socket is None and case.policy_socket != case.daemon_socket:
        yield warning(
            f"the policy's server.socket is {case.policy_socket}, but the daemon answers at {named}: "
            "it gets its socket from systemd, or was not restarted since then",
            "Exim and the daemon meet there; eximacl's own commands look for the daemon where the policy says",
            f'set server.socket to "{named}" (or change ListenStream= of eximacl.socket and {SET}, and restart both)',
        )
    else:
        yield ok(f"Exim and the policy name the same socket, {named}")


def _cure(wanted: Path) -> str:
    """Return what to do: `eximacl exim install` sets the macro only where an admin does not."""
    where = local_place()
    own = settings_of(where, SET) if where else []
    if own:
        return f"remove {SET} from {', '.join(own)}, or set it to {wanted} there"
    return f"set {SET} = {wanted} above the .include of macros (or have `eximacl exim install` do so)"
