"""Opening the state file beside the daemon: whose it stays, and what is said where it cannot be opened."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eximacl.policy.state import StateError
from eximacl.state import SqliteState
from eximacl.state.owner import as_owner
from tests.state.contract import opened
from tests.state.forks import Child, Tell

NOBODY = 65534


def test_where_there_is_no_file_none_is_made(tmp_path: Path) -> None:
    for path in (tmp_path / "state.db", tmp_path / "no" / "state.db"):
        with as_owner(path) as is_there:
            assert not is_there
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def theirs() -> Iterator[Path]:
    """The directory of a daemon that runs as another user, with a state file; our own where we are not root."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "lib"
        directory.mkdir()
        SqliteState(directory / "state.db").close()
        Path(name).chmod(0o755)
        if os.getuid() == 0:
            for path in (directory, *directory.iterdir()):
                shutil.chown(path, NOBODY, NOBODY)
        directory.chmod(0o750)
        yield directory


def as_daemon(tell: Tell, directory: Path) -> None:
    """Work with the state as the daemon's own user."""
    if os.getuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    with opened(SqliteState(directory / "state.db")) as state:
        tell(f"{state.count('key', 60, 9, 1000.0)} {[block.why for block in state.blocks(1000.0)]}")


def block(path: Path, key: str) -> None:
    """Block a key in somebody's state file."""
    with as_owner(path) as is_there, opened(SqliteState(path)) as state:
        assert is_there
        state.block(key, 1000.0, math.inf, "by hand")


def test_root_leaves_the_daemon_its_files(theirs: Path) -> None:
    """Also when it is killed while it has the file open, and -wal and -shm stay."""

    def work(tell: Tell) -> None:
        with as_owner(theirs / "state.db"), opened(SqliteState(theirs / "state.db")) as state:
            state.block("bounces:steve@example.org", 1000.0, math.inf, "by hand")
            tell("blocked")
            os.read(os.pipe()[0], 1)

    with Child(work) as child:
        assert child.line() == "blocked"
        child.kill()
        assert child.wait() == -9
    owner = theirs.stat()
    left = {path.name: path.stat() for path in theirs.iterdir()}
    assert set(left) == {"state.db", "state.db-wal", "state.db-shm"}
    assert {(found.st_uid, found.st_gid) for found in left.values()} == {(owner.st_uid, owner.st_gid)}
    assert {found.st_mode & 0o777 for found in left.values()} == {0o640}
    with Child(lambda tell: as_daemon(tell, theirs)) as child:
        assert child.line() == "1 ['by hand']"
    block(theirs / "state.db", "bounces:joe@example.org")
    with Child(lambda tell: as_daemon(tell, theirs)) as child:
        assert child.line() == "2 ['by hand', 'by hand']"
    assert {path.stat().st_uid for path in theirs.iterdir()} == {owner.st_uid}


@pytest.mark.parametrize("closed", ["", "state.db", "."])
def test_who_lacks_the_rights_is_told(theirs: Path, closed: str) -> None:
    """The directory cannot be entered, the file not be written, or no file be made beside it."""
    (theirs / "state.db").chmod(0o440 if closed == "state.db" else 0o666)
    theirs.chmod({"": 0o700, "state.db": 0o777, ".": 0o555}[closed])

    def work(tell: Tell) -> None:
        if os.getuid() == 0:
            os.setgid(NOBODY - 1)
            os.setuid(NOBODY - 1)
        elif not closed:
            theirs.chmod(0)
        with pytest.raises(StateError) as error, as_owner(theirs / "state.db"):
            pass
        tell(str(error.value))

    with Child(work) as child:
        assert child.line() == f"{theirs}/state.db: permission denied: run this as root or as the daemon's user"
    theirs.chmod(0o750)
    assert [path.name for path in theirs.iterdir() if path.name.startswith("state.db-")] == []


@pytest.fixture
def roots(theirs: Path) -> Path:
    """An empty file of root's."""
    path = theirs.parent / "empty"
    path.touch(0o644)
    return path


@pytest.mark.needs_root
@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("file", "if it is the daemon's state, chown nobody "),
        ("hard link", "it has another name elsewhere (a hard link)"),
        ("fifo", "it is not a regular file"),
        ("directory", "it is not a regular file"),
    ],
)
def test_a_file_of_roots_is_not_given_away(theirs: Path, roots: Path, made: str, words: str) -> None:
    """Who may write in the directory may have linked another file there: it must not become theirs by our advice."""
    path = theirs / "other.db"
    if made == "hard link":
        os.link(roots, path)
    elif made == "fifo":
        os.mkfifo(path)
    elif made == "directory":
        path.mkdir()
    else:
        path.touch()
    with pytest.raises(StateError) as error, as_owner(path):
        pass
    assert words in str(error.value)
    assert ("chown" in str(error.value)) == (made == "file")


LINKED = "state.db is a symbolic link, and users other than root may write in its directory: it is not followed"


@pytest.mark.needs_root
@pytest.mark.parametrize(
    ("place", "words"),
    [
        pytest.param(lambda path, target: path.symlink_to(target), LINKED, id="link"),
        pytest.param(lambda path, _: path.symlink_to("/nonexistent"), LINKED, id="link to nothing"),
        pytest.param(lambda path, target: path.hardlink_to(target), "belongs to root, but its directory to", id="hard"),
    ],
)
def test_root_opens_no_file_that_is_not_the_daemon_s(
    theirs: Path, roots: Path, place: Callable[[Path, Path], None], words: str
) -> None:
    (theirs / "state.db").unlink()
    place(theirs / "state.db", roots)
    with pytest.raises(StateError, match=words):
        block(theirs / "state.db", "bounces:joe@example.org")
    assert roots.read_bytes() == b""


def test_root_works_as_the_owner_of_the_directory(theirs: Path, tmp_path: Path) -> None:
    """Whatever the owner puts there after the look, it leads to nothing that is not the owner's."""
    SqliteState(tmp_path / "state.db").close()
    for directory, user in ((theirs, theirs.stat().st_uid), (tmp_path, os.getuid())):
        with as_owner(directory / "state.db"):
            assert os.geteuid() == user
        assert (os.geteuid(), os.getegid()) == (os.getuid(), os.getgid())


@pytest.mark.needs_root
def test_a_link_in_a_directory_where_everybody_may_write(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    SqliteState(tmp_path / "own.db").close()
    (tmp_path / "shared/state.db").symlink_to(tmp_path / "own.db")
    (tmp_path / "link.db").symlink_to(tmp_path / "own.db")
    with pytest.raises(StateError, match=LINKED):
        block(tmp_path / "shared/state.db", "key")
    block(tmp_path / "link.db", "key")
