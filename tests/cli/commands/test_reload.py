"""`eximacl reload` with the real daemon."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands.test_status import ESCAPE, told
from tests.cli.running import eximacl


@pytest.mark.usefixtures("daemon")
def test_reload(config: Path) -> None:
    assert eximacl("reload") == (0, "The new policy is in force.\n", "")
    config.write_text(config.read_text().replace("tlds = ", "tdls = "))
    done = eximacl("reload")
    assert done.status == 78
    assert "the daemon keeps the current one" in done.err
    assert "did you mean tlds?" in done.err
    answer = eximacl("reload", "--json")
    assert answer.status == 78
    assert len(json.loads(answer.out)["problems"]) == 1
    shown = eximacl("status").out
    assert "\n1 problem:\n  eximacl.toml: checks.rdns_tld.tdls" in shown


@pytest.mark.parametrize("answer", [{"problems": [ESCAPE], "notes": []}, {"problems": [], "notes": [ESCAPE]}])
def test_no_escape_reaches_the_terminal(config: Path, answer: dict[str, object]) -> None:
    done = told(config, "reload", json.dumps(answer))
    assert "\\x1b]0;mine\\x07" in done.out + done.err
    assert (done.out + done.err).replace("\n", "").isprintable()
