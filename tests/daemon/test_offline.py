"""Judging without the daemon: by the policy, with an empty state, and no query that the daemon would refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.config import Loaded, load
from eximacl.daemon.offline import judge_without_dns, offline_judge
from eximacl.protocol.client import RequestRefused
from eximacl.protocol.exim import MAX_LINE_BYTES

QUERY = {"tx": "1", "ip": "192.0.2.7", "from": "a@example.net", "rcpt": "steve@example.org", "dry": "1"}


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    path = tmp_path / "eximacl.toml"
    path.write_text(
        '[policy]\ndomains = ["example.org"]\norder = ["valid_recipient"]\n'
        '[checks.valid_recipient]\nrecipients = ["steve"]\n'
    )
    return load(path)


@pytest.mark.parametrize(("rcpt", "verdict"), [("steve@example.org", "accept"), ("ghost@example.org", "reject")])
def test_verdicts(loaded: Loaded, rcpt: str, verdict: str) -> None:
    query = {**QUERY, "rcpt": rcpt}
    with offline_judge(loaded) as ask:
        found = ask("rcpt", query)
        assert ask("rcpt", query)[:3] == found[:3]
    assert found.verdict == judge_without_dns(loaded, "rcpt", query).verdict == verdict


@pytest.mark.parametrize(
    ("stage", "changed", "reason"),
    [
        pytest.param("rcpt", {"helo": "x" * MAX_LINE_BYTES}, "line-too-long", id="long"),
        pytest.param("smtp", {}, "unknown-stage", id="stage"),
    ],
)
def test_what_the_daemon_would_refuse(loaded: Loaded, stage: str, changed: dict[str, str], reason: str) -> None:
    with offline_judge(loaded) as ask, pytest.raises(RequestRefused) as caught:
        ask(stage, {**QUERY, **changed})
    assert (caught.value.reason, caught.value.is_daemons_own) == (reason, False)
