"""What the doctor refuses, and its lines."""

from __future__ import annotations

import json
import sys

import pytest

from eximacl.doctor import Finding, ok, problem, warning
from tests.cli.running import eximacl

FOUND = [ok("one"), warning("two", "means", "do"), problem("th\x1bree", "", "")]
SHOWN = """\
ok      x: one
WARNING x: two
        this means: means
        to do: do
PROBLEM x: th\\x1bree

1 ok, 1 warning, 1 problem
"""


@pytest.fixture(autouse=True)
def _root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)


def found(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    """Let the examination end with these."""
    named = [Finding(each.level, each.what, each.means, each.do, "x") for each in findings]
    monkeypatch.setattr(sys.modules["eximacl.cli.commands.doctor"], "examine", lambda _: iter(named))


def test_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, *FOUND)
    assert eximacl("doctor") == (1, SHOWN, "")


def test_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, *FOUND)
    assert eximacl("doctor", "--quiet").out == SHOWN.partition("\n")[2]
    found(monkeypatch, FOUND[0])
    assert eximacl("doctor", "--quiet") == (0, "", "")


def test_for_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, *FOUND[:2])
    done = eximacl("doctor", "--json")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert (done.status, [each["level"] for each in lines]) == (0, ["ok", "warning"])
    assert lines[1] == {"level": "warning", "what": "two", "means": "means", "do": "do", "diagnosis": "x"}
    found(monkeypatch, *FOUND[:2])
    assert eximacl("doctor", "--json", "--quiet").out == done.out.partition("\n")[2]


def test_only_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    done = eximacl("doctor")
    assert (done.status, "run it as root" in done.err) == (64, True)


@pytest.mark.parametrize("smtp", ["localhost", ":25", "localhost:smtp"])
def test_no_address(smtp: str) -> None:
    done = eximacl("doctor", "--smtp", smtp)
    assert (done.status, "is not HOST:PORT" in done.err) == (64, True)


def test_no_snippets() -> None:
    done = eximacl("doctor", "--snippets", "/no/such")
    assert (done.status, "no snippets in /no/such" in done.err) == (78, True)
