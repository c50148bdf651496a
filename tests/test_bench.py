"""The benchmark's parts work together, on figures too short to mean anything; `make bench` takes its time."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench import accept, c_ares, dns, dnslists, harvest, instructions, joe_job, policies, queries, size, speed
from bench.running import BenchError, build, daemon, load, running
from eximacl.protocol.exim import USUAL_KEYS, parse_query
from tests.lab.joe_job import Rehearsal

pytestmark = [pytest.mark.quiet, pytest.mark.needs_exim]  # gcc

SHORT = "clients=2 seconds=0.1"


def test_the_queries_are_what_the_snippets_send() -> None:
    """Else the bench measures how an unusual query is read, which takes twice as long."""
    for line in queries.sample_mix():
        assert tuple(parse_query(line).values) == USUAL_KEYS


def test_speed_prints_a_row_for_each_server_and_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "MODES", {"flat": SHORT, "paced": f"{SHORT} rate=500 {speed.LIKE_EXIM}"})
    build(tmp_path)
    head, *rows, verdicts = speed.measure(tmp_path, rounds=1)
    assert "of limit" in head
    assert [row.split("  ")[0] for row in rows if not row.startswith(" ")] == ["flat"] * 3 + ["paced"] * 3
    assert any("goal" in row and "0.40" in row for row in rows)
    assert re.search(r"accept [56]\d%", verdicts)


def test_accept_compares_the_two_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accept, "ROUNDS", 1)
    assert [row.split()[0] for row in accept.measure()] == ["documented", "private"]


def test_size_compares_many_with_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size, "LARGE", (1000, 20))
    monkeypatch.setattr(size, "OPTIONS", SHORT)
    monkeypatch.setattr(size, "SETTLE_SECONDS", 0.0)
    build(tmp_path)
    rows = list(size.measure(tmp_path, rounds=1))
    assert "1,000 recipients, 20 domains" in rows[0]
    assert [row.split("  ")[0] for row in rows[1:3]] == ["start, s", "memory, MB"]


def test_dns_compares_the_ways_to_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns, "QUERIES", 20)
    monkeypatch.setattr(dns, "WARM_QUERIES", 20)
    head, *rows = dns.measure(tmp_path, rounds=1)
    assert head.split() == ["cold", "warm"]
    cold = {row[:28].strip(): float(row[28:].split()[0]) for row in rows}
    assert list(cold) == list(dns.WAYS)
    assert all(microseconds > 0 for microseconds in cold.values())


@pytest.mark.needs_root
@pytest.mark.needs_network
@pytest.mark.parametrize("row", c_ares.ROWS)
async def test_what_c_ares_is_compared_with(row: str) -> None:
    with c_ares.ROWS[row].names() as names:
        assert await c_ares.ours(names, c_ares.ROWS[row].kind) == c_ares.ROWS[row].expected


def test_the_mix_meets_every_check_and_both_verdicts(tmp_path: Path) -> None:
    build(tmp_path)
    config = policies.sample_policy(tmp_path / "policy")
    asked = queries.write(tmp_path / "queries", queries.sample_mix())
    with running("eximacl", daemon(config), config.parent / "s") as server:
        found = load(tmp_path, server, asked, SHORT)
        assert server.memory_mb() > 1
    total = sum(found.verdicts.values())
    assert 0.5 < found.verdicts["accept"] / total < 0.7
    log = (config.parent / "rejections.jsonl").read_text()
    for slug in ("rdns-tld", "unknown-recipient", "localpart-pattern", "sender-domain", "bad-recipient"):
        assert f'"check": "{slug}"' in log


def test_the_parts_whose_instructions_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    monkeypatch.setattr(instructions, "QUERIES", 50)
    monkeypatch.setattr("os.sched_yield", lambda: begun.append("a part"))
    instructions.run(tmp_path)
    assert len(begun) == len(instructions.PARTS) + 1


def test_harvest_reads_a_store_beside_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harvest, "MESSAGES", 300)
    head, _, limit, ours, _ = harvest.measure(tmp_path, rounds=1)
    assert head.startswith("300 messages")
    assert limit.startswith("limit")
    assert ours.endswith("≥ 3,000")
    monkeypatch.setattr(harvest, "JOBS", 0)
    with pytest.raises(BenchError, match="has not read all"):
        harvest._harvest(tmp_path)


@pytest.mark.needs_root
@pytest.mark.needs_network
def test_dns_lists_are_asked_in_each_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dnslists, "SESSIONS", 10)
    head, *rows = dnslists.measure(tmp_path, rounds=1)
    assert head.split() == ["sessions/s", "Exim", "daemon", "total"]
    named = [f"{cache:6}{name}" for cache in dnslists.CACHES for name in dnslists.WAYS]
    assert [row[:30].strip() for row in rows[:8]] == named
    assert ["goal" in row for row in rows[8:]] == [True, False] * 2


@pytest.mark.needs_root
@pytest.mark.needs_network
def test_dns_lists_that_cannot_be_measured_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dnslists, "_ALONE", "echo no route >&2; exit 2")
    with pytest.raises(BenchError, match="no route"):
        list(dnslists.measure(tmp_path, rounds=1))


@pytest.mark.needs_root
@pytest.mark.needs_exim
@pytest.mark.needs_network
def test_a_joe_job_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joe_job, "BOUNCES_PER_ROUND", 30)
    monkeypatch.setattr(joe_job, "GOOD", 4)
    good, to_random, to_one, *figures = joe_job.measure(tmp_path, rounds=1)
    assert (good.split()[-2:], to_random.split()[-2:]) == (["4", "accepted"], ["30", "refused"])
    assert to_one.endswith("10 refused, those after the first 20")
    assert [line.partition(",")[0] for line in figures[-2:]] == ["CPU of Exim", "CPU of the daemon"]


def test_a_joe_job_that_goes_wrong_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joe_job, "rehearse", lambda *_: Rehearsal(Counter({"250 OK id": 1})))
    with pytest.raises(BenchError, match="not as it should be"):
        list(joe_job.measure(tmp_path))


def test_what_does_not_work_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(BenchError, match="nobody does not serve"),
        running("nobody", [sys.executable, "-c", ""], tmp_path / "s"),
    ):
        pass
