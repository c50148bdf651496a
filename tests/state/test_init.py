"""`open_state` knows its URLs, and names the one it does not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.policy.state import StateError
from eximacl.state import MemoryState, SqliteState, open_state


def test_memory() -> None:
    assert isinstance(open_state("memory:"), MemoryState)


def test_sqlite_with_an_absolute_path(tmp_path: Path) -> None:
    path = tmp_path / "new" / "directories" / "state.db"
    state = open_state(f"sqlite:{path}")
    assert isinstance(state, SqliteState)
    assert path.is_file()
    state.close()


@pytest.mark.parametrize("path", ["state.db", "var/state.db", ":memory:", "file:x?mode=memory", "ä b%20.db"])
def test_a_relative_path_starts_where_the_process_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    open_state(f"sqlite:{path}").close()
    assert (tmp_path / path).is_file()


@pytest.mark.parametrize(
    "url", ["", "memory", "memory:x", "sqlite", "sqlite:", "sqlite:a\0b", "/var/lib/state.db", "mysql://x", "SQLITE:x"]
)
def test_any_other_url_is_refused_by_name(url: str) -> None:
    with pytest.raises(ValueError, match="neither memory: nor sqlite:") as error:
        open_state(url)
    assert repr(url) in str(error.value)


def test_a_path_that_no_file_can_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"cannot open the state file: .*name too long"):
        open_state(f"sqlite:{tmp_path}/{'x' * 300}")
