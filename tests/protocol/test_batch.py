"""Many queries in one file: what is read of it, and that a wrong line keeps no other back."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from eximacl.protocol.batch import BatchError, Line, ask_each, read_batch
from eximacl.protocol.client import DaemonError, RequestRefused
from eximacl.protocol.exim import Reply


def answer(stage: str, values: Mapping[str, str]) -> Reply:
    if "helo" in values:
        raise RequestRefused(values["helo"], "the text")
    return Reply("accept", 250, stage, "", "", "", "")


@pytest.mark.parametrize(
    ("data", "stages", "problems"),
    [
        pytest.param(b"ip\trcpt\n192.0.2.7\ta@b.example\n192.0.2.7\t\n", ["rcpt", "connect"], ["", ""], id="TSV"),
        pytest.param(b"connect v=1 ip=192.0.2.7\n\nend tx=1\n", ["connect", "end"], ["", ""], id="as on the wire"),
        pytest.param(b"ip\n1\n", ["connect"], ["'1' is not an IP address"], id="address"),
        pytest.param(b"ip\n1\t2\n", [""], ["2 columns, but the first line names 1"], id="columns"),
        pytest.param(b"connect v=1 ip=::1\nhi v=1\n", ["connect", ""], ["", "'hi' is not a stage; the"], id="stage"),
        pytest.param(b"connect v=1 ip=::1\nrcpt tx=1\n", ["connect", "rcpt"], ["", "stage rcpt needs ip"], id="keys"),
        pytest.param(b"connect v=1 ip=::1\nrcpt \xff\n", ["connect", ""], ["", "expected key=value"], id="bytes"),
    ],
)
def test_read(data: bytes, stages: list[str], problems: list[str]) -> None:
    lines = read_batch(data)
    assert [line.stage for line in lines] == stages
    for line, problem in zip(lines, problems, strict=True):
        assert line.problem.startswith(problem)
        assert bool(line.problem) == bool(problem)
        assert line.problem or line.values["dry"] == "1"


def test_each_is_a_transaction() -> None:
    lines = read_batch(b"ip\n" + b"192.0.2.7\n" * 3)
    assert len({line.values["tx"] for line in lines}) == 3
    assert [line.number for line in lines] == [2, 3, 4]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"\n", "there is no query in it", id="empty"),
        pytest.param(b"ip\tcolour\n", r"\(colour\); the columns are stage ip", id="column"),
        pytest.param(b"rcpt\n", r"\(ip is missing\)", id="no ip"),
    ],
)
def test_what_is_not_a_batch(data: bytes, words: str) -> None:
    with pytest.raises(BatchError, match=words):
        read_batch(data)


def test_a_wrong_line_keeps_no_other_back() -> None:
    lines = [Line(1, "", {}, "wrong"), Line(2, "helo", {"helo": "too-long"}), Line(3, "end", {})]
    first, second, third = ask_each(lines, answer)
    assert (first.reply, first.problem) == (None, "wrong")
    assert (second.reply, second.problem) == (None, "too-long: the text")
    assert third.reply is not None


def test_a_daemon_that_cannot_answer_ends_it() -> None:
    answers = ask_each([Line(1, "end", {}), Line(2, "helo", {"helo": "overload"}), Line(3, "end", {})], answer)
    assert next(answers).reply is not None
    with pytest.raises(DaemonError):
        next(answers)
