"""Answers that may have to be waited for."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest

from eximacl.policy.later import settled, then, waits
from eximacl.policy.state import Block


async def later(answer: Any) -> Any:
    return answer


@pytest.mark.parametrize("answer", ["reserved", 0, 2.5, True, None, (1, 2), Block("key", 1.0, 2.0, "why")])
async def test_an_answer_that_is_there_and_one_that_comes(answer: Any) -> None:
    assert not waits(answer)
    assert await settled(answer) == answer
    assert then(answer, repr) == repr(answer)
    for waiting in (later(answer), then(later(answer), lambda same: same)):
        assert waits(waiting)
        assert await settled(waiting) == answer


async def test_what_is_made_of_a_failure_is_the_failure() -> None:
    async def fails() -> int:
        raise ValueError("no")

    made = then(fails(), str)
    assert isinstance(made, Awaitable)
    with pytest.raises(ValueError, match="no"):
        await made
