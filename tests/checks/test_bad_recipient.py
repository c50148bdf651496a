"""`bad_recipient`: refused although they exist, here and everywhere, each with its own text or the common one."""

from __future__ import annotations

import pytest

from eximacl.check import Hit, Messages, declared
from eximacl.checks.bad_recipient import Options, bad_recipient
from tests.checks.running import documented_defaults, outcome_of, query

HERE = ["Joe Joe has left; write to office@example.org", "sales@example.org", "steve+shop", "@example.com closed"]
EVERYWHERE = ["joe never shown", "info", "old.3.count expired"]
COMMON = "mail to {} not accepted here"
ROWS = [
    ("own text", "joe@example.org", "joe", "joe", "Joe has left; write to office@example.org"),
    ("case", "JOE@example.org", "JOE", "joe", "Joe has left; write to office@example.org"),
    ("common text", "sales@example.org", "sales", "sales@example.org", COMMON.format("sales")),
    ("address at another domain", "sales@example.net", "sales", None, ""),
    ("everywhere", "info@example.net", "info", "info", COMMON.format("info")),
    ("every localpart of a domain", "steve@example.com", "steve", "@example.com", "closed"),
    ("not listed", "steve@example.org", "steve", None, ""),
    ("an entry covers its tags", "joe+x@example.org", "joe+x", "joe", "Joe has left; write to office@example.org"),
    ("one tag only", "steve+shop@example.org", "steve+shop", "steve+shop", COMMON.format("steve+shop")),
    ("the other tags pass", "steve+bank@example.org", "steve+bank", None, ""),
    ("starts like one", "joey@example.org", "joey", None, ""),
    (
        "a disposable address's owner",
        "joe.3.count@example.org",
        "joe",
        "joe",
        "Joe has left; write to office@example.org",
    ),
    ("a disposable address itself", "old.3.count@example.org", "old", "old.3.count", "expired"),
    ("its owner's other addresses pass", "old.4.count@example.org", "old", None, ""),
    ("a localpart that looks like an address", "sales@example.org@example.net", "sales@example.org", None, ""),
]


@pytest.mark.parametrize(("rcpt", "mailbox", "entry", "text"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_bad_recipient(rcpt: str, mailbox: str, entry: str | None, text: str) -> None:
    asked = query(rcpt=rcpt).judged_as(mailbox)
    assert asked.recipient is not None
    localpart, domain = asked.recipient
    expected = entry and Hit(
        "bad-recipient", entry, text, f"Mail for {localpart} not accepted at {domain}", status="2.1"
    )
    options = Options(recipients=Messages(HERE), everywhere=Messages(EVERYWHERE))
    assert outcome_of(bad_recipient, options, asked) == expected


@pytest.mark.parametrize(("separators", "refused"), [("+", False), ("+-", True), ("", False)])
def test_separators(separators: str, refused: bool) -> None:
    options = Options(recipients=Messages(["joe"]), everywhere=Messages())
    asked = query(rcpt="joe-x@example.org")._replace(separators=separators)
    assert (outcome_of(bad_recipient, options, asked) is not None) is refused


def test_without_entries_or_a_recipient_nobody_is_refused() -> None:
    nothing = Options(recipients=Messages(), everywhere=Messages())
    assert outcome_of(bad_recipient, nothing, query(rcpt="joe@example.org")) is None
    listed = Options(recipients=Messages(["joe"]), everywhere=Messages())
    assert outcome_of(bad_recipient, listed, query("mail", sender="")) is None


def test_declaration() -> None:
    declaration = declared(bad_recipient)
    assert declaration is not None
    assert declaration.stages == {"rcpt"}
    assert documented_defaults(bad_recipient) == {"recipients": [], "everywhere": []}
