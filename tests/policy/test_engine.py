"""The ordered run: actions, exemptions, aliases, places and the trace, from a golden table and a few close looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eximacl.config import load
from eximacl.daemon.answers import Answers as StateAnswers
from eximacl.daemon.answers import NoNetwork
from eximacl.policy.drive import drive_now
from eximacl.policy.engine import decide
from eximacl.policy.outcome import Decision, OnUnknown, Outcome, Traced, Unknown
from eximacl.policy.places import Place
from eximacl.policy.plan import DomainPolicy, Step
from eximacl.policy.query import Query
from eximacl.policy.questions import AnyRequest, ArchiveMessage, Ask, CommitSlots, PeekSlot, ReleaseSlots, ReserveSlot
from eximacl.protocol.exim import parse_query
from eximacl.state import MemoryState
from tests.asking import NOW, query
from tests.golden import rows
from tests.scripted import Answers, plan_of, policy_of, run, step_of, trace_of

RCPT = 'rcpt v=1 tx=T ip=192.0.2.7 host="" helo=h from="a@example.net" rcpt="Steve@example.org"'


def query_of(line: str) -> Query:
    return parse_query(line.encode())


@pytest.mark.parametrize(
    ("line", "exempt", "steps", "answers", "verdict", "want", "trace"),
    [["" if cell == "-" else cell for cell in row[1:]] for row in rows("policy")],
    ids=[row[0] for row in rows("policy")],
)
def test_golden_table(line: str, exempt: str, steps: str, answers: str, verdict: str, want: str, trace: str) -> None:
    decision = run(policy_of(plan_of(steps, exempt)), query_of(line), answers)
    assert " ".join(filter(None, (decision.word, decision.check, decision.reason))) == verdict
    assert " ".join(decision.want) == want
    assert trace_of(decision) == trace


def test_an_objection_carries_all_that_was_found() -> None:
    decision = run(policy_of(plan_of("a=hit")), query_of(RCPT))
    assert (decision.detail, decision.text, decision.sentence, decision.status) == (
        "detail",
        "a objects",
        "a objected",
        "7.1",
    )
    assert decision.trace[0][:4] == ("a", "reject", "a-hit", "detail")


@pytest.mark.parametrize(
    ("steps", "closes"),
    [("a:drop=hit", True), ("a=hit(drop)", True), ("a=hit", False), ("a:drop=temp", False), ("a:drop=pass", False)],
)
def test_a_drop_closes_the_connection(steps: str, closes: bool) -> None:
    assert run(policy_of(plan_of(steps)), query_of(RCPT)).closes == closes


def test_the_text_stands_in_for_a_missing_sentence() -> None:
    decision = run(policy_of(plan_of("a=temp")), query_of(RCPT))
    assert (decision.sentence, decision.status) == ("a objects for now", "2.3")


def test_unknown_says_nothing_of_the_inside_to_the_client() -> None:
    decision = run(policy_of(plan_of("a/defer=unknown")), query_of(RCPT))
    assert decision.text == "temporary local problem; please send it again"
    assert (decision.detail, decision.status) == ("a cannot tell", "4.3")


def test_a_lost_place_asks_for_another_try() -> None:
    data = query_of('data v=1 tx=T ip="" from="" rcpts="" want="data end"')
    lost = run(policy_of(plan_of("a=pass")), data, "commit=lost")
    dead = run(policy_of(plan_of("a=pass")), data, "commit=unknown")
    assert (lost.text, lost.status) == ("this message took too long to be counted; please send it again", "3.0")
    assert dead.text == "temporary local problem; please send it again"


def test_a_domain_has_its_own_plan() -> None:
    policy = policy_of(plan_of("a=hit"), {"example.com": plan_of("b:defer=hit")})
    assert run(policy, query_of(RCPT)).check == "a"
    assert run(policy, query_of(RCPT.replace("example.org", "Example.COM."))).check == "b"
    assert policy.for_domain("example.net") is None


def test_data_asks_each_recipients_own_plan() -> None:
    policy = policy_of(plan_of("a=pass"), {"example.com": plan_of("data=hit")})
    start = 'data v=1 tx=T ip="" from="" rcpts='
    assert run(policy, query_of(start + '"x@example.org, y@example.net"')).word == "accept"
    assert run(policy, query_of(start + '"x@example.org, y@example.com"')).check == "data"


def test_early_stages_have_their_own_plan_where_there_is_one() -> None:
    connect = query_of("connect v=1 ip=192.0.2.7")
    assert run(policy_of(plan_of("a=hit")), connect).check == "a"
    assert run(policy_of(plan_of("a=hit"), early=plan_of("b=hit")), connect).check == "b"


def test_places_are_asked_for_under_the_transactions_id() -> None:
    asked: list[tuple[str, object]] = []

    def judged(line: str, answer: object) -> None:
        def answers(request: AnyRequest) -> object:
            asked.append((request.ask.check, request.question))
            return answer

        drive_now(decide(policy_of(plan_of("a=place(key)")), query_of(line)), answers)

    judged(RCPT, Place("reserved", 1, 1))
    judged('data v=1 tx=T ip="" from="" rcpts="" want="data end"', "committed")
    judged("end v=1 tx=T", 1)
    assert asked == [
        ("a", PeekSlot("key", 1, "T")),
        ("a", ReserveSlot("key", 1, "T")),
        ("transaction", CommitSlots("T")),
        ("transaction", ReleaseSlots("T")),
    ]


def test_each_check_is_timed_only_when_explaining() -> None:
    ticks = iter(range(100))
    policy = policy_of(plan_of("a=place(k) b=pass c!senders=x@example.net=unknown d=hit"))
    decision = drive_now(decide(policy, query_of(RCPT), lambda: float(next(ticks))), Answers(""))
    assert [(line.check, line.seconds) for line in decision.trace] == [("a", 1.0), ("b", 1.0), ("c", 1.0), ("d", 1.0)]
    plain = run(policy, query_of(RCPT))
    assert {line.seconds for line in plain.trace} == {0.0}


def test_a_reservation_is_timed_from_its_own_start() -> None:
    ticks = iter([0.0, 1.0, 10.0, 15.0])
    policy = policy_of(plan_of("a=place(k)"))
    decision = drive_now(decide(policy, query_of(RCPT), lambda: next(ticks)), Answers("reserve=reserved"))
    assert [line.seconds for line in decision.trace] == [1.0, 5.0]


class BrokenCheck(Exception):
    pass


async def _raises(query: Query, options: None, ask: Ask) -> Outcome:
    raise BrokenCheck("oh")


async def _exits(query: Query, options: None, ask: Ask) -> Outcome:
    raise SystemExit(1)


async def _returns_what_is_no_outcome(query: Query, options: None, ask: Ask) -> Any:
    return True


@pytest.mark.parametrize("on_unknown", ["accept", "defer"])
@pytest.mark.parametrize(
    ("function", "detail"),
    [
        (_raises, "a bug in this check: BrokenCheck: oh"),
        (_exits, "a bug in this check: SystemExit: 1"),
        (
            _returns_what_is_no_outcome,
            "a bug in this check: TypeError: returned True, which is not an outcome",
        ),
    ],
)
def test_a_bug_in_a_check_is_its_unknown(function: Any, detail: str, on_unknown: OnUnknown) -> None:
    step = Step("broken", function, None, stages=frozenset(("rcpt",)), on_unknown=on_unknown)
    decision = run(policy_of(DomainPolicy((step, step_of("a=hit")))), query_of(RCPT))
    assert Traced("broken", "unknown", "unknown", detail) in decision.trace
    assert decision.check == ("a" if on_unknown == "accept" else "broken")
    assert [bug.check for bug in decision.bugs] == ["broken"]
    assert detail.endswith(f"{type(decision.bugs[0].error).__name__}: {decision.bugs[0].error}")


def test_a_bug_stands_in_the_decision_to_accept_and_in_the_one_at_data() -> None:
    rcpt, data = (Step("broken", _raises, None, stages=frozenset((stage,))) for stage in ("rcpt", "data"))
    for step, line in ((rcpt, RCPT), (data, 'data v=1 tx=T ip="" from="" rcpts="x@example.org"')):
        decision = run(policy_of(DomainPolicy((step,))), query_of(line))
        assert (decision.word, [str(bug.error) for bug in decision.bugs]) == ("accept", ["oh"])


def test_without_a_transaction_nothing_can_be_reserved() -> None:
    decision = run(policy_of(plan_of("a/defer=place(k)")), query_of(RCPT.replace("tx=T", 'tx=""')))
    assert (decision.word, decision.reason) == ("defer", "a-unknown")
    assert decision.detail == "the query names no transaction (tx=), so the message cannot be counted"


def test_an_admins_message_takes_the_place_of_the_checks_own() -> None:
    plain = step_of("a=hit")
    step = Step("a", plain.run, None, stages=plain.stages, message="{ip} go away")
    decision = run(policy_of(DomainPolicy((step,))), query_of(RCPT))
    assert (decision.text, decision.sentence) == ("192.0.2.7 go away", "a objected")


def test_after_an_alias_messages_still_name_the_address_that_was_sent() -> None:
    alias = step_of("a=alias(owner)")
    hit = step_of("b=hit")
    step = Step("b", hit.run, None, stages=hit.stages, message="{localpart}")
    assert run(policy_of(DomainPolicy((alias, step))), query_of(RCPT)).text == "Steve"


COUNTED = """
[policy]
domains = ["example.org"]
order = ["disposable", "rate", "bounce_storm", "greylist"]
[checks.disposable]
action = "observe"
timezone = "UTC"
[checks.rate]
action = "observe"
windows.hour.client = 1
[checks.bounce_storm]
action = "observe"
limit = 2
[checks.greylist]
action = "defer"
when = "suspicious"
suspicious = ["disposable", "rate", "bounce_storm"]
"""


def test_what_is_only_heard_at_data_counts_nothing_again(tmp_path: Path) -> None:
    (tmp_path / "eximacl.toml").write_text(COUNTED)
    policy, state = load(tmp_path / "eximacl.toml").policy, MemoryState()
    decisions = []
    for number in range(3):
        for stage in ("rcpt", "data"):
            given = {"from_": "", "tx": str(number), "rcpt": "steve.3.count@example.org"}
            given |= {"rcpts": given["rcpt"], "want": "data end"} if stage == "data" else {}
            asked = query(stage, **given)._replace(now=NOW + number)
            decisions.append(drive_now(decide(policy, asked), StateAnswers(state, NoNetwork(), asked)))
        assert state.tally("bounce_storm:steve@example.org", 600, NOW + number) == number + 1
        assert state.tally("rate:60:client:192.0.2.7/32", 600, NOW + number) == 1
    assert [decision.word for decision in decisions] == ["accept", "defer"] * 3


def test_a_place_that_is_only_heard_of_at_data_is_used_for_good_all_the_same() -> None:
    policy, state = policy_of(plan_of("a=place(k) both=heard(a)")), MemoryState()
    for asked in (query(), query("data", want="data end")):
        decision = drive_now(decide(policy, asked), StateAnswers(state, NoNetwork(), asked))
        assert decision.word == "accept"
    assert state.peek("k", 1, "another", NOW).slot == "full"


# steps, an earlier query's steps, what is counted: `good`, `bad`, or nothing
FATES = [
    ("accepted", "f=fate(b) b=pass", "good"),
    ("refused", "f=fate(b) b=hit", "bad"),
    ("held", "f=fate(b) b:hold=hit", "bad"),
    ("dropped", "f=fate(b) b:drop=hit", "bad"),
    ("put off", "f=fate(b) b:defer=hit", ""),
    ("put off for a time", "f=fate(b) b=temp", ""),
    ("unknown, put off", "f=fate(b) b/defer=unknown", ""),
    ("unknown, accepted", "f=fate(b) b=unknown", "good"),
    ("refused by another", "f=fate(b) b=pass c=hit", ""),
    ("refused by another, before", "f=fate(b) c=hit b=hit", ""),
    ("observed", "f=fate(b) b:observe=hit", "good"),
    ("both observed", "f:observe=fate(b) b:observe=hit", "bad"),
    ("both observed, refused by another", "f:observe=fate(b) b:observe=hit c=hit", "bad"),
    ("refused before it", "b=hit f=fate(b)", ""),
    ("spared", "f=fate(b) s=spared b=hit", "good"),
    ("no place", "f=fate(p) p=place(full)", ""),
    ("a bug in it", "f=bug b=hit", ""),
]


@pytest.mark.parametrize(("steps", "counted"), [row[1:] for row in FATES], ids=[row[0] for row in FATES])
def test_a_recipients_fate_is_counted(steps: str, counted: str) -> None:
    state = MemoryState()
    state.reserve("full", 1, "another", NOW, NOW + 60)
    asked = query()
    drive_now(decide(policy_of(plan_of(steps)), asked), StateAnswers(state, NoNetwork(), asked))
    found = {key: state.tally(key, 60, NOW) for key in ("good", "bad")}
    assert found == {key: int(key == counted) for key in ("good", "bad")}


NAMED = [
    ("accepted, the same one", "f=fate(b)", ["steve", "steve", "STEVE", "steve+a", "steve+b"], {"good": 2, "bad": 0}),
    ("accepted, each twice", "f=fate(b)", ["steve", "ann", "steve", "ann", "steve"], {"good": 4, "bad": 0}),
    ("refused, the same one", "f=fate(b) b=hit", ["joe", "joe", "JOE"], {"good": 0, "bad": 1}),
    ("refused, each once", "f=fate(b) b=hit", ["joe", "jim", "jim+a", "joe"], {"good": 0, "bad": 3}),
]


@pytest.mark.parametrize(("steps", "names", "counted"), [row[1:] for row in NAMED], ids=[row[0] for row in NAMED])
def test_one_recipient_counts_a_few_times(steps: str, names: list[str], counted: dict[str, int]) -> None:
    state, policy = MemoryState(), policy_of(plan_of(steps))
    for name in names:
        asked = query(rcpt=f"{name}@example.org")
        drive_now(decide(policy, asked), StateAnswers(state, NoNetwork(), asked))
    assert {key: state.tally(key, 60, NOW) for key in ("good", "bad")} == counted


def test_one_recipient_counts_again_when_the_window_has_passed() -> None:
    state, policy = MemoryState(), policy_of(plan_of("f=fate(b)"))
    for seconds in range(0, 120, 5):
        asked = query()._replace(now=NOW + seconds)
        drive_now(decide(policy, asked), StateAnswers(state, NoNetwork(), asked))
        assert state.tally("good", 60, NOW + seconds) == (2 if seconds else 1)


@pytest.mark.parametrize("steps", ["f=fate(b) b=hit", "f=fate(b) b=pass"])
def test_a_fate_that_cannot_be_counted_stays_what_it_is(steps: str) -> None:
    without = run(policy_of(plan_of(steps.replace("fate(b)", "pass"))), query_of(RCPT))
    assert run(policy_of(plan_of(steps)), query_of(RCPT), "tally=unknown") == without


def test_a_heard_check_that_refuses_at_data_gives_the_places_back() -> None:
    policy, state = policy_of(plan_of("b=hit both=heard(b)")), MemoryState()
    state.reserve("k", 1, "4711-1", NOW, NOW + 60)
    asked = query("data", want="data end")
    decision = drive_now(decide(policy, asked), StateAnswers(state, NoNetwork(), asked))
    assert (decision.check, state.peek("k", 1, "another", NOW).slot) == ("b", "reserved")


# Held messages.

HELD = 'data v=1 tx=T ip="" from="" rcpts="b@example.org" held=8RB3N2E5 held_reason=a-hit held_check=a want="data end"'


def held(line: str, archived: tuple[str, ...] | Unknown) -> Decision:
    asked: list[AnyRequest] = []

    def archive(request: AnyRequest) -> object:
        asked.append(request)
        return archived

    decision = drive_now(decide(policy_of(plan_of("data=hit")), query_of(line)), archive)
    assert [(one.ask.check, one.question) for one in asked] == [("archive", ArchiveMessage(query_of(line)))]
    return decision


def test_a_held_message_is_archived_and_refused_as_its_recipient_was() -> None:
    decision = held(f'{HELD} held_sentence="Mail for steve not accepted"', ("one.example.org", "one.example.com"))
    assert (decision.word, decision.check, decision.reason) == ("hold", "a", "a-hit")
    assert (decision.sentence, decision.archived) == (
        "Mail for steve not accepted",
        ("one.example.org", "one.example.com"),
    )
    assert decision.trace == (Traced("archive", "hold", "archived", "one.example.org"),)


def test_what_cannot_be_archived_is_refused_all_the_same() -> None:
    decision = held(HELD, Unknown("the disk is full"))
    assert (decision.word, decision.detail, decision.archived) == ("reject", "the disk is full", ())
    assert (decision.sentence, decision.text) == ("Mail not accepted", "this message is not accepted here")
    assert decision.trace == (Traced("archive", "unknown", "not-archived", "the disk is full"),)


def test_a_dry_query_about_a_held_message_is_judged_like_any_other() -> None:
    assert run(policy_of(plan_of("data=hit")), query_of(HELD.replace('want="data end"', "dry=1"))).check == "data"
