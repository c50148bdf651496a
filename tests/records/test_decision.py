"""A decision with its query, as the records get it."""

from __future__ import annotations

from typing import Any

import pytest

from eximacl.mail.address import Address
from eximacl.policy.outcome import Decision
from eximacl.records.decision import DecisionRecord
from eximacl.testing import query

STEVE, ANN = Address("steve", "example.org"), Address("ann", "example.com")


@pytest.mark.parametrize(
    ("stage", "values", "recipients"),
    [
        ("rcpt", {"rcpt": "steve@example.org"}, (STEVE,)),
        ("data", {"rcpts": "steve@example.org, ann@example.com"}, (STEVE, ANN)),
        ("mail", {}, ()),
    ],
)
def test_whose_mail_it_is(stage: Any, values: dict[str, str], recipients: tuple[Address, ...]) -> None:
    asked = query(stage, **values)
    record = DecisionRecord("7KQ2M9D4", "exim", b"", asked, [], Decision("accept", ()), 250, "", "")
    assert record.recipients == recipients
    assert asked.domain == (recipients[0].domain if recipients else "")
