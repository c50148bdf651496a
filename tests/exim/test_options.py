"""What Exim says of its options, compared with what the snippets need, also where it refuses nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.exim import Exim
from eximacl.exim.options import (
    ALWAYS,
    EARLY,
    STAGES,
    acls,
    asks_early,
    not_called,
    not_ours,
    option,
    router_before,
    routers,
)
from tests.lab.site import ROOT

SNIPPETS = ROOT / "exim-snippets"
OURS = {stage: f"${{if exists{{/s/{stage}.acl}}{{/s/{stage}.acl}}{{mine}}}}" for stage in STAGES}
WITHOUT_EARLY = {**OURS, **dict.fromkeys(EARLY, "")}
Small = Callable[[str], Exim]

FOUND = [
    (OURS, True, {}),
    (WITHOUT_EARLY, False, {}),
    (WITHOUT_EARLY, True, dict.fromkeys(EARLY, "")),
    *(({**OURS, stage: "mine"}, True, {stage: "mine"}) for stage in STAGES),
    *(({**OURS, stage: ""}, False, {stage: ""}) for stage in ALWAYS),
    ({**OURS, "rcpt": "/s/data.acl"}, False, {"rcpt": "/s/data.acl"}),
    ({**OURS, "rcpt": "/other/rcpt.acl"}, False, {"rcpt": "/other/rcpt.acl"}),
    ({**OURS, "rcpt": "/s/rcpt.aclx", "data": "/s/data.acl"}, False, {}),
    ({}, False, dict.fromkeys(ALWAYS, "")),
]


@pytest.mark.parametrize(("found", "early", "others"), FOUND)
def test_each_stage_that_is_another_s(found: dict[str, str], early: bool, others: dict[str, str]) -> None:
    assert not_ours(found, Path("/s"), early=early) == others


ORDERS = [
    ("eximacl_tagged eximacl_disposable own", ""),
    ("eximacl_disposable own", ""),
    ("own eximacl_disposable", "own"),
    ("own eximacl_tagged eximacl_disposable", "own"),
    ("eximacl_tagged own eximacl_disposable last", "own"),
    ("own", ""),
    ("", ""),
]


@pytest.mark.parametrize(("names", "first"), ORDERS)
def test_the_router_that_comes_first(names: str, first: str) -> None:
    assert router_before(names.split()) == first


def wired(*more: str) -> str:
    """Return a configuration with the snippets, and with more lines above their `.include`."""
    lines = ["EXIMACL_PLAIN = yes", f"EXIMACL_DIR = {SNIPPETS}", *more, f".include {SNIPPETS}/macros"]
    return "\n".join(
        [*lines, "begin acl", "acl_check_rcpt:", "  accept", "begin routers", f".include {SNIPPETS}/router"]
    )


@pytest.mark.needs_exim
@pytest.mark.parametrize("early", [False, True])
def test_the_macros_set_what_is_needed(small: Small, early: bool) -> None:
    exim = small(wired(*["EXIMACL_ASK_EARLY = yes"] * early))
    assert asks_early(exim) is early
    assert set(acls(exim)) == set(STAGES)
    assert not_ours(acls(exim), SNIPPETS, early=early) == {}
    assert list(not_ours(acls(exim), SNIPPETS, early=True)) == ([] if early else list(EARLY))
    assert routers(exim) == ("eximacl_disposable",)


@pytest.mark.needs_exim
@pytest.mark.parametrize("stage", ALWAYS)
def test_a_later_line_is_seen_or_refused(small: Small, stage: str) -> None:
    """Up to 4.98 Exim refuses it; 4.100 takes it."""
    exim = small(wired().replace("begin acl", f"{option(stage)} = mine\nbegin acl", 1))
    refused = exim.run("-bV")
    if refused.status:
        assert f'"{option(stage)}" option set for the second time' in refused.err + refused.out
    else:
        assert not_ours(acls(exim), SNIPPETS, early=False) == {stage: "mine"}


@pytest.mark.needs_exim
def test_an_admin_s_acls_that_are_not_called(small: Small) -> None:
    exim = small(wired("EXIMACL_NEXT_QUIT = theirs"))
    before = {"quit": "theirs", "notquit": "mine", "connect": "", "rcpt": "other"}
    assert not_called(before, exim, ("connect", "quit", "notquit")) == {"notquit": "mine"}
    assert not_called({}, exim, STAGES) == {}
