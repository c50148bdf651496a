"""The tables that tests read. Rule: one row is one case, and its first column is its name."""

from __future__ import annotations

from pathlib import Path


def rows(name: str) -> list[list[str]]:
    """Return the rows of `tests/golden/NAME.tsv`, without comments and empty lines."""
    lines = Path(__file__).with_name(f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]
