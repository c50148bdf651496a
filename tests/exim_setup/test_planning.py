"""What a plan reads, what it would write, and where it says no; in a directory that is no Exim's."""

from __future__ import annotations

import errno
import subprocess
import tempfile
from pathlib import Path

import pytest

from eximacl.exim import Exim, Plan, SetupError, change, find_place, plan_install, plan_remove, reload_exim
from eximacl.exim.place import BACKUPS, Place
from eximacl.exim.planning import Edit, read

CONF = "dc_eximconfig_configtype='internet'\ndc_use_split_config='{split}'\n"
EXIM = Exim()


@pytest.fixture
def unsplit(tmp_path: Path) -> Place:
    (tmp_path / "update-exim4.conf.conf").write_text(CONF.format(split="false"))
    (tmp_path / "exim4.conf.template").write_text("begin routers\nr:\n  driver = accept\n")
    return find_place(tmp_path)


def test_which_it_is(unsplit: Place) -> None:
    assert unsplit.kind == "unsplit"
    (unsplit.etc / "update-exim4.conf.conf").write_text(CONF.format(split="TRUE"))
    (unsplit.etc / "conf.d" / "main").mkdir(parents=True)
    assert find_place(unsplit.etc).kind == "split"
    (unsplit.etc / "exim4.conf").touch()
    assert find_place(unsplit.etc).kind == "plain"


def test_a_change_of_another_directory_asks_no_exim(unsplit: Place) -> None:
    """As for a chroot: the files change, and whoever uses them makes the configuration."""
    (unsplit.etc / "exim4.conf.localmacros").write_text("A = 1")
    (unsplit.etc / "exim4.conf.localmacros").chmod(0o640)
    plan = plan_install(unsplit, Path("/e/12345678"), {}, router=True)
    done = change(plan, EXIM, "2026-01-02", confirm=lambda _: "")
    assert done.backup == unsplit.etc / BACKUPS / "2026-01-02"
    again = plan_install(unsplit, Path("/e/87654321"), {}, router=False)
    assert [edit.path.name for edit in again.edits] == ["exim4.conf.localmacros"]  # a router that is there stays
    assert change(again, EXIM, "2026-01-02", confirm=lambda _: "").backup == unsplit.etc / BACKUPS / "2026-01-02-2"
    assert (unsplit.etc / "exim4.conf.localmacros").stat().st_mode & 0o777 == 0o640
    change(plan_remove(unsplit), EXIM, "x", confirm=lambda _: "")
    assert (unsplit.etc / "exim4.conf.localmacros").read_text() == "A = 1\n"


def test_what_is_refused_in_the_end_is_put_back(unsplit: Place) -> None:
    plan = plan_install(unsplit, Path("/e/12345678"), {}, router=True)
    before = (unsplit.etc / "exim4.conf.template").read_bytes()
    with pytest.raises(SetupError, match="no good\nEverything is as it was before"):
        change(plan, EXIM, "x", confirm=lambda _: "no good")
    assert (unsplit.etc / "exim4.conf.template").read_bytes() == before
    assert not (unsplit.etc / "exim4.conf.localmacros").exists()


def test_no_backup_no_change(unsplit: Place) -> None:
    (unsplit.etc / BACKUPS).write_text("in the way\n")
    plan = plan_install(unsplit, Path("/e/12345678"), {}, router=True)
    with pytest.raises(SetupError, match="no backup could be written; nothing was changed"):
        change(plan, EXIM, "x")


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=f"{tmp_path}: Is a directory"):
        read(tmp_path)


def test_a_diff_shows_files_that_come_and_go() -> None:
    assert Edit(Path("/a"), None, "x\n").diff().startswith("--- /dev/null\n+++ /a\n")
    assert Edit(Path("/a"), "x", None).diff().endswith("-x\n\\ No newline at end of file\n")


def test_only_exims_daemon_is_signalled(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    assert reload_exim(EXIM, pid_file) is None
    with subprocess.Popen(["sleep", "60"]) as other:
        pid_file.write_text(f"{other.pid}\n")
        assert reload_exim(EXIM, pid_file) is None
        assert other.poll() is None
        other.kill()


def test_on_a_disk_that_is_full_the_backup_itself_goes_back(unsplit: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file can be written any more once the first one was: the place of the second is taken, then all of it."""
    (unsplit.etc / "exim4.conf.localmacros").write_text("A = 1\n")
    before = (unsplit.etc / "exim4.conf.template").read_bytes()
    plan = plan_install(unsplit, Path("/e/12345678"), {}, router=True)
    left = [1]

    def mkstemp(**options: object) -> tuple[int, str]:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return made(**options)  # type: ignore[call-overload, no-any-return]

    made = tempfile.mkstemp
    monkeypatch.setattr("eximacl.exim.changing.tempfile.mkstemp", mkstemp)
    with pytest.raises(SetupError, match="No space left on device\nEverything is as it was before"):
        change(plan, EXIM, "x")
    assert (unsplit.etc / "exim4.conf.template").read_bytes() == before
    assert (unsplit.etc / "exim4.conf.localmacros").read_text() == "A = 1\n"


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(unsplit: Place) -> None:
    (unsplit.etc / "taken").mkdir()
    plan = Plan(unsplit, (Edit(unsplit.etc / "taken", None, "text\n"),))
    with pytest.raises(SetupError, match="Is a directory"):
        change(plan, EXIM, "x")
    assert not list(unsplit.etc.glob(".eximacl-*"))
