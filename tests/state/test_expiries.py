"""When keys expire: each is due once, at its last end."""

from __future__ import annotations

from eximacl.state.expiries import Expiries


def test_a_key_is_due_once_and_not_before_its_end() -> None:
    ends: dict[str, float] = {"a": 3.0, "b": 2.0, "gone": 1.0}
    expiries: Expiries[str] = Expiries(ends.get)
    for key, until in ends.items():
        expiries.note(key, until)
    del ends["gone"]
    ends["b"] = 4.0
    assert [expiries.due(now, 9) for now in (0.5, 2.0, 3.0, 4.0, 9.0)] == [[], [], ["a"], ["b"], []]


def test_at_most_so_many_are_due() -> None:
    expiries: Expiries[int] = Expiries(lambda _: 1.0)
    for key in range(5):
        expiries.note(key, 1.0)
        expiries.note(key, 1.0)
    assert [len(expiries.due(1.0, 3)) for _ in range(3)] == [3, 2, 0]
    assert len(expiries) == 0
