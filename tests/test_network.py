"""The network's part of a query: one budget, real DNS, and lists that lie are found out and found well again."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator

import pytest

from eximacl.answers import Answered
from eximacl.check import Probe
from eximacl.config.declare import DnsSettings, Servers
from eximacl.model import Unknown
from eximacl.network import LISTS_ALL, LISTS_NOTHING, Network, is_listed
from eximacl.questions import RecordKind
from tests.lab.names import Names
from tests.lab.replies import SERVFAIL, SILENT, Zone

BL = Probe("bl.example", "2.0.0.127.bl.example", "1.0.0.127.bl.example")


@pytest.fixture
def names() -> Iterator[Names]:
    with Names({("mx.example.net", "A"): ["192.0.2.7"]}) as names:
        yield names


def network_of(names: Names) -> Network:
    return Network(DnsSettings(servers=Servers((names.address,)), budget=2.0, cache=1000))


async def look_up(network: Network, *asked: tuple[str, RecordKind], seconds: float | None = None) -> Answered:
    until = network.deadline() if seconds is None else network.deadline() - 2.0 + seconds
    answers = network.look_up(asked, until)
    return await answers if inspect.isawaitable(answers) else answers


async def test_answers_come_from_dns_then_at_once(names: Names) -> None:
    network = network_of(names)
    asked: tuple[tuple[str, RecordKind], ...] = (("mx.example.net", "A"), ("gone.example.net", "A"))
    assert await look_up(network, *asked) == (("192.0.2.7",), ())
    assert network.look_up(asked, network.deadline()) == (("192.0.2.7",), ())
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


PROBES = [
    ("works", ["127.0.0.2"], [], ""),
    ("lists everybody", ["127.0.0.2"], ["127.0.0.2"], LISTS_ALL),
    ("lists everybody, with any code", ["127.0.0.9"], ["127.0.0.9"], LISTS_ALL),
    ("lists nobody", [], [], LISTS_NOTHING),
    ("a wildcard that is no list", ["192.0.2.80"], ["192.0.2.80"], LISTS_NOTHING),
    ("refuses us", ["127.255.255.254"], ["127.255.255.254"], ""),
    ("fails", SERVFAIL, SERVFAIL, ""),
    ("fails by half", ["127.0.0.2"], SERVFAIL, ""),
    ("fails by the other half", SERVFAIL, ["127.0.0.2"], LISTS_ALL),
]


@pytest.mark.parametrize(("listed", "clean", "fault"), [row[1:] for row in PROBES], ids=[row[0] for row in PROBES])
async def test_a_probe(names: Names, listed: object, clean: object, fault: str) -> None:
    names.learn(listing(listed, clean))
    network = network_of(names)
    assert network.fault(BL.zone) == ""
    await network.probe((BL,))
    assert network.fault(BL.zone) == fault
    assert network.status()["faults"] == ({BL.zone: fault} if fault else {})
    network.close()


async def test_a_list_that_is_well_again_is_used_again(names: Names, caplog: pytest.LogCaptureFixture) -> None:
    ill, well = network_of(names), network_of(names)
    names.learn(listing(["127.0.0.2"], ["127.0.0.2"]))
    with caplog.at_level(logging.WARNING, "eximacl"):
        for _ in range(2):
            await ill.probe((BL,))
        # What the resolver remembers of the first probe must not decide the second.
        well._faults = ill._faults
        names.learn(listing(["127.0.0.2"], []))
        for _ in range(2):
            await well.probe((BL,))
    assert well.fault(BL.zone) == ""
    assert [record.getMessage() for record in caplog.records] == [
        f"the DNS list bl.example is not used: {LISTS_ALL}; it is tried again later",
        "the DNS list bl.example is used again",
    ]
    ill.close()
    well.close()


async def test_a_key_is_asked_with_as_it_is_then_and_is_never_shown(
    names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    key = ["old-secret"]
    probe = Probe("bl.example", "2.0.0.127.{key}.bl.example", "1.0.0.127.{key}.bl.example", key)
    names.learn({("2.0.0.127.new-secret.bl.example", "A"): ["127.0.0.2"]})
    network = network_of(names)
    with caplog.at_level(logging.WARNING, "eximacl"):
        await network.probe((probe,))
        assert network.fault("bl.example") == LISTS_NOTHING
        key[0] = "new-secret"
        await network.probe((probe,))
    assert network.fault("bl.example") == ""
    assert not any("secret" in text for text in (caplog.text, repr(network.status())))
    network.close()


async def test_a_list_that_the_policy_names_no_more_is_forgotten(names: Names) -> None:
    network = network_of(names)
    await network.probe((BL,))
    assert network.fault(BL.zone) == LISTS_NOTHING
    await network.probe(())
    assert network.fault(BL.zone) == ""
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
