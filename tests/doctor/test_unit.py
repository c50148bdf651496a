"""What a unit gives the daemon, as systemctl prints it, and what it hides."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

import pytest

from eximacl.doctor.unit import hidden, properties, unit_user

ME = pwd.getpwuid(os.getuid()).pw_name
LOADED = f"LoadState=loaded\nUser={ME}\nSupplementaryGroups=daemon 12345 no-such-group\nProtectHome=yes\n"


def systemctl(home: Path, said: str) -> str:
    """Return a program that prints this for the unit."""
    program = home / "systemctl"
    program.write_text(f"#!/bin/sh\n[ \"$1 $3\" = 'show eximacl.service' ] && printf '%s' '{said}'\n")
    program.chmod(0o755)
    return str(program)


def test_the_unit_s_own_groups_count(tmp_path: Path) -> None:
    """An archive needs one, by a drop-in: the account itself is not in it."""
    who = unit_user(properties(systemctl(tmp_path, LOADED)))
    assert who is not None
    assert (who.name, {1, 12345} <= who.gids, os.getgid() in who.gids) == (ME, True, True)


@pytest.mark.parametrize("said", ["", "LoadState=not-found\nProtectHome=no\n"])
def test_without_such_a_unit_nothing_is_known(tmp_path: Path, said: str) -> None:
    assert properties(systemctl(tmp_path, said)) == {}
    assert properties("/no/such/systemctl") == {}
    assert unit_user({"User": "no-such-user"}) is None


HIDDEN: list[tuple[str, Mapping[str, str], Path | None]] = [
    ("/home/ann/list", {"ProtectHome": "yes"}, Path("/home")),
    ("/root/list", {"ProtectHome": "tmpfs"}, Path("/root")),
    ("/homes/list", {"ProtectHome": "yes"}, None),
    ("/home/ann/list", {"ProtectHome": "read-only"}, None),
    ("/home/ann/list", {"ProtectHome": "no"}, None),
    ("/home/ann/list", {}, None),
    ("/etc/eximacl/list", {"ProtectHome": "yes"}, None),
]


@pytest.mark.parametrize(("path", "found", "directory"), HIDDEN)
def test_what_the_unit_hides(path: str, found: Mapping[str, str], directory: Path | None) -> None:
    assert hidden(Path(path), found) == directory


def test_what_a_running_daemon_does_not_see(tmp_path: Path) -> None:
    """systemd puts another directory in its place, in the daemon's own view."""
    here, view = tmp_path / "home", tmp_path / "view"
    here.mkdir()
    (view / here.relative_to("/")).mkdir(parents=True)
    first = hidden(here / "list", {}, view)
    assert first is not None
    assert first in (*here.parents, here)
    assert hidden(here / "list", {"ProtectHome": "yes"}, Path("//")) is None
