"""The records together: what is kept, reopened, pruned and closed, by the settings."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.config import Settings, load
from eximacl.config.settings import Redacted
from eximacl.daemon.recorder import Recorder
from eximacl.policy.outcome import Decision, Traced
from eximacl.policy.query import Stage
from eximacl.protocol.exim import build_query, format_query, parse_query
from eximacl.records import appender
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
        few = "only 0.0 MB are free there, and 0.0 MB have to be"
        day = Path(records.status()["journal"]["path"]).name
        assert [problem.partition("/full")[2] for problem in records.problems()] == [
            f"/rejections.jsonl: {few} (log.free_mb = 200); 1 records wait",
            f"/journal/{day}: {few} (journal.free_mb = 500); 1 records wait",
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
    assert "was deleted, as journal.keep_days = 2 wants" in caplog.text


def test_the_oldest_days_go_where_all_take_too_much(
    tmp_path: Path, timers: list[Callable[[], None]], caplog: pytest.LogCaptureFixture
) -> None:
    made = settings(tmp_path)
    made = dataclasses.replace(made, journal=dataclasses.replace(made.journal, keep_mb=1))
    records = recording(made, timers)
    records.shrink(NOW)  # there is no directory yet
    (tmp_path / "journal").mkdir()
    for day in ("2027-01-11", "2027-01-12", "2027-01-13", "2027-01-15"):  # the last one is today
        (tmp_path / "journal" / f"{day}.mpk").write_bytes(bytes(250_000))
    with caplog.at_level("INFO"):
        records.shrink(NOW)
    kept = [path.name for path in journal_files(tmp_path / "journal")]
    assert kept == ["2027-01-12.mpk", "2027-01-13.mpk", "2027-01-15.mpk"]
    assert "2027-01-11.mpk was deleted, as journal.keep_mb = 1 wants" in caplog.text
    records.close()


def test_a_flood_is_bounded_counted_and_told(
    tmp_path: Path, timers: list[Callable[[], None]], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appender, "MAX_BACKLOG_BYTES", 100_000)
    made = settings(tmp_path)
    made = dataclasses.replace(
        made,
        log=dataclasses.replace(made.log, max_mb=1),
        journal=dataclasses.replace(made.journal, keep_mb=2),
    )
    records = recording(made, timers)
    flood = judged()._replace(line=b"rcpt v=1 helo=" + b"x" * 3000)
    for _ in range(2000):
        records.record(flood)
        for work in [timers.pop() for _ in range(len(timers))]:
            work()
    (day,) = journal_files(tmp_path / "journal")
    # Half of what there is within an hour: of today's half of keep_mb, and of max_mb.
    assert 450_000 < day.stat().st_size <= 500_000
    assert 450_000 < (tmp_path / "log/rejections.jsonl").stat().st_size <= 500_000
    status = records.status()
    assert status["journal"]["lost"] == status["journal"]["dropped"] > 1500
    assert [problem.partition(": it has ")[2].partition(";")[0] for problem in records.problems()] == [
        "taken half of the room that log.max_mb = 1 left it, within an hour",
        "taken half of the room that half of journal.keep_mb = 2 left it, within an hour",
    ]
    assert caplog.text.count("see what floods it") == 2
    (tmp_path / "log/rejections.jsonl").rename(tmp_path / "log/rejections.jsonl.1")
    records.reopen(made)  # sees at once what the appender looks for once a second
    assert len(records.problems()) == 1
    assert records.status()["rejections"]["lost"] > 0
    records.close()


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/null"), Path.mkdir])
def test_what_is_not_a_file_is_told_at_once_and_stops_nothing(
    tmp_path: Path,
    timers: list[Callable[[], None]],
    caplog: pytest.LogCaptureFixture,
    make: Callable[[Path], object],
) -> None:
    path = tmp_path / "log" / "rejections.jsonl"
    path.parent.mkdir()
    make(path)
    records = recording(settings(tmp_path), timers)
    expected = f"log.rejections: {path}: it is not a regular file"
    assert expected in caplog.text
    assert records.problems() == [expected]
    for _ in range(500):  # more than fits into a pipe
        records.record(judged())
    for work in tuple(timers):
        work()
    assert records.problems()[0].startswith(f"log.rejections: {path}: ")
    assert records.status()["journal"]["waiting"] == 0
    records.close()


def test_days_that_cannot_be_deleted_are_told(
    tmp_path: Path, timers: list[Callable[[], None]], caplog: pytest.LogCaptureFixture
) -> None:
    records = recording(settings(tmp_path), timers)
    (tmp_path / "journal" / "2027-01-10.mpk").mkdir(parents=True)
    records.retain(NOW)
    assert "old days cannot be deleted" in caplog.text
