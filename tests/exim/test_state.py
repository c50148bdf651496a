"""What is installed, read from the files and from an Exim with a small configuration."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.exim import Exim, EximConfig, fingerprint, read_state
from eximacl.exim.snippets import copy
from tests.lab.site import ROOT

pytestmark = pytest.mark.needs_exim

SHIPPED = ROOT / "exim-snippets"
NOT_OURS = "acl_smtp_rcpt = acl_check_rcpt\nbegin acl\nacl_check_rcpt:\n  accept\n"
Small = Callable[[str], Exim]


def included(directory: Path) -> str:
    """Return a configuration that has these snippets."""
    lines = f"EXIMACL_PLAIN = yes\nEXIMACL_DIR = {directory}\n.include_if_exists {directory}/macros\n"
    acls = "begin acl\nacl_check_rcpt:\n  accept\nacl_check_data:\n  accept\n"
    return f"{lines}{acls}begin routers\n.include {SHIPPED}/router\n"


def test_not_installed(place: EximConfig, small: Small) -> None:
    state = read_state(place, SHIPPED, small(NOT_OURS))
    assert (state.switched, state.in_force, state.directory, state.missing, state.router) == (
        *(False, False, None),
        *(False, False),
    )


def test_in_force(place: EximConfig, small: Small) -> None:
    made = copy(SHIPPED, place.own)
    state = read_state(place, SHIPPED, small(included(made)))
    assert (state.in_force, state.directory, state.current, state.changed, state.router) == (
        *(True, made, True),
        *(False, True),
    )


@pytest.mark.parametrize("renamed", [False, True])
def test_of_another_version_or_changed(place: EximConfig, small: Small, renamed: bool) -> None:
    made = copy(SHIPPED, place.own)
    (made / "end.acl").write_text("accept\n")
    if renamed:
        made = made.rename(place.own / fingerprint(made))
    state = read_state(place, SHIPPED, small(included(made)))
    assert (state.in_force, state.current, state.changed) == (True, False, not renamed)


def test_gone(place: EximConfig, small: Small) -> None:
    made = copy(SHIPPED, place.own)
    exim = small(f"hostlist eximacl_dir = {made}\n{NOT_OURS}")
    shutil.rmtree(made)
    state = read_state(place, SHIPPED, exim)
    assert (state.directory, state.missing) == (made, True)


def test_an_option_that_is_another_s_and_a_router_before_ours(place: EximConfig, small: Small) -> None:
    made = copy(SHIPPED, place.own)
    own = "own:\n  driver = redirect\n  data = :blackhole:\n"
    text = included(made).replace("EXIMACL_PLAIN = yes\n", "").replace("begin routers\n", f"begin routers\n{own}")
    state = read_state(place, SHIPPED, small(f"acl_smtp_rcpt = {made}/rcpt.acl\nacl_smtp_data = mine\n{text}"))
    assert (state.in_force, dict(state.elsewhere), state.router_before) == (True, {"data": "mine"}, "own")
