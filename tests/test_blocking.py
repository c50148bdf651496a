"""One spelling of a recipient's block."""

from __future__ import annotations

from eximacl.blocking import block_key


def test_a_key() -> None:
    assert block_key("bounces", "Steve", "example.org") == "bounces:steve@example.org"
    assert block_key("all", "a b", "example.org") == "all:a b@example.org"
