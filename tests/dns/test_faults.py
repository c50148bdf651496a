"""The fault table: what servers do wrong, and what comes of it, for every kind of record at once."""

from __future__ import annotations

import asyncio
from typing import Literal, NamedTuple

import pytest

from eximacl.dns import Resolved, Resolver
from eximacl.dns.message import KINDS
from eximacl.policy.outcome import Unknown
from tests.dns.clock import Clock
from tests.dns.helpers import BUDGET, GOOD, TEXTS, clean, faulty, lapse, no_task_left, wait
from tests.lab import replies
from tests.lab.names import Names
from tests.lab.replies import SERVFAIL, SILENT, TTL_SECONDS, Reply

NAME = "faulty.example.org"
ASKED = [(NAME, kind) for kind in KINDS]
Outcome = Literal["found", "absent", "unknown", "late"]


class Fault(NamedTuple):
    """A server's fault. outcome: `late` means Unknown, and not before the query's time is over."""

    reply: Reply | str
    outcome: Outcome
    why: str = ""
    records: bool = True


LOOP = Reply([f"{NAME}."])
FAULTS: dict[str, Fault] = {
    "none": Fault(Reply(), "found"),
    "slow": Fault(Reply(delay_seconds=0.05), "found"),
    "no such name": Fault(replies.NXDOMAIN, "absent", records=False),
    "no such name, no SOA": Fault(Reply(rcode="NXDOMAIN", minimum=None), "absent", records=False),
    "no such record": Fault(replies.NODATA, "absent", records=False),
    "no such record, no SOA": Fault(Reply(minimum=None), "absent", records=False),
    "SERVFAIL": Fault(SERVFAIL, "unknown", "SERVFAIL from"),
    "REFUSED": Fault(Reply(rcode="REFUSED"), "unknown", "REFUSED from", records=False),
    "NOTIMP, always": Fault(Reply(rcode="NOTIMP"), "unknown", "NOTIMP from", records=False),
    "NXDOMAIN with records": Fault(Reply(rcode="NXDOMAIN"), "unknown", "NXDOMAIN with records"),
    "silence": Fault(SILENT, "late"),
    "no EDNS": Fault(Reply(edns=False), "found"),
    "truncated": Fault(Reply(udp="truncate"), "found"),
    "truncated, TCP hangs": Fault(Reply(udp="truncate", tcp="silent"), "late"),
    "truncated, TCP closes": Fault(Reply(udp="truncate", tcp="close"), "unknown", "TCP: "),
    "truncated, slow over TCP": Fault(Reply(udp="truncate", delay_seconds=0.05), "found"),
    "truncated over TCP, too": Fault(Reply(lie=replies.truncated), "unknown", "truncated over TCP"),
    "another answer over TCP": Fault(
        Reply(udp="truncate", lie=replies.wrong_question_when_whole), "unknown", "another question's answer over TCP"
    ),
    "wrong id": Fault(Reply(lie=replies.wrong_id), "late"),
    "wrong question": Fault(Reply(lie=replies.wrong_question), "late"),
    "two questions": Fault(Reply(lie=replies.two_questions), "late"),
    "a query instead of an answer": Fault(Reply(lie=replies.not_a_response), "late"),
    "wrong port": Fault(Reply(elsewhere=True), "late"),
    "lies before the truth": Fault(Reply(lie=replies.spoofed), "found"),
    "noise": Fault(Reply(lie=replies.noise), "late"),
    "garbage": Fault(Reply(lie=replies.garbage), "unknown", "a malformed answer"),
    "cut short": Fault(Reply(lie=replies.cut), "unknown", "a malformed answer"),
    "a name that goes round": Fault(Reply(lie=replies.looping), "unknown", "a malformed answer"),
}


def outcome_of(answer: Resolved, kind: str) -> str:
    if isinstance(answer, Unknown):
        return "unknown"
    assert answer in ((TEXTS[kind],), ())
    return "found" if answer else "absent"


@pytest.mark.parametrize("row", FAULTS)
async def test_faults(row: str) -> None:
    fault, clock = FAULTS[row], Clock()
    with Names(GOOD | faulty(NAME, fault.reply, records=fault.records)) as names:
        resolver = Resolver([names.address], clock=clock)
        async with clean(resolver):
            answers = resolver.lookup_all(ASKED, clock() + BUDGET)
            assert not isinstance(answers, tuple)
            assert await wait(resolver.lookup("good.example.org", "A", clock() + BUDGET)) == ("192.0.2.1",)
            if fault.outcome == "late":
                assert isinstance(answers, asyncio.Future)
                lapse(resolver, clock, BUDGET - 0.01)
                assert not answers.done()
                lapse(resolver, clock, 0.01)
                assert answers.done(), "the query's time is kept"
            expected = "unknown" if fault.outcome == "late" else fault.outcome
            for (name, kind), answer in zip(ASKED, await wait(answers), strict=True):
                assert outcome_of(answer, kind) == expected
                if isinstance(answer, Unknown):
                    assert name in answer.detail
                    assert fault.why in answer.detail
                    assert fault.outcome == "late" or names.address in answer.detail
            clock.pass_(TTL_SECONDS + 1)
            assert not isinstance(resolver.lookup(NAME, "A", clock() + BUDGET), tuple), "nothing outlives its TTL"
        await no_task_left()


async def test_a_loop_of_aliases() -> None:
    clock = Clock()
    zone = {
        (NAME, "CNAME"): Reply([f"{NAME}."]),
        ("a.example.org", "CNAME"): Reply(["b.example.org."], follow=False),
        ("b.example.org", "CNAME"): Reply(["a.example.org."], follow=False),
    }
    with Names(zone) as names:
        resolver = Resolver([names.address], clock=clock)
        async with clean(resolver):
            answer = await wait(resolver.lookup(NAME, "A", clock() + BUDGET))
            assert isinstance(answer, Unknown)
            assert "a CNAME loop" in answer.detail
            answer = await wait(resolver.lookup("a.example.org", "A", clock() + BUDGET))
            assert isinstance(answer, Unknown)
            assert "too many CNAMEs" in answer.detail


async def test_answers_of_lists_that_lie_are_passed_on() -> None:
    clock = Clock()
    zone = {("*.all.example.org", "A"): ["127.0.0.2"], ("*.error.example.org", "A"): ["127.255.255.254"]}
    with Names(zone) as names:
        resolver = Resolver([names.address], clock=clock)
        async with clean(resolver):
            asked = [("1.0.0.127.all.example.org", "A"), ("2.0.0.127.error.example.org", "A")]
            assert await wait(resolver.lookup_all(asked, clock() + BUDGET)) == (("127.0.0.2",), ("127.255.255.254",))


async def test_huge_answers_come_over_tcp_and_are_bounded() -> None:
    clock = Clock()
    many = [f"10.{n // 250}.{n % 250}.1" for n in range(3000)]
    with Names({(NAME, "A"): many, (NAME, "TXT"): [" ".join(['"' + "x" * 250 + '"'] * 100)]}) as names:
        resolver = Resolver([names.address], clock=clock)
        async with clean(resolver):
            addresses, texts = await wait(resolver.lookup_all([(NAME, "A"), (NAME, "TXT")], clock() + BUDGET))
            assert addresses == tuple(many[:100])
            assert len(texts[0]) == 8192
            assert resolver.status()["tcp"] == 2
