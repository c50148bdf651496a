"""One spelling of a recipient's block."""

from __future__ import annotations

from eximacl.checks._block_keys import block_key, storm_key


def test_a_key() -> None:
    assert block_key("bounces", "Steve", "example.org") == "bounces:steve@example.org"
    assert block_key("all", "a b", "example.org") == "all:a b@example.org"


def test_the_key_of_a_storm() -> None:
    assert storm_key("Steve", "example.org") == "bounce_storm:steve@example.org"
