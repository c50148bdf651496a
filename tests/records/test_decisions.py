"""A decision of a real daemon, found by its reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.protocol.client import ask
from eximacl.protocol.exim import format_query
from eximacl.records.decisions import as_dict, find, query_of
from eximacl.records.errors import NoDecision, RecordsError
from tests.lab.daemon import Daemon

HELD = {"tx": "1-1", "ip": "192.0.2.7", "from": "a@example.net"}


@pytest.fixture
def held(config: Path) -> str:
    """The reference of a recipient that was held, and then its message at DATA."""
    config.write_text(
        config.read_text()
        .replace('"joe"]', '"joe"]\naction = "hold"')
        .replace("[policy]", '[archive]\ndir = "archive"\n[policy]')
    )
    socket = config.parent / "eximacl.sock"
    with Daemon(config, socket, config.parent / "log"):
        told = ask(socket, format_query("rcpt", {**HELD, "rcpt": "ghost@example.org"}))
        words = {
            "held": told.ref,
            "held_message": told.message,
            "spool": "/no",
            "rcpts": "ghost@example.org",
            "id": "x",
        }
        ask(socket, format_query("data", {**HELD, **words}))
    return told.ref


def test_with_what_followed(config: Path, held: str) -> None:
    first, later = find(config.parent / "journal", held)
    assert [entry.ref for entry in (first, later)] == [held, held]
    assert [query_of(entry)["stage"] for entry in (first, later)] == ["rcpt", "data"]
    assert query_of(first)["rcpt"] == "ghost@example.org"
    shown = as_dict(first, later)
    assert (shown["word"], shown["query"], shown["later"][0]["query"]["stage"]) == ("hold", query_of(first), "data")


def test_what_is_not_there(config: Path, held: str) -> None:
    with pytest.raises(NoDecision, match=f"^00000000 is not in {config.parent}/journal: it is too old, or from anot"):
        find(config.parent / "journal", "00000000")
    with pytest.raises(RecordsError, match="/none does not exist: has the daemon recorded anything yet"):
        find(config.parent / "none", held)
