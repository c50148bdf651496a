"""Every wrong configuration in tests/bad-config gives exactly the problems written beside it, all of them at once.

A case is NAME.toml, or NAME/eximacl.toml with whatever it names; NAME.expect holds its problems, one a line. A
line that ends in `…` stands for all that start so: the rest is the text of a library.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.config import ConfigError, load

BAD = Path(__file__).parent.parent / "bad-config"
CASES = sorted(path for path in BAD.iterdir() if path.is_dir() or path.suffix == ".toml")
# What the project promises its users.
CASES_MIN = 25


def test_there_are_enough_cases_and_none_is_left_over() -> None:
    assert len(CASES) >= CASES_MIN
    assert {path.stem for path in CASES} == {path.stem for path in BAD.glob("*.expect")}


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_all_problems_are_reported(case: Path) -> None:
    expected = case.with_suffix(".expect").read_text(encoding="utf-8").splitlines()
    with pytest.raises(ConfigError) as raised:
        load(case / "eximacl.toml" if case.is_dir() else case)
    found = str(raised.value).splitlines()
    assert [shortened(line, like) for line, like in zip(found, expected, strict=False)] == expected
    assert len(found) == len(expected) == len(raised.value.problems)


def shortened(line: str, like: str) -> str:
    start = like.removesuffix("…")
    return like if like != start and line.startswith(start) else line
