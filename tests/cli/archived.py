"""What the tests of `eximacl archive` share: a policy with an archive, and messages held in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eximacl.archive import Stored
from tests.archive.holding import archive_at, held, spool_with

REF = "7KQ2M9D4"


def with_archive(config: Path) -> Path:
    """Give a policy an archive; return its directory."""
    config.write_text(f'{config.read_text()}\n[archive]\ndir = "archive"\n')
    return archive_at(config.parent / "archive").root


def hold(config: Path, headers: str, body: bytes, /, *recipients: str, **changed: Any) -> tuple[Stored, ...]:
    """Hold one message as the daemon would."""
    spool = spool_with(config.parent / "spool", body)
    return archive_at(config.parent / "archive").store(held(spool, *recipients, headers=headers, **changed))
