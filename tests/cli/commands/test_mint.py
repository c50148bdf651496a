"""`eximacl mint`: addresses that the policy then accepts, and every address that it would not."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from eximacl.state import SqliteState
from tests.cli.running import eximacl

SOON = date.today() + timedelta(days=30)
ASK = ("check", "--offline", "--ip", "192.0.2.7", "--host", "mx.example.net", "--from", "a@example.net", "--rcpt")


@pytest.fixture
def config(config: Path) -> Path:
    """A policy whose daemon has run once."""
    SqliteState(config.parent / "state.db").close()
    return config


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize(
    ("args", "address"),
    [
        (("steve", "--count", "3"), "steve.3.count@example.org"),
        (("Steve@Example.ORG", "--count", "3"), "steve.3.count@example.org"),
        (("steve", "--until", SOON, "--domain", "example.org"), f"steve.date.{SOON:%d-%m-%Y}@example.org"),
        (("steve+shop", "--count", "1"), "steve+shop.1.count@example.org"),
    ],
)
def test_what_it_mints_is_accepted(args: tuple[object, ...], address: str) -> None:
    done = eximacl("mint", *args)
    assert done == (0, f"{address}\n", "")
    assert eximacl(*ASK, address).status == 0


def test_signed_where_the_policy_says_so(config: Path) -> None:
    secrets = config.parent / "secrets"
    secrets.write_text("a secret of the example domain\n")
    secrets.chmod(0o600)
    config.write_text(
        config.read_text().replace("[checks.disposable]", '[checks.disposable]\nsign = true\nsecrets = "secrets"')
    )
    address = eximacl("mint", "steve", "--count", "3").out.strip()
    assert eximacl(*ASK, address).status == 0
    assert eximacl(*ASK, "steve.3.count@example.org").status == 1
    assert eximacl(*ASK, address.replace(".3.", ".4.")).status == 1


@pytest.mark.usefixtures("config")
def test_warns_where_the_policy_refuses_the_name() -> None:
    done = eximacl("mint", "nobody", "--count", "3", "--json")
    assert json.loads(done.out) == {
        "address": "nobody.3.count@example.org",
        "used": 0,
        "warning": "5.1.1 mail to nobody.3.count not accepted here",
        "not_noted": "",
    }
    assert eximacl("mint", "joe", "--count", "3").err == (
        "Warning: the policy refuses mail to it now: 5.2.1 No longer here\n"
    )


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        pytest.param(("steve",), 64, "give either --count N or --until", id="neither"),
        pytest.param(("steve", "--count", "3", "--until", "2030-01-01"), 64, "give either", id="both"),
        pytest.param(("steve", "--count", "three"), 64, "not a valid integer", id="no number"),
        pytest.param(("steve", "--until", "31.12.2026"), 64, "is not a day; write it as 2026-12-31", id="no date"),
        pytest.param(("steve", "--until", "2026-02-31"), 64, "there is no such day: 2026-02-31", id="no such day"),
        pytest.param(("steve", "--count", "0"), 65, "not between 1 and 100", id="zero"),
        pytest.param(("steve", "--count", "101"), 65, "(checks.disposable.largest_count)", id="too many"),
        pytest.param(("steve", "--until", "2001-01-01"), 65, "has already begun", id="past"),
        pytest.param(("steve", "--until", "9999-01-01"), 65, "farthest_days", id="too far"),
        pytest.param(("st eve", "--count", "3"), 65, "is not a localpart", id="blank"),
        pytest.param(("steve.3.count", "--count", "3"), 65, "is itself a disposable address", id="nested"),
        pytest.param(("steve@example.com", "--count", "3"), 66, "policy.domains does not list", id="not ours"),
    ],
)
def test_what_it_does_not_mint(args: tuple[str, ...], status: int, words: str) -> None:
    done = eximacl("mint", *args)
    assert (done.status, done.out) == (status, "")
    assert words in done.err


def test_several_domains_and_none_named(config: Path) -> None:
    config.write_text(config.read_text().replace('["example.org"]', '["example.org", "example.net"]'))
    done = eximacl("mint", "steve", "--count", "3")
    assert done.status == 64
    assert "--domain" in done.err


def test_a_domain_without_disposable_addresses(config: Path) -> None:
    config.write_text(config.read_text().replace("[checks.disposable]", '[checks.disposable]\naction = "off"'))
    done = eximacl("mint", "steve", "--count", "3")
    assert done.status == 78
    assert "checks.disposable is off" in done.err


NEW = "; for a new address, mint one with a tag, such as steve+shop"
RESET = "to count from zero: eximacl disposable reset steve.2.count@example.org"
ENDED = "it has ended and takes no mail; to open it: eximacl disposable reset"
# name, how many messages have come, what was done with the address since; the warning
WORN: list[tuple[tuple[object, ...], int, str, str]] = [
    (("--count", "2"), 0, "", ""),
    (("--count", "2"), 0, "reset", ""),
    (("--count", "2"), 1, "", f"1 of its 2 messages have come already; {RESET}{NEW}"),
    (("--count", "2"), 2, "", f"2 of its 2 messages have come already, so it takes no more; {RESET}{NEW}"),
    (("--count", "2"), 2, "add --places 1", f"2 of its 3 messages have come already; {RESET}{NEW}"),
    (("--count", "2"), 2, "reset", ""),
    (("--count", "2"), 0, "end", f"{ENDED} steve.2.count@example.org"),
    (("--count", "2"), 2, "end", f"{ENDED} steve.2.count@example.org"),
    (("--until", SOON), 0, "", ""),
    (("--until", SOON), 0, "end", f"{ENDED} steve.date.{SOON:%d-%m-%Y}@example.org"),
]


@pytest.mark.parametrize(("args", "used", "since", "warning"), WORN)
def test_an_address_that_has_been_in_use_is_said_to_be_so(
    config: Path, args: tuple[object, ...], used: int, since: str, warning: str
) -> None:
    address = eximacl("mint", "steve", *args).out.strip()
    with closing(SqliteState(config.parent / "state.db")) as state:
        for number in range(used):
            state.reserve(f"counted:{address}", 2, f"t{number}", 1.0, 2.0)
            assert state.commit(f"t{number}", 1.0) == "committed"
    if since:
        verb, *options = since.split()
        assert eximacl("disposable", verb, address, *options).status == 0
    done = eximacl("mint", "steve", *args)
    assert done == (0, f"{address}\n", f"Warning: {warning}\n" if warning else "")
    found = json.loads(eximacl("mint", "steve", *args, "--json").out)
    assert (found["warning"], found["used"]) == (warning, 0 if since == "reset" else used)


def test_no_tag_is_named_where_there_are_none(config: Path) -> None:
    config.write_text(config.read_text().replace("[policy]", '[policy]\nseparators = ""'))
    with closing(SqliteState(config.parent / "state.db")) as state:
        state.reserve("counted:steve.1.count@example.org", 1, "t", 1.0, 2.0)
        state.commit("t", 1.0)
    assert eximacl("mint", "steve", "--count", "1").err == (
        "Warning: its message has come already, so it takes no more; "
        "to count from zero: eximacl disposable reset steve.1.count@example.org\n"
    )
