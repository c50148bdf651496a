"""How many entries a list may lose at once."""

from __future__ import annotations

import pytest

from eximacl.config.losses import Loss


@pytest.mark.parametrize(
    ("before", "after", "large", "refused"),
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
        (50_000, 49_500, False, False),
        (50_000, 49_499, True, False),
        (50_003, 25_002, True, False),
        (1000, 100, True, False),
        (1000, 99, True, True),
        (1_000_000, 0, True, True),
    ],
)
def test_losses(before: int, after: int, large: bool, refused: bool) -> None:
    loss = Loss(before, after)
    assert (loss.is_large, loss.is_refused) == (large, refused)
    assert f"{after:,} entr{'y' if after == 1 else 'ies'} and had {before:,}" in str(loss)
