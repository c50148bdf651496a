"""`valid_recipient`: who exists, with and without tags; without a list nobody is refused."""

from __future__ import annotations

import pytest

from eximacl.check import Hit, Recipients, declared
from eximacl.checks.valid_recipient import Options, valid_recipient
from tests.checks.running import documented_defaults, outcome_of, query

LISTED = ["Steve", "joe@example.org", "@example.com", "list+owner"]
ROWS = [
    ("listed localpart", "steve@example.org", "+", True),
    ("at any of the domains", "steve@example.net", "+", True),
    ("case", "STEVE@Example.ORG", "+", True),
    ("listed address", "joe@example.org", "+", True),
    ("listed address, other domain", "joe@example.net", "+", False),
    ("every localpart of a domain", "whoever@example.com", "+", True),
    ("not listed", "juha@example.org", "+", False),
    ("starts like one", "stev@example.org", "+", False),
    ("tag", "steve+shop@example.org", "+", True),
    ("tag on an address entry", "joe+shop@example.org", "+", True),
    ("empty tag", "steve+@example.org", "+", True),
    ("two tags", "steve+a+b@example.org", "+", True),
    ("other separator", "steve-shop@example.org", "+", False),
    ("several separators, the first", "steve+shop@example.org", "+-", True),
    ("several separators, the second", "steve-shop@example.org", "+-", True),
    ("several separators, mixed", "steve-a+b@example.org", "+-", True),
    ("no separators", "steve+shop@example.org", "", False),
    ("tag of nobody", "juha+shop@example.org", "+", False),
    ("separator first", "+steve@example.org", "+", False),
    ("an entry that looks tagged", "list+owner@example.org", "+", True),
    ("but not the name before its tag", "list@example.org", "+", False),
    ("empty localpart", "@example.org", "+", False),
    ("localpart that looks like a listed address", "joe@example.org@example.net", "+", False),
]


@pytest.mark.parametrize(("rcpt", "separators", "exists"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_valid_recipient(rcpt: str, separators: str, exists: bool) -> None:
    asked = query(rcpt=rcpt)._replace(separators=separators)
    assert asked.recipient is not None
    localpart, domain = asked.recipient
    expected = Hit(
        "unknown-recipient",
        localpart,
        f"mail to {localpart} not accepted here",
        f"Mail for {localpart} not accepted at {domain}",
        status="1.1",
    )
    options = Options(recipients=Recipients(LISTED))
    assert outcome_of(valid_recipient, options, asked) == (None if exists else expected)


def test_a_disposable_address_is_judged_by_its_owner_and_answered_by_its_own_name() -> None:
    options = Options(recipients=Recipients(LISTED))
    counted = query(rcpt="juha.3.count@example.org")
    assert outcome_of(valid_recipient, options, counted.judged_as("steve")) is None
    assert outcome_of(valid_recipient, options, counted.judged_as("steve+shop")) is None
    found = outcome_of(valid_recipient, options, counted.judged_as("juha"))
    assert isinstance(found, Hit)
    assert (found.detail, found.text) == ("juha", "mail to juha.3.count not accepted here")


def test_without_a_list_nobody_is_refused() -> None:
    options = Options(recipients=Recipients())
    assert outcome_of(valid_recipient, options, query(rcpt="juha@example.org")) is None


def test_without_a_recipient_nothing_is_judged() -> None:
    options = Options(recipients=Recipients(LISTED))
    assert outcome_of(valid_recipient, options, query("mail", sender="")) is None


def test_declaration() -> None:
    declaration = declared(valid_recipient)
    assert declaration is not None
    assert declaration.stages == {"rcpt"}
    assert documented_defaults(valid_recipient) == {"recipients": []}
