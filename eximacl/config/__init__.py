"""The policy file: TOML in, a policy ready to run out. All errors are reported at once, each with file and key."""

from __future__ import annotations

from eximacl.config.load import Loaded, find_checks, load
from eximacl.config.problems import ConfigError, Problem
from eximacl.config.render import describe, explain, sample, show, show_toml, write_sample
from eximacl.config.settings import Settings
from eximacl.config.sources import Refreshed, Sources

__all__ = [
    "ConfigError",
    "Loaded",
    "Problem",
    "Refreshed",
    "Settings",
    "Sources",
    "describe",
    "explain",
    "find_checks",
    "load",
    "sample",
    "show",
    "show_toml",
    "write_sample",
]
