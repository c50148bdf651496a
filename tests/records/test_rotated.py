"""Whatever logrotate makes of a log is found, in its order, and read, or passed over aloud."""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path

import pytest

from eximacl.records.rotated import log_files
from eximacl.records.search import SearchReport, Wanted, search

LINE = b'{"time": "2026-11-28T04:00:00.000+00:00", "ref": "7KQ2M9D4"}\n'
# What logrotate writes with these settings, the oldest first. The last is the log itself.
NAMES = {
    "numbers": ["r.jsonl.10.gz", "r.jsonl.2.gz", "r.jsonl.1", "r.jsonl"],
    "dateext": ["r.jsonl-20261101.gz", "r.jsonl-20261120", "r.jsonl"],
    "dateext, hourly": ["r.jsonl-2026112803.gz", "r.jsonl-2026112804", "r.jsonl"],
    "dateformat -%Y%m%d%H%M%S": ["r.jsonl-20261128040506.xz", "r.jsonl-20261128050506", "r.jsonl"],
    "dateformat .%Y-%m-%d": ["r.jsonl.2026-11-27.bz2", "r.jsonl.2026-11-28", "r.jsonl"],
    "dateformat -%Y%m%d-%s": ["r.jsonl-20261128-1798675200.zst", "r.jsonl-20261128-1798675300", "r.jsonl"],
    "dateformat -%Y-%m-%dT%H:%M": ["r.jsonl-2026-11-28T04:05", "r.jsonl-2026-11-28T05:05", "r.jsonl"],
    "extension .jsonl": ["r.2.jsonl.gz", "r.1.jsonl", "r.jsonl"],
    "extension .jsonl, dateext": ["r-20261127.jsonl.gz", "r-20261128.jsonl", "r.jsonl"],
    "olddir old": ["old/r.jsonl-20261127.gz", "old/r.jsonl-20261128", "r.jsonl"],
    "both, since it was changed": ["r.jsonl-20261120", "r.jsonl.2.gz", "r.jsonl.1", "r.jsonl"],
}
OTHERS = [
    "r.jsonl.bak",
    "r.jsonl~",
    "other.jsonl.1",
    "r.jsonl.gz.1",
    "r.jsonl.1234567",
    "r2.jsonl",
    "r.1.json",
    "rest.1",
]


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_files_the_oldest_first(tmp_path: Path, names: list[str]) -> None:
    (tmp_path / "old").mkdir()
    for name in (*names, *OTHERS, *(f"old/{other}" for other in OTHERS), "old/r.jsonl"):
        (tmp_path / name).touch()
    assert [str(file.relative_to(tmp_path)) for file in log_files(tmp_path / "r.jsonl")] == names


def test_no_files(tmp_path: Path) -> None:
    assert log_files(tmp_path / "none" / "r.jsonl") == []
    assert log_files(tmp_path / "r.jsonl") == []


PASSED_OVER = [
    pytest.param("r.jsonl.1.zip", b"PK\3\4", ".zip is not read: use gzip, bzip2, xz or zstd", id="zip"),
    pytest.param("r.jsonl.1.lz4", b"\x04\x22\x4d\x18", ".lz4 is not read: use gzip, bzip2, xz or zstd", id="lz4"),
    pytest.param("r.jsonl.1.Z", b"\x1f\x9d\x90", ".Z is not read: use gzip, bzip2, xz or zstd", id="compress"),
]


@pytest.mark.parametrize(("name", "data", "why"), PASSED_OVER)
def test_what_is_not_read_is_told(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(data)
    (tmp_path / "r.jsonl").write_bytes(LINE)
    report = SearchReport()
    found = list(search(log_files(tmp_path / "r.jsonl"), Wanted(), report))
    assert len(found) == 1
    assert report.unreadable == [f"{tmp_path / name} was passed over: {why}"]


def test_zstd_is_read_or_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file holds one line, as `zstd -q` writes it."""
    (tmp_path / "r.jsonl.1.zst").write_bytes(ZSTD)
    (tmp_path / "r.jsonl.2.gz").write_bytes(gzip.compress(LINE))
    report = SearchReport()
    found = list(search(log_files(tmp_path / "r.jsonl"), Wanted(), report))
    if any(importlib.util.find_spec(name) for name in ("zstandard", "_zstd")):
        assert (len(found), report.unreadable) == (2, [])
        (tmp_path / "r.jsonl.1.zst").write_bytes(ZSTD[:-6] + b"\xff" * 6)
        list(search(log_files(tmp_path / "r.jsonl"), Wanted(), report))
        assert "is damaged, and was read up to there" in report.unreadable[0]
    monkeypatch.setattr("eximacl.records.rotated.importlib.import_module", _missing)
    report = SearchReport()
    assert len(list(search(log_files(tmp_path / "r.jsonl"), Wanted(), report))) == 1
    assert report.unreadable[0].endswith("it is compressed with zstd: apt install python3-zstandard")


def _missing(name: str) -> None:
    raise ImportError(name)


ZSTD = bytes.fromhex(
    "28b52ffd243de901007b2274696d65223a2022323032362d31312d32385430343a30303a30"
    "302e3030302b30303a3030222c2022726566223a2022374b51324d394434227d0a264f5731"
)
