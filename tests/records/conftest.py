"""The policy file that the tests of the commands have, too."""

from __future__ import annotations

from tests.cli.conftest import config

__all__ = ["config"]
