"""Real sockets, real locks, real second processes: who may listen where."""

from __future__ import annotations

import contextlib
import grp
import os
import resource
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.daemon import sockets
from eximacl.daemon.sockets import Listener, ListenError, allow_descriptors, inherited_listeners, open_socket
from tests.state.forks import Child


def bound(path: Path, *, listening: bool, backlog: int = 1) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    if listening:
        sock.listen(backlog)
    return sock


def can_connect(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


def test_listens_with_mode_and_group(path: Path) -> None:
    group = grp.getgrgid(os.getgid()).gr_name
    listener = open_socket(path, 0o620, group)
    assert can_connect(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o620
    assert path.stat().st_gid == os.getgid()
    assert sorted(p.name for p in path.parent.iterdir()) == ["s", "s.lock"]
    listener.close()
    assert not path.exists()
    listener.close()


def test_group_by_number(path: Path) -> None:
    listener = open_socket(path, group=str(os.getgid()))
    assert path.stat().st_gid == os.getgid()
    listener.close()


def test_a_stale_socket_is_replaced(path: Path) -> None:
    bound(path, listening=False).close()
    (path.parent / ".s.new").touch()
    listener = open_socket(path)
    assert can_connect(path)
    listener.close()


def test_a_live_socket_of_another_program_is_not(path: Path) -> None:
    with bound(path, listening=True), pytest.raises(ListenError, match="another program serves"):
        open_socket(path)
    assert stat.S_ISSOCK(path.lstat().st_mode)


def test_a_live_socket_with_a_full_backlog_is_not(path: Path) -> None:
    with bound(path, listening=True, backlog=0), socket.socket(socket.AF_UNIX) as first:
        first.connect(str(path))
        with pytest.raises(ListenError, match="another program serves"):
            open_socket(path)


def test_another_eximacl_is_told_so(path: Path) -> None:
    listener = open_socket(path)
    with pytest.raises(ListenError, match=r"another eximacl serves .*s\.lock"):
        open_socket(path)
    assert can_connect(path)
    listener.close()


def make_file(path: Path) -> None:
    path.write_text("precious")


def make_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize("make", [make_file, make_link, Path.mkdir])
def test_what_is_no_socket_is_never_deleted(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    before = path.lstat()
    with pytest.raises(ListenError, match="exists and is not a socket"):
        open_socket(path)
    assert path.lstat().st_ino == before.st_ino
    (path.parent / "s.lock").unlink()


@pytest.mark.parametrize(
    ("name", "group", "error"),
    [
        ("missing/too/s", None, "the directory .*missing/too does not exist and cannot be created"),
        ("x" * 100, None, "is too long"),
        ("s", "no-such-group", "server.group: there is no group 'no-such-group'"),
    ],
)
def test_errors_name_what_to_change(tmp_path: Path, name: str, group: str | None, error: str) -> None:
    with pytest.raises(ListenError, match=error):
        open_socket(tmp_path / name, group=group)
    assert list(tmp_path.iterdir()) == []


def test_its_own_directory_is_made(tmp_path: Path) -> None:
    """/run is empty after each boot."""
    open_socket(tmp_path / "eximacl" / "s").close()
    assert (tmp_path / "eximacl").stat().st_mode & 0o777 == 0o755


@pytest.mark.needs_root
def test_auto_is_the_group_of_debians_exim_where_there_is_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "DEBIAN_GROUP", "daemon")
    with contextlib.closing(open_socket(path, group="auto")):
        assert path.group() == "daemon"
    monkeypatch.setattr(sockets, "DEBIAN_GROUP", "no-such-group")
    with contextlib.closing(open_socket(path, group="auto")):
        assert path.stat().st_gid == os.getegid()


@pytest.mark.needs_root
def test_a_user_who_may_not_give_it_to_the_group(tmp_path: Path) -> None:
    """A child gives root away: `auto` leaves the group alone, a named one is an error that tells why."""
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    with Child(lambda _: _as_nobody(tmp_path)) as child:
        assert child.wait() == 0


def _as_nobody(directory: Path) -> None:
    os.chdir(directory)
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    sockets.DEBIAN_GROUP = "daemon"
    open_socket(Path("auto"), group="auto").close()
    with pytest.raises(ListenError, match="is not a member of group"):
        open_socket(Path("named"), group="daemon")


def test_a_directory_that_cannot_be_written_is_an_error() -> None:
    with pytest.raises(ListenError, match=r"cannot create /proc/s\.lock"):
        open_socket(Path("/proc/s"))


def test_a_failed_bind_leaves_nothing_behind(path: Path) -> None:
    (path.parent / ".s.new").mkdir()
    with pytest.raises(ListenError, match="cannot listen at"):
        open_socket(path)
    (path.parent / ".s.new").rmdir()
    open_socket(path).close()


def test_an_unreachable_probe_is_an_error(path: Path) -> None:
    """A datagram socket lives there: neither ours nor stale."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(ListenError, match="cannot find out who serves"):
            open_socket(path)
    assert path.exists()


def test_a_path_that_became_anothers_is_left_alone(path: Path) -> None:
    listener = open_socket(path)
    path.unlink()
    other = bound(path, listening=True)
    listener.close()
    assert can_connect(path)
    other.close()


def test_withdrawing_lets_a_successor_start_while_we_still_answer(path: Path) -> None:
    old = open_socket(path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        old.withdraw()
        new = open_socket(path)
        old.socket.accept()[0].close()
    old.close()
    assert can_connect(path)
    new.close()


RACER = """
import sys, pathlib
from eximacl.daemon.sockets import open_socket, ListenError
sys.stdin.readline()
try:
    listener = open_socket(pathlib.Path(sys.argv[1]))
except ListenError as error:
    print("lost", error)
else:
    print("won", flush=True)
    sys.stdin.readline()
"""


def test_of_daemons_that_start_at_once_one_wins(path: Path) -> None:
    bound(path, listening=False).close()
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    words = []
    for racer in racers:
        assert racer.stdout is not None
        words.append(racer.stdout.readline().split()[0])
    assert can_connect(path)
    for racer in racers:
        racer.communicate("end\n", timeout=30)
    assert sorted(words) == ["lost", "lost", "lost", "won"]


@pytest.fixture
def descriptor() -> Callable[[socket.socket], Listener]:
    """Takes over a socket as if systemd had passed it, wherever its descriptor is."""

    def inherit(sock: socket.socket, count: int = 1) -> Listener:
        environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(count), "LISTEN_FDNAMES": "exim"}
        return inherited_listeners(environ, sock.fileno())[0]

    return inherit


def test_an_inherited_socket_stays_where_it_is(path: Path, descriptor: Callable[[socket.socket], Listener]) -> None:
    sock = bound(path, listening=True)
    listener = descriptor(sock)
    assert (listener.name, listener.path) == ("exim", None)
    assert not os.get_inheritable(sock.fileno())
    sock.detach()
    listener.close()
    assert path.exists()


def replaced(path: Path) -> None:
    """Another socket, while the old one still has its inode."""
    path.rename(path.with_name("old"))
    bound(path, listening=True).close()


CHANGES: list[tuple[Callable[[Path], object], str]] = [
    (lambda _: None, ""),
    (lambda path: path.chmod(0o600), ""),
    (lambda path: path.unlink(), "is gone, so Exim cannot reach the daemon"),
    (replaced, "was replaced"),
    (lambda path: path.parent.rename(path.parent.with_name("elsewhere")), "is gone"),
]


@pytest.mark.parametrize("inherited", [False, True], ids=["own", "inherited"])
@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_a_socket_whose_file_is_lost(
    tmp_path: Path,
    descriptor: Callable[[socket.socket], Listener],
    inherited: bool,
    change: Callable[[Path], object],
    words: str,
) -> None:
    path = tmp_path / "run/s"
    path.parent.mkdir()
    sock = bound(path, listening=True) if inherited else None
    listener = descriptor(sock) if sock else open_socket(path)
    change(path)
    found = listener.lost()
    assert words in found if words else found == ""
    assert not found or f"{path} " in found
    if sock:
        sock.detach()
    listener.close()


def test_an_inherited_socket_whose_file_was_lost_before(
    path: Path, descriptor: Callable[[socket.socket], Listener]
) -> None:
    sock = bound(path, listening=True)
    path.unlink()
    listener = descriptor(sock)
    assert "is gone" in listener.lost()
    sock.detach()
    listener.close()


def test_an_abstract_socket_has_no_file_to_lose(descriptor: Callable[[socket.socket], Listener]) -> None:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(f"\0eximacl-test-{os.getpid()}")
    sock.listen()
    listener = descriptor(sock)
    assert listener.lost() == ""
    sock.detach()
    listener.close()


def test_inherited_listeners_of_the_wrong_kind_are_errors(
    path: Path, descriptor: Callable[[socket.socket], Listener]
) -> None:
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock,
        pytest.raises(ListenError, match="a Unix stream"),
    ):
        descriptor(sock)
    with socket.socket(socket.AF_INET) as sock, pytest.raises(ListenError, match="a Unix stream"):
        descriptor(sock)
    with bound(path, listening=False) as sock, pytest.raises(ListenError, match="does not listen"):
        descriptor(sock)


def test_an_inherited_file_is_an_error(path: Path) -> None:
    with path.open("w") as file, pytest.raises(ListenError, match=r"descriptor \d+ \(unknown\) is not a socket"):
        inherited_listeners({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}, file.fileno())


@pytest.mark.parametrize("environ", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": str(os.getpid())}])
def test_nothing_is_inherited_without_being_told(environ: dict[str, str]) -> None:
    assert inherited_listeners(environ) == []


def test_a_count_that_is_no_number_is_an_error() -> None:
    with pytest.raises(ListenError, match="LISTEN_FDS='x' is not a number"):
        inherited_listeners({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "x"})


@pytest.mark.parametrize("count", ["-1", "65", "100000000"])
def test_a_count_out_of_all_bounds_is_an_error(count: str) -> None:
    with pytest.raises(ListenError, match="is not between 0 and 64"):
        inherited_listeners({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": count})


AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
environ = {**os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "exim"}
os.execve(sys.executable, [sys.executable, "-c", sys.argv[2]], environ)
"""


def test_a_socket_is_inherited_as_systemd_passes_it(path: Path) -> None:
    code = "import os; from eximacl.daemon.sockets import *; print([l.name for l in inherited_listeners(os.environ)])"
    with bound(path, listening=True) as sock:
        command = [sys.executable, "-c", AS_SYSTEMD, str(sock.fileno()), code]
        done = subprocess.run(command, pass_fds=[sock.fileno()], capture_output=True, text=True, check=True)
    assert done.stdout == "['exim']\n"


def test_the_soft_limit_of_descriptors_is_raised_as_far_as_the_hard_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
        assert allow_descriptors(300) == 512
        assert allow_descriptors(700) == 700
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (700, hard)
        assert allow_descriptors(hard + 1) == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
