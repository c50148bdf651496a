"""The records together: what is kept, reopened, pruned and closed, by the settings."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.config import Settings, load
from eximacl.config.settings import Redacted
from eximacl.daemon.recorder import Recorder
from eximacl.policy.outcome import Decision, Traced
from eximacl.policy.query import Stage
from eximacl.protocol.exim import build_query, format_query, parse_query
from eximacl.records.decision import DecisionRecord
from eximacl.records.journal import journal_files, read_journal
from tests.archive.holding import small_disk

VALUES = {"tx": "1", "ip": "192.0.2.7", "from": "a@example.net", "rcpt": "joe@example.org"}
NOW = 1_800_000_000.0
SUBJECT = Redacted(("subject",))


def settings(
    directory: Path, rejections: str = "log/rejections.jsonl", journal: str = "journal", keep: int = 2
) -> Settings:
    path = directory / "eximacl.toml"
    path.write_text(
        f'[log]\nrejections = "{rejections}"\n[journal]\ndir = "{journal}"\nkeep_days = {keep}\n'
        '[policy]\ndomains = ["example.org"]\norder = []\n'
    )
    return load(path).settings


def judged(word: str = "reject", ref: str = "7KQ2M9D4", now: float = NOW) -> DecisionRecord:
    decision = Decision(word, (Traced("a_check", "pass"),), reason="a-reason")  # type: ignore[arg-type]
    return DecisionRecord(ref, "exim", b"rcpt v=1", build_query("rcpt", VALUES, now), [], decision, 550, "", "")


@pytest.fixture
def timers() -> list[Callable[[], None]]:
    return []


def recording(made: Settings, timers: list[Callable[[], None]]) -> Recorder:
    return Recorder(made, lambda _seconds, work: timers.append(work))


def test_a_rejection_goes_into_both_an_accept_only_into_the_journal(
    tmp_path: Path, timers: list[Callable[[], None]]
) -> None:
    records = recording(settings(tmp_path), timers)
    records.record(judged())
    records.record(judged("accept", "7KQ2M9D5"))
    assert records.status()["journal"]["waiting"] == 2
    for work in timers:
        work()
    assert records.status()["journal"]["waiting"] == 0
    lines = (tmp_path / "log/rejections.jsonl").read_text().splitlines()
    assert [json.loads(line)["ref"] for line in lines] == ["7KQ2M9D4"]
    (day,) = journal_files(tmp_path / "journal")
    assert [entry.ref for entry in read_journal(day)] == ["7KQ2M9D4", "7KQ2M9D5"]
    records.close()


KEPT = [
    pytest.param("accept", "rcpt", False, [0, 1], id="an accept"),
    pytest.param("reject", "rcpt", False, [1, 1], id="a refusal"),
    pytest.param("defer", "rcpt", False, [1, 1], id="a refusal for now"),
    pytest.param("hold", "rcpt", False, [0, 1], id="a hold at RCPT, whose fate is open"),
    pytest.param("hold", "data", False, [1, 1], id="a hold at DATA"),
    pytest.param("reject", "rcpt", True, [0, 0], id="a dry query"),
]


@pytest.mark.parametrize(("word", "stage", "dry", "expected"), KEPT)
def test_which_decisions_are_kept_where(
    tmp_path: Path, timers: list[Callable[[], None]], word: str, stage: Stage, dry: bool, expected: list[int]
) -> None:
    records = recording(settings(tmp_path), timers)
    one = judged(word)
    records.record(one._replace(query=one.query._replace(stage=stage, dry=dry)))
    assert [records.status()[name]["waiting"] for name in ("rejections", "journal")] == expected
    records.close()


def test_a_reload_redacts_from_then_on(tmp_path: Path, timers: list[Callable[[], None]]) -> None:
    data = {**VALUES, "rcpts": "joe@example.org", "subject": "secret"}
    held = judged("hold")._replace(query=build_query("data", data, NOW), line=format_query("data", data).rstrip())
    made = settings(tmp_path)
    records = recording(made, timers)
    records.record(held)
    redacting = dataclasses.replace(made, archive=dataclasses.replace(made.archive, redact=SUBJECT))
    records.reopen(redacting)
    records.record(held)
    records.close()
    again = recording(redacting, timers)
    again.record(held)
    again.close()
    lines = (tmp_path / "log/rejections.jsonl").read_text().splitlines()
    assert [json.loads(line)["subject"] for line in lines] == ["secret", "(redacted)", "(redacted)"]
    (day,) = journal_files(tmp_path / "journal")
    kept = [parse_query(entry.line).values["subject"] for entry in read_journal(day)]
    assert kept == ["secret", "(redacted)", "(redacted)"]


def test_only_data_is_redacted(tmp_path: Path, timers: list[Callable[[], None]]) -> None:
    """No other query has a subject; looking for one would cost each of them more than its record does."""
    made = settings(tmp_path)
    records = recording(dataclasses.replace(made, archive=dataclasses.replace(made.archive, redact=SUBJECT)), timers)
    line = b'rcpt v=1 subject="not one of ours"'
    records.record(judged()._replace(line=line))
    records.close()
    (day,) = journal_files(tmp_path / "journal")
    assert [entry.line for entry in read_journal(day)] == [line]


def test_close_writes_what_waits_and_may_come_twice(tmp_path: Path, timers: list[Callable[[], None]]) -> None:
    records = recording(settings(tmp_path), timers)
    records.record(judged())
    records.close()
    records.close()
    assert (tmp_path / "log/rejections.jsonl").read_text().count("\n") == 1
    assert records.status() == {}


def test_neither_is_kept_where_both_are_empty(tmp_path: Path, timers: list[Callable[[], None]]) -> None:
    records = recording(settings(tmp_path, "", ""), timers)
    records.record(judged())
    records.retain(NOW)
    records.close()
    assert [path.name for path in tmp_path.iterdir()] == ["eximacl.toml"]


def test_reopen_goes_on_as_new_settings_want(tmp_path: Path, timers: list[Callable[[], None]]) -> None:
    records = recording(settings(tmp_path), timers)
    records.record(judged())
    records.reopen(settings(tmp_path, "other.jsonl"))
    records.record(judged(ref="7KQ2M9D6"))
    records.close()
    assert "7KQ2M9D4" in (tmp_path / "log/rejections.jsonl").read_text()
    assert "7KQ2M9D6" in (tmp_path / "other.jsonl").read_text()


def test_reopen_on_a_full_disk_keeps_what_waits(tmp_path: Path, timers: list[Callable[[], None]]) -> None:
    full = tmp_path / "full"
    full.mkdir()
    with small_disk(full, "size=4k"):
        (full / "filler").write_bytes(b"x" * 4096)
        made = settings(tmp_path, "full/rejections.jsonl", "full/journal")
        records = recording(made, timers)
        records.record(judged())
        records.reopen(made)
        assert records.status()["rejections"]["waiting"] == 1
        assert records.status()["journal"]["waiting"] == 1
        assert [problem.partition("/full")[2] for problem in records.problems()] == [
            "/rejections.jsonl: No space left on device; 1 records wait",
            f"/journal/{Path(records.status()['journal']['path']).name}: No space left on device; 1 records wait",
        ]
        records.reopen(settings(tmp_path, "elsewhere.jsonl", "elsewhere"))
        assert records.status()["rejections"]["waiting"] == 0
        assert records.problems() == []
        records.close()
    assert "7KQ2M9D4" in (tmp_path / "elsewhere.jsonl").read_text()
    assert [entry.ref for entry in read_journal(journal_files(tmp_path / "elsewhere")[0])] == ["7KQ2M9D4"]


def test_reopen_may_end_and_begin_records(tmp_path: Path, timers: list[Callable[[], None]]) -> None:
    records = recording(settings(tmp_path), timers)
    records.record(judged())
    records.reopen(settings(tmp_path, "", ""))
    assert records.status() == {}
    assert "7KQ2M9D4" in (tmp_path / "log/rejections.jsonl").read_text()
    records.reopen(settings(tmp_path))
    assert set(records.status()) == {"rejections", "journal"}
    records.close()


def test_old_days_are_deleted(
    tmp_path: Path, timers: list[Callable[[], None]], caplog: pytest.LogCaptureFixture
) -> None:
    records = recording(settings(tmp_path), timers)
    records.retain(NOW)  # there is no directory yet
    (tmp_path / "journal").mkdir()
    for name in ("2027-01-10.mpk", "2027-01-14.mpk", "2027-01-10.mpk.bak"):
        (tmp_path / "journal" / name).touch()
    with caplog.at_level("INFO"):
        records.retain(NOW)
    assert sorted(path.name for path in (tmp_path / "journal").iterdir()) == ["2027-01-10.mpk.bak", "2027-01-14.mpk"]
    assert "journal.keep_days = 2" in caplog.text


def test_days_that_cannot_be_deleted_are_told(
    tmp_path: Path, timers: list[Callable[[], None]], caplog: pytest.LogCaptureFixture
) -> None:
    records = recording(settings(tmp_path), timers)
    (tmp_path / "journal" / "2027-01-10.mpk").mkdir(parents=True)
    records.retain(NOW)
    assert "old days cannot be deleted" in caplog.text
