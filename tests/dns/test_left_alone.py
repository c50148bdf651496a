"""Servers and zones that fail are left alone, no others are, and they are asked again once they work."""

from __future__ import annotations

import pytest

from eximacl.dns import Resolver, Timing, servers
from eximacl.policy.outcome import Unknown
from tests.dns.clock import Clock
from tests.dns.helpers import BUDGET, GOOD, clean, detail, lapse, logged, until, wait
from tests.lab.names import Names
from tests.lab.replies import SERVFAIL, SILENT, Reply

NAME = "good.example.org"
ADDRESS = ("192.0.2.1",)
# Nothing listens there.
NOBODY = "127.77.0.0:9"
TRIES = Timing().tries


async def fail(resolver: Resolver, clock: Clock, name: str, *, probed: bool = False) -> None:
    """Look up a name that no server answers for, until it is given up. probed: the server itself is well."""
    answer = resolver.lookup(name, "A", clock() + BUDGET)
    if probed:
        await until(lambda: not resolver.status()["servers_probed"])
    for seconds in (*TRIES, Timing().fetch):
        lapse(resolver, clock, seconds)
    assert isinstance(await wait(answer), Unknown)


async def test_the_next_server_is_asked_when_nobody_listens_at_one() -> None:
    clock = Clock()
    with Names(GOOD) as second:
        resolver = Resolver([NOBODY, second.address], clock=clock)
        async with clean(resolver):
            for kind in ("A", "MX", "TXT", "NS", "PTR", "AAAA"):
                assert await wait(resolver.lookup(NAME, kind, clock() + BUDGET))
            # By now it is suspected, and is tried and left alone with the next look-up.
            assert await wait(resolver.lookup("x.example.org", "A", clock() + BUDGET)) == ()
            await until(lambda: resolver.status()["servers_left_alone"] == [NOBODY])
            assert len(second.asked) == 7


async def test_a_dead_server_is_left_alone_logged_once_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    silent = {("*.example.org", "A"): SILENT, ("", "NS"): SILENT}
    with Names(silent) as names:
        resolver = Resolver([names.address], clock=clock)
        resolver.set_zones(["example.org"])
        async with clean(resolver):
            for number in range(3):
                await fail(resolver, clock, f"n{number}.example.org")
            resolver.lookup("probing.example.org", "A", clock() + BUDGET)
            await until(lambda: ("", "NS") in names.asked)
            lapse(resolver, clock, servers.PROBE_SECONDS)
            assert resolver.status()["servers_left_alone"] == [names.address]
            (text,) = logged(caplog)
            assert text.startswith(f"name server {names.address} does not answer (silent): it is left alone, and tried")
            known = f"DNS: no name server answers ({names.address})"
            assert detail(resolver.lookup("a.example.org", "A", clock() + BUDGET)) == known
            lapse(resolver, clock, servers.SERVER_PAUSE_SECONDS)
            names.learn({("", "NS"): ["ns.example.org."], **GOOD})
            assert detail(resolver.lookup("b.example.org", "A", clock() + BUDGET)) == known, "only the probe is sent"
            await until(lambda: not resolver.status()["servers_left_alone"])
            assert logged(caplog) == [f"name server {names.address} answers again"]
            assert await wait(resolver.lookup(NAME, "A", clock() + BUDGET)) == ADDRESS
            assert resolver.status()["zones_left_alone"] == [], "a zone is not to blame for the server"


async def test_a_server_that_refuses_the_probe_is_alive() -> None:
    """Some refuse questions about the root's name servers, and answer everything else."""
    clock = Clock()
    with Names({("*.example.org", "A"): SILENT, ("", "NS"): Reply(rcode="REFUSED"), **GOOD}) as names:
        resolver = Resolver([names.address], clock=clock)
        async with clean(resolver):
            for number in range(3):
                await fail(resolver, clock, f"n{number}.example.org")
            resolver.lookup("probing.example.org", "A", clock() + BUDGET)
            await until(lambda: ("", "NS") in names.asked and not resolver.status()["servers_probed"])
            assert resolver.status()["servers_left_alone"] == []
            assert await wait(resolver.lookup(NAME, "A", clock() + BUDGET)) == ADDRESS


