"""`eximacl disposable`: what it lists, shows and changes, with the daemon and without."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from eximacl.cli import COMPLETION, cli, exits
from eximacl.policy.places import AddressChange, Terms
from eximacl.protocol.client import ask
from eximacl.protocol.exim import format_query
from eximacl.state import SqliteState
from eximacl.system.times import local, zoned
from tests.cli.running import eximacl
from tests.lab.daemon import Daemon
from tests.state.contract import opened

THREE = "steve.3.count@example.org"
KEY = f"counted:{THREE}"
STEVE = "steve@example.org"


@pytest.fixture
def state(config: Path) -> Iterator[SqliteState]:
    """The policy's state file."""
    with opened(SqliteState(config.parent / "state.db")) as state:
        yield state


def use(state: SqliteState, key: str = KEY, owner: str = STEVE, limit: int = 3, holder: str = "a") -> float:
    """Have a message accepted; return when."""
    now = time.time()
    state.reserve(key, limit, holder, now, now + 60, Terms(owner, "shop@example.net"))
    state.commit(holder, now)
    return now


def test_list(state: SqliteState) -> None:
    now = use(state)
    use(state, "counted:joe.1.count@example.org", "joe@example.org", 1, "b")
    state.revise(
        "dated:steve.date.31-12-2030@example.org", now, AddressChange(STEVE, 0, "2030-12-31", note="a\x1b[31m")
    )
    state.revise("counted:steve.9.count@example.org", now, AddressChange(STEVE, 9, more=2, end=True))
    lines = [" ".join(line.split()) for line in eximacl("disposable", "list").out.splitlines()]
    assert lines[0].startswith("ADDRESS USED STANDS LAST MESSAGE (")
    assert lines[1:] == [
        f"joe.1.count@example.org 1 of 1 used up {local(now)} shop@example.net",
        f"{THREE} 1 of 3 open {local(now)} shop@example.net",
        "steve.9.count@example.org 0 of 11 ended none yet",
        "steve.date.31-12-2030@example.org - until 2030-12-31 none yet a\\x1b[31m",
    ]
    found = [json.loads(line) for line in eximacl("disposable", "list", "--json").out.splitlines()]
    assert found[1] == {
        "address": THREE,
        "owner": STEVE,
        "standing": "open",
        "limit": 3,
        "used": 1,
        "reserved": 0,
        "until": None,
        "since": now,
        "first": now,
        "last": now,
        "first_sender": "shop@example.net",
        "last_sender": "shop@example.net",
        "ended": None,
        "note": "",
    }
    assert (found[3]["limit"], found[3]["until"], found[3]["last"]) == (None, "2030-12-31", None)


def test_list_of_one_owner_and_one_domain(state: SqliteState) -> None:
    use(state)
    use(state, "counted:joe.1.count@example.net", "joe@example.net", 1, "b")
    for args, addresses in (
        (("--owner", "Steve@Example.org"), [THREE]),
        (("--domain", "example.net"), ["joe.1.count@example.net"]),
        (("--domain", "example.net", "--owner", STEVE), []),
    ):
        out = eximacl("disposable", "list", "--json", *args).out
        assert [json.loads(line)["address"] for line in out.splitlines()] == addresses
    assert eximacl("disposable", "list", "--owner", "nobody@x.example") == (0, "", "no address is known\n")


def test_show(state: SqliteState) -> None:
    now = use(state)
    state.reserve(KEY, 3, "b", now, now + 600, Terms(STEVE, "shop@example.net"))
    eximacl("disposable", "add", THREE, "--note", "a shop\x1b[2J")
    done = eximacl("disposable", "show", "Steve.Count.3.x7k2m3qa@example.org")
    assert [line.split(None, 1) for line in done.out.splitlines() if "message" not in line][:4] == [
        ["Address", THREE],
        ["Owner", STEVE],
        ["Stands", "open"],
        ["Used", "1 of 3"],
    ]
    assert "Coming in      1\n" in done.out
    assert f"First message  {zoned(now)} from shop@example.net\n" in done.out
    assert done.out.endswith("Note           a shop\\x1b[2J\n")
    assert json.loads(eximacl("disposable", "show", THREE, "--json").out)["note"] == "a shop\x1b[2J"


def test_add_reset_and_end(state: SqliteState) -> None:
    for holder in "abc":
        use(state, holder=holder)
    assert eximacl("disposable", "add", THREE, "--places", "5") == (0, f"{THREE}: 3 of 8 used\n", "")
    assert eximacl("disposable", "end", THREE, "--note", "sold") == (0, f"{THREE}: takes no more mail\n", "")
    assert "Stands         ended at " in eximacl("disposable", "show", THREE).out
    assert eximacl("disposable", "reset", THREE) == (0, f"{THREE}: 0 of 8 used\n", "")
    assert json.loads(eximacl("disposable", "end", THREE, "--json").out)["standing"] == "ended"
    known = state.known(KEY, time.time())
    assert known is not None
    assert (known.extra, known.note, known.issued) == (5, "sold", True)


def test_what_has_got_no_mail_yet_can_be_ended_and_noted_but_not_reset(state: SqliteState) -> None:
    dated = "steve.date.2030-12-31@example.org"
    assert eximacl("disposable", "reset", THREE).status == exits.NOT_FOUND
    assert eximacl("disposable", "show", THREE).status == exits.NOT_FOUND
    assert eximacl("disposable", "end", THREE).status == 0
    assert eximacl("disposable", "add", dated, "--note", "x").out == "steve.date.31-12-2030@example.org: noted\n"
    assert [known.key for known in state.all_known(time.time())] == [KEY, "dated:steve.date.31-12-2030@example.org"]


