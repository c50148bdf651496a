"""A small joe job through the real Exim; `make bench` runs the large one."""

from __future__ import annotations

from itertools import pairwise

from tests.lab.joe_job import plan, rehearse

BOUNCES, TO_ONE, GOOD, LIMIT = 400, 30, 50, 20


def test_good_mail_gets_through_a_joe_job() -> None:
    found = rehearse(BOUNCES, TO_ONE, GOOD)
    assert dict(found.good) == {"250 OK id": GOOD}
    assert dict(found.random) == {"550 5.1.1": BOUNCES}
    assert [reply[:9] for reply in found.real] == ["250 OK id"] * LIMIT + ["550 5.2.1"] * (TO_ONE - LIMIT)
    assert "too many bounces for steve" in found.real[LIMIT]
    assert found.queued == GOOD + LIMIT
    assert found.exim_seconds > found.daemon_seconds > 0


def test_the_plan_sends_each_message_once_and_mixes_them() -> None:
    planned = plan(4000, 30, 500)
    bounces = [one for one in planned if not one.sender]
    to_real = [one for one in bounces if one.recipients == ("steve@example.org",)]
    others = [recipient for one in bounces if one not in to_real for recipient in one.recipients]
    assert (len(others), len(to_real), len(planned) - len(bounces)) == (4000, 30, 500)
    assert not {"steve@example.org", "juha@example.org"} & set(others)
    places = [number for number, one in enumerate(planned) if one in to_real]
    assert max(after - before for before, after in pairwise(places)) < len(planned) / 20