async def test_a_dead_server_that_comes_back_refusing_the_probe_is_asked_again() -> None:
    clock = Clock()
    with Names({("*.example.org", "A"): SILENT, ("", "NS"): SILENT, **GOOD}) as names:
        resolver = Resolver([names.address], clock=clock)
        async with clean(resolver):
            for number in range(3):
                await fail(resolver, clock, f"n{number}.example.org")
            resolver.lookup("probing.example.org", "A", clock() + BUDGET)
            lapse(resolver, clock, servers.PROBE_SECONDS)
            assert resolver.status()["servers_left_alone"] == [names.address]
            names.learn({("", "NS"): Reply(rcode="REFUSED")})
            lapse(resolver, clock, servers.SERVER_PAUSE_SECONDS)
            resolver.lookup("b.example.org", "A", clock() + BUDGET)
            await until(lambda: not resolver.status()["servers_left_alone"])
            assert await wait(resolver.lookup(NAME, "A", clock() + BUDGET)) == ADDRESS


async def test_a_zone_that_is_silent_is_left_alone_and_its_server_is_not(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    with Names({("*.bl.example.org", "A"): SILENT, **GOOD}) as names:
        resolver = Resolver([names.address], clock=clock)
        resolver.set_zones(["BL.example.org."])
        async with clean(resolver):
            for number in range(servers.ZONE_FAILURES):
                await fail(resolver, clock, f"n{number}.bl.example.org", probed=True)
            assert await wait(resolver.lookup(NAME, "A", clock() + BUDGET)) == ADDRESS
            status = resolver.status()
            assert (status["servers_left_alone"], status["zones_left_alone"]) == ([], ["bl.example.org"])
            (text,) = logged(caplog)
            assert f"has failed 5 times in a row (no answer from {names.address}): it is left alone" in text
            answer = resolver.lookup("x.bl.example.org", "A", clock() + BUDGET)
            assert detail(answer) == "DNS: zone bl.example.org is left alone since it failed too often"


async def test_a_zone_that_fails_is_left_alone_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    with Names({("*.bl.example.org", "A"): SERVFAIL, ("*.notbl.example.org", "A"): SERVFAIL}) as names:
        resolver = Resolver([names.address], clock=clock)
        resolver.set_zones(["bl.example.org", "other.example.org"])
        async with clean(resolver):
            for number in range(servers.ZONE_FAILURES):
                names_of = [f"n{number}.{zone}" for zone in ("bl.example.org", "notbl.example.org")]
                await wait(resolver.lookup_all([(name, "A") for name in names_of], clock() + BUDGET))
            resolver.set_zones(["{key}.bl.example.org", "{key}"])
            before = len(names.asked)
            assert "is left alone" in detail(resolver.lookup("x.bl.example.org", "A", clock() + BUDGET))
            assert "is left alone" in detail(resolver.lookup("bl.example.org", "A", clock() + BUDGET))
            assert len(names.asked) == before
            assert "SERVFAIL" in detail(await wait(resolver.lookup("x.notbl.example.org", "A", clock() + BUDGET)))
            assert "(SERVFAIL from" in logged(caplog)[0]
            clock.pass_(servers.ZONE_PAUSE_SECONDS)
            names.learn({("*.bl.example.org", "A"): ["127.0.0.2"]})
            asked = [("y.bl.example.org", "A"), ("z.bl.example.org", "A")]
            first, second = await wait(resolver.lookup_all(asked, clock() + BUDGET))
            assert first == ("127.0.0.2",)
            assert "is left alone" in detail(second), "one question finds out"
            assert logged(caplog) == ["DNS zone bl.example.org answers again"]
            assert await wait(resolver.lookup("z.bl.example.org", "A", clock() + BUDGET)) == ("127.0.0.2",)
