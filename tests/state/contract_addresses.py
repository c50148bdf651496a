"""What every backend must do with addresses: what it knows of each, who gets places, and when it forgets one."""

from __future__ import annotations

import pytest

from eximacl.policy.places import DAY_SECONDS, LISTED_MAX, AddressChange, KnownAddress, Place, Terms
from eximacl.policy.state import LOST_SECONDS
from tests.state.contract import CENTURY, HOSTILE, NOW, UNTIL, Family, Now

KEY = "counted:steve.2.count@example.org"
STEVE = "steve@example.org"
SHOP, NEWS, OTHER = "shop@example.net", "news@mail.example.net", "x@spam.example"
YEARS = 5 * 365 * DAY_SECONDS


def take(state: Now, holder: str, terms: Terms, now: float = NOW, key: str = KEY, limit: int = 2) -> str:
    """Reserve a place and use it; return what became of it."""
    place: Place = state.reserve(key, limit, holder, now, now + 3600, terms)
    if place.slot == "reserved":
        assert state.commit(holder, now) == "committed"
    return place.slot


def steves(sender: str = SHOP, **changes: object) -> Terms:
    return Terms(STEVE, sender)._replace(**changes)  # type: ignore[arg-type]  # each test names fields


class AddressesContract(Family):
    """See `State`."""

    def test_an_address_is_known_from_its_first_place_on(self, state: Now) -> None:
        assert state.known(KEY, NOW) is None
        state.reserve(KEY, 2, "a", NOW, UNTIL, steves())
        assert state.known(KEY, NOW) == KnownAddress(KEY, STEVE, 2, reserved=1, since=NOW)
        state.commit("a", NOW + 1)
        state.reserve(KEY, 2, "b", NOW + 2, UNTIL, steves(NEWS))
        state.commit("b", NOW + 3)
        assert state.known(KEY, NOW + 3) == KnownAddress(
            KEY, STEVE, 2, used=2, since=NOW, first=NOW + 1, last=NOW + 3, first_sender=SHOP, last_sender=NEWS
        )

    def test_which_place_it_is(self, state: Now) -> None:
        assert state.reserve(KEY, 3, "a", NOW, UNTIL) == Place("reserved", 1, 3)
        assert state.reserve(KEY, 3, "a", NOW, UNTIL) == Place("reserved", 1, 3)
        state.commit("a", NOW)
        assert state.peek(KEY, 3, "b", NOW) == Place("reserved", 2, 3)
        assert state.reserve(KEY, 3, "b", NOW, UNTIL) == Place("reserved", 2, 3)
        assert state.reserve(KEY, 3, "c", NOW, UNTIL) == Place("reserved", 3, 3)
        assert state.reserve(KEY, 3, "d", NOW, UNTIL) == Place("pending", 1, 3)

    def test_what_was_given_back_leaves_no_address_behind(self, state: Now) -> None:
        state.reserve(KEY, 2, "a", NOW, UNTIL, steves())
        state.release("a")
        assert state.known(KEY, NOW) is None
        state.reserve(KEY, 2, "b", NOW, UNTIL, steves())
        state.prune(UNTIL + LOST_SECONDS)
        assert state.known(KEY, UNTIL + LOST_SECONDS) is None

    def test_a_refused_stranger_leaves_no_address_behind(self, state: Now) -> None:
        state.reserve("one", 1, "a", NOW, UNTIL, steves(most_new=1))
        assert state.reserve("two", 1, "b", NOW, UNTIL, steves(most_new=1)).slot == "crowded"
        assert [known.key for known in state.all_known(NOW)] == ["one"]

    # More places, none, and from the start again.

    def test_more_places(self, state: Now) -> None:
        terms = steves()
        assert [take(state, holder, terms) for holder in "abc"] == ["reserved", "reserved", "full"]
        assert state.revise(KEY, NOW, AddressChange(STEVE, 2, more=1)).extra == 1
        assert [take(state, holder, terms) for holder in "cd"] == ["reserved", "full"]
        assert state.reserve(KEY, 2, "e", NOW, UNTIL, terms) == Place("full", 3, 3)

    def test_reset(self, state: Now) -> None:
        for holder in "ab":
            take(state, holder, steves())
        state.prune(NOW + LOST_SECONDS)
        state.revise(KEY, NOW, AddressChange(STEVE, 2, end=True, note="a note"))
        then = NOW + LOST_SECONDS + 1
        known = state.revise(KEY, then, AddressChange(STEVE, 2, reset=True))
        assert (known.used, known.ended, known.first_sender, known.note) == (0, 0.0, "", "a note")
        assert [take(state, holder, steves(OTHER), then) for holder in "cde"] == ["reserved", "reserved", "full"]

    def test_reset_leaves_what_is_just_coming_in(self, state: Now) -> None:
        state.reserve(KEY, 2, "a", NOW, UNTIL, steves())
        take(state, "b", steves())
        assert state.revise(KEY, NOW, AddressChange(STEVE, 2, reset=True)).reserved == 1
        assert state.commit("a", NOW) == "committed"
        assert state.places(KEY, NOW) == (1, 0)

    def test_end(self, state: Now) -> None:
        state.reserve(KEY, 2, "a", NOW, UNTIL, steves())
        assert state.revise(KEY, NOW + 5, AddressChange(STEVE, 2, end=True)).ended == NOW + 5
        assert state.revise(KEY, NOW + 9, AddressChange(STEVE, 2, end=True)).ended == NOW + 5
        assert take(state, "b", steves(), NOW + 10) == "ended"
        # What was on its way is not cut off.
        assert state.reserve(KEY, 2, "a", NOW + 10, UNTIL, steves()).slot == "reserved"
        assert state.commit("a", NOW + 10) == "committed"

    def test_a_change_makes_an_address_known(self, state: Now) -> None:
        key = "dated:steve.date.31-12-2027@example.org"
        known = state.revise(key, NOW, AddressChange(STEVE, 0, "2027-12-31", note="for the fair"))
        assert known == KnownAddress(key, STEVE, 0, day="2027-12-31", since=NOW, issued=True, note="for the fair")
        assert state.known(key, NOW) == known
        assert state.revise(key, NOW + 1, AddressChange(STEVE, 0, "2027-12-31")).note == "for the fair"
        assert state.revise(key, NOW + 1, AddressChange(STEVE, 0, "2027-12-31", note="")).note == ""

    # One sender.

    @pytest.mark.parametrize(
        ("first", "then", "only", "slot"),
        [
            (SHOP, SHOP, SHOP, "reserved"),
            (SHOP, OTHER, OTHER, "foreign"),
            (SHOP, NEWS, NEWS, "foreign"),
            (SHOP, NEWS, "example.net", "reserved"),
            (NEWS, SHOP, "example.net", "reserved"),
            (SHOP, OTHER, "spam.example", "foreign"),
            (SHOP, "x@notexample.net", "notexample.net", "foreign"),
            ("x@notexample.net", SHOP, "example.net", "foreign"),
            (SHOP, "", "<>", "foreign"),
            ("", SHOP, SHOP, "reserved"),
            (SHOP, OTHER, "", "reserved"),
        ],
    )
    def test_only_the_first_sender(self, state: Now, first: str, then: str, only: str, slot: str) -> None:
        take(state, "a", steves(first))
        assert state.peek(KEY, 2, "b", NOW, steves(then, only=only)).slot == slot
        assert take(state, "b", steves(then, only=only)) == slot

    def test_two_first_senders_at_once(self, state: Now) -> None:
        state.reserve(KEY, 2, "a", NOW, UNTIL, steves(SHOP, only=SHOP))
        assert state.reserve(KEY, 2, "b", NOW, UNTIL, steves(OTHER, only=OTHER)).slot == "pending"
        assert state.reserve(KEY, 2, "c", NOW, UNTIL, steves(SHOP, only=SHOP)).slot == "reserved"
        state.release("a")
        state.release("c")
        assert state.reserve(KEY, 2, "b", NOW, UNTIL, steves(OTHER, only=OTHER)).slot == "reserved"

    # Their number.

    def test_new_addresses_of_one_owner(self, state: Now) -> None:
        terms = steves(most_new=2)
        assert [take(state, f"{n}", terms, key=f"key {n}") for n in range(3)] == ["reserved", "reserved", "crowded"]
        assert state.peek("key 3", 2, "x", NOW, terms).slot == "crowded"
        assert take(state, "b", terms, key="key 0") == "reserved"
        assert take(state, "c", Terms("joe@example.org", SHOP, most_new=2), key="joe's") == "reserved"
        assert take(state, "d", steves(), key="key 4") == "reserved"
        tomorrow = NOW + DAY_SECONDS
        assert take(state, "e", terms, tomorrow, key="key 5") == "reserved"

    def test_what_a_person_has_made_is_not_a_new_one(self, state: Now) -> None:
        terms = steves(most_new=1)
        state.revise("minted", NOW, AddressChange(STEVE, 2))
        assert take(state, "a", terms, key="a stranger's") == "reserved"
        assert take(state, "b", terms, key="another's") == "crowded"
        assert take(state, "c", terms, key="minted") == "reserved"

    def test_new_ones_of_a_clock_ahead_do_not_count(self, state: Now) -> None:
        ahead = NOW + CENTURY
        take(state, "a", steves(most_new=1), ahead, key="one")
        assert take(state, "b", steves(most_new=1), NOW, key="two") == "reserved"

    def test_a_used_place_is_soon_only_a_number(self, state: Now) -> None:
        take(state, "a", steves())
        assert state.prune(NOW + LOST_SECONDS - 1) == 0
        assert state.prune(NOW + LOST_SECONDS) == 1
        assert state.places(KEY, NOW) == (1, 0)
        assert state.release("a") == 0
        assert take(state, "b", steves()) == "reserved"
        assert take(state, "c", steves()) == "full"
        known = state.known(KEY, NOW)
        assert (known.used, known.first, known.last_sender) == (2, NOW, SHOP)

    # Forgetting.

    def test_what_nobody_has_tried_is_forgotten(self, state: Now) -> None:
        for holder in "ab":
            take(state, holder, steves())
        state.prune(NOW + LOST_SECONDS)
        assert state.forget_known(NOW) == 0
        assert state.places(KEY, NOW) == (2, 0)
        assert state.forget_known(NOW + 1) == 1
        assert state.known(KEY, NOW) is None

    def test_a_used_up_address_that_gets_mail_is_kept(self, state: Now) -> None:
        for holder in "ab":
            take(state, holder, steves())
        state.prune(NOW + LOST_SECONDS)
        for year in range(1, 8):
            now = NOW + year * 365 * DAY_SECONDS
            assert take(state, f"year {year}", steves(OTHER), now) == "full"
            assert state.forget_known(now - YEARS) == 0

    def test_an_address_with_a_transaction_is_kept(self, state: Now) -> None:
        take(state, "a", steves())
        state.reserve(KEY, 2, "b", NOW, UNTIL, steves())
        assert state.forget_known(NOW + YEARS) == 0

    def test_a_dated_address_is_kept_until_its_day(self, state: Now) -> None:
        state.revise("dated", NOW, AddressChange(STEVE, 0, "2030-01-01", end=True))
        assert state.forget_known(1893455999.0) == 0  # 2029-12-31 23:59:59 UTC
        assert state.forget_known(1893456000.0) == 0
        assert state.forget_known(1893456000.0 + DAY_SECONDS) == 1

    @pytest.mark.parametrize("before", [-CENTURY * 100, CENTURY * 10_000])
    def test_a_time_in_no_calendar_forgets_nothing(self, state: Now, before: float) -> None:
        state.revise("key", NOW, AddressChange(STEVE, 2))
        assert state.forget_known(before) == 0

    def test_one_call_forgets_so_many(self, state: Now) -> None:
        for number in range(5):
            state.revise(f"{number}", NOW, AddressChange(STEVE, 2))
        assert [state.forget_known(NOW + 1, 3) for _ in range(3)] == [3, 2, 0]

    # Listing.

    def test_they_are_listed_in_order_and_page_by_page(self, state: Now) -> None:
        for number in (3, 1, 2):
            take(state, f"{number}", steves(), key=f"key {number}")
        assert [known.key for known in state.all_known(NOW)] == ["key 1", "key 2", "key 3"]
        assert [known.key for known in state.all_known(NOW, "key 1", 1)] == ["key 2"]
        assert state.all_known(NOW, "key 3") == ()
        assert state.all_known(NOW)[0] == state.known("key 1", NOW)
        assert LISTED_MAX >= 1000

    @pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
    def test_any_text_is_a_key_an_owner_a_sender_and_a_note(self, state: Now, text: str) -> None:
        terms = Terms(text, text)
        state.revise(text, NOW, AddressChange(text, 2, note=text))
        take(state, "a", terms, key=text)
        known = state.known(text, NOW)
        assert (known.key, known.owner, known.note, known.last_sender) == (text, text, text, text[:320])
        assert state.all_known(NOW) == (known,)
