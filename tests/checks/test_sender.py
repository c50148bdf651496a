"""`sender`: senders with their texts, for all recipients or one; bounces pass, and a slow pattern is unknown."""

from __future__ import annotations

import pytest

from eximacl.check import Hit, SenderTexts, Unknown, declared
from eximacl.checks.sender import Options, sender
from eximacl.policy.query import Stage
from tests.checks.running import documented_defaults, outcome_of, query

SENDERS = [
    "ann@example.net Please use the form",
    "@.shop.example",
    r"/^promo-\d+@/",
    "joe: news@theirs.example",
    r"/^(?:xy|xyxy)+[.]slow$/",
]
COMMON = "mail from {} is not accepted here"
# sender, recipient, judged as, entry, text
ROWS = [
    ("ann@example.net", "steve@example.org", "", "ann@example.net", "Please use the form"),
    ("prvs=0787b0b1b2=Ann@example.net", "steve@example.org", "", "ann@example.net", "Please use the form"),
    ("a@x.shop.example", "steve@example.org", "", "@.shop.example", COMMON.format("a@x.shop.example")),
    ("promo-7@any.example", "steve@example.org", "", r"/^promo-\d+@/", COMMON.format("promo-7@any.example")),
    ("news@theirs.example", "joe@example.org", "", "joe: news@theirs.example", COMMON.format("news@theirs.example")),
    ("news@theirs.example", "Joe+x@example.org", "", "joe: news@theirs.example", COMMON.format("news@theirs.example")),
    ("news@theirs.example", "joe.3.count@example.org", "joe", "joe: news@theirs.example",
     COMMON.format("news@theirs.example")),
    ("news@theirs.example", "steve@example.org", "", "", ""),
    ("bob@example.net", "steve@example.org", "", "", ""),
    ("", "steve@example.org", "", "", ""),
]  # fmt: skip


def options(*entries: str) -> Options:
    return Options(senders=SenderTexts(entries or SENDERS))


@pytest.mark.parametrize(("found", "rcpt", "mailbox", "entry", "text"), ROWS)
def test_sender(found: str, rcpt: str, mailbox: str, entry: str, text: str) -> None:
    asked = query(sender=found, rcpt=rcpt)
    outcome = outcome_of(sender, options(), asked.judged_as(mailbox) if mailbox else asked)
    assert outcome == (Hit("sender", entry, text) if entry else None)


@pytest.mark.parametrize(
    ("stage", "found", "entry"), [("mail", "ann@example.net", "ann@example.net"), ("mail", "news@theirs.example", None)]
)
def test_before_there_is_a_recipient(stage: Stage, found: str, entry: str | None) -> None:
    outcome = outcome_of(sender, options(), query(stage, sender=found))
    assert (outcome.detail if isinstance(outcome, Hit) else outcome) == entry


def test_a_slow_pattern_is_unknown() -> None:
    outcome = outcome_of(sender, options(), query(sender="xy" * 60 + "!.slow@example.net", rcpt="steve@example.org"))
    assert outcome is None
    slow = options(r"/^(?:xy|xyxy)+$/")
    outcome = outcome_of(sender, slow, query(sender="xy" * 60 + "!@example.net", rcpt="steve@example.org"))
    assert isinstance(outcome, Unknown)
    assert outcome.detail.startswith("took over 5 ms")


def test_declaration() -> None:
    declaration = declared(sender)
    assert declaration is not None
    assert declaration.stages == {"mail", "rcpt"}
    assert documented_defaults(sender) == {"senders": []}
    assert declaration.idle(Options(senders=SenderTexts()))
    assert not declaration.idle(options())
