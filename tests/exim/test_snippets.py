"""Copies of the snippets: named after what is in them, there whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from eximacl.exim import SetupError, find_shipped, fingerprint
from eximacl.exim.snippets import DIGITS, NAMED, copy, files_of, is_changed, prune
from tests.lab.site import ROOT

SHIPPED = ROOT / "exim-snippets"


def test_the_trees_own_are_found() -> None:
    assert find_shipped() == SHIPPED
    assert find_shipped(SHIPPED) == SHIPPED


def test_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=f"no snippets in {tmp_path}: .*--snippets"):
        find_shipped(tmp_path)
    assert files_of(tmp_path / "none") == []


def test_a_copy_is_named_after_its_contents(tmp_path: Path) -> None:
    made = copy(SHIPPED, tmp_path)
    assert made == tmp_path / fingerprint(SHIPPED)
    assert NAMED.fullmatch(made.name)
    assert len(made.name) == DIGITS
    assert {path.name: path.read_bytes() for path in made.iterdir()} == {
        path.name: path.read_bytes() for path in SHIPPED.iterdir()
    }
    assert {path.stat().st_mode & 0o777 for path in made.iterdir()} == {0o644}
    assert made.stat().st_mode & 0o777 == 0o755
    before = made.stat().st_ino
    assert copy(SHIPPED, tmp_path).stat().st_ino == before


def test_each_byte_counts_but_the_readmes(tmp_path: Path) -> None:
    other = shutil.copytree(SHIPPED, tmp_path / "other")
    (other / "README").write_text("another\n")
    assert fingerprint(other) == fingerprint(SHIPPED)
    (other / "macros").write_text("another\n")
    assert fingerprint(other) != fingerprint(SHIPPED)


def test_a_changed_copy_is_put_aside(tmp_path: Path) -> None:
    made = copy(SHIPPED, tmp_path)
    for text, name in (("mine\n", "changed"), ("mine again\n", "changed-2"), ("and again\n", "changed-3")):
        (made / "ask.acl").write_text(text)
        assert copy(SHIPPED, tmp_path) == made
        assert fingerprint(made) == made.name
        assert (tmp_path / f"{made.name}.{name}" / "ask.acl").read_text() == text


def test_exims_user_may_read_them_whatever_the_umask(tmp_path: Path) -> None:
    def modes() -> set[int]:
        return {path.stat().st_mode & 0o777 for path in (own, made)}

    own = tmp_path / "own"
    before = os.umask(0o077)
    try:
        made = copy(SHIPPED, own)
        assert modes() == {0o755}
        own.chmod(0o700)
        made.chmod(0o700)
        (made / "rcpt.acl").chmod(0o600)
        copy(SHIPPED, own)
    finally:
        os.umask(before)
    assert modes() == {0o755}
    assert (made / "rcpt.acl").stat().st_mode & 0o777 == 0o644


def test_files_of_an_admins_beside_them(tmp_path: Path) -> None:
    by_hand = shutil.copytree(SHIPPED, tmp_path / "by-hand")
    (by_hand / "bounce_keys").write_text("secret\n")
    assert fingerprint(by_hand, like=SHIPPED) == fingerprint(SHIPPED) != fingerprint(by_hand)
    assert not is_changed(by_hand)


def test_old_copies_and_torn_ones_go(tmp_path: Path) -> None:
    made = copy(SHIPPED, tmp_path / "own")
    older = copy(
        shutil.copytree(SHIPPED, tmp_path / "older", ignore=shutil.ignore_patterns("end.acl")), tmp_path / "own"
    )
    kept = copy(shutil.copytree(SHIPPED, tmp_path / "old", ignore=shutil.ignore_patterns("want.acl")), tmp_path / "own")
    (kept / "my_local_acl").touch()
    for name in (".new-torn", "mine", "deadbeef", f"{made.name}.changed"):
        (tmp_path / "own" / name).mkdir()
    (tmp_path / "own/deadbeef/keys").touch()
    assert {path.name for path in prune(tmp_path / "own", {made.name})} == {older.name, ".new-torn"}
    left = {made.name, kept.name, "mine", "deadbeef", f"{made.name}.changed"}
    assert {path.name for path in (tmp_path / "own").iterdir()} == left
    assert prune(tmp_path / "none", set()) == []
