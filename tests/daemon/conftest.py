"""The policy that most of the daemon's tests run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemon.running import CONFIG


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A policy file that refuses mail from hosts in one top-level domain."""
    (tmp_path / "tlds").write_text("sa\n")
    path = tmp_path / "eximacl.toml"
    path.write_text(CONFIG)
    return path
