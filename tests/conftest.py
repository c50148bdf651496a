"""Markers: what a test needs (tests/needs.py), and which tests take minutes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import needs


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "soak: takes minutes; `make soak` runs it")
    config.addinivalue_line("markers", "quiet: measures time, so that it has the machine for itself")
    for name, what in needs.MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {what}")


@pytest.hookimpl(tryfirst=True)  # before `-m` selects by the markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what each test needs. Leave soak tests out unless `make soak` asks for them."""
    needs.mark(items)
    if "soak" not in config.option.markexpr:
        items[:] = [item for item in items if item.get_closest_marker("soak") is None]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    needs.running(item)
    yield
    needs.running(None)
