"""The options of a check as its table in the policy file makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eximacl.config import load


def options_from(directory: Path, name: str, toml: str) -> Any:
    """Return the options of the check `name`; `toml` stands below its header, and may go on with tables of its own."""
    text = f'[policy]\ndomains = ["example.org"]\norder = ["{name}"]\n[checks.{name}]\n{toml}\n'
    path = directory / "eximacl.toml"
    path.write_text(text, encoding="utf-8")
    (step,) = load(path).policy.base.steps("rcpt")
    return step.options
