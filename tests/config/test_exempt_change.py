"""Changing the files of a policy for one entry: all of them or none, and never over what others have written."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eximacl.config import load
from eximacl.config.exempt_change import LISTS, Change, ExemptError, Write, plan_change
from tests.archive.holding import read_only

POLICY = '[policy]\ndomains = ["example.org"]\norder = []\n[exempt]\nips = "good"\n'


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "eximacl.toml"
    path.write_text(POLICY)
    (tmp_path / "good").write_text("")
    return path


def plan(policy: Path, domain: str = "") -> Change:
    return plan_change(load(policy), domain, *LISTS["ip"], "192.0.2.7", "why")


def test_current_until_another_changes_a_file(policy: Path) -> None:
    for name in ("eximacl.toml", "good"):
        change = plan(policy)
        assert change.is_current()
        with (policy.parent / name).open("a") as file:
            file.write("# another comment\n")
        assert not change.is_current()


def test_a_domain_s_file_that_has_come_meanwhile(policy: Path) -> None:
    change = plan(policy, "example.org")
    assert change.is_current()
    (policy.parent / "domains").mkdir()
    (policy.parent / "domains/example.org.toml").write_text("")
    assert not change.is_current()


def test_someone_else_has_changed_it_meanwhile(policy: Path) -> None:
    change = plan(policy)
    (policy.parent / "good").write_text("192.0.2.9\n")
    with pytest.raises(
        ExemptError, match=r"good: someone else has just changed it; add 192.0.2.7 to exempt.ips in .*good by"
    ):
        change.apply()
    assert (policy.parent / "good").read_text() == "192.0.2.9\n"


def test_all_files_or_none(policy: Path) -> None:
    """The list has been written when the TOML cannot be."""
    (policy.parent / "domains").mkdir()
    change = plan(policy, "example.org")
    assert [write.path.parent.name for write in change.writes] == ["lists", "domains"]
    with (
        read_only(policy.parent / "domains"),
        pytest.raises(ExemptError, match=r"domains/.*: Read-only file system; add 192.0.2.7 to exempt.ips in .* by"),
    ):
        change.apply()
    assert list(policy.parent.glob("*/*")) == []
    assert len(change.apply()) == 2
    assert "example.org" in load(policy).overlays


def test_what_cannot_be_put_back_is_named(policy: Path) -> None:
    """The second file is a FIFO, so that someone else can change the first one in between."""
    good, fifo = policy.parent / "good", policy.parent / "fifo"
    good.write_text("")
    os.mkfifo(fifo)
    writes = (Write(good, b"", b"new"), Write(fifo, None, b""))
    change = Change(policy, "192.0.2.7", "", good, "exempt.ips", writes=writes)
    with ThreadPoolExecutor(1) as thread:
        applied = thread.submit(change.apply)
        with fifo.open("w"):
            good.write_text("meddled\n")
    with pytest.raises(ExemptError, match=r"good was changed and cannot be put back: someone else .*; mend it"):
        applied.result()


@pytest.mark.parametrize("domain", ["../../x.example.org", "a\0b.example.org"])
def test_a_domain_that_is_not_a_file_name(policy: Path, domain: str) -> None:
    with pytest.raises(ExemptError, match=r"cannot be the name of a file in domains/; exempt it everywhere"):
        plan(policy, domain)
