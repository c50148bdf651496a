"""The machine's time zone: from TZ, from /etc/localtime, or UTC; whatever stands there, nothing hangs."""

from __future__ import annotations

import os
import zoneinfo
from pathlib import Path

import pytest

from eximacl.config.localzone import local_zone


@pytest.mark.parametrize(
    ("variable", "key"),
    [("Asia/Tokyo", "Asia/Tokyo"), (":Asia/Tokyo", "Asia/Tokyo"), ("", "localtime"), ("EST5EDT,M3.2.0", "localtime")],
)
def test_the_local_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, key: str) -> None:
    monkeypatch.setenv("TZ", variable)
    localtime = tmp_path / "localtime"
    localtime.write_bytes(
        next(root for root in map(Path, zoneinfo.TZPATH) if root.is_dir()).joinpath("Europe/Helsinki").read_bytes()
    )
    assert local_zone(localtime).key == key
    monkeypatch.delenv("TZ")
    assert local_zone(localtime).key == "localtime"
    assert local_zone(tmp_path / "nowhere").key == "UTC"
    os.mkfifo(tmp_path / "fifo")
    assert local_zone(tmp_path / "fifo").key == "UTC"
