"""How often a policy is loaded."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from eximacl.config.load import load


@contextlib.contextmanager
def loads_counted() -> Iterator[list[Path]]:
    """Yield a list that gets the path of each policy that this thread loads."""
    loads: list[Path] = []

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code is load.__code__:
            loads.append(frame.f_locals["path"])

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield loads
    finally:
        sys.setprofile(before)
