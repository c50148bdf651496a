"""Carrying a plan out, and taking it back; in a directory that is no Exim's."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import tempfile
from pathlib import Path

import pytest

from eximacl.exim import Exim, EximConfig, InstallPlan, SetupError, apply_plan, plan_install, plan_remove
from eximacl.exim.apply import STOPPING, duplicate, put
from eximacl.exim.place import BACKUPS
from eximacl.exim.plan import Edit

EXIM = Exim()


def test_a_change_of_another_directory_asks_no_exim(place: EximConfig) -> None:
    """As for a chroot: the files change, and the configuration is generated elsewhere."""
    (place.etc / "exim4.conf.localmacros").write_text("A = 1")
    (place.etc / "exim4.conf.localmacros").chmod(0o640)
    plan = plan_install(place, Path("/e/12345678"), {}, router=True)
    done = apply_plan(plan, EXIM, "2026-01-02", confirm=lambda _: "")
    assert done == place.etc / BACKUPS / "2026-01-02"
    again = plan_install(place, Path("/e/87654321"), {}, router=False)
    assert [edit.path.name for edit in again.edits] == ["exim4.conf.localmacros"]  # a router that is there stays
    assert apply_plan(again, EXIM, "2026-01-02", confirm=lambda _: "") == place.etc / BACKUPS / "2026-01-02-2"
    assert (place.etc / "exim4.conf.localmacros").stat().st_mode & 0o777 == 0o640
    apply_plan(plan_remove(place), EXIM, "x", confirm=lambda _: "")
    assert (place.etc / "exim4.conf.localmacros").read_text() == "A = 1"


def test_what_is_refused_in_the_end_is_put_back(place: EximConfig) -> None:
    plan = plan_install(place, Path("/e/12345678"), {}, router=True)
    before = (place.etc / "exim4.conf.template").read_bytes()
    with pytest.raises(SetupError, match="no good\nEverything is as it was before"):
        apply_plan(plan, EXIM, "x", confirm=lambda _: "no good")
    assert (place.etc / "exim4.conf.template").read_bytes() == before
    assert not (place.etc / "exim4.conf.localmacros").exists()


def test_a_file_that_was_changed_since_the_plan(place: EximConfig) -> None:
    plan = plan_install(place, Path("/e/12345678"), {}, router=True)
    before = (place.etc / "exim4.conf.template").read_bytes()
    (place.etc / "exim4.conf.localmacros").write_text("MINE = 1\n")
    with pytest.raises(
        SetupError, match="localmacros has just been changed by someone else; nothing was done to it: run this again"
    ):
        apply_plan(plan, EXIM, "x")
    assert (place.etc / "exim4.conf.localmacros").read_text() == "MINE = 1\n"
    assert (place.etc / "exim4.conf.template").read_bytes() == before


@pytest.mark.parametrize("number", STOPPING)
def test_what_is_stopped_is_taken_back(place: EximConfig, number: signal.Signals) -> None:
    plan = plan_install(place, Path("/e/12345678"), {}, router=True)
    before = (place.etc / "exim4.conf.template").read_bytes()
    handler = signal.SIG_DFL
    found = signal.signal(number, handler)

    def stopped(_: Exim) -> str:
        assert place.switch.exists()
        os.kill(os.getpid(), number)
        return ""

    try:
        with pytest.raises(KeyboardInterrupt):
            apply_plan(plan, EXIM, "x", confirm=stopped)
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, found)
    assert (place.etc / "exim4.conf.template").read_bytes() == before
    assert not place.switch.exists()


def test_what_nohup_ignores_stays_ignored(place: EximConfig) -> None:
    def hung_up(_: Exim) -> str:
        os.kill(os.getpid(), signal.SIGHUP)
        return ""

    found = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        apply_plan(InstallPlan(place, ()), EXIM, "x", confirm=hung_up)
    finally:
        signal.signal(signal.SIGHUP, found)


def test_one_file_that_cannot_be_put_back_keeps_no_other_away(place: EximConfig) -> None:
    """What is to be done by hand is said."""
    plan = plan_install(place, Path("/e/12345678"), {}, router=True)
    before = (place.etc / "exim4.conf.template").read_bytes()

    def spoilt(_: Exim) -> str:
        place.switch.unlink()
        (place.switch / "in the way").mkdir(parents=True)
        return "no good"

    with pytest.raises(SetupError, match=r"no good\n.*localmacros could not be put back \(.*\): delete it") as caught:
        apply_plan(plan, EXIM, "x", confirm=spoilt)
    assert "as it was before" not in str(caught.value)
    assert (place.etc / "exim4.conf.template").read_bytes() == before


def test_what_a_killed_one_left_goes(place: EximConfig) -> None:
    (place.etc / ".exim4.conf.localmacros.abcdefgh~").touch()
    apply_plan(plan_install(place, Path("/e/12345678"), {}, router=True), EXIM, "x", confirm=lambda _: "")
    assert not list(place.etc.glob(".*~"))


def test_no_backup_no_change(place: EximConfig) -> None:
    (place.etc / BACKUPS).write_text("in the way\n")
    plan = plan_install(place, Path("/e/12345678"), {}, router=True)
    with pytest.raises(SetupError, match="no backup could be written; nothing was changed"):
        apply_plan(plan, EXIM, "x")


def test_on_a_disk_that_is_full_the_backup_itself_goes_back(place: EximConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file can be written any more once the first one was: the place of the second is taken, then all of it."""
    (place.etc / "exim4.conf.localmacros").write_text("A = 1\n")
    before = (place.etc / "exim4.conf.template").read_bytes()
    plan = plan_install(place, Path("/e/12345678"), {}, router=True)
    left = [1]

    def mkstemp(**options: object) -> tuple[int, str]:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return made(**options)  # type: ignore[call-overload, no-any-return]

    made = tempfile.mkstemp
    monkeypatch.setattr(tempfile, "mkstemp", mkstemp)
    with pytest.raises(SetupError, match="No space left on device\nEverything is as it was before"):
        apply_plan(plan, EXIM, "x")
    assert (place.etc / "exim4.conf.template").read_bytes() == before
    assert (place.etc / "exim4.conf.localmacros").read_text() == "A = 1\n"


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(place: EximConfig) -> None:
    (place.etc / "taken").mkdir()
    plan = InstallPlan(place, (Edit(place.etc / "taken", None, "text\n"),))
    with pytest.raises(SetupError, match="Is a directory"):
        apply_plan(plan, EXIM, "x")
    assert not list(place.etc.glob(".*~"))


