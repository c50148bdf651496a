"""`eximacl blocks`: what it adds, ends and shows, with the daemon and without."""

from __future__ import annotations

import json
import math
import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from eximacl.checks._block_keys import block_key, storm_key
from eximacl.cli import COMPLETION, cli, exits
from eximacl.policy.state import Block
from eximacl.protocol.client import ask
from eximacl.protocol.exim import format_query
from eximacl.state import SqliteState, forms
from eximacl.system.times import local, zoned
from tests.cli.running import eximacl
from tests.lab.daemon import Daemon
from tests.lab.site import ROOT
from tests.state.contract import opened

ADD = ("blocks", "add", "steve@example.org")


@pytest.fixture
def state(config: Path) -> Iterator[SqliteState]:
    """The policy's state file."""
    with opened(SqliteState(config.parent / "state.db")) as state:
        yield state


def standing(state: SqliteState) -> list[Block]:
    return list(state.blocks(time.time()))


@pytest.mark.parametrize(
    ("args", "key", "seconds"),
    [
        pytest.param(("steve@example.org", "--for", "30m"), "bounces:steve@example.org", 1800, id="minutes"),
        pytest.param(("steve@example.org", "--for", "2h"), "bounces:steve@example.org", 7200, id="hours"),
        pytest.param(("steve@example.org", "--for", "7d"), "bounces:steve@example.org", 604_800, id="days"),
        pytest.param(("steve@example.org", "--for", "ever"), "bounces:steve@example.org", math.inf, id="for ever"),
        pytest.param(("steve@example.org", "--for", "EVER", "--all"), "all:steve@example.org", math.inf, id="all"),
        pytest.param(("Steve@Example.ORG.", "--for", "2h"), "bounces:steve@example.org", 7200, id="canonical"),
        pytest.param(("s@ÄÖ.example", "--for", "2h"), "bounces:s@xn--4ca0b.example", 7200, id="an A-label"),
        pytest.param((" <steve@example.org> ", "--for", "2h"), "bounces:steve@example.org", 7200, id="brackets"),
        pytest.param(('"a b"@example.org', "--for", "2h"), "bounces:a b@example.org", 7200, id="quoted"),
        pytest.param(("a@b@example.org", "--for", "2h"), "bounces:a@b@example.org", 7200, id="the last @"),
        pytest.param(("steve@example.org", "--for", "5200w"), "bounces:steve@example.org", 3.14496e9, id="a century"),
    ],
)
def test_add(state: SqliteState, args: tuple[str, ...], key: str, seconds: float) -> None:
    before = time.time()
    assert eximacl("blocks", "add", *args, "--why", "a storm").status == 0
    (block,) = standing(state)
    assert (block.key, block.why) == (key, "a storm")
    assert before <= block.since <= time.time()
    assert block.until == pytest.approx(block.since + seconds)


@pytest.mark.usefixtures("state")
def test_what_add_tells() -> None:
    assert eximacl(*ADD, "--for", "ever", "--all").out == "mail to steve@example.org is blocked for ever\n"
    first = eximacl(*ADD, "--for", "2h", "--why", "a\x1b[31mstorm", "--json")
    block = json.loads(first.out)
    assert block == {
        "recipient": "steve@example.org",
        "mail": "bounces",
        "since": block["since"],
        "until": pytest.approx(block["since"] + 7200),
        "why": "a\x1b[31mstorm",
    }
    again = eximacl(*ADD, "--for", "1h", "--why", "another").out
    assert again == (
        f"bounces to steve@example.org are blocked until {zoned(block['until'])}, since {zoned(block['since'])} already"
        " (a\\x1b[31mstorm)\n"
    )


def test_who_added_it_is_the_reason_where_none_is_given(state: SqliteState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "steve")
    eximacl(*ADD, "--for", "2h")
    assert standing(state)[0].why == "by steve, by hand"


@pytest.mark.usefixtures("state")
def test_a_domain_that_is_not_ours_is_noted(config: Path) -> None:
    done = eximacl("blocks", "add", "steve@example.net", "--for", "2h")
    assert (done.status, done.err) == (0, "Note: example.net is not in policy.domains, so its mail is not judged\n")
    assert eximacl(*ADD, "--for", "2h").err == ""
    config.write_text('[state]\nurl = "sqlite:state.db"\n[policy]\ndomains = 3\n[broken\n')
    state_file = config.parent / "state.db"
    assert eximacl("blocks", "add", "steve@example.net", "--for", "2h", "--state", state_file).err == ""


