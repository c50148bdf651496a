"""tests/golden/dns_lists.tsv: whatever a list in DNS answers, nothing but a code in its mask ever ends in a reject."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.config import load
from eximacl.daemon.answers import Answers
from eximacl.policy.drive import drive_now
from eximacl.policy.engine import decide
from eximacl.policy.outcome import Decision
from eximacl.policy.plan import Policy
from eximacl.state import MemoryState
from eximacl.testing import SERVFAIL, Dns
from tests.asking import query
from tests.golden import rows

TABLE = rows("dns_lists")
ASKED = {"dnsbl": "7.2.0.192", "dnswl": "7.2.0.192", "rhsbl": "example.net"}


def names_for(check: str, answer: str) -> Dns:
    found = SERVFAIL if answer == "SERVFAIL" else [] if answer == "-" else answer.split()
    if answer == "FAULT":
        found = ["127.0.0.2", "127.0.1.2", "127.0.5.2"]
    faulty = "list.example.net (test, invalid)" if check == "rhsbl" else "list.example.net"
    faults = {faulty: "it lists everybody"} if answer == "FAULT" else {}
    return Dns({(f"{ASKED[check]}.list.example.net", "A"): found}, faults)


def policy_of(directory: Path, check: str, on_unknown: str, zones: str) -> Policy:
    text = f"""
        [policy]
        domains = ["example.org"]
        order = ["{check}"]
        [checks.{check}]
        on_unknown = "{on_unknown}"
        zones = [{zones}]
    """
    (directory / "eximacl.toml").write_text(text, encoding="utf-8")
    return load(directory / "eximacl.toml").policy


def decided(policy: Policy, names: Dns) -> Decision:
    asked = query(helo="example.net")
    return drive_now(decide(policy, asked), Answers(MemoryState(), names, asked))


@pytest.mark.parametrize("zones", ['"list.example.net"', '"list.example.net", "other.example.net"'], ids=["one", "two"])
@pytest.mark.parametrize("on_unknown", ["accept", "defer"])
@pytest.mark.parametrize(
    ("name", "check", "answer", "accept", "defer", "result"), TABLE, ids=[" ".join(row[1::-1]) for row in TABLE]
)
def test_a_fault_is_never_a_reject(
    tmp_path: Path,
    name: str,
    check: str,
    answer: str,
    accept: str,
    defer: str,
    result: str,
    on_unknown: str,
    zones: str,
) -> None:
    decision = decided(policy_of(tmp_path, check, on_unknown, zones), names_for(check, answer))
    assert decision.word == (defer if on_unknown == "defer" else accept), name
    assert [line.result for line in decision.trace] == [result]
    assert (decision.word == "reject") == (name.startswith("in-mask") and check != "dnswl")
    if result == "unknown":
        shown = {"SERVFAIL": SERVFAIL.detail, "FAULT": "it lists everybody"}.get(
            answer, f"its answer {answer} is none of its codes"
        )
        assert decision.trace[0].detail == f"list.example.net: {shown}"