DATE = "steve.date.31-12-2030@example.org"
UNKNOWN = "Note: no message has come to this address and it was not minted; is it spelt right?\n"


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize("address", [THREE, DATE])
@pytest.mark.parametrize("args", [("end",), ("end", "--json"), ("add", "--note", "x")])
def test_an_address_that_is_not_known_may_be_misspelt(address: str, args: tuple[str, ...]) -> None:
    assert eximacl("disposable", *args, address).err == UNKNOWN
    assert eximacl("disposable", *args, address).err == ""


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize(("address", "opened_again"), [(THREE, "0 of 5 used"), (DATE, "open again")])
def test_what_is_added_to_an_address_that_has_ended_does_not_open_it(address: str, opened_again: str) -> None:
    eximacl("disposable", "end", address)
    what = ("--note", "x") if address == DATE else ("--places", "2")
    ended = f"{address}: it has ended and takes no mail; to open it: eximacl disposable reset {address}\n"
    assert eximacl("disposable", "add", address, *what) == (0, ended, "")
    assert eximacl("disposable", "reset", address) == (0, f"{address}: {opened_again}\n", "")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("add", "66 its domain is not in policy.domains"),
        ("end", "66 its domain is not in policy.domains"),
        ("show", "66 the address or its domain is not known"),
        ("reset", "66 the address or its domain is not known"),
    ],
)
def test_the_help_says_when_the_exit_status_is_66(command: str, words: str) -> None:
    assert words in eximacl("disposable", command, "--help").out


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (("add", THREE), 64, "give --places N, --note TEXT, or both"),
        (("add", THREE, "--places", "0"), 64, "is not in the range"),
        (("add", THREE, "--places", "10001"), 64, "is not in the range"),
        (("add", THREE, "--note", "n" * 201), 64, "a note has at most 200 characters"),
        (("add", "steve.date.2030-12-31@example.org", "--places", "1"), 64, "takes any number of messages"),
        (("list", "--owner", "steve"), 64, "--owner: steve is not an address"),
        (("end", "steve"), 65, "'steve' is not an address"),
        (("end", "\x1b[31m"), 65, "is not an address"),
        (("end", STEVE), 65, "is not a disposable address by the policy"),
        (("end", "steve.0.count@example.org"), 65, "(counted-invalid)"),
        (("end", "steve.3.count@example.net"), 66, "policy.domains does not list example.net"),
        (("show", THREE), 66, f"{THREE} is not known; see `eximacl disposable list`"),
        (("list", "--state", "/no/such/file"), 74, "/no/such/file does not exist"),
        (("list", "--socket", "/no/such/socket"), 69, "does not exist"),
    ],
)
def test_what_it_does_not_do(args: tuple[str, ...], status: int, words: str) -> None:
    done = eximacl("disposable", *args)
    assert (done.status, done.out) == (status, "")
    assert words in done.err


def test_an_address_of_an_older_policy_can_be_ended(state: SqliteState, config: Path) -> None:
    use(state)
    config.write_text(config.read_text().replace("[checks.disposable]", '[checks.disposable]\nseparator = "-"'))
    assert eximacl("disposable", "end", "steve.4.count@example.org").status == exits.DATA
    assert eximacl("disposable", "end", THREE).out == f"{THREE}: takes no more mail\n"


def rcpt(daemon: Daemon, tx: str, address: str = THREE) -> str:
    values = {"tx": tx, "ip": "192.0.2.7", "host": "mx.example.net", "helo": "mx.example.net"}
    values |= {"from": "shop@example.net", "rcpt": address}
    return ask(daemon.path, format_query("rcpt", values)).reason


def test_a_running_daemon_obeys_at_once(daemon: Daemon) -> None:
    assert rcpt(daemon, "a") == ""
    assert [json.loads(line)["reserved"] for line in eximacl("disposable", "list", "--json").out.splitlines()] == [1]
    eximacl("disposable", "end", THREE)
    assert rcpt(daemon, "b") == "disposable-ended"
    eximacl("disposable", "reset", THREE)
    assert [rcpt(daemon, tx) for tx in "bcd"] == ["", "", "counted-pending"]
    eximacl("disposable", "add", THREE, "--places", "1")
    assert [rcpt(daemon, tx) for tx in "de"] == ["", "counted-pending"]
    dated = "steve.date.2027-06-01@example.org"
    assert rcpt(daemon, "f", dated) == ""
    eximacl("disposable", "end", dated)
    assert rcpt(daemon, "g", dated) == "disposable-ended"


def test_completion(state: SqliteState, config: Path) -> None:
    use(state)
    use(state, "counted:joe.1.count@example.org", "joe@example.org", 1, "b")
    complete = ShellComplete(cli, {}, "eximacl", COMPLETION)
    words = shlex.split(f"disposable end --config {config}")
    assert [item.value for item in complete.get_completions(words, "ST")] == [THREE]
    assert complete.get_completions([*words[:-1], "/no/such/file"], "st") == []


def test_minted_addresses_are_listed(state: SqliteState) -> None:
    assert eximacl("mint", "steve", "--count", "3", "--note", "shop.example") == (0, f"{THREE}\n", "")
    found = json.loads(eximacl("disposable", "list", "--json").out)
    assert (found["address"], found["owner"], found["used"], found["note"]) == (THREE, STEVE, 0, "shop.example")


def test_an_address_that_cannot_be_noted_is_minted_all_the_same(config: Path) -> None:
    done = eximacl("mint", "steve", "--count", "3")
    assert (done.status, done.out) == (0, f"{THREE}\n")
    assert "the state does not know it until its first message: there is no state file yet" in done.err
    done = eximacl("mint", "steve", "--count", "3", "--note", "would be lost")
    assert (done.status, done.out) == (exits.IO_ERROR, "")
    assert list(config.parent.glob("state.db*")) == []
