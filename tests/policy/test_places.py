"""Who gets the next place of a counted address."""

from __future__ import annotations

import pytest

from eximacl.policy.places import (
    ADDRESSES_MAX,
    Found,
    KnownAddress,
    Place,
    Terms,
    cut_sender,
    day_of,
    give,
    is_of,
    is_over,
)

SHOP = "shop@example.net"
THEIR = "a@b.example"
ANYBODY = Terms("steve@example.org", SHOP)
SHOPS = ANYBODY._replace(only="example.net")


@pytest.mark.parametrize(
    ("found", "limit", "terms", "expected"),
    [
        pytest.param(Found(0, 0, False, False), 1, ANYBODY, Place("reserved", 1, 1), id="the first"),
        pytest.param(Found(1, 1, False, True), 3, ANYBODY, Place("reserved", 3, 3), id="the last"),
        pytest.param(Found(1, 1, False, True), 2, ANYBODY, Place("pending", 1, 2), id="pending"),
        pytest.param(Found(2, 0, False, True), 2, ANYBODY, Place("full", 2, 2), id="full"),
        pytest.param(Found(2, 0, False, True, extra=5), 2, ANYBODY, Place("reserved", 3, 7), id="more were added"),
        pytest.param(Found(2, 0, True, True), 2, ANYBODY, Place("reserved", 2, 2), id="mine"),
        pytest.param(Found(0, 1, True, True, ended=True), 2, ANYBODY, Place("reserved", 1, 2), id="mine, then ended"),
        pytest.param(Found(0, 0, False, True, ended=True), 2, ANYBODY, Place("ended", 0, 2), id="ended"),
        pytest.param(Found(2, 0, False, True, ended=True), 2, ANYBODY, Place("ended", 2, 2), id="ended and full"),
        pytest.param(Found(0, 0, False, False), 0, ANYBODY, Place("full", 0, 0), id="a limit of nothing"),
        pytest.param(Found(1, 0, False, True, first_sender=THEIR), 3, SHOPS, Place("foreign", 1, 3), id="foreign"),
        pytest.param(Found(3, 0, False, True, first_sender=THEIR), 3, SHOPS, Place("full", 3, 3), id="full first"),
        pytest.param(
            Found(1, 0, False, True, first_sender=SHOP), 3, SHOPS, Place("reserved", 2, 3), id="one of theirs"
        ),
        pytest.param(Found(0, 1, False, True, rivals=(THEIR,)), 3, SHOPS, Place("pending", 0, 3), id="a rival"),
        pytest.param(Found(0, 1, False, True, rivals=(SHOP,)), 3, SHOPS, Place("reserved", 2, 3), id="no rival"),
        pytest.param(Found(0, 0, False, False, total=ADDRESSES_MAX), 3, ANYBODY, Place("crowded", 0, 3), id="all full"),
        pytest.param(Found(0, 0, False, True, total=ADDRESSES_MAX), 3, ANYBODY, Place("reserved", 1, 3), id="known"),
        pytest.param(
            Found(0, 0, False, False, new=5), 3, ANYBODY._replace(most_new=5), Place("crowded", 0, 3), id="many are new"
        ),
        pytest.param(
            Found(0, 0, False, False, new=4), 3, ANYBODY._replace(most_new=5), Place("reserved", 1, 3), id="one more is"
        ),
    ],
)
def test_who_gets_a_place(found: Found, limit: int, terms: Terms, expected: Place) -> None:
    assert give(found, limit, terms) == expected


@pytest.mark.parametrize(
    ("sender", "only", "same"),
    [
        (SHOP, SHOP, True),
        (SHOP, "example.net", True),
        ("shop@mail.example.net", "example.net", True),
        ("shop@notexample.net", "example.net", False),
        ("example.net@spam.example", "example.net", False),
        ("", "example.net", False),
        (SHOP, "net@example.net", False),
    ],
)
def test_whose_sender(sender: str, only: str, same: bool) -> None:
    assert is_of(sender, only) == same


def test_when_an_address_may_be_forgotten() -> None:
    counted, dated = KnownAddress("c"), KnownAddress("d", day="2027-01-15")
    assert [is_over(counted, 100.0, before) for before in (99.0, 100.0, 101.0)] == [False, False, True]
    assert [is_over(dated, 0.0, before) for before in (1_799_971_200.0, 1_800_057_600.0)] == [False, True]
    assert not is_over(counted, 0.0, 1e300)


def test_days_and_long_senders() -> None:
    assert (day_of(1_800_000_000.0), day_of(1e300), day_of(-1e300)) == ("2027-01-15", "", "")
    assert len(cut_sender("a" * 1000)) == 320
