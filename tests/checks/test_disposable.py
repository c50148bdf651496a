"""The check `disposable`: what is accepted, counted, deferred and refused, and what the client gets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eximacl.check import declared
from eximacl.checks.disposable import FARTHEST_DAYS_MAX, Options, disposable
from eximacl.checks.valid_recipient import Options as ValidOptions
from eximacl.checks.valid_recipient import valid_recipient
from eximacl.config import load
from eximacl.daemon.answers import Answers, NoNetwork
from eximacl.mail.disposable import mint, standing
from eximacl.mail.lists import Recipients, Secrets
from eximacl.policy.drive import drive_now
from eximacl.policy.engine import decide
from eximacl.policy.outcome import Alias, Decision, Hit, Outcome, Unknown
from eximacl.policy.places import AddressChange, Terms
from eximacl.policy.plan import DomainPolicy, Policy, Step
from eximacl.policy.query import Query
from eximacl.policy.state import RESERVATION_SECONDS, StateError
from eximacl.protocol.exim import parse_line, reply_for
from eximacl.state import MemoryState, SqliteState
from tests.asking import NOW, Dead, judge, query, reserve
from tests.checks.test_pages import BLOCK, DOCS, ROW


def options(**changes: Any) -> Options:
    """Return the options as the config reads them from an empty table, but for `changes`."""
    check = declared(disposable)
    assert check is not None
    given = {option.name: option.default for option in check.options}
    return Options(**{**given, "timezone": ZoneInfo("UTC"), "secrets": Secrets(), **changes})


SIGNING: dict[str, Any] = {"sign": True, "secrets": Secrets(["a secret of sixteen letters"])}
THREE = query(rcpt="steve.3.count@example.org")
STEVE = "steve.3.count@example.org"
Kept: TypeAlias = MemoryState | SqliteState


@pytest.fixture(params=["memory", "sqlite"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    opened: Kept = MemoryState() if request.param == "memory" else SqliteState(tmp_path / "state.db")
    yield opened
    opened.close()


def test_declaration() -> None:
    check = declared(disposable)
    assert check is not None
    assert check.stages == {"rcpt"}
    assert (check.action, check.on_unknown) == ("reject", "defer")


@pytest.mark.parametrize(
    ("rcpt", "changes", "expected"),
    [
        ("steve@example.org", {}, None),
        ("steve.count@example.org", {}, None),
        ("steve.count@example.org", {"default_count": 3}, "steve"),
        ("steve.count.3@example.org", {}, "steve"),
        ("steve.date.2027-01-16@example.org", {}, "steve"),
        ("steve.date.2027-01-15@example.org", {}, "dated-expired"),
        ("steve.3.count@example.org", {}, "steve"),
        ("Steve.3.Count@Example.ORG", {}, "Steve"),
        ("steve.date.16-01-2027@example.org", {}, "steve"),
        ("steve.date.15-01-2027@example.org", {}, "dated-expired"),
        # 08:00 in London, 22:00 on the day before in Honolulu
        ("steve.date.15-01-2027@example.org", {"timezone": ZoneInfo("Pacific/Honolulu")}, "steve"),
        ("steve.date.16-01-2027@example.org", {"timezone": ZoneInfo("Pacific/Kiritimati")}, "steve"),
        ("steve.date.01-01-2000@example.org", {}, "dated-expired"),
        ("steve.date.16-01-2029@example.org", {}, "steve"),
        ("steve.date.17-01-2029@example.org", {}, "dated-too-far"),
        ("steve.date.31-12-9999@example.org", {}, "dated-too-far"),
        ("steve.date.31-12-9999@example.org", {"farthest_days": FARTHEST_DAYS_MAX}, "dated-too-far"),
        ("steve.date.31-02-2027@example.org", {}, "dated-invalid"),
        ("steve.0.count@example.org", {}, "counted-invalid"),
        ("steve.101.count@example.org", {}, "counted-invalid"),
        ("steve.101.count@example.org", {"largest_count": 101}, "steve"),
        ("steve.03.count@example.org", {}, "counted-invalid"),
        (f"steve.{'9' * 1000}.count@example.org", {}, "counted-invalid"),
        ("steve.٣.count@example.org", {}, "counted-invalid"),
        (".3.count@example.org", {}, "disposable-nameless"),
        ("steve.3.count.5.count@example.org", {}, "disposable-nested"),
        ("steve.3.count@example.org", SIGNING, "signature-missing"),
        ("steve.date.15-01-2027@example.org", SIGNING, "signature-missing"),
        ("steve.3.count.aaaaaaaa@example.org", SIGNING, "signature-bad"),
        ("steve.3.count.aaaaaaaa@example.org", {}, "steve"),
    ],
)
def test_what_it_finds(rcpt: str, changes: dict[str, Any], expected: str | None) -> None:
    outcome = judge(disposable, query(rcpt=rcpt), options(**changes))
    if isinstance(outcome, Hit):
        assert outcome.reason == expected
        assert not outcome.temporary
    elif isinstance(outcome, Alias):
        assert outcome.mailbox == expected
        assert (outcome.reserve is not None) == ("count" in rcpt.lower())
    else:
        assert (outcome, expected) == (None, None)


def test_nothing_to_say_without_a_recipient() -> None:
    assert judge(disposable, query("mail"), options()) is None


def test_it_judges_the_name_that_an_earlier_check_put_in_place() -> None:
    outcome = judge(disposable, query(rcpt="sales@example.org").judged_as("steve.3.count"), options())
    assert isinstance(outcome, Alias)
    assert outcome.mailbox == "steve"


@pytest.mark.parametrize(
    "rcpt", ["steve.0.count@example.org", "steve.date.31-02-2027@example.org", ".3.count@example.org"]
)
def test_what_is_none_is_answered_as_an_unknown_recipient_is(rcpt: str) -> None:
    unknown = judge(valid_recipient, query(rcpt=rcpt), ValidOptions(recipients=Recipients(["x"])))
    outcome = judge(disposable, query(rcpt=rcpt), options())
    assert isinstance(outcome, Hit)
    assert isinstance(unknown, Hit)
    assert (outcome.text, outcome.sentence, outcome.status) == (unknown.text, unknown.sentence, unknown.status)
    assert outcome.reason != unknown.reason


def test_what_the_client_and_the_log_are_told() -> None:
    expired = judge(disposable, query(rcpt="steve.date.15-01-2027@example.org"), options())
    assert expired == Hit(
        "dated-expired",
        "2027-01-15",
        "mail to steve.date.15-01-2027 not accepted here since 2027-01-15",
        "Mail for steve.date.15-01-2027 not accepted at example.org since 2027-01-15",
        "2.1",
        stands_for=Alias("steve"),
    )
    state = MemoryState()
    one = query(rcpt="steve.1.count@example.org")
    state.reserve("counted:steve.1.count@example.org", 1, "another", NOW, NOW + 10)
    assert reserve(judge(disposable, one, options(), state=state), state=state) == Hit(
        "counted-pending",
        "1",
        "another message to steve.1.count is just coming in; please try again later",
        "Mail for steve.1.count not yet accepted at example.org: the last of 1 places is reserved",
        "2.1",
        temporary=True,
    )
    state.commit("another", NOW)
    assert reserve(judge(disposable, one, options(), state=state), state=state) == Hit(
        "counted-used-up",
        "1",
        "mail to steve.1.count not accepted here: this address has reached its limit of 1",
        "Mail for steve.1.count not accepted at example.org: 1 of 1 messages taken",
        "2.1",
    )


# --- counting


def deliver(state: Kept, number: int, rcpt: str = STEVE, now: float = NOW, **changes: Any) -> str:
    """Ask about one recipient in transaction `number`; return what became of the place."""
    outcome: Outcome = judge(disposable, query(rcpt=rcpt, tx=f"t{number}"), options(**changes), state=state, now=now)
    last = reserve(outcome, state=state, now=now, tx=f"t{number}")
    return last.reason if isinstance(last, Hit) else str(last)


def test_n_messages_ever(state: Kept) -> None:
    for number in range(3):
        assert deliver(state, number) == "None"
        assert state.commit(f"t{number}", NOW) == "committed"
    assert deliver(state, 3) == "counted-used-up"
    assert deliver(state, 4, now=NOW + 20 * 365 * 86400) == "counted-used-up"


def test_no_more_at_once_than_there_are_places(state: Kept) -> None:
    assert [deliver(state, number) for number in range(5)] == ["None"] * 3 + ["counted-pending"] * 2
    state.release("t0")
    assert deliver(state, 3) == "None"
    assert deliver(state, 4) == "counted-pending"


def test_an_aborted_message_does_not_count(state: Kept) -> None:
    for number in range(10):
        assert deliver(state, number) == "None"
        state.release(f"t{number}")


def test_a_reservation_that_nobody_ends_expires(state: Kept) -> None:
    for number in range(3):
        deliver(state, number)
    assert deliver(state, 3, now=NOW + RESERVATION_SECONDS - 1) == "counted-pending"
    assert deliver(state, 3, now=NOW + RESERVATION_SECONDS) == "None"


def test_a_recipient_given_twice_in_a_transaction_counts_once(state: Kept) -> None:
    for rcpt in (STEVE, STEVE, "STEVE.3.COUNT@EXAMPLE.ORG"):
        assert deliver(state, 1, rcpt) == "None"
    assert state.places(f"counted:{STEVE}", NOW) == (0, 1)


def test_signed_or_not_it_is_one_count(state: Kept) -> None:
    signed = mint(options(**SIGNING), "steve", "example.org", NOW, count=3)
    assert deliver(state, 1, signed, **SIGNING) == "None"
    assert deliver(state, 2, signed.upper(), **SIGNING) == "None"
    assert deliver(state, 3, signed) == "None"  # signing was turned off since
    assert deliver(state, 4, STEVE) == "counted-pending"


@pytest.mark.parametrize(
    "rcpt", ["steve.3.count@example.net", "steve.4.count@example.org", "stevie.3.count@example.org"]
)
def test_another_address_is_another_count(state: Kept, rcpt: str) -> None:
    for number in range(3):
        deliver(state, number)
    assert deliver(state, 3, rcpt) == "None"


def test_a_dry_query_reserves_nothing(state: Kept) -> None:
    for number in range(9):
        dry = query(rcpt=STEVE, tx=f"t{number}", dry="1")
        assert reserve(judge(disposable, dry, options()), state=state, dry=True) is None
    assert state.places(f"counted:{STEVE}", NOW) == (0, 0)


def test_a_dry_query_needs_no_transaction() -> None:
    assert reserve(judge(disposable, query(rcpt=STEVE, tx="", dry="1"), options()), dry=True, tx="") is None


def test_without_a_transaction_there_is_no_counting() -> None:
    last = reserve(judge(disposable, query(rcpt=STEVE, tx=""), options()), tx="")
    assert last == Unknown("the query names no transaction (tx=), so the message cannot be counted")


def test_a_state_that_cannot_answer_is_unknown(tmp_path: Path) -> None:
    closed = SqliteState(tmp_path / "state.db")
    closed.close()
    last = reserve(judge(disposable, THREE, options()), state=closed)
    assert isinstance(last, Unknown)
    assert "state.db" in last.detail


@pytest.mark.parametrize("rcpt", ["steve.count.3@example.org", "STEVE.Count.3@example.org", STEVE])
def test_every_spelling_is_one_count(state: Kept, rcpt: str) -> None:
    assert [deliver(state, number, rcpt) for number in range(4)] == ["None"] * 3 + ["counted-pending"]
    assert state.places(f"counted:{STEVE}", NOW) == (0, 3)


# --- its owner's wishes


def told(outcome: Outcome, state: Kept, tx: str, *, commit: bool = True) -> str:
    """Go on with an outcome as the policy does; return the reason of the objection, if there is one."""
    if isinstance(outcome, Alias):
        hit = reserve(outcome, state=state, tx=tx)
        if hit is None and commit:
            state.commit(tx, NOW)
        outcome = hit
    return outcome.reason if isinstance(outcome, Hit) else ""


@pytest.mark.parametrize("rcpt", [STEVE, "steve.date.16-01-2027@example.org"])
@pytest.mark.parametrize("exclusive", ["no", "sender"])
def test_an_address_that_its_owner_has_ended(state: Kept, rcpt: str, exclusive: str) -> None:
    given = options(exclusive=exclusive)
    assert told(judge(disposable, query(rcpt=rcpt), given, state=state), state, "a") == ""
    kind = "dated" if "date" in rcpt else "counted"
    state.revise(f"{kind}:{rcpt}", NOW, AddressChange("steve@example.org", 3, end=True))
    assert told(judge(disposable, query(rcpt=rcpt), given, state=state), state, "b") == "disposable-ended"
    state.revise(f"{kind}:{rcpt}", NOW, AddressChange("steve@example.org", 3, reset=True))
    assert told(judge(disposable, query(rcpt=rcpt), given, state=state), state, "b") == ""


def test_where_the_state_cannot_say_whether_a_dated_address_was_ended_it_is_open() -> None:
    outcome = judge(disposable, query(rcpt="steve.date.16-01-2027@example.org"), options(), state=Dead("known"))
    assert outcome == Alias("steve", None, "last day 2027-01-15")


SHOP, SISTER, SPAM = "shop@example.net", "news@mail.example.net", "x@spam.example"


@pytest.mark.parametrize("rcpt", [STEVE, "steve.date.16-01-2027@example.org"])
@pytest.mark.parametrize(
    ("exclusive", "senders", "refused"),
    [
        ("no", [SHOP, SPAM, ""], []),
        ("sender", [SHOP, SHOP, "SHOP@Example.NET"], []),
        ("sender", [SHOP, SISTER, SPAM, ""], [SISTER, SPAM, ""]),
        ("domain", [SHOP, SISTER, SHOP], []),
        ("domain", [SHOP, SPAM, "", "x@example.com"], [SPAM, "", "x@example.com"]),
        ("domain", ["a@shop.co.uk", "b@news.shop.co.uk", "c@other.co.uk"], ["c@other.co.uk"]),
        # The tag of a signed sender changes with the day.
        ("sender", ["prvs=07875fda59=shop@example.net", "prvs=0789123456=shop@example.net", SHOP], []),
        ("sender", ["btv1==0787b0b1b22==shop@example.net", "msprvs1=17683kD2qmLKR=shop@example.net", SHOP], []),
        # A bounce never makes the address the null sender's.
        ("sender", ["", SHOP, SPAM], [SPAM]),
        ("domain", ["a@[192.0.2.7]", "b@[192.0.2.7]", SHOP], [SHOP]),
    ],
)
def test_one_sender(state: Kept, rcpt: str, exclusive: str, senders: list[str], refused: list[str]) -> None:
    given = options(exclusive=exclusive, largest_count=100)
    rcpt = rcpt.replace(".3.", ".9.")
    found = []
    for number, sender in enumerate(senders):
        outcome = judge(disposable, query(rcpt=rcpt, from_=sender), given, state=state)
        reason = told(outcome, state, f"t{number}")
        assert reason in ("", "disposable-exclusive")
        found += [sender] if reason else []
    assert found == refused


def test_an_owner_has_so_many_new_addresses_a_day(state: Kept) -> None:
    numbers = count()

    def attempt(localpart: str) -> str:
        asked = query(rcpt=f"{localpart}@example.org")
        return told(judge(disposable, asked, options(new_addresses=3), state=state), state, f"t{next(numbers)}")

    assert [attempt(f"steve+{letter}.1.count") for letter in "abcd"] == ["", "", "", "counted-crowded"]
    assert attempt("STEVE.9.count") == "counted-crowded"
    assert attempt("joe.1.count") == ""
    assert attempt("steve+a.1.count") == "counted-used-up"
    state.revise("counted:steve.5.count@example.org", NOW, AddressChange("steve@example.org", 5))
    assert attempt("steve.5.count") == ""
    asked = query(rcpt="steve+e.1.count@example.org")
    assert told(judge(disposable, asked._replace(separators=""), options(new_addresses=3)), state, "e") == ""


CLIENTS: dict[str, tuple[str, str]] = {
    "one address": ("192.0.2.7", "192.0.2.7"),
    "its network": ("192.0.2.{}", "192.0.2.250"),
    "the networks of one host": ("2001:db8:1:{:x}::7", "2001:db8:1:ffff::1"),
}


@pytest.mark.parametrize(("client", "same"), CLIENTS.values(), ids=CLIENTS)
def test_one_client_does_not_use_up_an_owners_new_addresses(state: Kept, client: str, same: str) -> None:
    numbers = count()

    def attempt(localpart: str, ip: str) -> str:
        outcome = judge(disposable, query(rcpt=f"{localpart}@example.org", ip=ip), options(), state=state)
        return told(outcome, state, f"t{next(numbers)}")

    for _ in range(3):  # each counts once, as when greylisting puts it off
        for number in range(25):
            assert judge_reason(state, f"steve+{number}.1.count", client.format(number)) == ""
    assert attempt("steve.9.count", same) == "counted-crowded"
    assert attempt("steve+0.1.count", same) == ""
    assert attempt("steve.9.count", "198.51.100.7") == ""
    assert attempt("joe.9.count", same) == ""
    assert attempt("steve.9.count", same) == ""  # it is known now
    state.revise("counted:steve.5.count@example.org", NOW, AddressChange("steve@example.org", 5))
    assert attempt("steve.5.count", same) == ""


def judge_reason(state: Kept, localpart: str, ip: str) -> str:
    """Return why the check objects; nothing is reserved."""
    outcome = judge(disposable, query(rcpt=f"{localpart}@example.org", ip=ip), options(), state=state)
    return outcome.reason if isinstance(outcome, Hit) else ""


def test_signed_addresses_are_the_owners_own_and_any_client_may_use_them() -> None:
    state, signing = MemoryState(), options(**SIGNING)
    for number in range(30):
        signed = mint(signing, f"steve+{number}", "example.org", NOW, count=1)
        assert isinstance(judge(disposable, query(rcpt=signed), signing, state=state), Alias)


@pytest.mark.parametrize("verb", ["known", "seen", "count", "first_seen"])
def test_a_state_that_cannot_tell_who_is_new_is_no_reason_to_put_mail_off(verb: str) -> None:
    assert isinstance(judge(disposable, THREE, options(), state=Dead(verb)), Alias)


def test_what_is_crowded_stands_for_its_owner() -> None:
    state = MemoryState()
    for number in range(26):
        outcome = judge(disposable, query(rcpt=f"steve+{number}.1.count@example.org"), options(), state=state)
    assert isinstance(outcome, Hit)
    assert (outcome.reason, outcome.temporary, outcome.stands_for) == ("counted-crowded", True, Alias("steve+25"))


def test_what_the_state_keeps_of_an_address(state: Kept) -> None:
    asked = query(rcpt="Steve+Shop.3.count@Example.ORG", from_="Prvs=07875fda59=Shop@Example.NET")
    assert told(judge(disposable, asked, options(), state=state), state, "a") == ""
    known = state.known("counted:steve+shop.3.count@example.org", NOW)
    assert known is not None
    assert (known.owner, known.limit, known.last_sender) == ("steve@example.org", 3, "shop@example.net")


# --- in the policy, with the checks that follow


def policy(**changes: Any) -> Policy:
    """Return a policy of this check and `valid_recipient`, whose only recipient is steve."""
    valid = ValidOptions(recipients=Recipients(["steve"]))
    check = declared(disposable)
    assert check is not None
    rcpt = frozenset({"rcpt"})
    steps = (
        Step("disposable", check.run, options(**changes), stages=check.stages, on_unknown=check.on_unknown),
        Step("valid_recipient", valid_recipient, valid, stages=rcpt),  # type: ignore[arg-type]
    )
    return Policy({"example.org"}, DomainPolicy(steps))


def decided(asked: Query, state: Kept) -> Decision:
    return drive_now(decide(policy(), asked), Answers(state, NoNetwork(), asked))


@pytest.mark.parametrize(
    ("rcpt", "word", "check"),
    [
        ("steve.3.count@example.org", "accept", ""),
        ("steve+tag.3.count@example.org", "accept", ""),
        ("nobody.3.count@example.org", "reject", "valid_recipient"),
        ("nobody.date.16-01-2027@example.org", "reject", "valid_recipient"),
        ("steve.3.count+tag@example.org", "reject", "valid_recipient"),
        ("steve.0.count@example.org", "reject", "disposable"),
    ],
)
def test_the_owner_must_pass_the_checks(rcpt: str, word: str, check: str) -> None:
    decision = decided(query(rcpt=rcpt), MemoryState())
    assert (decision.word, decision.check) == (word, check)
    assert decision.want == (("data", "end") if rcpt.startswith("steve") and "accept" in word else ())


@pytest.mark.parametrize(
    ("rcpt", "labels"),
    [
        (STEVE, ["1 of 3", "2 of 3", "3 of 3", ""]),
        ("steve.count.2@example.org", ["1 of 2", "2 of 2", ""]),
        ("steve.date.16-01-2027@example.org", ["last day 2027-01-15"] * 2),
        ("steve@example.org", [""]),
        ("nobody.3.count@example.org", [""]),
    ],
)
def test_what_the_delivered_message_is_to_say(state: Kept, rcpt: str, labels: list[str]) -> None:
    found = []
    for number, _ in enumerate(labels):
        decision = decided(query(rcpt=rcpt, tx=f"t{number}"), state)
        state.commit(f"t{number}", NOW)
        assert reply_for(decision, "").extra == ({"label": decision.label} if decision.label else {})
        found.append(decision.label)
    assert found == labels


def test_a_dated_address_says_its_last_day_under_exclusive_too(state: Kept) -> None:
    asked = query(rcpt="steve.date.16-01-2027@example.org")
    decision = drive_now(decide(policy(exclusive="domain"), asked), Answers(state, NoNetwork(), asked))
    assert (decision.label, decision.want) == ("last day 2027-01-15", ("data", "end"))


def test_a_refused_owner_leaves_no_place_behind() -> None:
    state = MemoryState()
    decided(query(rcpt="nobody.3.count@example.org"), state)
    assert state.places("counted:nobody.3.count@example.org", NOW) == (0, 0)


def test_from_rcpt_to_the_end(state: Kept) -> None:
    def places() -> tuple[int, int]:
        return state.places(f"counted:{STEVE}", NOW)

    assert decided(query(rcpt=STEVE, tx="a"), state).word == "accept"
    assert places() == (0, 1)
    data = query("data", tx="a", rcpts=STEVE, want="data end")
    assert decided(data, state).word == "accept"
    assert places() == (1, 0)
    decided(query("end", tx="a"), state)  # refused by Exim's own rules after all
    assert places() == (0, 0)
    assert decided(data, state).word == "defer"


class _Dead(MemoryState):
    def reserve(self, *_asked: Any) -> Any:
        raise StateError("dead")


def test_what_cannot_be_counted_is_deferred() -> None:
    decision = decided(THREE, _Dead())
    assert (decision.word, decision.reason) == ("defer", "disposable-unknown")


# --- before what counts and what defers

GUARDED = """
[policy]
domains = ["example.org"]
order = ["disposable", "greylist", "rate"]
[checks.disposable]
timezone = "UTC"
exclusive = "EXCLUSIVE"
new_addresses = 1
action = "ACTION"
[checks.greylist]
action = "GREYLIST"
no_retry = []
[checks.rate.windows.hour]
client = 2
recipient = 2
"""
DATED = "steve.date.16-01-2027@example.org"
CLOSED = AddressChange("steve@example.org", 3, end=True)


def used_up(state: Kept) -> None:
    for number in range(3):
        state.reserve(f"counted:{STEVE}", 3, f"used{number}", NOW, NOW + 60)
        state.commit(f"used{number}", NOW)


def ended(state: Kept) -> None:
    state.revise(f"counted:{STEVE}", NOW, CLOSED)


def dated_ended(state: Kept) -> None:
    state.revise(f"dated:{DATED}", NOW, CLOSED)


def anothers(state: Kept) -> None:
    for kind, rcpt, limit in (("counted", STEVE, 3), ("dated", DATED, 1000)):
        state.reserve(f"{kind}:{rcpt}", limit, rcpt, NOW, NOW + 60, Terms("steve@example.org", "first@example.com"))
        state.commit(rcpt, NOW)


def pending(state: Kept) -> None:
    for number in range(3):
        state.reserve(f"counted:{STEVE}", 3, f"held{number}", NOW, NOW + 60)


def crowded(state: Kept) -> None:
    state.reserve("counted:steve.9.count@example.org", 9, "another", NOW, NOW + 60, Terms("steve@example.org"))


GOOD_MAIL = "steve@example.org"
# what is the matter, recipient, exclusive, reason; whether it stays so for good
NO_PLACE: list[tuple[Any, str, str, str, bool]] = [
    (used_up, STEVE, "no", "counted-used-up", True),
    (used_up, "STEVE.count.3@example.org", "no", "counted-used-up", True),
    (used_up, STEVE, "domain", "counted-used-up", True),
    (ended, STEVE, "no", "disposable-ended", True),
    (ended, STEVE, "sender", "disposable-ended", True),
    (dated_ended, DATED, "no", "disposable-ended", True),
    (dated_ended, DATED, "sender", "disposable-ended", True),
    (anothers, STEVE, "domain", "disposable-exclusive", True),
    (anothers, DATED, "sender", "disposable-exclusive", True),
    (pending, STEVE, "no", "counted-pending", False),
    (crowded, STEVE, "no", "counted-crowded", False),
]


def guarded(tmp_path: Path, state: Kept, exclusive: str, action: str = "reject", greylist: str = "defer") -> Any:
    """Return what asks a policy with `disposable`, `greylist` and `rate` about mail to a recipient."""
    text = GUARDED.replace("EXCLUSIVE", exclusive).replace("ACTION", action).replace("GREYLIST", greylist)
    (tmp_path / "eximacl.toml").write_text(text, encoding="utf-8")
    plans, numbers = load(tmp_path / "eximacl.toml").policy, count()

    def ask(rcpt: str, days: int = 0) -> str:
        asked = query(rcpt=rcpt, tx=f"t{next(numbers)}")._replace(now=NOW + days * 86400)
        decision = drive_now(decide(plans, asked), Answers(state, NoNetwork(), asked))
        return f"{decision.word} {decision.reason}".strip()

    return ask


@pytest.mark.parametrize(("matter", "rcpt", "exclusive", "reason", "for_good"), NO_PLACE)
def test_what_never_gets_a_place_is_neither_greylisted_nor_counted(
    state: Kept, tmp_path: Path, matter: Any, rcpt: str, exclusive: str, reason: str, for_good: bool
) -> None:
    matter(state)
    ask = guarded(tmp_path, state, exclusive)
    found = [ask(rcpt) for _ in range(4)]
    assert found == ([f"reject {reason}"] if for_good else ["defer greylisted"]) * 4
    assert bool(state.sightings("greylist-waiting:", NOW)) == (not for_good)
    ask = guarded(tmp_path, state, exclusive, greylist="off")
    found = [ask(rcpt) for _ in range(4)]
    if for_good:
        assert found == [f"reject {reason}"] * 4
        assert [ask(GOOD_MAIL) for _ in range(3)] == ["accept", "accept", "defer rate"]
    else:
        assert found[:2] == [f"defer {reason}"] * 2


@pytest.mark.parametrize(("matter", "rcpt", "exclusive", "reason", "for_good"), NO_PLACE[:9])
def test_under_observe_it_is_greylisted_and_counted_as_all_mail_is(
    state: Kept, tmp_path: Path, matter: Any, rcpt: str, exclusive: str, reason: str, for_good: bool
) -> None:
    matter(state)
    assert guarded(tmp_path, state, exclusive, "observe")(rcpt) == "defer greylisted"
    ask = guarded(tmp_path, state, exclusive, "observe", "off")
    assert [ask(rcpt) for _ in range(3)] == ["accept", "accept", "defer rate"]


def test_mail_to_a_used_up_address_still_keeps_it_from_being_forgotten(state: Kept, tmp_path: Path) -> None:
    used_up(state)
    ask = guarded(tmp_path, state, "no")
    assert ask(STEVE, days=9) == "reject counted-used-up"
    state.prune(NOW + 8 * 86400)
    assert state.forget_known(NOW + 86400) == 0


# --- its page


def examples() -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return the page's configuration, and the rows of its table."""
    files: dict[str, str] = {}
    rows: list[tuple[str, str]] = []
    for _, _, text, table in BLOCK.findall((DOCS / "disposable.md").read_text(encoding="utf-8")):
        if text:
            files["eximacl.toml"] = text
        for row in table.splitlines():
            match = ROW.match(row)
            assert match, row
            rows.append((match[1], match[2] or "accepted"))
    return files, rows


