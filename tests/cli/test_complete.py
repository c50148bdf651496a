"""What Tab offers: from the archive, the rejection log and the policy, and nothing where there is nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from eximacl.cli import cli
from eximacl.cli.complete import OFFERED_MAX
from tests.archive.holding import NOON
from tests.cli.archived import hold, with_archive


def offered(*arguments: str) -> list[str]:
    """Return what is offered for the last argument."""
    complete = ShellComplete(cli, {}, "eximacl", "_EXIMACL_COMPLETE")
    return [item.value for item in complete.get_completions(list(arguments[:-1]), arguments[-1])]


@pytest.mark.parametrize(
    "command", [["show"], ["export"], ["release"], ["release", "7KQ2M901"], ["purge", "--ref"]], ids=" ".join
)
def test_references_of_the_archive(config: Path, command: list[str]) -> None:
    assert offered("archive", *command, "") == []
    with_archive(config)
    for number in range(3):
        hold(config, "A: b\n", b"", "joe@example.org", ref=f"7KQ2M90{number}", time=NOON + number, subject="a\x1b[2J")
    assert offered("archive", *command, "") == ["7KQ2M902", "7KQ2M901", "7KQ2M900"]
    assert offered("archive", *command, "7kq2m901") == ["7KQ2M901"]


def test_values_of_the_log(config: Path) -> None:
    assert offered("log", "--check", "") == []
    log = config.parent / "rejections.jsonl"
    entries = [{"ref": f"7KQ2M{number:03}", "check": f"c{number % 2}", "domain": "$(reboot)"} for number in range(60)]
    log.write_text("torn\n" + "".join(f"{json.dumps(entry)}\n" for entry in entries))
    assert offered("log", "--check", "") == ["c1", "c0"]
    assert offered("archive", "list", "--domain", "") == []
    assert offered("why", "")[:2] == ["7KQ2M059", "7KQ2M058"]
    assert len(offered("log", "--ref", "")) == OFFERED_MAX
    assert offered("log", "--log", "/no/such", "--ref", "") == []


def test_names_of_the_policy(config: Path) -> None:
    assert "rdns_tld" in offered("config", "explain", "")
    assert "server" in offered("config", "explain", "s")
    assert offered("config", "explain", "rdns_tld.tl") == ["rdns_tld.tlds"]
    assert offered("config", "explain", "--config", "/no/such", "rdns_tld.tl") in ([], ["rdns_tld.tlds"])
