"""A query is a value, and each accessor says what Exim said."""

from __future__ import annotations

from typing import Any

import pytest

from eximacl.mail.address import NULL_SENDER, Address
from eximacl.policy.query import STAGES, Query, Stage

VALUES = [
    ("ip", "ip", "192.0.2.7", "192.0.2.7", ""),
    ("host", "host", "mx.example.net", "mx.example.net", ""),
    ("helo", "helo", "[192.0.2.7]", "[192.0.2.7]", ""),
    ("transaction", "tx", "4711-1", "4711-1", ""),
    ("host_deferred", "host_deferred", "1", True, False),
    ("host_deferred", "host_deferred", "0", False, False),
    ("reserved", "want", "data end", True, False),
    ("reserved", "want", "data", False, False),
]


@pytest.mark.parametrize(("accessor", "key", "value", "expected", "missing"), VALUES)
def test_accessors(accessor: str, key: str, value: str, expected: Any, missing: Any) -> None:
    assert getattr(Query("rcpt", {key: value}), accessor) == expected
    assert getattr(Query("rcpt", {}), accessor) == missing


@pytest.mark.parametrize(
    ("stage", "values", "held"),
    [("data", {"held": "7KQ2M9D4"}, True), ("data", {}, False), ("rcpt", {"held": "x"}, False)],
)
def test_a_message_is_held_at_data(stage: Stage, values: dict[str, str], held: bool) -> None:
    assert Query(stage, values).is_held is held


def test_the_stages() -> None:
    assert STAGES == ("connect", "helo", "mail", "rcpt", "data", "end")


def test_a_query_is_never_changed() -> None:
    query = Query("rcpt", {}, NULL_SENDER, Address("steve.3.count", "example.org"), "steve.3.count")
    judged = query.judged_as("steve")
    assert (judged.mailbox, judged.recipient) == ("steve", query.recipient)
    assert query.mailbox == "steve.3.count"
    other = Query("data", {}, NULL_SENDER).for_recipient(Address("joe", "example.org"))
    assert (other.stage, other.recipient, other.mailbox) == ("data", Address("joe", "example.org"), "joe")
    with pytest.raises(AttributeError):
        query.mailbox = "x"  # type: ignore[misc]
