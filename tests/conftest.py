"""Markers: what a test needs (tests/needs.py), and which tests take minutes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import needs


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "soak: takes minutes; `make soak` runs it")
    config.addinivalue_line("markers", "quiet: measures time, so that it has the machine for itself")
    for name, what in needs.MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {what}")
    needs.watch()


@pytest.hookimpl(tryfirst=True)  # before `-m` selects by the markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what each test needs. Leave soak tests out unless `make soak` asks for them."""
    needs.mark(items)
    if "soak" not in config.option.markexpr:
        items[:] = [item for item in items if item.get_closest_marker("soak") is None]
    # Files that wait for an Exim come first, so that none of them is left when all other processes have finished.
    waiting = {item.path for item in items if item.get_closest_marker("needs_exim")}
    items.sort(key=lambda item: item.path not in waiting)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Say at once where Exim's own user could not read the snippets of this checkout."""
    if os.geteuid() == 0 and any(item.get_closest_marker("needs_exim") for item in session.items):
        closed = [path for path in Path(__file__).resolve().parents if not path.stat().st_mode & 0o001]
        if closed:
            raise pytest.UsageError(f"other users may not enter {closed[-1]}, but Exim has to: move this checkout")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    needs.running(item)
    yield
    needs.running(None)
