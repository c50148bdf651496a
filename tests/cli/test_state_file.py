"""Opening the state file from a command: which one, whose it stays, and what is told where it cannot be."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eximacl.cli import exits
from eximacl.cli.options import Failure
from eximacl.cli.state_file import open_statefile, statefile_of
from eximacl.state import SqliteState
from eximacl.system import paths
from tests.cli.running import eximacl
from tests.state.contract import opened
from tests.state.forks import Child, Tell

NOBODY = 65534


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("memory:", "state.url is memory:, and nobody but the daemon sees that; set it to sqlite:PATH"),
        ("mysql://x", "expected sqlite:PATH or memory:, got 'mysql://x'"),
        ("sqlite:", "expected sqlite:PATH or memory:"),
        ("", "expected sqlite:PATH or memory:"),
        ("nonsense\\u001b", "got 'nonsense\\x1b'"),
    ],
)
def test_a_state_that_is_no_file(config: Path, url: str, words: str) -> None:
    config.write_text(f'[state]\nurl = "{url}"\n')
    done = eximacl("blocks", "list")
    assert (done.status, done.out) == (exits.CONFIG, "")
    assert words in done.err


def test_the_file_can_be_named(tmp_path: Path, config: Path) -> None:
    config.write_text("this is no TOML")
    SqliteState(tmp_path / "other.db").close()
    assert eximacl("blocks", "list", "--state", tmp_path / "other.db").status == 0
    assert "give the path with --state" in eximacl("blocks", "list").err


def test_the_path_is_the_policy_files(config: Path) -> None:
    assert statefile_of(config) == config.parent / "state.db"


@pytest.mark.usefixtures("config")
def test_none_where_there_is_no_file_and_none_is_made(tmp_path: Path) -> None:
    with open_statefile(tmp_path / "eximacl.toml", None) as state:
        assert state is None
    assert not (tmp_path / "state.db").exists()


def test_what_fails_while_it_is_open_is_a_failure(config: Path) -> None:
    path = config.parent / "state.db"
    SqliteState(path).close()

    def lose() -> None:
        with open_statefile(config, None) as state:
            assert state is not None
            path.unlink()
            state.unblock("key")

    with pytest.raises(Failure, match="was deleted or replaced") as error:
        lose()
    assert error.value.status == exits.IO_ERROR


def test_without_a_url_it_is_the_default_one(config: Path) -> None:
    config.write_text("[policy]\n")
    assert f"sqlite:{statefile_of(config)}" == paths.STATE_URL


def test_a_damaged_file_is_named(config: Path) -> None:
    (config.parent / "state.db").write_text("no database\n" * 100)
    done = eximacl("blocks", "list")
    assert done.status == exits.IO_ERROR
    assert "state.db: cannot use the state file" in done.err


@pytest.fixture
def theirs() -> Iterator[Path]:
    """The directory of a daemon that runs as another user, with a state file; our own where we are not root."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "lib"
        directory.mkdir()
        SqliteState(directory / "state.db").close()
        (directory / "eximacl.toml").write_text('[state]\nurl = "sqlite:state.db"\n')
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


def test_root_leaves_the_daemon_its_files(theirs: Path) -> None:
    """Also when it is killed while it has the file open, and -wal and -shm stay."""
    config = theirs / "eximacl.toml"

    def work(tell: Tell) -> None:
        with open_statefile(config, None) as state:
            assert state is not None
            state.block("bounces:steve@example.org", 1000.0, math.inf, "by hand")
            tell("blocked")
            os.read(os.pipe()[0], 1)

    with Child(work) as child:
        assert child.line() == "blocked"
        child.kill()
        assert child.wait() == -9
    owner = theirs.stat()
    left = {path.name: path.stat() for path in theirs.iterdir()}
    assert set(left) == {"eximacl.toml", "state.db", "state.db-wal", "state.db-shm"}
    assert {(found.st_uid, found.st_gid) for found in left.values()} == {(owner.st_uid, owner.st_gid)}
    assert {left[name].st_mode & 0o777 for name in ("state.db", "state.db-wal", "state.db-shm")} == {0o640}
    with Child(lambda tell: as_daemon(tell, theirs)) as child:
        assert child.line() == "1 ['by hand']"
    assert eximacl("blocks", "add", "joe@example.org", "--for", "ever", "--config", config).status == 0
    with Child(lambda tell: as_daemon(tell, theirs)) as child:
        assert child.line().startswith("2 ")
    assert {path.stat().st_uid for path in theirs.iterdir()} == {owner.st_uid}


@pytest.mark.parametrize("closed", ["", "state.db", "."])
def test_who_lacks_the_rights_is_told(theirs: Path, closed: str) -> None:
    """The directory cannot be entered, the file not be written, or no file be made beside it."""
    config = theirs.parent / "eximacl.toml"
    config.write_text(f'[state]\nurl = "sqlite:{theirs}/state.db"\n')
    (theirs / "state.db").chmod(0o440 if closed == "state.db" else 0o666)
    theirs.chmod({"": 0o700, "state.db": 0o777, ".": 0o555}[closed])

    def work(tell: Tell) -> None:
        if os.getuid() == 0:
            os.setgid(NOBODY - 1)
            os.setuid(NOBODY - 1)
        elif not closed:
            theirs.chmod(0)
        done = eximacl("blocks", "list", "--config", config)
        tell(f"{done.status} {done.out}{done.err}")

    with Child(work) as child:
        assert child.line() == (
            f"74 Error: {theirs}/state.db: permission denied: run this as root or as the daemon's user"
        )
    theirs.chmod(0o750)
    assert [path.name for path in theirs.iterdir() if path.name.startswith("state.db-")] == []


@pytest.fixture
def roots(theirs: Path) -> Path:
    """An empty file of root's."""
    path = theirs.parent / "empty"
    path.touch(0o644)
    return path


LINKED = "state.db is a symbolic link, and others than root may write in its directory: it is not followed"


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
    done = eximacl("blocks", "add", "joe@example.org", "--for", "2h", "--config", theirs / "eximacl.toml")
    assert (done.status, done.out) == (exits.IO_ERROR, "")
    assert words in done.err
    assert roots.read_bytes() == b""


def test_root_works_as_the_owner_of_the_directory(theirs: Path, config: Path) -> None:
    """Whatever the owner puts there after the look, it leads to nothing that is not the owner's."""
    SqliteState(config.parent / "state.db").close()
    for path, user in ((theirs / "eximacl.toml", theirs.stat().st_uid), (config, os.getuid())):
        with open_statefile(path, None):
            assert os.geteuid() == user
        assert (os.geteuid(), os.getegid()) == (os.getuid(), os.getgid())


@pytest.mark.needs_root
def test_a_link_in_a_directory_where_everybody_may_write(tmp_path: Path, config: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    SqliteState(tmp_path / "own.db").close()
    (tmp_path / "shared/state.db").symlink_to(tmp_path / "own.db")
    (tmp_path / "link.db").symlink_to(tmp_path / "own.db")
    assert config.exists()
    assert LINKED in eximacl("blocks", "list", "--state", tmp_path / "shared/state.db").err
    assert eximacl("blocks", "list", "--state", tmp_path / "link.db").status == 0
