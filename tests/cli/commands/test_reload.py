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
    assert "\n1 problem:\n  the reload of " in shown
    assert " was refused: eximacl.toml: checks.rdns_tld.tdls" in shown
    assert shown.endswith("did you mean tlds?; once that is mended: eximacl reload\n")


@pytest.mark.usefixtures("daemon")
def test_a_list_that_has_lost_most_entries_needs_a_word(config: Path) -> None:
    config.write_text(config.read_text().replace('tlds = ["sa"]', 'tlds = "tlds"'))
    tlds = config.parent / "tlds"
    tlds.write_text("".join(f"a{number}\n" for number in range(100)))
    assert eximacl("reload").status == 0
    tlds.write_text("sa\n")
    done = eximacl("reload")
    assert done.status == 78
    assert "the new policy is in force, but with old entries of its lists:\ntlds has 1 entry and had 100" in done.err
    answer = eximacl("reload", "--json")
    assert (answer.status, json.loads(answer.out)["kept"][0][:4]) == (78, "tlds")
    assert "if so few are meant: eximacl reload --accept" in eximacl("status").out
    assert eximacl("reload", "tlds").err.endswith("Error: lists are named for --accept\n")
    done = eximacl("reload", "--accept", "tdls")
    assert (done.status, "tdls is not a list of the policy; did you mean tlds?" in done.err) == (65, True)
    assert eximacl("reload", "--accept", "tlds") == (
        0,
        "The new policy is in force.\ntaken as it is: tlds has 1 entry and had 100\n",
        "",
    )
    assert "No problems." in eximacl("status").out


@pytest.mark.parametrize(
    "answer",
    [
        {"problems": [ESCAPE], "kept": [], "accepted": [], "notes": []},
        {"problems": [], "kept": [ESCAPE], "accepted": [], "notes": []},
        {"problems": [], "kept": [], "accepted": [ESCAPE], "notes": []},
        {"problems": [], "kept": [], "accepted": [], "notes": [ESCAPE]},
    ],
)
def test_no_escape_reaches_the_terminal(config: Path, answer: dict[str, object]) -> None:
    done = told(config, "reload", json.dumps(answer))
    assert "\\x1b]0;mine\\x07" in done.out + done.err
    assert (done.out + done.err).replace("\n", "").isprintable()
