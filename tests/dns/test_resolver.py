"""The resolver: what is answered at once, what is asked once, and which servers are left alone."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from eximacl.dns import Resolver, Timing, servers
from eximacl.dns import resolver as resolver_module
from eximacl.dns.cache import UNKNOWN_SECONDS
from eximacl.policy.outcome import Unknown
from tests.dns.clock import Clock
from tests.dns.helpers import BUDGET, GOOD, clean, detail, lapse, no_task_left, sockets, until, wait
from tests.lab.names import Names
from tests.lab.replies import MINIMUM_SECONDS, SERVFAIL, SILENT, TTL_SECONDS, Reply

NAME = "good.example.org"
ADDRESS = ("192.0.2.1",)
# Nothing listens there.
NOBODY = "127.77.0.0:9"
TRIES = Timing().tries


async def test_what_is_known_is_answered_at_once_and_for_its_ttl() -> None:
    clock = Clock()
    with Names(GOOD) as names:
        resolver = Resolver([names.address], clock=clock)
        async with clean(resolver):
            asked = [(NAME, "A"), ("none.example.org", "A"), (NAME, "MX")]
            expected = (ADDRESS, (), ("10 mx.example.org",))
            assert await wait(resolver.lookup_all(asked, clock() + BUDGET)) == expected
            clock.pass_(MINIMUM_SECONDS - 1)
            assert resolver.lookup_all(asked, clock() + BUDGET) == expected
            assert resolver.lookup(NAME, "A", clock() + BUDGET) == ADDRESS
            assert resolver.lookup("GOOD.example.ORG.", "A", clock() + BUDGET) == ADDRESS
            assert resolver.lookup_all([], clock() + BUDGET) == ()
            clock.pass_(1)
            again = resolver.lookup_all(asked, clock() + BUDGET)
            assert await wait(again) == expected
            assert sorted(names.asked) == sorted([*asked, asked[1]])
            clock.pass_(TTL_SECONDS - MINIMUM_SECONDS)
            assert await wait(resolver.lookup(NAME, "A", clock() + BUDGET)) == ADDRESS
            assert names.asked.count((NAME, "A")) == 2
            status = resolver.status()
            assert (status["entries"], status["hits"], status["misses"], status["questions"]) == (3, 7, 5, 5)
            assert status["servers"] == [names.address]


async def test_a_hundred_with_one_question_cost_one_packet() -> None:
    clock = Clock()
    with Names({(NAME, "A"): Reply(["192.0.2.1"], delay_seconds=0.05)}) as names:
        resolver = Resolver([names.address], clock=clock)
        async with clean(resolver):
            waiting = [resolver.lookup(NAME, "A", clock() + BUDGET) for _ in range(99)]
            waiting.append(resolver.lookup("Good.Example.Org", "A", clock() + BUDGET))
            twice = resolver.lookup_all([(NAME, "A")] * 2, clock() + BUDGET)
            assert asyncio.all_tasks() == {asyncio.current_task()}, "waiting takes no task"
            assert [await wait(answer) for answer in waiting] == [ADDRESS] * 100
            assert await wait(twice) == (ADDRESS, ADDRESS)
            assert names.asked == [(NAME, "A")]
            assert resolver.status()["joined"] == 101


async def test_names_that_cannot_exist_are_absent() -> None:
    resolver = Resolver([NOBODY])
    async with clean(resolver):
        for name in ("", ".", "a..b", "a b.example.org", "x" * 64, "a." * 127 + "b"):
            assert resolver.lookup(name, "A", time.monotonic() + BUDGET) == ()
        assert "'HINFO'" in detail(resolver.lookup(NAME, "HINFO", time.monotonic() + BUDGET))


async def test_a_name_in_unicode_is_asked_in_a_labels() -> None:
    clock = Clock()
    with Names({("xn--bcher-kva.example.org", "A"): ["192.0.2.1"]}) as names:
        resolver = Resolver([names.address], clock=clock)
        async with clean(resolver):
            assert await wait(resolver.lookup("Bücher.example.org", "A", clock() + BUDGET)) == ADDRESS


async def test_aliases_are_followed_where_the_server_does_not() -> None:
    clock = Clock()
    zone = {
        ("a.example.org", "CNAME"): Reply(["b.example.org."], follow=False, ttl=20),
        ("b.example.org", "CNAME"): Reply(["good.example.org."], follow=False, ttl=40),
    }
    with Names(GOOD | zone) as names:
        resolver = Resolver([names.address], clock=clock)
        async with clean(resolver):
            assert await wait(resolver.lookup("a.example.org", "A", clock() + BUDGET)) == ADDRESS
            clock.pass_(19)
            assert resolver.lookup("a.example.org", "A", clock() + BUDGET) == ADDRESS
            clock.pass_(1)
            assert not isinstance(resolver.lookup("a.example.org", "A", clock() + BUDGET), tuple), "the shortest TTL"


async def test_a_late_answer_is_there_for_the_next() -> None:
    clock = Clock()
    with Names({(NAME, "A"): SILENT}) as names:
        resolver = Resolver([names.address], clock=clock)
        async with clean(resolver):
            first = resolver.lookup(NAME, "A", clock() + 0.5)
            lapse(resolver, clock, 0.5)
            assert await wait(first) == Unknown(f"DNS: no answer about A of '{NAME}' within the query's time")
            assert "within the query's time" in detail(resolver.lookup(NAME, "A", clock()))
            names.learn(GOOD)
            second = resolver.lookup(NAME, "A", clock() + BUDGET)
            lapse(resolver, clock, TRIES[0])
            assert await wait(second) == ADDRESS


async def test_a_cancelled_caller_does_not_stop_the_others() -> None:
    clock = Clock()
    with Names({(NAME, "A"): Reply(["192.0.2.1"], delay_seconds=0.05)}) as names:
        resolver = Resolver([names.address], clock=clock)
        async with clean(resolver):
            first, second = (resolver.lookup(NAME, "A", clock() + BUDGET) for _ in range(2))
            assert isinstance(first, asyncio.Future)
            first.cancel()
            assert await wait(second) == ADDRESS
            lapse(resolver, clock, BUDGET)


async def test_what_could_not_be_found_out_is_not_asked_again_at_once() -> None:
    clock = Clock()
    with Names({(NAME, "A"): SERVFAIL}) as names:
        resolver = Resolver([names.address], clock=clock)
        async with clean(resolver):
            expected = f"DNS: SERVFAIL from {names.address} about A of {NAME}"
            assert detail(await wait(resolver.lookup(NAME, "A", clock() + BUDGET))) == expected
            names.learn(GOOD)
            assert detail(resolver.lookup(NAME, "A", clock() + BUDGET)) == expected
            clock.pass_(UNKNOWN_SECONDS)
            assert await wait(resolver.lookup(NAME, "A", clock() + BUDGET)) == ADDRESS


@pytest.mark.parametrize("fault", [SERVFAIL, Reply(rcode="REFUSED"), Reply(udp="truncate", tcp="close")])
async def test_the_next_server_is_asked_at_once_when_one_fails(fault: str | Reply) -> None:
    clock = Clock()
    with Names({(NAME, "A"): fault}) as first, Names(GOOD) as second:
        resolver = Resolver([first.address, second.address], clock=clock)
        async with clean(resolver):
            assert await wait(resolver.lookup(NAME, "A", clock() + BUDGET)) == ADDRESS
            assert second.asked == [(NAME, "A")]
    await no_task_left()


async def test_the_next_server_is_asked_when_one_is_late() -> None:
    clock = Clock()
    with Names({(NAME, "A"): SILENT}) as first, Names(GOOD) as second:
        resolver = Resolver([first.address, second.address], clock=clock)
        async with clean(resolver):
            answer = resolver.lookup(NAME, "A", clock() + BUDGET)
            lapse(resolver, clock, TRIES[0])
            assert await wait(answer) == ADDRESS
            assert resolver.status()["late"] == 1


async def test_a_late_server_may_still_answer() -> None:
    clock = Clock()
    late = Reply(["192.0.2.1"], delay_seconds=0.05)
    with Names({(NAME, "A"): late}) as first, Names({(NAME, "A"): SILENT}) as second:
        resolver = Resolver([first.address, second.address], clock=clock)
        async with clean(resolver):
            answer = resolver.lookup(NAME, "A", clock() + BUDGET)
            lapse(resolver, clock, TRIES[0])
            assert await wait(answer) == ADDRESS


async def test_a_late_failure_does_not_end_what_another_server_is_asked() -> None:
    clock = Clock()
    late = Reply(rcode="SERVFAIL", delay_seconds=0.01)
    with Names({(NAME, "A"): late}) as first, Names({(NAME, "A"): Reply(["192.0.2.1"], delay_seconds=0.1)}) as second:
        resolver = Resolver([first.address, second.address], clock=clock)
        async with clean(resolver):
            answer = resolver.lookup(NAME, "A", clock() + BUDGET)
            lapse(resolver, clock, TRIES[0])
            assert await wait(answer) == ADDRESS


async def test_a_silent_look_up_is_given_up() -> None:
    clock = Clock()
    with Names({(NAME, "A"): SILENT}) as names:
        resolver = Resolver([names.address], clock=clock, timing=Timing(tries=(1.0, 2.0), fetch=4.0))
        async with clean(resolver):
            answer = resolver.lookup(NAME, "A", clock() + 10)
            for seconds in (1.0, 2.0, 1.0):
                await until(lambda: len(names.asked) == resolver.status()["questions"])
                lapse(resolver, clock, seconds)
            assert detail(await wait(answer)) == f"DNS: no answer from {names.address} about A of {NAME}"
            assert len(names.asked) == 3
            assert resolver.status()["under_way"] == 0


async def test_what_is_forgotten_is_asked_for_again() -> None:
    clock = Clock()
    with Names(GOOD) as names:
        resolver = Resolver([names.address], clock=clock)
        async with clean(resolver):
            assert await wait(resolver.lookup(NAME, "A", clock() + BUDGET)) == ADDRESS
            names.learn({(NAME, "A"): ["192.0.2.99"]})
            resolver.forget([("none.example.org", "A"), ("Good.example.org.", "A")])
            assert await wait(resolver.lookup(NAME, "A", clock() + BUDGET)) == ("192.0.2.99",)


async def test_once_closed_nothing_is_asked_and_no_socket_opened() -> None:
    clock = Clock()
    with Names(GOOD) as names:
        resolver = Resolver([names.address], clock=clock)
        async with clean(resolver):
            before = sockets()
            assert await wait(resolver.lookup(NAME, "A", clock() + BUDGET)) == ADDRESS
            resolver.close()
            assert resolver.lookup(NAME, "A", clock() + BUDGET) == ADDRESS
            assert isinstance(resolver.lookup(NAME, "MX", clock() + BUDGET), Unknown)
            assert (names.asked, sockets()) == ([(NAME, "A")], before)


async def test_too_many_look_ups_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names outside the policy's zones leave room for those zones."""
    monkeypatch.setattr(resolver_module, "FETCHES_MAX", 3)
    monkeypatch.setattr(resolver_module, "CLIENTS_FETCHES_MAX", 2)
    clock = Clock()
    with Names({("*.example.org", "A"): SILENT}) as names:
        resolver = Resolver([names.address], clock=clock)
        async with clean(resolver):
            for number in range(2):
                resolver.lookup(f"{number}.example.org", "A", clock() + BUDGET)
            assert "too many look-ups" in detail(resolver.lookup("2.example.org", "A", clock() + BUDGET))
            resolver.set_zones(["bl.example.org"])
            listed = resolver.lookup("3.bl.example.org", "A", clock() + BUDGET)
            assert not isinstance(listed, Unknown | tuple)
            assert "too many look-ups" in detail(resolver.lookup("4.bl.example.org", "A", clock() + BUDGET))


