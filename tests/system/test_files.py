"""Only regular files are opened, and only up to their limit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.system.files import open_regular, read_regular
from tests.system.irregular import IRREGULAR


@pytest.mark.parametrize(("make", "text"), IRREGULAR)
def test_only_regular_files_are_opened(tmp_path: Path, make: Callable[[Path], None], text: str) -> None:
    make(tmp_path / "x")
    for read in (open_regular, lambda path: read_regular(path, 10)):
        with pytest.raises(OSError, match=text):
            read(tmp_path / "x")


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"a" * 2048)
    assert read_regular(path, 2048) == b"a" * 2048
    with pytest.raises(OSError, match="it is longer than 1 KiB"):
        read_regular(path, 1024)
