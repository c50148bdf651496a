"""What all commands on the archive need: the archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.archived import REF, hold, with_archive
from tests.cli.running import eximacl


@pytest.mark.parametrize(
    "command", [["list"], ["show", REF], ["export", REF], ["release", REF], ["purge", "--ref", REF]]
)
def test_no_archive(config: Path, command: list[str]) -> None:
    done = eximacl("archive", *command)
    assert (done.status, "archive.dir is empty, so nothing is archived" in done.err) == (78, True)
    config.write_text(f'{config.read_text()}\n[archive]\ndir = "archive"\n')
    done = eximacl("archive", *command)
    assert (done.status, "archive does not exist: has anything been held yet?" in done.err) == (74, True)


def test_a_policy_that_is_wrong_elsewhere_keeps_nobody_out(config: Path, tmp_path: Path) -> None:
    with_archive(config)
    hold(config, "A: b\n", b"", "joe@example.org")
    config.write_text(config.read_text() + "[policy.wrong]\n[unknown]\n")
    assert eximacl("archive", "show", REF).status == 0
    config.write_text("wrong")
    done = eximacl("archive", "show", REF)
    assert (done.status, "or give the path with --archive" in done.err) == (78, True)
    assert eximacl("archive", "show", REF, "--archive", config.parent / "archive").status == 0


def test_an_archive_that_cannot_be_read(config: Path) -> None:
    root = with_archive(config)
    (root / "example.org" / "2026-11-23" / "envelope").mkdir(parents=True)
    new = root / "example.org" / "2026-11-23" / "new"
    new.symlink_to(new)
    done = eximacl("archive", "list")
    assert done.status == 74
    assert f"{new}: it is a symbolic link" in done.err
