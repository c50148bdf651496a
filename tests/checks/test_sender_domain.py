"""`sender_domain`: a listed domain and all below it, of the envelope sender alone; bounces pass."""

from __future__ import annotations

import pytest

from eximacl.check import Hit, Suffixes, declared
from eximacl.checks.sender_domain import Options, sender_domain
from eximacl.policy.query import Stage
from tests.checks.running import documented_defaults, outcome_of, query

LISTED = Options(domains=Suffixes(["linkedin.example", "пример.example", "xn--mnchen-3ya.example"]))
ROWS = [
    ("the domain itself", {"sender": "a@linkedin.example"}, "linkedin.example"),
    ("below it", {"sender": "a@e.mail.linkedin.example"}, "linkedin.example"),
    ("whole labels only", {"sender": "a@notlinkedin.example"}, None),
    ("above it", {"sender": "a@example"}, None),
    ("case and trailing dot", {"sender": "a@LinkedIn.Example."}, "linkedin.example"),
    ("list in U-labels, sender in A-labels", {"sender": "a@xn--e1afmkfd.example"}, "xn--e1afmkfd.example"),
    ("list in A-labels, sender in U-labels", {"sender": "a@München.example"}, "xn--mnchen-3ya.example"),
    ("another domain", {"sender": "a@example.net"}, None),
    ("null sender", {"sender": ""}, None),
    ("no domain", {"sender": "linkedin.example"}, None),
    ("domain in a quoted localpart", {"sender": '"x@linkedin.example"@example.net'}, None),
    ("no sender yet", {}, None),
    ("the host is not looked at", {"sender": "a@example.net", "host": "mx.linkedin.example"}, None),
]


@pytest.mark.parametrize(("values", "entry"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
@pytest.mark.parametrize("stage", ["mail", "rcpt"])
def test_sender_domain(values: dict[str, str], entry: str | None, stage: Stage) -> None:
    expected = entry and Hit("sender-domain", entry, f"mail from senders at {entry} is not accepted here")
    assert outcome_of(sender_domain, LISTED, query(stage, **values)) == expected


def test_an_empty_list_refuses_nobody() -> None:
    assert outcome_of(sender_domain, Options(domains=Suffixes()), query(sender="a@linkedin.example")) is None


def test_declaration() -> None:
    declaration = declared(sender_domain)
    assert declaration is not None
    assert declaration.stages == {"mail", "rcpt"}
    assert documented_defaults(sender_domain) == {"domains": []}