@pytest.mark.parametrize("everything", [(), ("--all",)])
def test_after_remove_bounces_are_counted_anew(state: SqliteState, everything: tuple[str, ...]) -> None:
    now = time.time()
    for localpart in ("steve", "joe"):
        state.count(storm_key(localpart, "example.org"), 600, 20, now)
        state.block(block_key("all" if everything else "bounces", localpart, "example.org"), now, math.inf, "storm")
    assert eximacl("blocks", "remove", "Steve@example.org", *everything).status == 0
    counts = [state.tally(storm_key(localpart, "example.org"), 600, now) for localpart in ("steve", "joe")]
    assert counts == [0, 1]


def test_remove(state: SqliteState) -> None:
    for key in ("bounces:steve@example.org", "all:steve@example.org", "bounces:joe@example.org"):
        state.block(key, time.time(), math.inf, "why")
    done = eximacl("blocks", "remove", "STEVE@example.org")
    assert done == (0, "bounces to steve@example.org are not blocked any longer\n", "")
    assert [block.key for block in standing(state)] == ["all:steve@example.org", "bounces:joe@example.org"]
    answer = eximacl("blocks", "remove", "steve@example.org", "--all", "--json")
    assert json.loads(answer.out)["mail"] == "all"
    missing = eximacl("blocks", "remove", "steve@example.org", "--all")
    assert (missing.status, missing.out) == (exits.NOT_FOUND, "")
    assert "mail to steve@example.org is not blocked; see `eximacl blocks list`" in missing.err
    assert [block.key for block in standing(state)] == ["bounces:joe@example.org"]


def test_a_block_that_is_over_is_neither_listed_nor_removed(state: SqliteState) -> None:
    state.block("bounces:steve@example.org", 1000.0, 2000.0, "long ago")
    assert eximacl("blocks", "list") == (0, "", "nothing is blocked\n")
    assert eximacl("blocks", "remove", "steve@example.org").status == exits.NOT_FOUND


def test_list(state: SqliteState) -> None:
    now = time.time()
    state.block("bounces:steve@example.org", now - 60, now + 3600, "20 bounces within 10 min")
    state.block("all:joe@example.org", now - 120, math.inf, "by hand\x1b[2J\n\udcff")
    state.block("another kind: \x07", now, now + 1e12, "why")
    lines = eximacl("blocks", "list").out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["RECIPIENT", "MAIL"],
        ["another", "kind:"],
        ["joe@example.org", "all"],
        ["steve@example.org", "bounces"],
    ]
    assert "?  " in lines[1]
    assert f"{local(now - 120)}  for ever             by hand\\x1b[2J\\n\\udcff" in lines[2]
    assert f"{local(now - 60)}  {local(now + 3600)}  20 bounces within 10 min" in lines[3]
    found = [json.loads(line) for line in eximacl("blocks", "list", "--json").out.splitlines()]
    assert found[1] == {
        "recipient": "joe@example.org",
        "mail": "all",
        "since": now - 120,
        "until": None,
        "why": "by hand\x1b[2J\n\ufffd",
        "raw": {"why": "by hand\x1b[2J\n\\xff"},
    }
    assert (found[0]["recipient"], found[0]["mail"], found[2]["until"]) == ("another kind: \x07", "", now + 3600)


