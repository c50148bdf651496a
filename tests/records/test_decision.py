"""A question with its answer, as plain values."""

from __future__ import annotations

import json

import msgpack
import pytest

from eximacl.policy.outcome import Unknown
from eximacl.policy.questions import AnyQuestion, CommitSlots, Lookup, ReleaseSlots, ReserveSlot
from eximacl.records.decision import AskedQuestion


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        (ReserveSlot("key", 3, "tx-1"), "reserved", ["a_check", "reserve", "key", 3, "tx-1", "reserved"]),
        (CommitSlots("tx-1"), "committed", ["a_check", "commit", "tx-1", "committed"]),
        (ReleaseSlots("tx-1"), 2, ["a_check", "release", "tx-1", 2]),
        (
            Lookup((("a.{key}.example", "A"),), ("secret",)),
            (("127.0.0.2",),),
            ["a_check", "lookup", [["a.{key}.example", "A"]], [["127.0.0.2"]]],
        ),
        (CommitSlots("tx-1"), Unknown("full"), ["a_check", "commit", "tx-1", {"unknown": "full"}]),
    ],
)
def test_as_list(question: AnyQuestion, answer: object, expected: list[object]) -> None:
    asked = AskedQuestion("a_check", question, answer).as_list()
    assert msgpack.unpackb(msgpack.packb(asked)) == expected
    assert json.loads(json.dumps(asked)) == expected
