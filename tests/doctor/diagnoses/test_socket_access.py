"""A socket to which Exim's user may not write."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.access import Who
from eximacl.doctor.diagnoses.socket_access import socket_access
from tests.doctor import breaks
from tests.doctor.breaks import socket_mode
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "closed to its group": Way(socket_mode(0o600), "problem", "Debian-exim may not write "),
    "of a wrong group": Way(socket_mode(0o660, 0), "problem", "Debian-exim may not write "),
    "in a closed directory": Way(breaks.closed_directory, "problem", "Debian-exim may not enter "),
    "hidden from Exim": Way(
        breaks.second_exim(before="mount -t tmpfs tmpfs {home}"), "problem", "Exim's daemon does not see .*eximacl.sock"
    ),
    "a file": Way(breaks.socket_is_a_file, "problem", "is not a socket"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "socket-access", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("socket-access") == {"ok"}


USER = Who("Debian-exim", 60001, frozenset({60001}))
MISSING = [(None, "Exim's user is not known here"), (USER, "none: No such file or directory")]


@pytest.mark.parametrize(("user", "words"), MISSING)
def test_what_is_missing(tmp_path: Path, user: Who | None, words: str) -> None:
    case = known(tmp_path, socket=tmp_path / "none", exim_user=user, exim_view=Path("/"))
    ((level, what),) = told(socket_access, case)
    assert (level, what.endswith(words)) == ("problem", True)


ROOT = '[server]\ngroup = "root"\n'
CURES = [
    ("", 0o755, 0o600, "systemctl restart eximacl.socket"),  # the settings are right: the file was changed
    ('[server]\nmode = "0600"\n', 0o755, 0o600, "set server.group"),
    (ROOT, 0o755, 0o660, "set server.group"),
    ("", 0o700, 0o660, "chmod 755 {directory}"),
    ("", 0o755, None, "start the daemon: systemctl restart eximacl.socket"),
]


@pytest.mark.needs_root
@pytest.mark.parametrize(("policy", "directory", "mode", "cure"), CURES)
def test_what_mends_it(tmp_path: Path, policy: str, directory: int, mode: int | None, cure: str) -> None:
    home = tmp_path / "run"
    home.mkdir()
    for above in (tmp_path, *tmp_path.parents):
        above.chmod(above.stat().st_mode | 0o011)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(home / "s"))
        if mode is None:
            (home / "s").unlink()
        else:
            (home / "s").chmod(mode)
        home.chmod(directory)
        case = known(tmp_path, policy, socket=home / "s", exim_user=USER, exim_view=Path("/"))
        (found,) = socket_access(case)
    assert found.do.startswith(cure.format(directory=home)), found
