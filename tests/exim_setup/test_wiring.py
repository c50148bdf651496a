"""The lines in Exim's files: what is ours is replaced and taken out, what is not stays to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.exim_setup import SetupError, wiring

BLOCK = wiring.switch_lines(Path("/e/1234abcd"), {"EXIMACL_SOCKET": "/run/s"})
TEMPLATE = "begin acl\n\nbegin routers\n\nfirst:\n  driver = accept\n"
TEXTS = ["", "# mine\n", "# mine, with no newline", "A = 1\n\n\n", "bytes \udcff\n"]


@pytest.mark.parametrize("text", TEXTS)
def test_in_and_out_again(text: str) -> None:
    once = wiring.appended(text, BLOCK)
    assert wiring.has_block(once)
    assert wiring.appended(once, BLOCK) == once
    assert wiring.without(once).rstrip("\n") == text.rstrip("\n")
    assert not wiring.has_block(text)


def test_a_setting_of_the_admins_counts() -> None:
    assert ".ifndef EXIMACL_SOCKET\nEXIMACL_SOCKET = /run/s\n.endif\n" in BLOCK
    assert BLOCK.index(".ifndef") < BLOCK.index("EXIMACL_DIR = /e/1234abcd\n.include_if_exists /e/1234abcd/macros\n")


def test_the_router_is_the_first() -> None:
    once = wiring.first_router(TEMPLATE, Path("t"))
    assert once.index("begin routers") < once.index("EXIMACL_DIR/router") < once.index("first:")
    assert wiring.first_router(once, Path("t")) == once
    assert wiring.without(once) == TEMPLATE


def test_a_template_without_routers_is_named() -> None:
    with pytest.raises(SetupError, match="t: there is no line `begin routers`"):
        wiring.first_router("begin acl\n", Path("t"))


BY_HAND = [
    (".include /etc/exim4/eximacl/macros\n", [1]),
    ("# .include /etc/exim4/eximacl/macros\n", []),
    ("\n  .include_if_exists /usr/share/eximacl/exim-snippets/router\n", [2]),
    (".include /etc/exim4/other/macros\n", []),
    (BLOCK, []),
    (BLOCK + ".include /etc/exim4/eximacl/macros\n", [BLOCK.count("\n") + 1]),
]


@pytest.mark.parametrize(("text", "numbers"), BY_HAND)
def test_what_was_wired_by_hand(text: str, numbers: list[int]) -> None:
    assert wiring.by_hand(text) == numbers
