"""What the daemon's user plants in its archive leads root nowhere: commands work with the rights of its owner.

Each of these is what someone who has taken over the daemon could do before root looks at the archive or purges it.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from eximacl.archive import messages
from eximacl.cli import exits
from tests.archive.holding import DAY, NOON, archive_at, held, spool_with
from tests.cli.running import eximacl

pytestmark = pytest.mark.needs_root
NOBODY = 65534
REF = "7KQ2M9D4"
PARTS = ("tmp", "envelope", "new", "cur")
LONG_AGO = NOON - 400 * 86_400


class Scene(NamedTuple):
    """An archive that belongs to another user, with one message; files of root's that nobody else may touch."""

    root: Path
    secret: Path
    victim: Path


@pytest.fixture
def scene() -> Iterator[Scene]:
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        top.chmod(0o755)
        archive = archive_at(top / "archive")
        archive.store(held(spool_with(top / "spool"), ref=REF))
        victim = top / "victim"
        victim.mkdir()
        for file in ("passwd", "shadow", "message.json"):
            (victim / file).write_text("important\n")
            os.utime(victim / file, (LONG_AGO, LONG_AGO))
        secret = victim / "shadow"
        secret.chmod(0o600)
        give_away(archive.root)
        yield Scene(archive.root, secret, victim)


def give_away(root: Path) -> None:
    for path in (root, *root.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def plant(scene: Scene, part: str, domain: str = "example.com", day: str = "2026-11-20") -> None:
    """Put a link to root's files in the place of one of a day's directories."""
    where = scene.root / domain / day
    where.mkdir(parents=True, exist_ok=True)
    for one in PARTS:
        if one == part:
            (where / one).symlink_to(scene.victim)
        else:
            (where / one).mkdir(exist_ok=True)
    give_away(scene.root)


def victims(scene: Scene) -> list[str]:
    return sorted(path.name for path in scene.victim.iterdir())


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("what", [("--older-than", "12h"), ("--ref", REF), ("--domain", "example.com")], ids=str)
def test_a_purge_deletes_nothing_behind_a_link(scene: Scene, part: str, what: tuple[str, str]) -> None:
    plant(scene, part)
    before = victims(scene)
    eximacl("archive", "purge", *what, "--yes", "--archive", scene.root)
    assert victims(scene) == before
    assert (os.geteuid(), os.getegid()) == (0, os.getgid())


def test_a_purge_deletes_nothing_that_the_owner_could_not(scene: Scene) -> None:
    """Between a look at a directory and its use, a link may be put there: what counts is whose rights are used."""
    (scene.root / "example.org" / DAY / "new").chmod(0o555)
    os.chown(scene.root / "example.org" / DAY / "new", 0, 0)
    done = eximacl("archive", "purge", "--ref", REF, "--yes", "--archive", scene.root)
    assert (done.status, len(list(messages(scene.root)))) == (exits.IO_ERROR, 1)
    assert "Permission denied" in done.err


@pytest.mark.parametrize("command", ["show", "export"])
@pytest.mark.parametrize("kind", ["link", "hard link", "fifo"])
def test_what_stands_in_a_message_s_place_is_not_read(scene: Scene, command: str, kind: str) -> None:
    (path,) = (one.path for one in messages(scene.root))
    path.unlink()
    if kind == "link":
        path.symlink_to(scene.secret)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.hardlink_to(scene.secret)  # Linux lets the daemon's user do that only to files which it may write
    if kind != "hard link":
        give_away(scene.root)
    done = eximacl(
        "archive",
        command,
        REF,
        "--archive",
        scene.root,
        *(("--output", scene.root.parent / "out") * (command == "export")),
    )
    assert done.status == exits.IO_ERROR
    assert "important" not in done.out + done.err
    assert not (scene.root.parent / "out").exists()


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_what_stands_in_an_envelope_s_place_is_damaged(scene: Scene, kind: str) -> None:
    (envelope,) = (scene.root / "example.org" / DAY / "envelope").iterdir()
    envelope.unlink()
    if kind == "link":
        envelope.symlink_to(scene.secret)
    else:
        os.mkfifo(envelope)
    give_away(scene.root)
    done = eximacl("archive", "list", "--archive", scene.root)
    assert (done.status, "important" in done.out + done.err) == (0, False)


def test_a_release_changes_the_envelope_as_the_owner_and_sends_as_root(scene: Scene) -> None:
    program = scene.root.parent / "sendmail"
    program.write_text(f"#!/bin/sh\nid -u > {scene.victim}/who\ncat > /dev/null\n")
    program.chmod(0o755)
    done = eximacl("archive", "release", REF, "--archive", scene.root, "--sendmail", program)
    assert done.status == 0, done.err
    assert (scene.victim / "who").read_text() == "0\n"
    (envelope,) = (scene.root / "example.org" / DAY / "envelope").iterdir()
    status = envelope.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (NOBODY, NOBODY, 0o640)


def test_a_release_writes_nothing_where_the_owner_could_not(scene: Scene) -> None:
    envelopes = scene.root / "example.org" / DAY / "envelope"
    os.chown(envelopes, 0, 0)
    envelopes.chmod(0o755)
    done = eximacl("archive", "release", REF, "--archive", scene.root, "--sendmail", shutil.which("false"))
    assert done.status == exits.IO_ERROR
    assert "nothing was released" in done.err


def test_a_fifo_in_the_journal_does_not_make_root_wait(scene: Scene) -> None:
    journal = scene.root.parent / "journal"
    journal.mkdir()
    os.mkfifo(journal / f"{DAY}.mpk")
    give_away(journal)
    for command in (("why", REF), ("observed",)):
        done = eximacl(*command, "--journal", journal)
        assert (done.status, "not a regular file" in done.err) == (exits.IO_ERROR, True)


def test_an_owner_who_may_not_read_the_archive_is_named(scene: Scene) -> None:
    scene.root.chmod(0)
    done = eximacl("archive", "list", "--archive", scene.root)
    assert (done.status, "also for its owner nobody" in done.err) == (exits.IO_ERROR, True)
