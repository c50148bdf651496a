"""What is not a regular file: how to make each, and what its reader is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

IRREGULAR = [
    pytest.param(os.mkfifo, "it is not a regular file", id="fifo"),
    pytest.param(lambda path: path.symlink_to("/dev/zero"), "it is not a regular file", id="device"),
    pytest.param(Path.mkdir, "Is a directory", id="directory"),
    pytest.param(lambda path: path.symlink_to("nowhere"), "No such file or directory", id="dangling"),
]