@pytest.mark.parametrize("localpart", ['q"z', "b\\c", " lead", "a b", "a@b", "x,y", "steve"])
def test_what_is_listed_can_be_removed(state: SqliteState, localpart: str) -> None:
    state.block(block_key("bounces", localpart, "example.org"), time.time(), math.inf, "why")
    line = eximacl("blocks", "list").out.splitlines()[1]
    recipient = json.loads(eximacl("blocks", "list", "--json").out)["recipient"]
    assert line.startswith(f"{recipient}  ")
    assert eximacl("blocks", "remove", recipient).status == 0
    assert standing(state) == []


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize(
    ("args", "words"),
    [
        pytest.param(("add", "steve", "--for", "2h"), "give an address, such as steve@example.org", id="no domain"),
        pytest.param(("add", "@example.org", "--for", "2h"), "give an address", id="no localpart"),
        pytest.param(("add", "\x1b[31m", "--for", "2h"), "\\x1b[31m: give an address", id="hostile"),
        pytest.param(("add", "steve@exa mple", "--for", "2h"), "give an address", id="a blank in the domain"),
        pytest.param(("add", "steve\n@example.org", "--for", "2h"), "steve\\n@example.org: give an", id="a newline"),
        pytest.param(("add", '"steve\n"@example.org', "--for", "2h"), "give an address", id="a newline in quotes"),
        pytest.param(("add", "joe@example.org steve@example.org", "--for", "2h"), "give an address", id="two"),
        pytest.param(("add", "<>", "--for", "2h"), "give an address", id="nobody"),
        pytest.param(("add", "a@example.org"), "Missing option '--for'", id="no span"),
        pytest.param(("add", "a@example.org", "--for", "soon"), "such as 30d, or ever", id="no such span"),
        pytest.param(("add", "a@example.org", "--for", "-2h"), "is not a span", id="negative"),
        pytest.param(("add", "a@example.org", "--for", "0h"), "eximacl blocks remove", id="nothing"),
        pytest.param(("add", "a@example.org", "--for", "999999w"), "a hundred years; give ever", id="too long"),
        pytest.param(("remove", "steve"), "give an address", id="remove what"),
    ],
)
def test_a_wrong_command_line(args: tuple[str, ...], words: str) -> None:
    done = eximacl("blocks", *args)
    assert (done.status, done.out) == (exits.USAGE, "")
    assert words in done.err


@pytest.mark.parametrize(
    ("url", "status", "words"),
    [
        ("memory:", exits.IO_ERROR, "state.url is memory:, which only the running daemon has"),
        ("mysql://x", exits.CONFIG, f"state.url: expected {forms()}, got 'mysql://x'"),
        ("sqlite:", exits.CONFIG, f"expected {forms()}"),
        ("", exits.CONFIG, f"expected {forms()}"),
        ("nonsense\\u001b", exits.CONFIG, "got 'nonsense\\x1b'"),
    ],
)
def test_without_a_daemon_and_a_file(config: Path, url: str, status: int, words: str) -> None:
    config.write_text(f'[state]\nurl = "{url}"\n')
    done = eximacl("blocks", "list")
    assert (done.status, done.out) == (status, "")
    assert words in done.err


def test_the_file_can_be_named(tmp_path: Path, config: Path) -> None:
    config.write_text("this is no TOML")
    SqliteState(tmp_path / "other.db").close()
    assert eximacl("blocks", "list", "--state", tmp_path / "other.db").status == 0
    assert "give the path with --socket" in eximacl("blocks", "list").err


@pytest.mark.parametrize(
    ("option", "status"), [("--socket", exits.UNAVAILABLE), ("--state", exits.IO_ERROR)], ids=["socket", "state"]
)
@pytest.mark.parametrize("args", [("list",), ("add", "a@example.org", "--for", "2h"), ("remove", "a@example.org")])
def test_what_is_named_must_be_there(
    state: SqliteState, tmp_path: Path, args: tuple[str, ...], option: str, status: int
) -> None:
    done = eximacl("blocks", *args, option, tmp_path / "none")
    assert (done.status, done.out) == (status, "")
    assert f"{tmp_path}/none does not exist" in done.err
    assert standing(state) == []


def test_a_damaged_file_is_named(config: Path) -> None:
    (config.parent / "state.db").write_text("no database\n" * 100)
    done = eximacl("blocks", "list")
    assert done.status == exits.IO_ERROR
    assert "state.db: cannot use the state file" in done.err


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        pytest.param(("list",), 0, "nothing is blocked", id="list"),
        pytest.param(("list", "--json"), 0, "", id="list in JSON"),
        pytest.param(("add", "a@example.org", "--for", "2h"), exits.IO_ERROR, "start the daemon once", id="add"),
        pytest.param(("remove", "a@example.org"), exits.NOT_FOUND, "is not blocked", id="remove"),
    ],
)
def test_without_a_state_file_none_is_made(config: Path, args: tuple[str, ...], status: int, words: str) -> None:
    done = eximacl("blocks", *args)
    assert (done.status, done.out) == (status, "")
    assert words.replace("is not", "are not") in done.err
    assert [path.name for path in config.parent.iterdir()] == ["eximacl.toml"]


