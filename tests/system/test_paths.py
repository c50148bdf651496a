"""Each default path is written down once."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from eximacl.system import paths

PACKAGE = Path(paths.__file__).parents[1]
DEFAULTS = [str(value) for value in vars(paths).values() if isinstance(value, Path)]


@pytest.mark.parametrize("default", DEFAULTS)
def test_no_other_module_writes_it(default: str) -> None:
    writers = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.removeprefix("sqlite:") == default
    ]
    assert set(writers) == {"system/paths.py"}
