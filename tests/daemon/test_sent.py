"""Whom our users write to: who becomes known, where, for how long, and how many."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from eximacl.daemon.sent import NEW_A_DAY_MAX, NEW_AT_DOMAIN_MAX, RECIPIENTS_MAX, REQUESTS, Sent, note_sent
from eximacl.mail.address import parse_address
from eximacl.policy.plan import DomainPolicy, Policy, Step
from eximacl.state import MemoryState
from tests.asking import NOW

DAY = 86400.0


async def _nothing(*_given: Any) -> None:
    return None


def policy(spare_known: bool = True, known_days: int = 30) -> Policy:
    step = Step("greylist", _nothing, None, stages=frozenset(("rcpt",)), spare_known=spare_known)
    off = DomainPolicy(())
    return Policy(
        {"example.org", "example.com", "off.example"},
        DomainPolicy((step,)),
        {"off.example": off},
        known_days=known_days,
    )


def note(
    state: MemoryState, sender: str, *recipients: str, user: str = "", now: float = NOW, given: Policy | None = None
) -> int:
    sent = Sent(parse_address(sender), tuple(map(parse_address, recipients)), user, now)
    return asyncio.run(note_sent(given or policy(), state, sent))


def known(state: MemoryState, now: float = NOW) -> list[str]:
    return [one.key for one in state.sightings("sent:", now)]


ROWS: list[tuple[str, list[str], list[str]]] = [
    ("steve@example.org", ["ann@partner.example"], ["sent:example.org:ann@partner.example"]),
    ("steve@example.com", ["ann@partner.example"], ["sent:example.com:ann@partner.example"]),
    ("steve@EXAMPLE.org", ["Ann+Shop@Partner.EXAMPLE"], ["sent:example.org:ann@partner.example"]),
    ("prvs=0787b0b1b2=steve@example.org", ["ann@partner.example"], ["sent:example.org:ann@partner.example"]),
    ("steve@example.org", ["prvs=0787b0b1b2=ann@partner.example"], ["sent:example.org:ann@partner.example"]),
    ("steve@example.org", ["juha@example.org", "juha@example.com", "juha@off.example"], []),
    ("steve@off.example", ["ann@partner.example"], []),
    ("steve@elsewhere.example", ["ann@partner.example"], []),
    ("", ["ann@partner.example"], []),
    ("steve@example.org", ["ann"], []),
    ("steve@example.org", ["\udcff@partner.example"], ["sent:example.org:\udcff@partner.example"]),
]


@pytest.mark.parametrize(("sender", "recipients", "expected"), ROWS)
def test_who_becomes_known(sender: str, recipients: list[str], expected: list[str]) -> None:
    state = MemoryState()
    assert note(state, sender, *recipients) == len(expected)
    assert known(state) == expected


def test_nobody_becomes_known_where_no_check_spares_them() -> None:
    state = MemoryState()
    assert note(state, "steve@example.org", "ann@partner.example", given=policy(spare_known=False)) == 0
    assert state.size() == (0, 0)


def test_they_are_forgotten_some_days_after_the_last_message() -> None:
    state = MemoryState()
    note(state, "steve@example.org", "ann@partner.example")
    assert note(state, "juha@example.org", "ann@partner.example", now=NOW + 20 * DAY) == 0
    assert len(known(state, NOW + 50 * DAY - 1)) == 1
    assert known(state, NOW + 50 * DAY) == []


def test_many_recipients_are_nobodys_correspondents() -> None:
    state = MemoryState()
    recipients = [f"r{number}@partner.example" for number in range(RECIPIENTS_MAX + 1)]
    assert note(state, "steve@example.org", *recipients) == 0
    assert note(state, "steve@example.org", *recipients[1:]) == RECIPIENTS_MAX


def test_a_stolen_account_does_not_fill_the_state() -> None:
    state = MemoryState()
    for number in range(NEW_A_DAY_MAX + 50):
        note(state, "steve@example.org", f"r{number}@partner.example")
    assert len(known(state)) == NEW_A_DAY_MAX
    # Whom he has written to before stays known, others of the house are not concerned, and the next day he is free.
    assert note(state, "steve@example.org", "r1@partner.example") == 0
    assert note(state, "juha@example.org", "new@partner.example") == 1
    assert note(state, "steve@example.org", "newer@partner.example", now=NOW + DAY) == 1


SENDERS = {
    "another localpart each time": ("s{}@example.org", "steve"),
    "another subaddress": ("steve+{}@example.org", "steve"),
    "another tag": ("prvs=0787b{:05x}=steve@example.org", "steve"),
    "at two domains": ("s{}@{domain}", "steve"),
    "a login in another case": ("s{}@example.org", "{case}"),
}


@pytest.mark.parametrize(("sender", "user"), SENDERS.values(), ids=SENDERS)
def test_an_account_under_many_names_makes_no_more_known(sender: str, user: str) -> None:
    state = MemoryState()
    for number in range(NEW_A_DAY_MAX + 50):
        domain = ("example.org", "example.com")[number % 2]
        case = ("Steve", "STEVE", "steve")[number % 3]
        note(state, sender.format(number, domain=domain), f"r{number}@partner.example", user=user.format(case=case))
    assert len(known(state)) == NEW_A_DAY_MAX
    assert note(state, "steve@example.org", "new@partner.example", user="juha") == 1


@pytest.mark.parametrize("user", ["", "u{}"])
def test_many_accounts_do_not_fill_it_either(user: str) -> None:
    """With an authenticator that does not say who it is, too, where each sender counts as a user."""
    state = MemoryState()
    new = [
        note(state, f"s{number}@example.org", f"r{number}@partner.example", user=user.format(number))
        for number in range(NEW_AT_DOMAIN_MAX + 50)
    ]
    assert sum(new) == NEW_AT_DOMAIN_MAX
    assert note(state, "steve@example.org", "r1@partner.example", user="steve") == 0
    assert note(state, "steve@example.com", "new@partner.example", user="steve") == 1


def test_whether_any_is_known() -> None:
    state = MemoryState()

    def some() -> object:
        async def ask() -> object:
            return await REQUESTS["known-senders"].work(state, {}, NOW)

        return asyncio.run(ask())

    assert some() == {"some": False}
    note(state, "steve@example.org", "ann@partner.example")
    assert some() == {"some": True}
