"""Minting a disposable address by a policy, and every reason not to."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from eximacl.config import Loaded, load
from eximacl.daemon.disposable import DisposableError as Wrong
from eximacl.daemon.disposable import ForeignDomain, MintingOff
from eximacl.daemon.mint import UnnamedDomain, mint

NOW = 1_795_450_593.0  # 2026-11-23
POLICY = """
[policy]
domains = ["example.org"]
order = ["disposable", "valid_recipient"]
[checks.disposable]
timezone = "Europe/Helsinki"
[checks.valid_recipient]
recipients = ["steve"]
"""


def policy(tmp_path: Path, old: str = "", new: str = "") -> Loaded:
    path = tmp_path / "eximacl.toml"
    path.write_text(POLICY.replace(old, new) if old else POLICY)
    return load(path)


@pytest.mark.parametrize("name", ["steve", "steve@example.org", "Steve@Example.ORG"])
def test_counted_and_dated(tmp_path: Path, name: str) -> None:
    loaded = policy(tmp_path)
    assert mint(loaded, name, NOW, count=3) == ("steve.3.count@example.org", "")
    dated = mint(loaded, name, NOW, until=date(2027, 1, 2))
    assert dated.address == "steve.date.02-01-2027@example.org"


def test_what_the_policy_refuses_is_said(tmp_path: Path) -> None:
    minted = mint(policy(tmp_path), "ghost", NOW, count=3)
    assert minted == ("ghost.3.count@example.org", "5.1.1 mail to ghost.3.count not accepted here")


def test_the_domain_that_is_given_comes_first(tmp_path: Path) -> None:
    loaded = policy(tmp_path, '["example.org"]', '["example.org", "example.com"]')
    assert mint(loaded, "steve@example.org", NOW, count=1, domain="example.com").address.endswith("@example.com")
    with pytest.raises(UnnamedDomain, match="name one with --domain"):
        mint(loaded, "steve", NOW, count=1)


@pytest.mark.parametrize(
    ("name", "old", "new", "error", "words"),
    [
        ("st eve", "", "", Wrong, "localpart"),
        ("steve@example.net", "", "", ForeignDomain, "policy.domains does not list example.net"),
        ("steve", "timezone", 'action = "off"\ntimezone', MintingOff, "checks.disposable is off"),
    ],
)
def test_what_is_not_minted(tmp_path: Path, name: str, old: str, new: str, error: type[Wrong], words: str) -> None:
    with pytest.raises(error, match=words):
        mint(policy(tmp_path, old, new), name, NOW, count=1)
