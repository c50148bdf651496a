"""The options of a check as its table in the policy file makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eximacl.config import load
from eximacl.policy.plan import Step


def options_from(directory: Path, name: str, toml: str) -> Any:
    """Return the options of the check `name`; `toml` stands below its header, and may go on with more tables."""
    (step,) = steps_from(directory, name, toml)
    return step.options


def steps_from(directory: Path, name: str, toml: str) -> tuple[Step, ...]:
    """Return the steps of a policy with this check alone: none where it is idle."""
    text = f'[policy]\ndomains = ["example.org"]\norder = ["{name}"]\n[checks.{name}]\n{toml}\n'
    path = directory / "eximacl.toml"
    path.write_text(text, encoding="utf-8")
    return load(path).policy.base.steps("rcpt")
