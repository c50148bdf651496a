"""The key of a list goes to the name servers, and into nothing that anybody keeps or sees."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from eximacl.config import load, show, show_toml
from eximacl.daemon.front_end import EximFrontEnd
from eximacl.daemon.judge import Judge
from eximacl.policy.outcome import Unknown
from eximacl.protocol.exim import format_query
from eximacl.records.decision import DecisionRecord
from eximacl.records.journal import pack_entry
from eximacl.state import MemoryState
from eximacl.testing import Dns

SECRET = "geheim7key"
POLICY = """
    [policy]
    domains = ["example.org"]
    order = ["dnswl", "dnsbl", "rhsbl"]
    [checks.dnswl.zones."{key}.wl.example.net"]
    key = "key"
    [checks.dnsbl.zones."{key}.bl.example.net"]
    key = "key"
    text = "{ip} {zone} {txt}"
    [checks.rhsbl.zones."{key}.dbl.example.net"]
    key = "key"
"""
VALUES = {"tx": "1-1", "ip": "192.0.2.7", "from": "a@example.net", "rcpt": "steve@example.org"}
IN_BL = f"7.2.0.192.{SECRET}.bl.example.net"
# What the lists answer; the check that decides or is unknown at the end of the trace.
ANSWERS = [
    ({(IN_BL, "A"): ["127.0.0.2"], (IN_BL, "TXT"): [f"see https://x.example/?key={SECRET}&ip=7"]}, "reject"),
    ({(IN_BL, "A"): ["127.0.0.2"], (IN_BL, "TXT"): Unknown(f"no answer about TXT of {IN_BL}")}, "reject"),
    ({(IN_BL, "A"): Unknown(f"no answer about A of {IN_BL.upper()}")}, "accept"),
    ({(f"example.net.{SECRET}.dbl.example.net", "A"): ["192.0.2.1"]}, "accept"),
    ({(f"7.2.0.192.{SECRET}.wl.example.net", "A"): ["127.0.5.3"]}, "accept"),
]


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "eximacl.toml"
    path.write_text(POLICY)
    (tmp_path / "key").write_text(f"{SECRET}\n")
    (tmp_path / "key").chmod(0o640)
    return path


@pytest.mark.parametrize(("names", "verdict"), ANSWERS)
@pytest.mark.parametrize("dry", ["", "1"])
def test_a_key_is_in_no_reply_trace_journal_or_log(
    policy: Path,
    names: dict[tuple[str, str], list[str] | Unknown],
    verdict: str,
    dry: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept: list[DecisionRecord] = []
    network = Dns(names)
    judge = Judge(load(policy).policy, MemoryState(), next_ref=lambda _: "REF", network=network)
    with caplog.at_level(logging.DEBUG):
        reply = EximFrontEnd(judge, kept.append).handle(format_query("rcpt", {**VALUES, "dry": dry}).rstrip(b"\n"))
    assert isinstance(reply, bytes)
    assert verdict.encode() in reply
    assert any(SECRET in name for name, _ in network.asked)
    assert len(kept) == 1
    shown = [reply, *map(pack_entry, kept), repr(kept).encode(), caplog.text.encode()]
    assert not [text for text in shown if SECRET.encode() in text.lower()]
    assert b"{key}" in (reply if dry else pack_entry(kept[0]))


def test_a_key_is_not_in_what_is_shown_of_the_policy(policy: Path) -> None:
    loaded = load(policy)
    shown = show(loaded)
    for text in (json.dumps(shown), show_toml(shown), repr(loaded.tables), repr(loaded.policy.probes)):
        assert SECRET not in text
    assert {SECRET in "".join(dict(probe.question().names())) for probe in loaded.policy.probes} == {True}


def test_a_new_key_counts_without_a_reload(policy: Path) -> None:
    loaded = load(policy)
    (policy.parent / "key").write_text("another\n")
    loaded.sources.refresh()
    loaded.sources.refresh()
    assert {".another." in probe.question().names()[-1][0] for probe in loaded.policy.probes} == {True}