def test_the_examples_of_its_page_are_true(state: Kept, tmp_path: Path) -> None:
    files, rows = examples()
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    loaded = load(tmp_path / "eximacl.toml").policy
    for number, (values, told) in enumerate(rows):
        given: dict[str, Any] = parse_line(f"rcpt {values}".encode())[1]
        asked = query(**given, tx=f"t{number}")
        reply = reply_for(drive_now(decide(loaded, asked), Answers(state, NoNetwork(), asked)), "")
        assert (values, told) == (values, f"{reply.code} {reply.message}" if reply.message else "accepted")
        state.commit(f"t{number}", NOW)
    assert {"accepted"} < {told for _, told in rows}


PAGE = (DOCS / "disposable.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", ["eximacl/mail/disposable.py", "eximacl/checks/disposable.py"])
def test_every_reason_is_in_its_page(path: str) -> None:
    source = (DOCS.parents[1] / path).read_text(encoding="utf-8")
    reasons = re.findall(r'"((?:counted|dated|signature|disposable)-[a-z-]+)"', source)
    assert len(reasons) >= 4
    assert [reason for reason in reasons if f"| `{reason}` |" not in PAGE] == []


# --- anything at all


@given(localpart=st.one_of(st.text(), st.text("steve.3count0date-٣\n ", max_size=30)), tx=st.text())
def test_any_localpart_has_an_outcome(localpart: str, tx: str) -> None:
    state = MemoryState()
    outcome = judge(disposable, query(rcpt=f"{localpart}@example.org", tx=tx), options(), state=state)
    if isinstance(outcome, Alias):
        assert outcome.mailbox
        assert reserve(outcome, state=state, tx=tx) is None or not tx


@given(until=st.dates(date(2020, 1, 1), date(2035, 1, 1)), now=st.floats(NOW - 1e8, NOW + 1e8))
def test_a_date_is_open_until_its_day_begins(until: date, now: float) -> None:
    given = options(timezone=ZoneInfo("America/Sao_Paulo"))
    rcpt = f"steve.date.{until:%d-%m-%Y}@example.org"
    outcome = judge(disposable, query(rcpt=rcpt), given, now=now)
    today = datetime.fromtimestamp(now, given.timezone).date()
    assert isinstance(outcome, Alias) == (standing(given, until, now) == "open")
    assert isinstance(outcome, Alias) == (today < until and (until - today).days <= given.farthest_days)
