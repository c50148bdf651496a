"""May Exim's user talk to the daemon's socket?"""

from __future__ import annotations

import stat
from collections.abc import Iterator

from eximacl.doctor.access import Who, describe, refusal, shut
from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem
from eximacl.system.users import group_name

AGAIN = "systemctl restart eximacl.socket (without systemd: restart the daemon)"


@diagnosis("daemon")
def socket_access(case: Case) -> Iterator[Finding]:
    """The socket exists, and its mode, its group and its directories allow Exim's user to write to it."""
    path, user = case.daemon_socket, case.exim_user
    if user is None:
        yield problem("Exim's user is not known here", "whether it may ask is not known", "install exim4-daemon-light")
        return
    try:
        found = (case.exim_view / path.relative_to("/")).stat()
    except OSError as error:
        yield _missing(case, str(error.strerror))
        return
    if not stat.S_ISSOCK(found.st_mode):
        yield problem(f"{path} is not a socket", "no query arrives", f"delete it, then {AGAIN}")
        return
    why = refusal(user, path, "write", case.exim_view)
    if why:
        yield problem(f"Exim's user may not write to the daemon's socket: {why}", "no query arrives", _cure(case, user))
        return
    yield ok(f"{user.name} may write to {path} ({describe(found)}, group {group_name(found.st_gid)})")


def _missing(case: Case, why: str) -> Finding:
    path = case.daemon_socket
    if path.exists():
        return problem(
            f"Exim's daemon does not see {path}: {why}",
            "no query arrives",
            "systemctl cat exim4: remove what hides it (InaccessiblePaths=, TemporaryFileSystem=, PrivateTmp=), "
            "then systemctl restart exim4",
        )
    return problem(
        f"{path}: {why}",
        "no query arrives",
        f"start the daemon: {AGAIN}; the service alone does not bring the socket back; or correct server.socket",
    )


def _cure(case: Case, user: Who) -> str:
    """Return what to do: about the directory; or make the socket again, if its settings are right; or change those."""
    path = case.daemon_socket
    closed = shut(user, path, case.exim_view)
    if closed is not None:
        return f"chmod 755 {closed}"
    settings = f'set server.group to a group of {user.name}, server.mode to "0660"; systemd: SocketGroup=, SocketMode='
    if case.loaded is None:
        return settings
    server = case.loaded.settings.server
    right = server.mode & 0o002 or (server.mode & 0o020 and server.group in ("auto", *map(group_name, user.gids)))
    return f"{AGAIN}: then it is as configured; if that does not help, {settings}" if right else settings
