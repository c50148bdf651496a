"""The pages on the protocol and on running name what the code has: keys, reasons, limits."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from eximacl.archive.spool import HEADERS_CUT_BYTES
from eximacl.daemon.answers import CLIENTS_NAMES_MAX, POLICY_NAMES_MAX
from eximacl.daemon.limits import Limits
from eximacl.dns.lookup import CLIENTS_STREAMS_MAX, STREAMS_MAX
from eximacl.dns.resolver import CLIENTS_FETCHES_MAX, FETCHES_MAX
from eximacl.mail import patterns
from eximacl.policy.outcome import Decision, Word
from eximacl.protocol import exim as wire
from eximacl.protocol.exim import held_words
from eximacl.records import appender as records
from eximacl.records.journal import MAX_RECORD_BYTES
from tests.lab.site import ROOT

PROTOCOL = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
RUNNING = (ROOT / "docs/running.md").read_text(encoding="utf-8")
HOLDING = (ROOT / "eximacl/archive/hold.py").read_text(encoding="utf-8")
HELD = Decision("hold", ())


def reasons() -> set[str]:
    """Every reason that a ProtocolError is raised with."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "eximacl").rglob("*.py")]
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
        f"{MAX_RECORD_BYTES // 1024} KiB",
        f"{Limits().query_seconds:g} s",
        f"| {Limits().slow} | each may hold a megabyte of headers",
        f"{CLIENTS_NAMES_MAX} of these names, and {POLICY_NAMES_MAX} in DNS lists",
        f"{FETCHES_MAX}, of which {CLIENTS_FETCHES_MAX} outside the zones of DNS lists",
        f"over TCP {STREAMS_MAX}, of which {CLIENTS_STREAMS_MAX}",
        f"{patterns.PATTERN_TIMEOUT_SECONDS * 1000:g} ms, in the first {patterns.PATTERN_INPUT_CHARACTERS} characters",
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
    parsed = wire.parse_reply(reply.encode())
    assert parsed.verdict in get_args(Word)
    assert set(parsed.extra) == (set(held_words(HELD)) if parsed.verdict == "hold" else set())


def data_keys() -> set[str]:
    """Every key that the snippet for DATA sends and no stage before it."""
    snippets = "".join(
        (ROOT / "exim-snippets" / f"{name}.acl").read_text(encoding="utf-8") for name in ("data", "hold")
    )
    return set(re.findall(r"(?<![\w$])([a-z_]+)=\$", snippets))


def test_there_are_data_keys() -> None:
    assert {"rcpts", "headers", "held", "held_sentence", "spool"} <= data_keys()


@pytest.mark.parametrize("key", sorted(data_keys()))
def test_each_key_of_data_is_explained(key: str) -> None:
    assert re.search(rf"^\|[^|]*`{key}`[^|]*\| data only", PROTOCOL, re.MULTILINE)


@pytest.mark.parametrize("key", held_words(HELD))
def test_each_key_that_only_a_hold_has_is_explained(key: str) -> None:
    assert re.search(rf"^\|[^|]*`{key}`[^|]*\| `hold` at `rcpt` only", PROTOCOL, re.MULTILINE)


@pytest.mark.parametrize("key", re.findall(r'value\("(held\w*|spool)"', HOLDING))
def test_what_the_archive_takes_from_a_query_is_sent(key: str) -> None:
    assert key in data_keys()


def test_the_texts_about_a_message_that_is_not_kept() -> None:
    judge = (ROOT / "eximacl" / "daemon" / "judge.py").read_text(encoding="utf-8")
    archive = (ROOT / "docs" / "archive.md").read_text(encoding="utf-8")
    exim = (ROOT / "docs" / "exim.md").read_text(encoding="utf-8")
    assert "the held message %s is refused without being archived: %s" in judge
    assert "the held message 7KQ2M9D4 is refused without being archived: …" in archive
    assert f"{HEADERS_CUT_BYTES // 1024} KiB" in archive
    wire_text = (ROOT / "eximacl" / "protocol" / "exim.py").read_text(encoding="utf-8")
    assert "eximacl: held, {outcome} (ref={ref})" in wire_text
    assert "eximacl: held, archived (ref=7KQ2M9D4)" in exim
