"""Finding lines in a log and its rotated files, whatever else is in them."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import json
import lzma
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eximacl.records import search as search_module
from eximacl.records.errors import RecordsError
from eximacl.records.follow import LINE_BYTES_MAX
from eximacl.records.rotated import log_files
from eximacl.records.search import (
    LogLine,
    SearchReport,
    Tail,
    Wanted,
    decode,
    pick,
    search,
    text_of,
    time_of,
)
from tests.archive.holding import let_everybody_pass, nobody

NOON = 1_795_435_200.0  # 2026-11-23T12:00:00Z
ENTRY = {
    "time": "2026-11-23T12:00:00.000+00:00",
    "from": "<Ann@example.net>",
    "ip": "192.0.2.7",
    "recipient": "Juha@example.org",
    "ref": "7KQ2M9D4",
    "check": "rdns-tld",
    "domain": "example.org",
}
BOUNCE = {**ENTRY, "from": "<>", "ip": "2001:db8::7", "ref": "7KQ2M9D5", "time": "2026-11-23T12:00:01.000+00:00"}
SEVERAL = {
    **ENTRY,
    "recipient": "joe@example.org, b o@sub.example.com",
    "ref": "7KQ2M9D6",
    "check": "localpart-pattern",
}
EARLY = {**ENTRY, "from": "", "recipient": "", "domain": "", "ref": "7KQ2M9D7", "time": "2026-11-22T12:00:00.000+00:00"}
ALL = [ENTRY, BOUNCE, SEVERAL, EARLY]


def lines(*entries: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)


def refs(found: list[LogLine]) -> list[str]:
    return [one.entry["ref"] for one in found]


def find(data: bytes, **wanted: Any) -> list[str]:
    return refs(list(pick(data, Wanted(**wanted), SearchReport())))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param({}, "4567", id="all"),
        pytest.param({"domain": "EXAMPLE.org."}, "456", id="domain"),
        pytest.param({"domain": "sub.example.com"}, "6", id="domain of one of several"),
        pytest.param({"domain": ".example.com"}, "6", id="below a domain"),
        pytest.param({"domain": "example.com"}, "", id="not below it"),
        pytest.param({"recipient": "JUHA@example.org"}, "45", id="address in any case"),
        pytest.param({"recipient": "juha"}, "45", id="localpart"),
        pytest.param({"recipient": "@example.org"}, "456", id="all of a domain"),
        pytest.param({"recipient": "b o@sub.example.com"}, "6", id="with a blank"),
        pytest.param({"sender": "ann@example.net"}, "46", id="sender"),
        pytest.param({"sender": "<ann@EXAMPLE.NET>"}, "46", id="sender in brackets"),
        pytest.param({"sender": "<>"}, "5", id="null sender"),
        pytest.param({"recipient": " <juha@example.org> "}, "45", id="recipient in brackets"),
        pytest.param({"recipient": '"juha"@example.org'}, "45", id="recipient in quotes"),
        pytest.param({"recipient": '"b o"@sub.example.com'}, "6", id="with a blank, in quotes"),
        pytest.param({"sender": '"ann"@example.net'}, "46", id="sender in quotes"),
        pytest.param({"sender": " ann "}, "46", id="sender between blanks"),
        pytest.param({"ip": "192.0.2.7"}, "467", id="address"),
        pytest.param({"ip": "192.0.2.9/24"}, "467", id="network of whole octets"),
        pytest.param({"ip": "192.0.0.0/13"}, "467", id="another network"),
        pytest.param({"ip": "0.0.0.0/0"}, "467", id="all IPv4"),
        pytest.param({"ip": "2001:DB8:0::7"}, "5", id="IPv6 in another spelling"),
        pytest.param({"ip": "192.0.2.70"}, "", id="not by the beginning"),
        pytest.param({"check": "rdns_tld"}, "457", id="check"),
        pytest.param({"check": "rdns"}, "", id="not a part of a check"),
        pytest.param({"ref": "7KQ2M9D6"}, "6", id="reference"),
        pytest.param({"since": NOON}, "456", id="since"),
        pytest.param({"since": NOON + 0.0005}, "5", id="since, between two milliseconds"),
        pytest.param({"until": NOON}, "7", id="until"),
        pytest.param({"until": NOON + 0.0005}, "467", id="until, between two milliseconds"),
        pytest.param({"since": NOON, "until": NOON + 1}, "46", id="since and until"),
        pytest.param({"domain": "example.org", "sender": "<>"}, "5", id="both must hold"),
    ],
)
def test_what_is_wanted(wanted: dict[str, Any], expected: str) -> None:
    assert find(lines(*ALL), **wanted) == [f"7KQ2M9D{number}" for number in expected]


@pytest.mark.parametrize("domain", ["bücher.example", "BÜCHER.example", "xn--bcher-kva.example"])
@pytest.mark.parametrize("logged", ["bücher.example", "xn--bcher-kva.example"])
def test_a_domain_in_both_of_its_spellings(logged: str, domain: str) -> None:
    entry = {**ENTRY, "from": f"<ann@{logged}>", "recipient": f"joe@{logged}", "domain": logged}
    entry["domain"] = "xn--bcher-kva.example"
    data = lines(EARLY, entry)
    for wanted in (
        {"sender": f"ann@{domain}"},
        {"sender": f"@{domain}"},
        {"recipient": f"joe@{domain}"},
        {"domain": domain},
    ):
        assert find(data, **wanted) == ["7KQ2M9D4"]


@pytest.mark.parametrize("asked", ["b.o@example.org", '"b.o"@example.org', '<"b\\.o"@example.org>'])
@pytest.mark.parametrize("logged", ["b.o@example.org", '"b.o"@example.org', '"b\\.o"@example.org', "b\\.o@example.org"])
def test_an_address_in_all_of_its_spellings(logged: str, asked: str) -> None:
    data = lines(EARLY, {**ENTRY, "from": f"<{logged}>", "recipient": f"{logged}, x@example.com"})
    assert find(data, sender=asked) == ["7KQ2M9D4"]
    assert find(data, recipient=asked) == ["7KQ2M9D4"]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        pytest.param({"domain": "no domain"}, "is not a domain name", id="domain"),
        pytest.param({"recipient": "juha@"}, "is not a localpart, an address, or @domain", id="recipient"),
        pytest.param({"ip": "192.0.2"}, "is not an IP address or network", id="ip"),
        pytest.param({"since": 1e15}, "is outside the calendar", id="time"),
    ],
)
def test_what_cannot_be_searched_for(wanted: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Wanted(**wanted)


@pytest.mark.parametrize("wanted", [{}, {"ref": "7KQ2M9D4"}, {"since": NOON - 1}], ids=["all", "needle", "time"])
@pytest.mark.parametrize(
    ("damage", "count"),
    [
        pytest.param(b'{"time": "2026-11-23T12:00:00.000+00:00", "from": "<ann', 1, id="torn"),
        pytest.param(b"\0\xff\xfe", 1, id="binary"),
        pytest.param(b'"text"}', 1, id="no object"),
        pytest.param(b"", 0, id="an empty line"),
        pytest.param(b"[" * 100_000, 1, id="nested too deeply"),
    ],
)
def test_damaged_lines_are_counted_and_passed_over(wanted: dict[str, Any], damage: bytes, count: int) -> None:
    report = SearchReport()
    data = lines(EARLY) + damage + b"\n" + lines(ENTRY) + damage
    found = list(pick(data, Wanted(**wanted), report))
    assert refs(found)[-1] == "7KQ2M9D4"
    assert report.damaged == 2 * count


def test_lines_of_others() -> None:
    """Other keys, other spellings, other types: nothing is found by what is not there, and nothing is raised."""
    report = SearchReport()
    data = b'{"from":7,"recipient":["a@b"],"domain":null,"time":"soon","ref":1.5}\n{"time":"' + b"x" * 40 + b'"}\n[]\n'
    for wanted in (
        {"domain": "example.org"},
        {"since": 1.0},
        {"ref": "7KQ2M9D4"},
        {"recipient": "juha"},
        {"ip": "::1"},
    ):
        assert list(pick(data, Wanted(**wanted), report)) == []
    assert len(list(pick(data, Wanted(), SearchReport()))) == 2
    found = list(
        pick(b'{"time":"2026-11-23T14:00:00+02:00","ref":"7kq2m9d4"}', Wanted(since=NOON, ref="7KQ2M9D4"), report)
    )
    assert len(found) == 1


def test_values() -> None:
    assert decode(b"{") is None
    assert decode(b"{}") is None
    assert text_of({"a": {"b": 1}}, "a") == '{"b": 1}'
    assert time_of({"time": "2026-11-23T12:00:00.000+00:00"}) == NOON
    assert time_of({}) is None
    assert time_of({"time": "9999-12-31T23:59:59-23:59"}) is None
    assert time_of({"time": "0001-01-01T00:00:00+23:59"}) is None


@given(st.lists(st.binary(max_size=40)), st.sampled_from([{}, {"ref": "7KQ2M9D4"}, {"since": 0.0}, {"domain": "b.c"}]))
def test_no_bytes_stop_a_search(pieces: list[bytes], wanted: dict[str, Any]) -> None:
    data = b"\n".join((*pieces, json.dumps(ENTRY).encode(), *pieces))
    found = [one for one in pick(data, Wanted(**wanted), SearchReport()) if one.entry == ENTRY]
    assert len(found) == ("domain" not in wanted)


def log_in(directory: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (directory / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return directory / "r.jsonl"


def test_searches_rotated_and_gzipped_files(tmp_path: Path) -> None:
    path = log_in(
        tmp_path, {"r.jsonl": lines(SEVERAL), "r.jsonl.1": lines(BOUNCE), "r.jsonl.2.gz": lines(EARLY, ENTRY)}
    )
    read: list[int] = []
    found = list(search(log_files(path), Wanted(), SearchReport(), progress=read.append))
    assert refs(found) == ["7KQ2M9D7", "7KQ2M9D4", "7KQ2M9D5", "7KQ2M9D6"]
    assert found[0].line == lines(EARLY).rstrip()
    assert sum(read) == sum(file.stat().st_size for file in tmp_path.iterdir())


def test_searches_whatever_a_rotation_compresses_with(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl.3.xz").write_bytes(lzma.compress(lines(EARLY)))
    (tmp_path / "r.jsonl.2.bz2").write_bytes(bz2.compress(lines(ENTRY)))
    whole = lzma.compress(lines(*[BOUNCE] * 9))
    (tmp_path / "r.jsonl.1.xz").write_bytes(whole[:20] + b"\xff" + whole[21:])
    report = SearchReport()
    assert refs(list(search(log_files(tmp_path / "r.jsonl"), Wanted(), report)))[:2] == ["7KQ2M9D7", "7KQ2M9D4"]
    assert [text.partition(" is ")[0] for text in report.unreadable] == [f"{tmp_path}/r.jsonl.1.xz"]


def test_what_is_no_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    path = log_in(tmp_path, {"r.jsonl": lines(ENTRY)})
    os.mkfifo(tmp_path / "r.jsonl.1")
    (tmp_path / "r.jsonl.2").symlink_to("/dev/zero")
    report = SearchReport()
    assert refs(list(search(log_files(path), Wanted(), report))) == ["7KQ2M9D4"]
    assert report.unreadable == [f"{path}.{number} cannot be read: it is not a regular file" for number in (2, 1)]


def test_who_may_not_read_is_told(tmp_path: Path) -> None:
    path = log_in(tmp_path, {"r.jsonl": lines(ENTRY)})
    path.chmod(0o640)
    let_everybody_pass(tmp_path)
    report = SearchReport()
    with nobody():
        assert list(search([path], Wanted(), report)) == []
    assert report.unreadable == [
        f"{path} cannot be read: Permission denied; run this as root or as a member of the daemon's group"
    ]


def test_where_damaged_lines_are(tmp_path: Path) -> None:
    path = log_in(tmp_path, {"r.jsonl": b"x\n" + lines(ENTRY), "r.jsonl.1": lines(ENTRY), "r.jsonl.2.gz": b"x\ny\n"})
    report = SearchReport()
    assert len(list(search(log_files(path), Wanted(), report))) == 2
    assert (report.damaged, [one.name for one in report.damaged_in]) == (3, ["r.jsonl.2.gz", "r.jsonl"])


def test_files_that_are_too_old_are_not_read(tmp_path: Path) -> None:
    path = log_in(tmp_path, {"r.jsonl": lines(ENTRY), "r.jsonl.1": lines(ENTRY)})
    os.utime(tmp_path / "r.jsonl.1", (NOON - 3600, NOON - 3600))
    read: list[int] = []
    assert len(list(search(log_files(path), Wanted(since=NOON), SearchReport(), progress=read.append))) == 1
    assert sum(read) == 2 * path.stat().st_size
    assert len(list(search(log_files(path), Wanted(since=NOON), SearchReport()))) == 1


def test_a_file_is_read_once_under_two_names(tmp_path: Path) -> None:
    """As a rotation in the middle of the look-up makes it seem."""
    path = log_in(tmp_path, {"r.jsonl": lines(ENTRY)})
    (tmp_path / "r.jsonl.1").hardlink_to(path)
    assert len(list(search(log_files(path), Wanted(), SearchReport()))) == 1


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = log_in(tmp_path, {"r.jsonl": lines(ENTRY), "r.jsonl.3.gz": lines(*[BOUNCE] * 9)})
    whole = (tmp_path / "r.jsonl.3.gz").read_bytes()
    (tmp_path / "r.jsonl.3.gz").write_bytes(whole[:-8])
    (tmp_path / "r.jsonl.4.gz").write_bytes(whole[:15] + b"\xff" + whole[16:])
    (tmp_path / "r.jsonl.2").mkdir()
    report = SearchReport()
    found = list(search([*log_files(path), tmp_path / "r.jsonl.9"], Wanted(), report))
    assert refs(found)[-1] == "7KQ2M9D4"
    assert [text.partition("r.jsonl")[2][:12] for text in report.unreadable] == [
        ".2 cannot be",
        ".4.gz is dam",
        ".3.gz is dam",
    ]


def test_lines_across_blocks_and_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "BLOCK_BYTES", 100)
    path = log_in(tmp_path, {"r.jsonl": lines(*ALL) + b"x" * (2 * LINE_BYTES_MAX) + b"\n" + lines(*ALL)[:-1]})
    report = SearchReport()
    found = list(search([path], Wanted(), report))
    assert refs(found) == [entry["ref"] for entry in ALL] * 2
    assert report.damaged >= 1


def test_what_a_log_has_and_then_what_it_gets(tmp_path: Path) -> None:
    path = log_in(tmp_path, {"r.jsonl": lines(BOUNCE), "r.jsonl.1": lines(ENTRY)})
    report = SearchReport()
    with contextlib.closing(Tail(path, Wanted(), clock=lambda: 0.0)) as tail:
        assert refs(list(tail.past(report))) == ["7KQ2M9D4", "7KQ2M9D5"]
        assert list(tail.new(report)) == []
        with path.open("ab") as file:
            file.write(lines(SEVERAL)[:20])
            file.flush()
            assert list(tail.new(report)) == []
            file.write(lines(SEVERAL)[20:])
        assert refs(list(tail.new(report))) == ["7KQ2M9D6"]
        path.rename(tmp_path / "r.jsonl.2")
        path.write_bytes(lines(EARLY))
        assert refs(list(tail.new(report))) == ["7KQ2M9D7"]
    assert report == SearchReport()


def test_a_log_that_cannot_be_followed(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with contextlib.closing(Tail(tmp_path / "loop", Wanted())) as tail:
        for read in (tail.past, tail.new):
            with pytest.raises(RecordsError, match="loop cannot be read: Too many levels of symbolic links"):
                list(read(SearchReport()))