async def test_closing_answers_all_that_wait() -> None:
    with Names({(NAME, "A"): SILENT}) as names:
        resolver = Resolver([names.address])
        answer = resolver.lookup(NAME, "A", time.monotonic() + BUDGET)
        assert resolver.status()["questions"] == 1
        resolver.close()
        resolver.close()
        assert detail(await wait(answer)) == f"DNS: the look-up of A of {NAME} was given up"
        assert resolver.status()["questions"] == 1
        resolver.sweep()


def test_one_resolver_serves_one_event_loop_after_the_other() -> None:
    with Names({("silent.example.org", "A"): SILENT, **GOOD}) as names:
        resolver = Resolver([names.address])

        async def ask(name: str) -> object:
            return await wait(resolver.lookup(name, "A", time.monotonic() + 0.05))

        assert isinstance(asyncio.run(ask("silent.example.org")), Unknown)
        assert asyncio.run(ask(NAME)) == ADDRESS
        resolver.close()


def test_without_an_event_loop_nothing_is_asked() -> None:
    resolver = Resolver([NOBODY])
    assert isinstance(resolver.lookup(NAME, "A", time.monotonic() + BUDGET), Unknown)
    (answer,) = resolver.lookup_all([(NAME, "A")], time.monotonic() + BUDGET)  # type: ignore[misc]
    assert isinstance(answer, Unknown)


async def test_the_systems_servers_are_asked(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "resolv.conf"
    with Names(GOOD) as first, Names(GOOD) as second:
        file.write_text(f"nameserver {first.address}\n")
        resolver = Resolver(clock=clock, resolv_conf=file)
        async with clean(resolver):
            assert await wait(resolver.lookup(NAME, "A", clock() + BUDGET)) == ADDRESS
            file.write_text(f"nameserver {second.address}\n# changed\n")
            clock.pass_(servers.LOOK_SECONDS)
            assert await wait(resolver.lookup(NAME, "MX", clock() + BUDGET)) == ("10 mx.example.org",)
            assert (first.asked, second.asked) == ([(NAME, "A")], [(NAME, "MX")])


def test_a_bad_server_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'dns\.example\.org': expected an IP address"):
        Resolver(["dns.example.org"])
