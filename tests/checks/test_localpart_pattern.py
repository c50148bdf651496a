"""`localpart_pattern`: the sample's six patterns, the owner of a disposable address, and a pattern that hangs."""

from __future__ import annotations

import pytest

from eximacl.check import Patterns, Unknown, declared
from eximacl.checks.localpart_pattern import Options, localpart_pattern
from eximacl.policy.outcome import Hit
from tests.checks.running import documented_defaults, outcome_of, query

SAMPLE = Options(patterns=Patterns(["[0-9]$", ",", r"\|", "^[^A-Za-z]", '"', "'"]))
ROWS = [
    ("honest", "steve", None),
    ("honest, with dots and dashes", "steve.kemp-list", None),
    ("digit inside", "st3ve", None),
    ("ends in a digit", "steve7", "[0-9]$"),
    ("comma", "a,b", ","),
    ("pipe", "a|/bin/sh", r"\|"),
    ("starts with a digit", "7steve", "^[^A-Za-z]"),
    ("starts with a dash", "-steve", "^[^A-Za-z]"),
    ("starts with a letter beyond ASCII", "ärla", "^[^A-Za-z]"),
    ("starts with a byte that is not text", "\udce4rla", "^[^A-Za-z]"),
    ("double quote", 'a"b', '"'),
    ("single quote", "o'brien", "'"),
    ("the first in list order is named", "'|,", ","),
    ("upper case is judged as sent", "STEVE", None),
    ("empty", "", None),
]


@pytest.mark.parametrize(("localpart", "pattern"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_localpart_pattern(localpart: str, pattern: str | None) -> None:
    expected = pattern and Hit(
        "localpart-pattern",
        pattern,
        f"mail to {localpart} not accepted here",
        f"Mail for {localpart} not accepted at example.org",
    )
    assert outcome_of(localpart_pattern, SAMPLE, query(rcpt=f"{localpart}@example.org")) == expected


def test_a_disposable_address_is_judged_by_its_owner() -> None:
    dated = query(rcpt="steve.date.31-12-2026@example.org")
    assert outcome_of(localpart_pattern, SAMPLE, dated.judged_as("steve")) is None
    found = outcome_of(localpart_pattern, SAMPLE, dated.judged_as("steve7"))
    assert isinstance(found, Hit)
    assert found.text == "mail to steve.date.31-12-2026 not accepted here"


def test_a_pattern_that_does_not_finish_is_unknown() -> None:
    options = Options(patterns=Patterns(["(?:xy|xyxy)+$"]))
    found = outcome_of(localpart_pattern, options, query(rcpt="xy" * 100 + "!@example.org"))
    assert found == Unknown("took over 5 ms: (?:xy|xyxy)+$")


def test_no_patterns_or_no_recipient() -> None:
    assert outcome_of(localpart_pattern, Options(patterns=Patterns()), query(rcpt="a7@example.org")) is None
    assert outcome_of(localpart_pattern, SAMPLE, query("mail", sender="a7@example.net")) is None


def test_declaration() -> None:
    declaration = declared(localpart_pattern)
    assert declaration is not None
    assert declaration.stages == {"rcpt"}
    assert documented_defaults(localpart_pattern) == {"patterns": "lists/patterns"}
