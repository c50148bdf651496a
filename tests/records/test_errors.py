"""What cannot be read of the records is named, with who may read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.records.errors import READERS, NoDecision, RecordsError, reading
from tests.archive.holding import let_everybody_pass, nobody


def test_the_path_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(RecordsError, match=f"^{tmp_path}/none cannot be read: No such file or directory$"),
        reading(tmp_path),
    ):
        (tmp_path / "none").read_bytes()
    with pytest.raises(RecordsError, match=f"^{tmp_path} cannot be read: Input/output error$"), reading(tmp_path):
        raise OSError(5, "Input/output error")


def test_who_may_read_is_named(tmp_path: Path) -> None:
    let_everybody_pass(tmp_path)
    (tmp_path / "shut").touch(0o600)
    with nobody(), pytest.raises(RecordsError, match=f"Permission denied; {READERS}$"), reading(tmp_path):
        (tmp_path / "shut").read_bytes()


def test_other_errors_pass() -> None:
    assert issubclass(NoDecision, RecordsError)
    with pytest.raises(NoDecision), reading(Path()):
        raise NoDecision("x")
