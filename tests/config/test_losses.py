"""How many entries a list may lose at once."""

from __future__ import annotations

import pytest

from eximacl.config.losses import Content, Loss


@pytest.mark.parametrize(
    ("before", "after", "doubtful", "refused"),
    [
        (0, 0, False, False),
        (0, 1000, False, False),
        (1000, 2000, False, False),
        (10, 0, False, False),
        (11, 1, False, False),
        (11, 0, True, True),
        (12, 1, True, True),
        (15, 4, True, False),
        (1000, 990, False, False),
        (1000, 989, True, False),
        (50_003, 25_002, True, False),
        (1000, 100, True, False),
        (1000, 99, True, True),
        (1_000_000, 0, True, True),
    ],
)
def test_losses(before: int, after: int, doubtful: bool, refused: bool) -> None:
    loss = Loss(Content(before), Content(after))
    assert (loss.is_doubtful, loss.is_refused) == (doubtful, refused)
    assert f"{after:,} entr{'y' if after == 1 else 'ies'} and had {before:,}" in str(loss)


@pytest.mark.parametrize(
    ("before", "after", "missing", "text"),
    [
        (500, 520, 0, ""),
        (500, 520, 10, ""),
        (500, 520, 11, "has 520 entries and lacks 11 of the 500 that it had, which stay in force until it has rested"),
        (
            500,
            500,
            450,
            "has 500 entries and lacks 450 of the 500 that it had, which stay in force until it has rested",
        ),
        (500, 500, 451, "has 500 entries and lacks 451 of the 500 that it had, which stay in force; if that is meant"),
        (500, 250, 260, "has 250 entries and had 500, which stay in force until it has rested"),
        (500, 250, 500, "has 250 entries and lacks 500 of the 500 that it had, which stay in force; if that is meant"),
        (500, 5, 500, "has 5 entries and had 500, which stay in force; if so few are meant"),
        (10, 10, 10, ""),
    ],
)
def test_the_entries_are_compared_and_not_their_numbers(before: int, after: int, missing: int, text: str) -> None:
    loss = Loss(Content(before), Content(after), missing)
    assert (loss.is_doubtful, loss.is_refused) == (bool(text), "; if" in text)
    assert text in str(loss)


@pytest.mark.parametrize(
    ("before", "after", "missing", "doubtful", "refused"),
    [
        (True, True, 1, False, False),
        (True, False, 0, True, False),
        (True, False, 1, True, True),
        (True, False, 5, True, True),
        (False, False, 5, False, False),
        (False, True, 5, False, False),
    ],
)
def test_a_last_line_without_an_end_may_be_the_beginning_of_one(
    before: bool, after: bool, missing: int, doubtful: bool, refused: bool
) -> None:
    loss = Loss(Content(5, before), Content(5, after), missing)
    assert (loss.is_doubtful, loss.is_refused) == (doubtful, refused)
    assert ("no end of its last line" in str(loss)) is doubtful
    assert ("end the last line; if that is meant" in str(loss)) is refused
