"""Addresses that were given out: the same use cases in a running daemon, and in a state where none runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from eximacl.config import Loaded, load
from eximacl.daemon.disposable import (
    REQUESTS,
    DisposableError,
    ForeignDomain,
    MintingOff,
    NamedAddress,
    NotDisposable,
    address_of,
    addresses_of,
    end_own,
    find_address,
    named,
    revise_address,
)
from eximacl.daemon.state_requests import Source, daemon_source, state_source
from eximacl.policy.places import LISTED_MAX, AddressChange, KnownAddress, Terms
from eximacl.policy.state import StateError
from eximacl.protocol.client import DaemonError, RequestRefused, ask
from eximacl.protocol.exim import ProtocolError, format_query
from eximacl.state import BACKENDS, MemoryState, SqliteState
from tests.asking import NOW, Dead
from tests.daemon.running import running
from tests.lab.daemon import Daemon
from tests.state.toy import BACKEND, ToyServer

POLICY = """
[server]
socket = "eximacl.sock"
[state]
url = "{url}"
[log]
rejections = ""
[journal]
dir = ""
[policy]
domains = ["example.org", "example.com", "off.example"]
order = ["disposable"]
"""
STEVE = "steve@example.org"
THREE = NamedAddress("counted:steve.3.count@example.org", STEVE, 3, "")
DATED = NamedAddress("dated:steve.date.31-12-2027@example.org", STEVE, 0, "2027-12-31")


def policy_with(directory: Path, url: str = "sqlite:state.db") -> Path:
    path = directory / "eximacl.toml"
    path.write_text(POLICY.format(url=url))
    (directory / "domains").mkdir(exist_ok=True)
    (directory / "domains" / "off.example.toml").write_text('[checks.disposable]\naction = "off"\n')
    return path


@pytest.fixture(params=["daemon, memory", "daemon, file", "file", "network"])
def source(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """A daemon of its own process, or a state without one."""
    if "daemon" in request.param:
        config = policy_with(tmp_path, "memory:" if "memory" in request.param else "sqlite:state.db")
        with Daemon(config, tmp_path / "eximacl.sock", tmp_path / "log"):
            yield daemon_source(tmp_path / "eximacl.sock")
    elif request.param == "file":
        SqliteState(tmp_path / "state.db").close()
        yield state_source(f"sqlite:{tmp_path}/state.db", REQUESTS)
    else:
        monkeypatch.setitem(BACKENDS, "toy", BACKEND._replace(is_file=False))
        with ToyServer(tmp_path / "toy.sock"):
            yield state_source(f"toy:{tmp_path}/toy.sock", REQUESTS)


def test_an_address_from_its_note_to_its_end(source: Source) -> None:
    began = time.time()
    assert list(addresses_of(source)) == []
    assert find_address(source, THREE.key) is None
    made = revise_address(source, THREE, note="a shop\n\x1b")
    assert began <= made.since <= time.time()
    assert made == KnownAddress(THREE.key, STEVE, 3, since=made.since, issued=True, note="a shop\n\x1b")
    assert revise_address(source, THREE, more=5).extra == 5
    assert revise_address(source, THREE, end=True).ended >= began
    again = revise_address(source, THREE, reset=True)
    assert (again.ended, again.extra, again.note) == (0.0, 5, "a shop\n\x1b")
    dated = revise_address(source, DATED, end=True, note="")
    assert list(addresses_of(source)) == [again, dated]
    assert find_address(source, DATED.key) == dated


def test_by_owner_and_by_domain(source: Source) -> None:
    for address in (
        THREE,
        DATED,
        NamedAddress("counted:joe.1.count@example.org", "joe@example.org", 1, ""),
        NamedAddress("counted:steve.1.count@example.com", "steve@example.com", 1, ""),
        NamedAddress("counted:steve.1.count@sub.example.com", "steve@sub.example.com", 1, ""),
        NamedAddress("another check's key", "", 1, ""),
    ):
        revise_address(source, address)
    assert [known.key for known in addresses_of(source, "Steve@example.org")] == [THREE.key, DATED.key]
    assert [address_of(known.key) for known in addresses_of(source, domain="Example.COM.")] == [
        "steve.1.count@example.com"
    ]
    assert [known.owner for known in addresses_of(source, domain="example.org", owner="joe@example.org")] == [
        "joe@example.org"
    ]
    assert len(list(addresses_of(source))) == 5


async def test_more_than_one_answer_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"counted:{number:05}.1.count@example.org" for number in range(LISTED_MAX + 5)]
    with closing(SqliteState(tmp_path / "state.db")) as state:
        for key in keys:
            state.reserve(key, 1, key, time.time(), time.time() + 60, Terms(STEVE))
    monkeypatch.setattr("eximacl.daemon.disposable.ANSWER_CHARACTERS", 20_000)
    async with running(policy_with(tmp_path)):
        source = await asyncio.to_thread(daemon_source, tmp_path / "eximacl.sock")
        found = await asyncio.to_thread(lambda: list(addresses_of(source)))
        none = await asyncio.to_thread(lambda: list(addresses_of(source, "nobody@example.org")))
    assert [known.key for known in found] == keys
    assert none == []


@pytest.mark.parametrize(
    ("request_", "values", "words"),
    [
        ("address", {}, "do=address needs key="),
        ("revise", {}, "do=revise needs owner="),
        ("revise", {"owner": "x"}, "do=revise needs key="),
        ("revise", {"owner": "x", "key": "k", "more": "-1"}, "more= is a whole number up to 10000"),
        ("revise", {"owner": "x", "key": "k", "more": "10001"}, "more= is a whole number"),
        ("revise", {"owner": "x", "key": "k", "limit": "x"}, "limit= is a whole number"),
        ("revise", {"owner": "x", "key": "k", "note": "n" * 201}, "note= has at most 200 characters"),
    ],
)
def test_wrong_requests(tmp_path: Path, request_: str, values: dict[str, str], words: str) -> None:
    with Daemon(policy_with(tmp_path, "memory:"), tmp_path / "eximacl.sock", tmp_path / "log") as daemon:
        source = daemon_source(daemon.path)
        with pytest.raises(RequestRefused, match=words):
            source(request_, values)
        assert list(addresses_of(source)) == []


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {"addresses": [], "more": True},
        {"addresses": [[]], "after": None},
        {"addresses": [["k", "o", "3", 0, "", 0, 0, 0, 0, 0, "", "", 0, False, ""]], "after": None},
        {"addresses": [["k", "o", 3, 0, "", 0, 0, float("inf"), 0, 0, "", "", 0, False, ""]], "after": None},
    ],
)
def test_an_answer_of_another_shape_is_not_used(answer: object) -> None:
    with pytest.raises(DaemonError):
        list(addresses_of(lambda _request, _values: answer))


def test_a_change_that_was_acknowledged_survives(tmp_path: Path) -> None:
    config = policy_with(tmp_path)
    with Daemon(config, tmp_path / "eximacl.sock", tmp_path / "log") as daemon:
        revise_address(daemon_source(daemon.path), THREE, end=True)
        daemon.kill()
    with closing(SqliteState(tmp_path / "state.db")) as state:
        known = state.known(THREE.key, time.time())
        assert known is not None
        assert known.ended
        assert state.reserve(THREE.key, 3, "a", time.time(), time.time() + 9, Terms(STEVE)).slot == "ended"
        state.revise(THREE.key, time.time(), AddressChange(STEVE, 3, reset=True))


# Addresses, as people write them.


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    return load(policy_with(tmp_path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("steve.3.count@example.org", THREE),
        ("Steve.Count.3@Example.ORG.", THREE),
        (" <steve.3.count.x7k2m3qa@example.org> ", THREE),
        ("steve.date.2027-12-31@example.org", DATED),
        ("steve+shop.3.count@example.org", NamedAddress("counted:steve+shop.3.count@example.org", STEVE, 3, "")),
    ],
)
def test_what_an_address_is(loaded: Loaded, text: str, expected: NamedAddress) -> None:
    assert named(loaded, text) == expected
    assert named(loaded, expected.address) == expected


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("steve@example.org", NotDisposable, "steve@example.org is not a disposable address by the policy"),
        ("steve.0.count@example.org", NotDisposable, r"\(counted-invalid\)"),
        ("steve.3.count", NotDisposable, "give one such as"),
        ("@example.org", NotDisposable, "give one such as"),
        ("steve.3.count@example.net", ForeignDomain, "policy.domains does not list example.net"),
        ("steve.3.count@off.example", MintingOff, "checks.disposable is off"),
    ],
)
def test_what_is_not_one(loaded: Loaded, text: str, error: type[DisposableError], words: str) -> None:
    with pytest.raises(error, match=words):
        named(loaded, text)


# A user ends an address by mail.


@pytest.mark.parametrize(
    ("user", "rcpt", "verdict", "words"),
    [
        ("steve", "steve.3.count+end@example.org", "reject", "5.2.1 steve.3.count@example.org has ended"),
        ("Steve@Example.ORG", "STEVE.Count.3+end@Example.org", "reject", "5.2.1 steve.3.count@example.org has ended"),
        ("steve", "steve+shop.3.count+end@example.org", "reject", "5.2.1 steve+shop.3.count@example.org has ended"),
        (
            "joe",
            "steve.3.count+end@example.org",
            "reject",
            "5.7.1 steve.3.count@example.org is not yours to end; ",
        ),
        ("steve@example.com", "steve.3.count+end@example.org", "reject", "5.7.1 "),
        ("", "steve.3.count+end@example.org", "reject", "5.7.1 "),
        ("steve", "steve+end@example.org", "accept", ""),
        ("steve", "steve.0.count+end@example.org", "accept", ""),
        ("steve", "steve.3.count+end@example.net", "accept", ""),
        ("steve", "steve.3.count+end@off.example", "accept", ""),
    ],
)
async def test_who_ends_what_by_mail(loaded: Loaded, user: str, rcpt: str, verdict: str, words: str) -> None:
    state = MemoryState()
    reply = await end_own(loaded, state, {"user": user, "rcpt": rcpt}, NOW)
    assert (reply.verdict, reply.message[: len(words)]) == (verdict, words)
    ended = [known.ended for known in state.all_known(NOW)]
    assert ended == ([NOW] if words.startswith("5.2.1") else [])


async def test_a_user_ends_a_hundred_addresses_a_day_that_had_no_mail(loaded: Loaded) -> None:
    state = MemoryState()
    state.revise("counted:steve.3.count@example.org", NOW, AddressChange("steve@example.org", 3))

    async def end(localpart: str, user: str = "steve", now: float = NOW) -> tuple[str, int]:
        reply = await end_own(loaded, state, {"user": user, "rcpt": f"{localpart}+end@example.org"}, now)
        return reply.verdict, reply.code

    done, later = ("reject", 550), ("defer", 451)
    assert [await end(f"steve+{number}.1.count") for number in range(101)] == [done] * 100 + [later]
    assert await end("steve.3.count") == done  # it is known
    assert await end("steve+0.1.count") == done
    assert await end("steve.date.31-12-2026") == later
    assert await end("juha.1.count", "juha") == done
    assert await end("steve+100.1.count", now=NOW + 86400) == done


async def test_what_a_request_to_end_needs(loaded: Loaded) -> None:
    for values in ({"user": "steve"}, {"rcpt": "steve.3.count+end@example.org"}):
        with pytest.raises(ProtocolError, match="needs"):
            await end_own(loaded, MemoryState(), values, NOW)
    with pytest.raises(StateError, match="the disk is gone"):
        await end_own(loaded, Dead("revise"), {"user": "steve", "rcpt": "steve.3.count+end@example.org"}, NOW)


def test_the_daemon_answers_anyone_with_a_reply_as_to_a_query(tmp_path: Path) -> None:
    with Daemon(policy_with(tmp_path), tmp_path / "eximacl.sock", tmp_path / "log") as daemon:
        values = {"do": "end-address", "user": "steve", "rcpt": "steve.3.count+end@example.org"}
        reply = ask(daemon.path, format_query("control", values))
    assert (reply.verdict, reply.code) == ("reject", 550)
    assert reply.log == "eximacl: steve ended steve.3.count@example.org"