def test_beside_the_running_daemon(daemon: Daemon) -> None:
    def verdicts(number: int, rcpt: str) -> list[str]:
        """What the daemon says to a bounce, and to a mail."""
        common = {"ip": "192.0.2.7", "host": "mx.example.net", "rcpt": rcpt}
        lines = [
            format_query("rcpt", {**common, "from": sender, "tx": f"1-{number}-{sender}"})
            for sender in ("", "a@example.net")
        ]
        return [ask(daemon.path, line).verdict for line in lines]

    assert verdicts(1, "steve@example.org") == ["accept", "accept"]
    assert verdicts(1, "steve.3.count@example.org") == ["accept", "accept"]
    assert eximacl(*ADD, "--for", "2h").status == 0
    assert len(eximacl("blocks", "list").out.splitlines()) == 2
    assert verdicts(2, "Steve@Example.org") == ["reject", "accept"]
    assert eximacl(*ADD, "--for", "ever", "--all").status == 0
    assert verdicts(3, "steve@example.org") == ["reject", "reject"]
    assert eximacl("blocks", "remove", "steve@example.org", "--all").status == 0
    assert eximacl("blocks", "remove", "steve@example.org").status == 0
    assert verdicts(4, "steve@example.org") == ["accept", "accept"]
    # What the daemon has reserved is still there.
    assert verdicts(5, "steve.3.count@example.org") == ["accept", "defer"]
    assert "deleted or replaced" not in daemon.output.read_text()


def test_a_daemon_whose_state_is_in_memory(config: Path) -> None:
    config.write_text(config.read_text().replace("sqlite:state.db", "memory:"))
    with Daemon(config, config.parent / "eximacl.sock", config.parent / "log"):
        assert eximacl(*ADD, "--for", "2h").status == 0
        assert len(eximacl("blocks", "list").out.splitlines()) == 2
        assert completed("eximacl blocks remove st") == {"steve@example.org"}
        assert eximacl("blocks", "remove", "steve@example.org").status == 0
        assert eximacl("blocks", "list").err == "nothing is blocked\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("eximacl blocks remove st", {"steve@example.org", "stan@example.org"}),
        ("eximacl blocks remove --all st", {"stacy@example.org"}),
        ("eximacl blocks remove x", set()),
    ],
)
def test_remove_completes_what_is_blocked(state: SqliteState, words: str, expected: set[str]) -> None:
    now = time.time()
    for key in ("bounces:steve@example.org", "bounces:stan@example.org", "all:stacy@example.org", "bounces:st\x1b@x"):
        state.block(key, now, math.inf, "why")
    assert completed(words) == expected


@pytest.mark.usefixtures("config")
def test_nothing_is_completed_where_nothing_is_known(config: Path) -> None:
    assert completed("eximacl blocks remove st") == set()
    config.write_text('[state]\nurl = "memory:"\n')
    assert completed("eximacl blocks remove st") == set()


def completed(words: str) -> set[str]:
    """What a shell is offered for the last word."""
    _, *args, last = words.split()
    found = ShellComplete(cli, {}, "eximacl", COMPLETION).get_completions(args, last)
    return {item.value for item in found}


def examples() -> Iterator[list[str]]:
    """The commands of the page on running, and of the help."""
    pages = [(ROOT / "docs" / "running.md").read_text(encoding="utf-8")]
    pages += [eximacl("blocks", command, "--help").out for command in ("list", "add", "remove")]
    for page in pages:
        for line in re.findall(r"^ +eximacl (blocks .*?)(?: \|.*)?$", page, re.MULTILINE):
            yield shlex.split(line)


@pytest.mark.usefixtures("state")
def test_the_examples() -> None:
    done = [eximacl(*words) for words in examples()]
    assert [one.status for one in done] == [0] * 11
    assert eximacl("blocks", "list").err == "nothing is blocked\n"
