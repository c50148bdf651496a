"""The lines in Exim's files: what is ours is replaced and taken out, what is not stays to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.exim import SetupError, wiring

BLOCK = wiring.switch_lines(Path("/e/1234abcd"), {"EXIMACL_SOCKET": "/run/s"})
TEMPLATE = "begin acl\n\nbegin routers\n\nfirst:\n  driver = accept\n"
TEXTS = ["", "# mine\n", "# mine, with no newline", "A = 1\n\n\n", "bytes \udcff\n"]


@pytest.mark.parametrize("text", TEXTS)
def test_in_and_out_again(text: str) -> None:
    once = wiring.appended(text, BLOCK)
    assert wiring.has_block(once)
    assert wiring.appended(once, BLOCK) == once
    assert wiring.without(once) == text
    assert not wiring.has_block(text)


def test_a_file_that_was_not_there() -> None:
    once = wiring.appended(None, BLOCK)
    assert wiring.appended(once, BLOCK) == once
    assert wiring.without(once) is None
    assert wiring.without(f"{once}# mine\n") == "# mine\n"


def test_what_an_admin_adds_below_stays() -> None:
    """The newline that we have added has become his line's."""
    assert wiring.without(wiring.appended("A = 1", BLOCK) + "B = 2\n") == "A = 1\nB = 2\n"


@pytest.mark.parametrize("text", TEXTS)
def test_an_editor_s_line_endings(text: str) -> None:
    once = wiring.appended(text, BLOCK)
    assert wiring.without(once.replace("\n", "\r\n")) == text.replace("\n", "\r\n")
    assert wiring.without(once.removesuffix("\n")) == text


HOSTILE = ["/run/s\nqueue_only = true", "/run/s s", "", "/run/${run{/bin/x}}", "/run/a:b", "/run/#"]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_setting_that_would_be_more_than_a_value_is_refused(value: str) -> None:
    with pytest.raises(SetupError, match="EXIMACL_SOCKET would be"):
        wiring.switch_lines(Path("/e/1234abcd"), {"EXIMACL_SOCKET": value})


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
