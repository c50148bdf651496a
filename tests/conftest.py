"""What takes minutes is left out of `make test`."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "soak: takes minutes; `make soak` runs it")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave soak tests out unless they are asked for by marker."""
    if not config.option.markexpr:
        items[:] = [item for item in items if item.get_closest_marker("soak") is None]
