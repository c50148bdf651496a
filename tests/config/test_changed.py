"""Whether what is in the policy's files is what runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.config import load
from eximacl.config.changed import changed, stamps
from eximacl.system.times import zoned

POLICY = (
    '[policy]\ndomains = ["example.org"]\norder = ["rdns_tld"]\nchecks_dir = "own"\n[checks.rdns_tld]\ntlds = "tlds"\n'
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "domains").mkdir()
    (tmp_path / "own").mkdir()
    (tmp_path / "tlds").write_text("sa\n")
    (tmp_path / "domains/example.org.toml").write_text("")
    path = tmp_path / "eximacl.toml"
    path.write_text(POLICY)
    return path


def later(path: Path, text: str) -> None:
    """Write a file, an hour from now by its own account."""
    path.write_text(text)
    now = path.stat().st_mtime
    os.utime(path, (now + 3600, now + 3600))


CHANGES: list[tuple[str, Callable[[Path], object]]] = [
    ("eximacl.toml", lambda home: later(home / "eximacl.toml", POLICY + "\n")),
    ("domains/example.org.toml", lambda home: later(home / "domains/example.org.toml", "# new\n")),
    ("domains/example.com.toml", lambda home: later(home / "domains/example.com.toml", "")),
    ("own/mine.py", lambda home: later(home / "own/mine.py", "")),
]


@pytest.mark.parametrize(("name", "change"), CHANGES, ids=[name for name, _ in CHANGES])
def test_a_change_is_told_with_its_time(config: Path, name: str, change: Callable[[Path], object]) -> None:
    loaded = load(config)
    before = stamps(loaded)
    change(config.parent)
    path = config.parent / name
    assert changed(loaded, before) == (
        f"{path} changed at {zoned(path.stat().st_mtime)}, after it was read: eximacl reload"
    )
    assert changed(loaded, stamps(loaded)) == ""


def test_a_file_that_is_gone_is_told(config: Path) -> None:
    loaded = load(config)
    before = stamps(loaded)
    (config.parent / "domains/example.org.toml").unlink()
    assert changed(loaded, before) == (
        f"{config.parent}/domains/example.org.toml is gone since it was read: eximacl reload"
    )


SAME: list[Callable[[Path], object]] = [
    lambda home: home.exists(),
    lambda home: later(home / "eximacl.toml", POLICY),
    lambda home: later(home / "tlds", "ru\n"),
    lambda home: later(home / "domains/example.org.toml~", "# an editor's"),
    lambda home: (home / "domains/README").write_text(""),
]


@pytest.mark.parametrize("change", SAME, ids=["nothing", "written again", "a list", "a backup", "another file"])
def test_what_needs_no_reload(config: Path, change: Callable[[Path], object]) -> None:
    loaded = load(config)
    before = stamps(loaded)
    change(config.parent)
    assert changed(loaded, before) == ""
