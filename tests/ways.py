"""A way through the package: which of its files a call visits, and how often the way leads from one to another."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

PACKAGE = Path(__file__).parents[1] / "eximacl"


class Way(NamedTuple):
    """What a call has visited. files: each once, in the order of the first visit; changes: of file, along the way."""

    result: Any
    files: tuple[str, ...]
    changes: int
    calls: int

    def __str__(self) -> str:
        return f"{self.calls} calls, {len(self.files)} files, {self.changes} changes of file: {' '.join(self.files)}"


def way_of(function: Callable[[], Any]) -> Way:
    """Call a function of no arguments, and return its result with the way that it took in this thread."""
    visited: list[str] = []
    prefix = f"{PACKAGE}/"

    def profile(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(prefix) and code.co_name != "<module>":
            visited.append(code.co_filename.removeprefix(prefix))

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        result = function()
    finally:
        sys.setprofile(before)
    changes = sum(one != other for one, other in pairwise(visited))
    return Way(result, tuple(dict.fromkeys(visited)), changes, len(visited))
