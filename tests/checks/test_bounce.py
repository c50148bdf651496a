"""`bounce`: recipients that never send, and more than one recipient; only bounces are looked at."""

from __future__ import annotations

from typing import Any

import pytest

from eximacl.check import Hit, Recipients, declared
from eximacl.checks.bounce import Options, bounce
from eximacl.testing import decision_of
from tests.checks.running import documented_defaults, outcome_of, query

LISTED = ["news", "abuse@example.org", "@lists.example.org"]
NEVER = "bounce-never-sent"
SEVERAL = "bounce-several"

# sender, recipient, judged as, accepted so far, expected reason and detail
ROWS = [
    ("", "news@example.org", "", "0", (NEVER, "news")),
    ("", "NEWS@example.org", "", "0", (NEVER, "news")),
    ("", "news+x@example.org", "", "0", (NEVER, "news")),
    ("", "news.3.count@example.org", "news", "0", (NEVER, "news")),
    ("", "newsletter@example.org", "", "0", None),
    ("", "abuse@example.org", "", "0", (NEVER, "abuse@example.org")),
    ("", "abuse@example.net", "", "0", None),
    ("", "any@lists.example.org", "", "0", (NEVER, "@lists.example.org")),
    ("a@example.net", "news@example.org", "", "0", None),
    ("a@example.net", "steve@example.org", "", "5", None),
    ("mailer-daemon@example.net", "news@example.org", "", "1", None),
    ("", "steve@example.org", "", "0", None),
    ("", "steve@example.org", "", "1", (SEVERAL, "steve@example.org")),
    ("", "steve@example.org", "", "12", (SEVERAL, "steve@example.org")),
    ("", "steve@example.org", "", "", None),
    ("", "news@example.org", "", "1", (NEVER, "news")),
]


@pytest.mark.parametrize(("sender", "rcpt", "mailbox", "accepted", "expected"), ROWS)
def test_bounce(sender: str, rcpt: str, mailbox: str, accepted: str, expected: tuple[str, str] | None) -> None:
    options = Options(recipients=Recipients(LISTED), several="defer")
    asked = query(sender=sender, rcpt=rcpt, accepted=accepted)
    outcome = outcome_of(bounce, options, asked.judged_as(mailbox) if mailbox else asked)
    assert (outcome and (outcome.reason, outcome.detail) if isinstance(outcome, Hit | None) else outcome) == expected


def test_off_by_default_and_with_snippets_that_do_not_count() -> None:
    nothing = Options(recipients=Recipients(), several="off")
    assert outcome_of(bounce, nothing, query(sender="", rcpt="steve@example.org", accepted="1")) is None
    several = Options(recipients=Recipients(), several="defer")
    assert outcome_of(bounce, several, query(sender="", rcpt="steve@example.org")) is None
    assert outcome_of(bounce, several, query("mail", sender="")) is None


@pytest.mark.parametrize(
    ("several", "action", "word"),
    [
        ("defer", "reject", "defer"),
        ("defer", "hold", "defer"),
        ("defer", "observe", "accept"),
        ("observe", "reject", "accept"),
    ],
)
def test_a_further_recipient_is_never_refused_for_good(several: Any, action: Any, word: str) -> None:
    options = Options(recipients=Recipients(), several=several)
    asked = query(sender="", rcpt="steve@example.org", accepted="1", ip="192.0.2.7", tx="1")
    assert decision_of(bounce, asked, options, action=action).word == word


def test_declaration() -> None:
    declaration = declared(bounce)
    assert declaration is not None
    assert declaration.stages == {"rcpt"}
    given: list[tuple[list[str], Any]] = [([], "off"), (["news"], "off"), ([], "defer")]
    options = [Options(recipients=Recipients(names), several=several) for names, several in given]
    assert [declaration.idle(one) for one in options] == [True, False, False]
    assert documented_defaults(bounce) == {"recipients": [], "several": "off"}
