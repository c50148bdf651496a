"""May Exim's user talk to the daemon's socket?"""

from __future__ import annotations

import stat
from collections.abc import Iterator

from eximacl.doctor.access import describe, refusal
from eximacl.doctor.case import Case, group_name
from eximacl.doctor.model import Finding, diagnosis, ok, problem


@diagnosis("daemon")
def socket_access(case: Case) -> Iterator[Finding]:
    """The socket is there, and its mode, its group and its directories let Exim's user write to it."""
    path, user = case.daemon_socket, case.exim_user
    if user is None:
        yield problem("Exim's user is not known here", "nobody can say who may ask", "install exim4-daemon-light")
        return
    try:
        found = path.stat()
    except OSError as error:
        yield problem(
            f"{path}: {error.strerror}",
            "no query arrives",
            "start the daemon: systemctl start eximacl; or mend server.socket",
        )
        return
    if not stat.S_ISSOCK(found.st_mode):
        yield problem(f"{path} is no socket", "no query arrives", "delete it, then restart the daemon")
        return
    why = refusal(user, path, "write")
    if why:
        yield problem(
            f"Exim's user may not write to the daemon's socket: {why}",
            "no query arrives",
            f'set server.group to a group of {user.name}, server.mode to "0660"; systemd: SocketGroup=, SocketMode=',
        )
        return
    yield ok(f"{user.name} may write to {path} ({describe(found)}, group {group_name(found.st_gid)})")
