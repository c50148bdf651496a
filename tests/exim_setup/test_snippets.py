"""Copies of the snippets: named after what is in them, there whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from eximacl.exim_setup import SetupError, find_shipped, fingerprint
from eximacl.exim_setup.snippets import DIGITS, NAMED, copy, files_of, prune
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
    for text in ("mine\n", "mine again\n"):
        (made / "ask.acl").write_text(text)
        assert copy(SHIPPED, tmp_path) == made
        assert fingerprint(made) == made.name
        assert (tmp_path / f"{made.name}.changed" / "ask.acl").read_text() == text


def test_old_copies_and_torn_ones_go(tmp_path: Path) -> None:
    made = copy(SHIPPED, tmp_path)
    for name in ("0123abcd", ".new-torn", "mine", f"{made.name}.changed"):
        (tmp_path / name).mkdir()
    assert {path.name for path in prune(tmp_path, {made.name})} == {"0123abcd", ".new-torn"}
    assert {path.name for path in tmp_path.iterdir()} == {made.name, "mine", f"{made.name}.changed"}
    assert prune(tmp_path / "none", set()) == []
