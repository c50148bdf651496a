"""A whole harvest as a library: what is found where, and whom it lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.harvest import EXCLUDED_FOLDERS
from eximacl.harvest.run import HarvestRequest, entries, read, survey
from eximacl.mail.lists import Domains

NOW = 1_795_450_593.0
MESSAGE = "Received: from a by b; Mon, 23 Nov 2026 12:00:00 +0000\nTo: {}\n\nHello.\n"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two messages to Steve, one of them in Junk, one to Juha, and a file that is not mail."""
    for folder in ("cur", ".Junk/cur"):
        (tmp_path / "m" / folder).mkdir(parents=True)
    (tmp_path / "m/cur/1").write_text(MESSAGE.format("steve+shop@example.org"))
    (tmp_path / "m/cur/2").write_text(MESSAGE.format("juha@example.com, ann@example.net"))
    (tmp_path / "m/cur/3").write_text(MESSAGE.format("steve@example.com"))
    (tmp_path / "m/.Junk/cur/1").write_text(MESSAGE.format("ghost@example.org"))
    (tmp_path / "note").write_text("no mail")
    return tmp_path


def test_each_path_is_looked_at(store: Path) -> None:
    surveyed = survey([store / "m", store / "note", store / "gone"], EXCLUDED_FOLDERS)
    assert [found.path for found in surveyed.found] == [store / "m"]
    assert [line.partition(" ")[0] for line in surveyed.refused] == [f"{store}/note", f"{store}/gone"]
    assert surveyed.weight == 3


@pytest.mark.parametrize(
    ("options", "listed"),
    [
        ({}, {"steve@example.org": 1, "juha@example.com": 1, "steve@example.com": 1}),
        ({"tags": ""}, {"steve+shop@example.org": 1, "juha@example.com": 1, "steve@example.com": 1}),
        ({"localparts": True}, {"steve": 2, "juha": 1}),
        ({"localparts": True, "min_count": 2}, {"steve": 2}),
        ({"all_headers": False}, {}),
        ({"since": NOW + 86_400}, {}),
    ],
    ids=str,
)
def test_who_is_listed(store: Path, options: dict[str, bool], listed: dict[str, int]) -> None:
    request = HarvestRequest(Domains(["example.org", "example.com"]), **options)  # type: ignore[arg-type]  # one row a field
    done: list[int] = []
    tally = read(survey([store / "m"], EXCLUDED_FOLDERS), request, 1, NOW, done.append)
    assert {entry: seen.messages for entry, seen in entries(tally, request).items()} == listed
    assert sum(done) == 3
