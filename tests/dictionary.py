"""What DNS says, from a dict: as the core is given answers from a dict in its tests.

    names = Dictionary({("mx.example.net", "A"): ["192.0.2.7"], ("slow.example", "A"): Unknown("no answer in time")})

or from lines `NAME KIND ANSWER, ANSWER` (`SERVFAIL` stands for an answer that could not be had; a text stands in
quotes). Rule: a name that is not in it does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eximacl.policy.outcome import Unknown
from eximacl.policy.questions import RecordKind, Records

SERVFAIL = Unknown("the name server answered SERVFAIL")


class Dictionary:
    """An `answers.Network` that answers at once. `asked` lists what was asked, in order."""

    def __init__(
        self,
        names: Mapping[tuple[str, str], Sequence[str] | Unknown] | str = "",
        faults: Mapping[str, str] | None = None,
    ) -> None:
        read = _read(names) if isinstance(names, str) else names
        self.names: dict[tuple[str, str], Records | Unknown] = {
            key: answer if isinstance(answer, Unknown) else tuple(answer) for key, answer in read.items()
        }
        self.faults = dict(faults or {})
        self.asked: list[tuple[str, str]] = []

    def deadline(self) -> float:
        return 0.0

    def look_up(self, asked: Sequence[tuple[str, RecordKind]], until: float) -> tuple[Records | Unknown, ...]:
        self.asked += asked
        return tuple(self.names.get((name.lower().rstrip("."), kind), ()) for name, kind in asked)

    def list_fault(self, zone: str) -> str:
        return self.faults.get(zone, "")


def _read(text: str) -> dict[tuple[str, str], Sequence[str] | Unknown]:
    found: dict[tuple[str, str], Sequence[str] | Unknown] = {}
    for line in text.splitlines():
        if line.strip():
            name, kind, answer = line.split(None, 2)
            found[name, kind] = SERVFAIL if answer == "SERVFAIL" else [one.strip('"') for one in answer.split(", ")]
    return found
