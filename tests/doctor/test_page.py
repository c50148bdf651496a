"""docs/doctor.md names each diagnosis with its own words."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from eximacl.doctor.model import GROUPS, diagnoses
from tests.lab.site import ROOT

PAGE = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")


def test_the_table_has_each_diagnosis_in_its_order() -> None:
    assert re.findall(r"(?m)^\| `([a-z-]+)` \| (.*) \|$", PAGE) == [(one.name, one.doc) for one in diagnoses()]


def test_each_diagnosis_is_a_file_of_its_own() -> None:
    files = {path.stem for path in (ROOT / "eximacl/doctor/diagnoses").glob("*.py")} - {"__init__"}
    assert files == {one.name.replace("-", "_") for one in diagnoses()}
    assert {one.group for one in diagnoses()} == set(GROUPS)


@pytest.mark.parametrize("name", [one.name.replace("-", "_") for one in diagnoses()])
def test_each_diagnosis_is_proven_by_a_break(name: str) -> None:
    assert importlib.import_module(f"tests.doctor.diagnoses.test_{name}").WAYS


def test_the_levels_that_the_page_shows() -> None:
    assert "PROBLEM socket-access: " in PAGE
    assert Path(ROOT / "docs/README.md").read_text().count("doctor.md") == 2
