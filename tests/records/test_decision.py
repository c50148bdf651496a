"""A question with its answer, as plain values."""

from __future__ import annotations

import json

import msgpack
import pytest

from eximacl.policy.model import Unknown
from eximacl.policy.questions import AnyQuestion, Commit, Lookup, Release, Reserve
from eximacl.records.decision import Asked


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        (Reserve("key", 3, "tx-1"), "reserved", ["a_check", "reserve", "key", 3, "tx-1", "reserved"]),
        (Commit("tx-1"), "committed", ["a_check", "commit", "tx-1", "committed"]),
        (Release("tx-1"), 2, ["a_check", "release", "tx-1", 2]),
        (
            Lookup((("a.{key}.example", "A"),), ("secret",)),
            (("127.0.0.2",),),
            ["a_check", "lookup", [["a.{key}.example", "A"]], [["127.0.0.2"]]],
        ),
        (Commit("tx-1"), Unknown("full"), ["a_check", "commit", "tx-1", {"unknown": "full"}]),
    ],
)
def test_as_list(question: AnyQuestion, answer: object, expected: list[object]) -> None:
    asked = Asked("a_check", question, answer).as_list()
    assert msgpack.unpackb(msgpack.packb(asked)) == expected
    assert json.loads(json.dumps(asked)) == expected
