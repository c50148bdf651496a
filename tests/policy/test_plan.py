"""Whose mail is exempt, and which checks run for a domain at a stage."""

from __future__ import annotations

import pytest

from eximacl.policy.plan import DomainPolicy, Exempt
from eximacl.policy.query import Query
from eximacl.protocol.exim import build_query, parse_query
from tests.scripted import exempt_of, plan_of, policy_of, run, step_of

RCPT = 'rcpt v=1 tx=T ip=192.0.2.7 host="" helo=h from="a@example.net" rcpt="Steve@example.org"'


def query_of(line: str) -> Query:
    return parse_query(line.encode())


EXEMPTIONS = [
    ("recipients=steve", "recipients: steve"),
    ("recipients=@example.org", "recipients: @example.org"),
    ("senders=a", "senders: a"),
    ("sender_domains=net", "sender_domains: net"),
    ("ips=192.0.2.0/24", "ips: 192.0.2.7"),
    ("hosts=example.com", "hosts: example.com"),
    ("hosts=/^mx[.]/", "hosts: /^mx[.]/"),
    ("clients=192.0.2", "clients: 192.0.2.7"),
    ("clients=*.example.com", "clients: example.com"),
    ("clients=/^mx[.]example/", "clients: /^mx[.]example/"),
    ("greetings=h", "greetings: h"),
    ("greetings=/^h$/", "greetings: /^h$/"),
    ("senders=/^a@/", "senders: /^a@/"),
    ("senders=@.net", "senders: @.net"),
]


@pytest.mark.parametrize(("exempt", "why"), EXEMPTIONS)
def test_an_exemption_names_its_list_and_entry(exempt: str, why: str) -> None:
    line = RCPT.replace('host=""', "host=mx.example.com")
    assert exempt_of(exempt).match(query_of(line)) == why
    assert run(policy_of(plan_of("a=hit", exempt)), query_of(line)).trace[0].detail == why


SUBADDRESSES = [
    ("joe+shop", "+", True),
    ("JOE+shop", "+", True),
    ("joe+shop+more", "+", True),
    ("joe+", "+", True),
    ("joe-shop", "+", False),
    ("joe-shop", "+-", True),
    ("joe+shop", "", False),
    ("+joe", "+", False),
    ("joes+shop", "+", False),
]


@pytest.mark.parametrize("exempt", ["recipients=joe", "recipients=joe@example.org"])
@pytest.mark.parametrize(("localpart", "separators", "covered"), SUBADDRESSES)
def test_a_recipients_exemption_covers_its_subaddresses(
    localpart: str, separators: str, covered: bool, exempt: str
) -> None:
    step = step_of(f"a!{exempt}=hit")
    asked = query_of(RCPT.replace("Steve", localpart))
    for plan in (
        DomainPolicy((step_of("a=hit"),), (exempt_of(exempt),), separators),
        DomainPolicy((step,), (), separators),
    ):
        assert run(policy_of(plan), asked).word == ("accept" if covered else "reject")


def test_a_subaddress_may_be_exempt_alone() -> None:
    listed = exempt_of("recipients=joe+shop")
    assert listed.match(query_of(RCPT.replace("Steve", "joe+shop"))) == "recipients: joe+shop"
    assert listed.match(query_of(RCPT.replace("Steve", "joe"))) is None


def test_nobody_is_exempt_by_default() -> None:
    assert Exempt().match(query_of(RCPT)) is None
    assert Exempt().match(Query("connect", {})) is None


@pytest.mark.parametrize("entry", ["steve: @example.net", "@example.org: a@example.net", "STEVE@example.org: a"])
def test_a_sender_may_be_exempt_for_one_recipient(entry: str) -> None:
    assert exempt_of(f"senders={entry}").match(query_of(RCPT)) == f"senders: {entry.lower()}"


@pytest.mark.parametrize(
    ("exempt", "values"),
    [
        ("senders=joe: @example.net", {}),
        ("senders=steve: @example.net", {"from": ""}),
        ("greetings=mx.example.net", {}),
        ("hosts=/^mx/", {"host": ""}),
    ],
)
def test_who_is_not_exempt(exempt: str, values: dict[str, str]) -> None:
    asked = query_of(RCPT)
    assert exempt_of(exempt).match(build_query("rcpt", {**asked.values, **values})) is None


def test_a_pattern_that_takes_too_long_exempts() -> None:
    """Nothing may be refused because of it, as with everything else that could not be found out."""
    slow = "xy" * 60 + "!"
    why = exempt_of("greetings=/^(?:xy|xyxy)+$/").match(build_query("rcpt", {**query_of(RCPT).values, "helo": slow}))
    assert why is not None
    assert why.startswith("a pattern took over 5 ms")


@pytest.mark.parametrize(
    ("exempt", "about"), [("recipients=steve", True), ("senders=steve: a@example.net", True), ("senders=a", False)]
)
def test_which_exemptions_are_about_recipients(exempt: str, about: bool) -> None:
    assert exempt_of(exempt).has_recipients is about


def test_steps_of_a_stage_keep_the_order_and_leave_out_what_is_off() -> None:
    plan = DomainPolicy((step_of("b=pass"), step_of("data=pass"), step_of("off:off=pass"), step_of("a=pass")))
    assert [step.name for step in plan.steps("rcpt")] == ["b", "a"]
    assert [step.name for step in plan.steps("data")] == ["data"]
    assert plan.steps("end") == ()


def test_a_step_that_is_only_listened_to_replays() -> None:
    stages = plan_of("a:observe=hit both=heard(a)").stages
    assert [(ask.check, ask.replaying_at_data) for _, ask, _ in stages["data"].turns] == [("a", True), ("both", False)]
    assert [(ask.check, ask.replaying_at_data) for _, ask, _ in stages["rcpt"].turns] == [("a", False), ("both", False)]
    assert stages["data"].turns[0][1].action == "observe"


def test_a_domain_that_is_not_ours_has_no_policy() -> None:
    assert policy_of(plan_of("a=hit")).for_domain("example.net") is None
