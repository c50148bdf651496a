"""The keys of recipients' blocks and storms, for the checks and for `eximacl blocks`."""

from __future__ import annotations

from typing import Literal

Scope = Literal["bounces", "all"]


def block_key(scope: Scope, localpart: str, domain: str) -> str:
    """Return the key of a recipient's block: of its bounces only, or of all its mail. `domain` is canonical."""
    return f"{scope}:{localpart.lower()}@{domain}"


def storm_key(localpart: str, domain: str) -> str:
    """Return the key under which a recipient's bounces are counted. `domain` is canonical."""
    return f"bounce_storm:{localpart.lower()}@{domain}"
