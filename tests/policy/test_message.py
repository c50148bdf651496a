"""What an admin's `message` may name, and that nothing in it is filled twice."""

from __future__ import annotations

import pytest

from eximacl.policy.message import MESSAGE_FIELDS, fill
from eximacl.policy.outcome import Hit
from eximacl.protocol.exim import parse_query

RCPT = 'rcpt v=1 tx=T ip=192.0.2.7 host="" helo=h from="a@example.net" rcpt="Steve@example.org"'
FIELDS = " ".join(f"{{{field}}}" for field in MESSAGE_FIELDS)
MESSAGES = [
    ("plain", RCPT, "go away", "go away"),
    ("every field", RCPT, FIELDS, "192.0.2.7 Unknown h a@example.net Steve@example.org Steve example.org detail a-hit"),
    ("a known host", RCPT.replace('host=""', "host=mx"), "{host}", "mx"),
    ("null sender", RCPT.replace("a@example.net", ""), "[{sender}]", "[]"),
    ("braces", RCPT, "{{ip}}", "{ip}"),
    ("values are not filled again", RCPT.replace("helo=h", 'helo="{ip}"'), "{helo}", "{ip}"),
    ("before RCPT", "connect v=1 ip=192.0.2.7", "[{recipient}{localpart}{domain}{sender}]", "[]"),
]


@pytest.mark.parametrize(("line", "template", "text"), [row[1:] for row in MESSAGES], ids=[row[0] for row in MESSAGES])
def test_fill(line: str, template: str, text: str) -> None:
    assert fill(template, parse_query(line.encode()), Hit("a-hit", "detail", "")) == text