def test_two_at_once(place: EximConfig) -> None:
    handle = os.open(place.etc, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(SetupError, match="another `eximacl exim` is running there; try again later"):
            apply_plan(InstallPlan(place, ()), EXIM, "x")
    finally:
        os.close(handle)


def test_a_new_file_can_be_read_by_all_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        put(tmp_path / "new", "a \udcff\n")
    finally:
        os.umask(before)
    assert (tmp_path / "new").read_bytes() == b"a \xff\n"
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o644
    put(tmp_path / "new", None)
    put(tmp_path / "new", None)
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "managed").mkdir()
    target = tmp_path / "managed" / "file"
    target.write_text("before\n")
    target.chmod(0o640)
    (tmp_path / "link").symlink_to(target)
    put(tmp_path / "link", "after\n")
    assert (tmp_path / "link").is_symlink()
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("after\n", 0o640)
    put(tmp_path / "link", None)
    assert (tmp_path / "link").is_symlink()
    assert not target.exists()


def test_a_copy_has_mode_and_time_and_takes_no_place(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("x\n")
    path.chmod(0o600)
    os.utime(path, (1, 2))
    duplicate(path, tmp_path / "copy")
    found, copied = path.stat(), (tmp_path / "copy").stat()
    assert (copied.st_mode, copied.st_uid, copied.st_gid, copied.st_mtime_ns) == (
        *(found.st_mode, found.st_uid),
        *(found.st_gid, found.st_mtime_ns),
    )
    with pytest.raises(FileExistsError):
        duplicate(path, tmp_path / "copy")
