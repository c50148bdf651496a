"""How the windows stand in the file: eight bytes an event, and an index that rests while a window is in use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eximacl.state.sqlite import windows as sqlite_windows
from eximacl.state.sqlite.file import StateFile
from eximacl.state.sqlite.windows import Windows
from tests.state.contract import NOW


@pytest.fixture
def file(tmp_path: Path) -> Iterator[StateFile]:
    file = StateFile(tmp_path / "state.db")
    yield file
    file.close()


def row(file: StateFile) -> tuple[bytes, float]:
    events, until = file.read(lambda db: db.execute("SELECT events, until FROM windows").fetchone())
    return events, until


def test_an_event_takes_eight_bytes(file: StateFile) -> None:
    for number in range(5):
        Windows(file).count("key", 60, 3, float(number))
    assert row(file)[0].hex(" ", 8) == "0000000000000040 0000000000000840 0000000000001040"


def test_a_machine_of_the_other_byte_order_writes_and_reads_the_same_file(
    file: StateFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    Windows(file).count("key", 60, 3, NOW)
    before = row(file)[0]
    monkeypatch.setattr(sqlite_windows, "SWAPPED", not sqlite_windows.SWAPPED)
    swapped = sqlite_windows.unpack(before)
    assert sqlite_windows.unpack(sqlite_windows.pack(swapped)) == swapped
    assert sqlite_windows.pack(swapped) == before
    swapped.byteswap()
    assert swapped.tolist() == [NOW]


def test_the_end_of_a_row_changes_once_a_window(file: StateFile) -> None:
    ends = []
    for second in range(0, 130, 10):
        Windows(file).count("key", 60, 9, NOW + second)
        ends.append(row(file)[1] - NOW)
    assert ends == [120] * 7 + [190] * 6


def test_prune_returns_how_many_and_keeps_to_its_bound(file: StateFile) -> None:
    for number in range(5):
        Windows(file).count(str(number), 60, 3, NOW)
    assert [file.transaction(lambda db: Windows(file).prune(db, NOW + 120, 3)) for _ in range(3)] == [3, 2, 0]
    assert file.transaction(lambda db: Windows(file).prune(db, NOW + 120, 0)) == 0
