"""A diagnosis is found by its file, in the order in which it is told; its findings carry its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eximacl.doctor import Case, Finding, diagnosis, ok, problem, warning
from eximacl.doctor.model import GROUPS, Diagnosis, diagnoses
from eximacl.system.plugins import declaration_of
from tests.doctor.proof import known


def well(case: Case) -> Iterator[Finding]:
    yield ok("all of it")


def test_a_finding_has_its_diagnosis(tmp_path: Path) -> None:
    (found,) = Diagnosis("some-thing", "exim", "", well).findings(known(tmp_path))
    assert found == Finding("ok", "all of it", "", "", "some-thing")


def test_the_levels() -> None:
    assert [each.level for each in (ok("w"), warning("w", "m", "d"), problem("w", "m", "d"))] == [
        *("ok", "warning", "problem"),
    ]


def test_the_order() -> None:
    found = [(GROUPS.index(one.group), one.name) for one in diagnoses()]
    assert found == sorted(found)
    assert len(found) > 20
    assert all(one.doc.endswith(".") for one in diagnoses())


def test_a_diagnosis_is_named_after_its_function() -> None:
    @diagnosis("disk")
    def a_new_one(case: Case) -> Iterator[Finding]:
        """Something
        is well."""
        yield ok("")

    one = declaration_of(a_new_one, Diagnosis)
    assert one
    assert (one.name, one.group, one.doc, one.look) == ("a-new-one", "disk", "Something is well.", a_new_one)
