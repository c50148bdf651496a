"""The pages on the protocol and on running name what the code has: keys, reasons, limits."""

from __future__ import annotations

import re

import pytest

from eximacl import lists, records, wire
from eximacl.server import Limits
from tests.lab.site import ROOT

PROTOCOL = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
RUNNING = (ROOT / "docs/running.md").read_text(encoding="utf-8")


def reasons() -> set[str]:
    """Every reason that a ProtocolError is raised with."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "eximacl").glob("*.py")]
    return {reason for source in sources for reason in re.findall(r'ProtocolError\(\s*"([a-z-]+)"', source)}


def test_there_are_reasons() -> None:
    assert {"syntax", "late", "overload", "permission"} <= reasons()


@pytest.mark.parametrize("reason", sorted(reasons()))
def test_each_reason_of_an_error_is_explained(reason: str) -> None:
    assert f"`{reason}`" in PROTOCOL


@pytest.mark.parametrize("stage", [stage for stage in wire.NEEDED if stage != wire.CONTROL])
def test_what_each_stage_needs(stage: str) -> None:
    keys = " ".join(f"`{key}`" for key in wire.NEEDED[stage])
    assert f"| `{stage}` | {keys} |" in PROTOCOL


@pytest.mark.parametrize(
    "text",
    [
        f"{wire.MAX_LINE_BYTES // 1024} KiB",
        f"{wire.MAX_TEXT_BYTES} bytes",
        f"{Limits().query_seconds:g} s",
        f"{lists.PATTERN_TIMEOUT_SECONDS * 1000:g} ms, in the first {lists.PATTERN_INPUT_CHARACTERS} characters",
        f"{records.MAX_BACKLOG_BYTES // 1024 // 1024} MiB of records",
        f"last {records.FLUSH_SECONDS * 1000:g} ms",
    ],
)
def test_each_limit(text: str) -> None:
    assert text in RUNNING


@pytest.mark.parametrize("query", re.findall(r"^    ((?:rcpt|data|mail) v=1 .*)$", PROTOCOL, re.MULTILINE))
def test_example_queries_parse(query: str) -> None:
    assert wire.parse_query(query.encode()).values["v"] == "1"


@pytest.mark.parametrize("reply", re.findall(r"^    (verdict=.*)$", PROTOCOL, re.MULTILINE))
def test_example_replies_parse(reply: str) -> None:
    assert wire.parse_reply(reply.encode()).verdict == "reject"
