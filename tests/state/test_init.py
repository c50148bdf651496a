"""The URLs of states: what they open, which file they name, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.policy.state import StateError
from eximacl.state import MemoryState, SqliteState, absolute_url, file_of, forms, open_state


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
    for read in (open_state, file_of, lambda url: absolute_url(url, Path)):
        with pytest.raises(ValueError, match=f"expected {forms()}, got ") as error:
            read(url)
        assert repr(url) in str(error.value)


@pytest.mark.parametrize(
    ("url", "absolute", "path"),
    [
        ("memory:", "memory:", None),
        ("sqlite:/var/lib/s.db", "sqlite:/var/lib/s.db", Path("/var/lib/s.db")),
        ("sqlite:s.db", "sqlite:/etc/eximacl/s.db", Path("/etc/eximacl/s.db")),
        ("sqlite:a:b\n", "sqlite:/etc/eximacl/a:b\n", Path("/etc/eximacl/a:b\n")),
    ],
)
def test_the_file_of_an_url(url: str, absolute: str, path: Path | None) -> None:
    assert absolute_url(url, Path("/etc/eximacl").joinpath) == absolute
    assert file_of(absolute) == path


def test_a_path_that_no_file_can_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"cannot open the state file: .*name too long"):
        open_state(f"sqlite:{tmp_path}/{'x' * 300}")
