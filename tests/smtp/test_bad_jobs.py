"""Lists that a job rewrites badly, for twenty seconds; `make soak-lists` goes on for an hour."""

from __future__ import annotations

import pytest

from tests.lab.bad_jobs import GARBAGE, RECIPIENTS, run

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_exim, pytest.mark.needs_network]

SECONDS, RATE = 20.0, 100.0


def test_no_good_recipient_is_refused_whatever_a_job_leaves_in_the_lists() -> None:
    report = run(SECONDS, RATE, seed=7)
    assert report.refused == []
    assert report.accepted > 0
    assert report.unknown == report.queries / RECIPIENTS
    assert report.rewritten
    assert {"lists/valid", "lists/tlds"} & report.told.keys()
    assert "good refused           0" in list(report.lines())


def test_there_is_garbage_of_each_kind() -> None:
    assert len(GARBAGE) == len(set(GARBAGE))
