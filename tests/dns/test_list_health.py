"""DNS for the policy: one budget a query, real DNS, and lists that lie are found out, and used again once they work."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Callable, Iterator

import pytest

from eximacl.check import ListProbe
from eximacl.dns import Timing
from eximacl.dns.list_health import (
    LISTS_ALL,
    LISTS_NOTHING,
    NO_SERVER,
    NOT_TRIED,
    PAUSES_SECONDS,
    PROBE_SECONDS,
    DnsNetwork,
    is_listed,
)
from eximacl.dns.servers import SUSPICIONS
from eximacl.policy.outcome import Unknown
from eximacl.policy.questions import Answered, RecordKind
from tests.lab.names import Names
from tests.lab.replies import SERVFAIL, SILENT, Reply, Zone

# Bounds only what would hang.
PATIENCE_SECONDS = 20.0
BL = ListProbe("bl.example", "2.0.0.127.bl.example", "1.0.0.127.bl.example")


@pytest.fixture
def names() -> Iterator[Names]:
    with Names({("mx.example.net", "A"): ["192.0.2.7"]}) as names:
        yield names


def network_of(names: Names, clock: Callable[[], float] = time.monotonic) -> DnsNetwork:
    return DnsNetwork((names.address,), budget_seconds=2.0, cache_entries=1000, clock=clock)


async def look_up(network: DnsNetwork, *asked: tuple[str, RecordKind], seconds: float | None = None) -> Answered:
    answers = network.look_up(asked, network.budget_seconds if seconds is None else seconds)
    return await answers if inspect.isawaitable(answers) else answers


async def test_answers_come_from_dns_then_at_once(names: Names) -> None:
    network = network_of(names)
    asked: tuple[tuple[str, RecordKind], ...] = (("mx.example.net", "A"), ("gone.example.net", "A"))
    assert await look_up(network, *asked) == (("192.0.2.7",), ())
    assert network.look_up(asked, 2.0) == (("192.0.2.7",), ())
    assert len(names.asked) == 2
    network.close()


async def test_the_budget_ends_a_query_that_nobody_answers(names: Names) -> None:
    names.learn({("silent.example.net", "A"): SILENT})
    network = network_of(names)
    found = await look_up(network, ("silent.example.net", "A"), ("mx.example.net", "A"), seconds=0.2)
    assert isinstance(found[0], Unknown)
    assert found[1] == ("192.0.2.7",)
    network.close()


def listing(listed: object, clean: object) -> Zone:
    return {(BL.listed, "A"): listed, (BL.clean, "A"): clean}  # type: ignore[dict-item]


def not_recursive(wire: bytes) -> bytes:
    """Return an answer without its RA flag (RFC 1035 section 4.1.1)."""
    return wire[:3] + bytes((wire[3] & 0x7F,)) + wire[4:]


PROBES = [
    ("works", ["127.0.0.2"], [], ""),
    ("lists everybody", ["127.0.0.2"], ["127.0.0.2"], LISTS_ALL),
    ("lists everybody, with any code", ["127.0.0.9"], ["127.0.0.9"], LISTS_ALL),
    ("lists nobody", [], [], LISTS_NOTHING),
    ("a wildcard that is not a list", ["192.0.2.80"], ["192.0.2.80"], LISTS_NOTHING),
    (
        "refuses us",
        ["127.255.255.254"],
        ["127.255.255.254"],
        f"{NOT_TRIED}: it answers with the error 127.255.255.254 about A of {BL.listed}",
    ),
    (
        "refuses us by half",
        ["127.0.0.2"],
        ["127.255.255.254"],
        f"{NOT_TRIED}: it answers with the error 127.255.255.254 about A of {BL.clean}",
    ),
    ("fails", SERVFAIL, SERVFAIL, f"{NOT_TRIED}: SERVFAIL from SERVER about A of {BL.listed}"),
    ("fails by half", ["127.0.0.2"], SERVFAIL, f"{NOT_TRIED}: SERVFAIL from SERVER about A of {BL.clean}"),
    ("lists nobody, and fails", [], SERVFAIL, f"{NOT_TRIED}: SERVFAIL from SERVER about A of {BL.clean}"),
    (
        "gives no proof",
        ["127.0.0.2"],
        Reply(rcode="NXDOMAIN", minimum=None, lie=lambda wire: [not_recursive(wire)]),
        f"{NOT_TRIED}: nothing, and not a recursive server from SERVER about A of {BL.clean}",
    ),
    ("fails by the other half", SERVFAIL, ["127.0.0.2"], LISTS_ALL),
]


@pytest.mark.parametrize(("listed", "clean", "fault"), [row[1:] for row in PROBES], ids=[row[0] for row in PROBES])
async def test_a_probe(names: Names, listed: object, clean: object, fault: str) -> None:
    names.learn(listing(listed, clean))
    network = network_of(names)
    assert network.list_fault(BL.zone) == NOT_TRIED, "nothing is believed before"
    await network.probe((BL,))
    fault = fault.replace("SERVER", str(names.address))
    assert network.list_fault(BL.zone) == fault
    assert network.status()["faults"] == ({BL.zone: fault} if fault else {})
    assert network.problems() == ([f"the DNS list {BL.zone} is not used: {fault}"] if fault else [])
    network.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (SERVFAIL, f"{NOT_TRIED}: SERVFAIL from SERVER about A of {BL.listed}"),
        (SILENT, NO_SERVER),
        (Reply(rcode="REFUSED"), NO_SERVER),
    ],
    ids=["fails", "no", "refuses"],
)
async def test_a_list_is_not_blamed_for_its_server(
    answer: object, said: str, names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    names.learn(listing(answer, answer))
    said = said.replace("SERVER", str(names.address))
    timing = Timing((0.05,), 0.3)
    network = DnsNetwork((names.address,), budget_seconds=2.0, cache_entries=1000, timing=timing)
    with caplog.at_level(logging.WARNING, "eximacl"):
        await network.probe((BL,))
    assert [record.getMessage() for record in caplog.records] == [
        f"the DNS list bl.example is not used: {said}; tried again later"
    ]
    assert network.problems() == [f"the DNS list bl.example is not used: {said}"]
    assert network.list_fault(BL.zone).startswith(NOT_TRIED)
    network.close()


async def test_lists_with_one_fault_share_a_line(names: Names, caplog: pytest.LogCaptureFixture) -> None:
    probes = [BL._replace(zone=zone, listed=f"2.{zone}", clean=f"1.{zone}") for zone in ("a.example", "b.example")]
    probes.append(probes[0]._replace(part="IPv6", listed=""))
    silent = {(name, "A"): SERVFAIL for probe in probes for name, _ in probe.question().asked}
    sound = {("2.a.example", "A"): ["127.0.0.2"], ("2.b.example", "A"): ["127.0.0.2"]}
    gone = {(name, "A"): Reply() for name, _ in silent}
    network = network_of(names)
    with caplog.at_level(logging.WARNING, "eximacl"):
        for zone in (silent, silent, gone | sound, gone):
            names.learn(zone)
            await network.probe(probes)
    because = f"each because {NOT_TRIED}: SERVFAIL from {names.address} about A of 2.a.example"
    assert [record.getMessage() for record in caplog.records] == [
        f"the DNS lists a.example, b.example, a.example (IPv6) are not used, {because}; tried again later",
        "the DNS lists a.example, b.example, a.example (IPv6) are used again",
        f"the DNS lists a.example, b.example are not used, each because {LISTS_NOTHING}; tried again later",
    ]
    assert network.problems() == [f"the DNS lists a.example, b.example are not used, each because {LISTS_NOTHING}"]
    network.close()


async def test_a_list_that_turns_bad_is_noticed_and_used_again(names: Names, caplog: pytest.LogCaptureFixture) -> None:
    """What the resolver remembers of one probe, for up to a day, must not decide the next."""
    bad, well = listing(["127.0.0.2"], ["127.0.0.2"]), listing(["127.0.0.2"], Reply(minimum=3600))
    network = network_of(names)
    faults = []
    with caplog.at_level(logging.WARNING, "eximacl"):
        for records in (well, bad, bad, listing(SERVFAIL, SERVFAIL), well, well):
            names.learn(records)
            await network.probe((BL,))
            faults.append(network.list_fault(BL.name))
    assert faults == ["", LISTS_ALL, LISTS_ALL, LISTS_ALL, "", ""]
    assert [record.getMessage() for record in caplog.records] == [
        f"the DNS list bl.example is not used: {LISTS_ALL}; tried again later",
        "the DNS list bl.example is used again",
    ]
    network.close()


async def test_a_good_list_stays_good_while_it_does_not_answer(names: Names) -> None:
    names.learn(listing(["127.0.0.2"], []))
    network = network_of(names)
    await network.probe((BL,))
    names.learn(listing(SERVFAIL, SERVFAIL))
    await network.probe((BL,))
    assert network.list_fault(BL.name) == ""
    network.close()


async def test_another_network_may_know_already(names: Names) -> None:
    names.learn(listing(["127.0.0.2"], ["127.0.0.2"]))
    old, new = network_of(names), network_of(names)
    await old.probe((BL,))
    new.take_over(old)
    assert new.list_fault(BL.name) == LISTS_ALL
    old.close()
    new.close()


class Slept:
    """A clock that runs on while `watch` sleeps, which takes no time. after: what to call after how many seconds."""

    def __init__(self, after: dict[float, Callable[[], None]]) -> None:
        self.seconds = 0.0
        self._after = after

    def clock(self) -> float:
        return time.monotonic() + self.seconds

    async def __call__(self, seconds: float) -> None:
        self.seconds += seconds
        for due in [due for due in self._after if due <= self.seconds]:
            self._after.pop(due)()
        await asyncio.sleep(0)


class _Enough(Exception):
    pass


def _stop() -> None:
    raise _Enough


@pytest.mark.parametrize(("up_after", "used_after"), [(0.0, 0.0), (1.0, 2.0), (5.0, 6.0)])
async def test_a_list_that_could_not_be_tried_out_is_tried_again_soon(
    names: Names, up_after: float, used_after: float
) -> None:
    up, down = listing(["127.0.0.2"], []), listing(SERVFAIL, SERVFAIL)
    names.learn(down if up_after else up)
    slept = Slept({up_after: lambda: names.learn(up), 200.0: _stop})
    network = network_of(names, slept.clock)
    seen: dict[float, str] = {}

    async def sleep(seconds: float) -> None:
        seen[slept.seconds] = network.list_fault(BL.name)
        await slept(seconds)

    with pytest.raises(_Enough):
        await network.watch((BL,), sleep)
    assert {at for at, fault in seen.items() if fault} == {at for at in seen if at < used_after}
    assert used_after in seen
    assert network.tried.is_set()
    network.close()


async def test_a_list_that_was_tried_out_is_probed_every_half_hour(names: Names) -> None:
    names.learn(listing(["127.0.0.2"], []))
    before: list[int] = []
    slept = Slept({PROBE_SECONDS - 1000: lambda: before.append(len(names.asked)), PROBE_SECONDS + 1: _stop})
    network = network_of(names, slept.clock)
    with pytest.raises(_Enough):
        await network.watch((BL,), slept)
    assert (before, len(names.asked)) == ([2], 4)
    assert sum(PAUSES_SECONDS) == PROBE_SECONDS
    network.close()


async def test_a_probe_may_ask_for_the_clean_point_only(names: Names) -> None:
    network = network_of(names)
    probe = BL._replace(listed="", part="IPv6")
    await network.probe((probe,))
    assert (network.list_fault(probe.name), network.list_fault(BL.name)) == ("", NOT_TRIED)
    names.learn(listing([], ["127.0.0.2"]))
    await network.probe((probe,))
    assert network.status()["faults"] == {"bl.example (IPv6)": LISTS_ALL}
    assert {name for name, _ in names.asked} == {BL.clean}
    network.close()


async def test_a_key_is_asked_with_as_it_is_then_and_is_never_shown(
    names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    key = ["old-secret"]
    probe = ListProbe("bl.example", "2.0.0.127.{key}.bl.example", "1.0.0.127.{key}.bl.example", key)
    names.learn({("2.0.0.127.new-secret.bl.example", "A"): ["127.0.0.2"]})
    network = network_of(names)
    with caplog.at_level(logging.WARNING, "eximacl"):
        await network.probe((probe,))
        assert network.list_fault("bl.example") == LISTS_NOTHING
        key[0] = "new-secret"
        await network.probe((probe,))
        assert network.list_fault("bl.example") == ""
        names.learn(dict.fromkeys(probe.question().names(), SERVFAIL))
        other = network_of(names)
        await other.probe((probe,))
        assert other.list_fault("bl.example").endswith("about A of 2.0.0.127.{key}.bl.example")
        other.close()
    assert not any("secret" in text for text in (caplog.text, repr(network.status())))
    network.close()


async def test_a_list_that_the_policy_no_longer_names_is_forgotten(names: Names) -> None:
    network = network_of(names)
    await network.probe((BL,))
    assert network.list_fault(BL.zone) == LISTS_NOTHING
    await network.probe(())
    assert network.list_fault(BL.zone) == NOT_TRIED
    assert network.status()["faults"] == {}
    network.close()


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (("127.0.0.2",), True),
        (("127.1.2.3",), True),
        (("192.0.2.1", "127.0.0.2"), True),
        (("127.255.255.254",), False),
        (("192.0.2.1",), False),
        ((), False),
        (Unknown("no answer"), False),
    ],
)
def test_is_listed(found: tuple[str, ...] | Unknown, expected: bool) -> None:
    assert is_listed(found) is expected


async def test_a_server_that_is_left_alone_is_a_problem(names: Names) -> None:
    timing = Timing(tries=(0.05,), fetch=0.1)
    network = DnsNetwork((names.address,), budget_seconds=2.0, cache_entries=1000, timing=timing)
    for number in range(SUSPICIONS):
        names.learn({(f"{number}.silent.example", "A"): SILENT})
    names.learn({(".", "NS"): SILENT})
    for number in range(SUSPICIONS):
        await look_up(network, (f"{number}.silent.example", "A"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not network.problems():
            await asyncio.sleep(0.01)
    assert network.problems() == [f"the name server {names.address} does not answer"]
    network.close()
