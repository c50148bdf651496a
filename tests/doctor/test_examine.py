"""Everything is looked at, whatever fails; and what the tests have broken is whole again."""

from __future__ import annotations

import pytest

from eximacl.doctor import Case, Finding, examine
from eximacl.doctor.model import Diagnosis
from eximacl.exim import Exim, SetupError, find_shipped
from tests.doctor.world import World


@pytest.mark.needs_exim
@pytest.mark.parametrize(
    ("error", "words"), [(SetupError("no such Exim"), "at: no such Exim"), (ValueError("x"), "a bug: ValueError('x')")]
)
def test_a_diagnosis_that_fails_keeps_none_away(error: Exception, words: str) -> None:
    def fails(case: Case):  # type: ignore[no-untyped-def]
        raise error
        yield

    def works(case: Case):  # type: ignore[no-untyped-def]
        yield Finding("ok", "well")

    both = (Diagnosis("fails", "exim", "", fails), Diagnosis("works", "exim", "", works))
    case = Case(Exim(), find_shipped() / "none", find_shipped(), 0.0)
    first, second = examine(case, both)
    assert (first.level, first.diagnosis) == ("problem", "fails")
    assert words in first.what
    assert (second.level, second.diagnosis) == ("ok", "works")


def test_all_is_well_when_all_is_mended(world: World) -> None:
    """What the tests before have done is undone, and a restarted Exim leaves nothing to say."""
    starts = world.lab.mainlog().count("daemon started")
    world.run("sh", "-c", "kill -HUP $(cat /var/spool/exim4/daemon.pid)")
    world.wait_for_exim(starts + 1)
    assert {each["what"] for each in world.doctor() if each["level"] != "ok"} == set()
