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
    ("before", "after", "doubtful"),
    [(True, True, False), (True, False, True), (False, False, False), (False, True, False)],
)
def test_a_last_line_without_an_end_may_be_the_beginning_of_one(before: bool, after: bool, doubtful: bool) -> None:
    loss = Loss(Content(5, before), Content(5, after))
    assert (loss.is_doubtful, loss.is_refused) == (doubtful, False)
    assert ("no end of its last line" in str(loss)) is doubtful
