"""Writing decisions and reading them back: whole, torn, damaged, from other days."""

from __future__ import annotations

import random
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eximacl.policy.outcome import Decision, Traced, Unknown
from eximacl.policy.places import Place
from eximacl.policy.query import Stage
from eximacl.policy.questions import AskedQuestion, Question, ReleaseSlots, ReserveSlot
from eximacl.protocol.exim import format_query, parse_query
from eximacl.records import journal
from eximacl.records.decision import DecisionRecord
from eximacl.records.journal import (
    CUT,
    FORMAT,
    MAX_EARLY_BYTES,
    MAX_RECORD_BYTES,
    MAX_TRANSACTION_SECONDS,
    RECORD_TYPE,
    SECONDS_PER_DAY,
    Entry,
    Journal,
    Reading,
    find,
    journal_files,
    pack_entry,
    prune,
    read_journal,
)
from eximacl.records.references import References
from tests.archive.holding import small_disk

NOW = 1_795_450_593.75
TODAY = "2026-11-23.mpk"
LINE = format_query("rcpt", {"ip": "192.0.2.7", "tx": "1-2", "from": "a@example.net", "rcpt": "b@example.org"}).rstrip()
TRACE = (
    Traced("bad_recipient", "pass"),
    Traced("transaction", "pass", "committed"),
    Traced("sender_domain", "observe", "sender-domain", "junk.example", 0.25),
    Traced("rdns_tld", "reject", "rdns-tld", "sa"),
)


def judged(
    ref: str = "7KQ2M9D4", now: float = NOW, line: bytes = LINE, asked: list[AskedQuestion] | None = None
) -> DecisionRecord:
    decision = Decision("reject", TRACE, "rdns_tld", "rdns-tld", "sa", "text", "sentence", "7.1", ("data", "end"))
    query = parse_query(LINE, now)._replace(stage="data" if line.startswith(b"data ") else "rcpt")
    return DecisionRecord(ref, "exim", line, query, asked or [], decision, 550, "5.7.1 text", "log text")


def written(tmp_path: Path, count: int = 3) -> tuple[Path, list[bytes]]:
    """A file of `count` records, and the bytes of each."""
    packed = [pack_entry(judged(f"0000000{number}")) for number in range(count)]
    path = tmp_path / TODAY
    path.write_bytes(b"".join(packed))
    return path, packed


def refs(path: Path, reading: Reading | None = None) -> list[str]:
    return [entry.ref[-1] for entry in read_journal(path, reading)]


def test_reads_what_was_written(tmp_path: Path) -> None:
    asked = [
        AskedQuestion("disposable", ReserveSlot("key", 3, "1-2"), Place("reserved", 1, 3)),
        AskedQuestion("disposable", ReleaseSlots("1-2"), Unknown("locked")),
    ]
    journal = Journal(tmp_path / "journal")
    journal.write(judged(asked=asked))
    journal.file.close()
    [entry] = read_journal(tmp_path / "journal" / TODAY)
    assert entry == Entry(
        ref="7KQ2M9D4",
        time=NOW,
        stage="rcpt",
        domain="example.org",
        protocol="exim",
        line=LINE,
        questions=(
            ("disposable", "reserve", "key", 3, "1-2", "reserved 1 of 3"),
            ("disposable", "release", "1-2", {"unknown": "locked"}),
        ),
        trace=(TRACE[0], TRACE[1], TRACE[2]._replace(seconds=0.0), TRACE[3]),
        word="reject",
        code=550,
        reason="rdns-tld",
        check="rdns_tld",
        detail="sa",
        want="data end",
        message="5.7.1 text",
        log="log text",
    )
    assert entry.values()["rcpt"] == "b@example.org"


def test_a_record_is_one_msgpack_object(tmp_path: Path) -> None:
    path, _ = written(tmp_path, 2)
    with path.open("rb") as file:
        objects = list(msgpack.Unpacker(file))
    assert [type(each) for each in objects] == [msgpack.ExtType] * 2
    assert {each.code for each in objects} == {RECORD_TYPE}
    assert msgpack.unpackb(objects[0].data[4:])[0] == FORMAT


@given(st.binary(max_size=300))
def test_keeps_the_query_s_bytes_as_they_came(line: bytes) -> None:
    entry = journal.unpack_entry(pack_entry(judged(line=line)))
    assert entry is not None
    assert entry.line == line


def test_texts_that_are_not_utf_8_survive() -> None:
    one = judged()
    packed = pack_entry(one._replace(log="x\udcff\udc80"))
    entry = journal.unpack_entry(packed)
    assert entry is not None
    assert entry.log == "x\udcff\udc80"


@dataclass(frozen=True, slots=True)
class Odd(Question[Any]):
    """A question with a field of a kind that msgpack does not know."""

    kind = "odd"

    where: Path


def test_an_answer_of_an_unknown_kind_is_its_text() -> None:
    entry = journal.unpack_entry(pack_entry(judged(asked=[AskedQuestion("odd", Odd(Path("/x")), 1 << 70)])))
    assert entry is not None
    assert entry.questions == (("odd", "odd", "/x", str(1 << 70)),)


def test_a_reader_steps_over_what_it_does_not_know(tmp_path: Path) -> None:
    """A later version adds names to `more`, and older readers still read its records."""
    packed = pack_entry(judged())
    whole = msgpack.unpackb(packed[10:], unicode_errors="surrogateescape")
    whole[-1] = {"shadow": ["accept", 250], "chain": b"x" * 32}
    (tmp_path / TODAY).write_bytes(journal.frame(msgpack.packb(whole)))
    [entry] = read_journal(tmp_path / TODAY)
    assert (entry.ref, entry.more) == ("7KQ2M9D4", {"shadow": ("accept", 250), "chain": b"x" * 32})


def test_a_query_of_an_unknown_protocol_has_no_values(tmp_path: Path) -> None:
    (tmp_path / TODAY).write_bytes(pack_entry(judged()._replace(protocol="other")))
    [entry] = read_journal(tmp_path / TODAY)
    assert (entry.stage, entry.line, entry.values()) == ("rcpt", LINE, {})


# Too large.

MEGABYTE = 1024 * 1024
HEADERS = format_query("data", {"ip": "192.0.2.7", "tx": "1-2", "subject": "x", "headers": "Received: x\n" * 80_000})
TOO_LARGE = [
    pytest.param({"line": HEADERS.rstrip()}, id="headers"),
    pytest.param({"line": b"x" * MEGABYTE}, id="a query that cannot be read"),
    pytest.param({"line": b"rcpt v=1" + b"".join(b" k%d=v" % n for n in range(50_000))}, id="very many values"),
    pytest.param({"log": "x" * MEGABYTE, "message": "\udcff" * MEGABYTE}, id="texts"),
    pytest.param({"asked": [AskedQuestion("a", ReleaseSlots("x"), ("t" * 9000,) * 40)] * 9}, id="answers"),
    pytest.param({"asked": [AskedQuestion("a", ReleaseSlots("x"), (("t" * 250,) * 60,) * 60)] * 99}, id="many answers"),
]


STAGES: list[tuple[Stage, int]] = [("data", MAX_RECORD_BYTES), ("rcpt", MAX_EARLY_BYTES)]


@pytest.mark.parametrize(("stage", "most"), STAGES)
@pytest.mark.parametrize("changes", TOO_LARGE)
def test_a_record_that_is_too_large_is_cut(tmp_path: Path, changes: dict[str, Any], stage: Stage, most: int) -> None:
    one = judged()._replace(**changes)
    one = one._replace(query=one.query._replace(stage=stage))
    packed = pack_entry(one)
    assert len(packed) <= most
    (tmp_path / TODAY).write_bytes(packed)
    [entry] = read_journal(tmp_path / TODAY)
    assert entry.more[CUT] == len(one.line)
    assert (entry.ref, entry.word, entry.check, entry.stage) == ("7KQ2M9D4", "reject", "rdns_tld", stage)


def test_a_long_greeting_is_cut_and_the_rest_of_the_query_stays(tmp_path: Path) -> None:
    """Exim takes a greeting of 16 kB, and one client could send it with each recipient."""
    sent = {"tx": "1-2", "ip": "192.0.2.7", "from": "a@example.net", "rcpt": "joe@example.org"}
    line = format_query("rcpt", {**sent, "helo": "x" * 16_300}).rstrip(b"\n")
    (tmp_path / TODAY).write_bytes(pack_entry(judged(line=line)))
    assert (tmp_path / TODAY).stat().st_size < 6000
    [entry] = read_journal(tmp_path / TODAY)
    values = entry.values()
    assert {key: values[key] for key in sent} == sent
    assert values["helo"].endswith("x…(cut)")


def test_what_was_cut_says_so_and_the_rest_can_be_read(tmp_path: Path) -> None:
    (tmp_path / TODAY).write_bytes(pack_entry(judged(line=HEADERS.rstrip())))
    [entry] = read_journal(tmp_path / TODAY)
    values = entry.values()
    assert (values["ip"], values["tx"], values["subject"]) == ("192.0.2.7", "1-2", "x")
    assert values["headers"].startswith("Received: x\n")
    assert values["headers"].endswith("…(cut)")
    assert [line.check for line in entry.trace] == [line.check for line in TRACE]


# Damage.


def test_a_torn_record_anywhere_costs_only_itself(tmp_path: Path) -> None:
    path, packed = written(tmp_path)
    for cut in range(1, len(packed[1])):
        path.write_bytes(packed[0] + packed[1][:cut] + packed[2])
        reading = Reading()
        assert refs(path, reading) == ["0", "2"]
        assert reading.skipped_bytes == cut


def test_a_torn_last_record_is_skipped(tmp_path: Path) -> None:
    path, packed = written(tmp_path)
    for cut in range(1, len(packed[2])):
        path.write_bytes(packed[0] + packed[1] + packed[2][:cut])
        reading = Reading()
        assert refs(path, reading) == ["0", "1"]
        assert reading.skipped_bytes == cut


def test_a_changed_byte_costs_only_its_record(tmp_path: Path) -> None:
    path, packed = written(tmp_path)
    for place in range(len(packed[1])):
        damaged = bytearray(packed[1])
        damaged[place] ^= 0x55
        path.write_bytes(packed[0] + damaged + packed[2])
        assert refs(path) == ["0", "2"]


@pytest.mark.parametrize("seed", range(20))
def test_garbage_between_records_is_stepped_over(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(journal, "_READ_BYTES", chance.randrange(1, 500))
    path, packed = written(tmp_path)
    garbage = [chance.choice([chance.randbytes(chance.randrange(60)), b"\xc9" * chance.randrange(9)]) for _ in packed]
    path.write_bytes(b"".join(g + p for g, p in zip(garbage, packed, strict=True)) + garbage[0])
    reading = Reading()
    assert refs(path, reading) == ["0", "1", "2"]
    assert reading.skipped_bytes == sum(map(len, garbage)) + len(garbage[0])


@pytest.mark.parametrize("content", [b"", b"\xc9", b"x" * 5000, b"\xc9\x00\xff\xff\xffE", b"\xc9\xff\xff\xff\xffE" * 9])
def test_a_file_without_records_has_no_entries(tmp_path: Path, content: bytes) -> None:
    (tmp_path / TODAY).write_bytes(content)
    reading = Reading()
    assert refs(tmp_path / TODAY, reading) == []
    assert reading.skipped_bytes == len(content)


@pytest.mark.parametrize(
    "data",
    [
        (FORMAT + 1, "ref", 1.0, "rcpt", "domain", "exim", b"", (), (), ("accept", *range(7)), {}),
        (FORMAT, 2),
        7,
        (FORMAT, "ref", 1.0, "rcpt", "domain", "exim", b"", (), (), 5, {}),
        (FORMAT, "ref", 1.0, "rcpt", "domain", "exim", b"", (), (None,), ("accept", *range(7)), {}),
        (FORMAT, "ref", 1.0, "rcpt", "domain", "exim", b"", (), 5, ("accept", *range(7)), {}),
        (FORMAT, "ref", 1.0, "rcpt", "domain", "exim", b"", (), (tuple("1234567"),), ("accept", *range(7)), {}),
    ],
)
def test_a_record_of_another_shape_is_stepped_over(tmp_path: Path, data: Any) -> None:
    path, packed = written(tmp_path, 1)
    path.write_bytes(journal.frame(msgpack.packb(data)) + packed[0])
    assert refs(path) == ["0"]


def test_a_forged_record_inside_a_query_is_no_record(tmp_path: Path) -> None:
    """Only a record that is torn makes the reader look inside what a client has sent."""
    forged = pack_entry(judged("FFFFFFFF"))
    whole = pack_entry(judged(line=forged))
    (tmp_path / TODAY).write_bytes(whole)
    assert refs(tmp_path / TODAY) == ["4"]


def test_what_is_written_after_a_full_disk_can_be_read(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, "size=64k"):
        first = Journal(disk)
        for _ in range(400):
            first.write(judged("00000001"))
        first.file.close()
        torn = first.file.path.stat().st_size % len(pack_entry(judged("00000001")))
        subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
        second = Journal(disk)
        second.write(judged("00000002"))
        second.file.close()
        reading = Reading()
        found = [entry.ref for path in journal_files(disk) for entry in read_journal(path, reading)]
    assert torn
    assert found[-1] == "00000002"
    assert set(found[:-1]) == {"00000001"}
    assert reading.skipped_bytes == torn


# Days.


def test_a_day_s_decisions_are_in_its_file(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    midnight = NOW - NOW % SECONDS_PER_DAY
    for number, now in enumerate((midnight - 0.001, midnight, midnight + 1, midnight + SECONDS_PER_DAY)):
        journal.write(judged(f"0000000{number}", now))
    journal.file.close()
    found = {path.name: refs(path) for path in journal_files(tmp_path)}
    assert found == {"2026-11-22.mpk": ["0"], TODAY: ["1", "2"], "2026-11-24.mpk": ["3"]}


@pytest.mark.parametrize("file_day", [-400, -1, 0, 1])
def test_finds_a_reference_in_whatever_file_it_is(tmp_path: Path, file_day: int) -> None:
    references = References()
    wanted = references.next(NOW)
    packed = [pack_entry(judged(ref)) for ref in (references.next(NOW), wanted)]
    written_to = Journal(tmp_path)
    written_to.write(judged("00000009", NOW + file_day * SECONDS_PER_DAY))
    written_to.file.close()
    with written_to.file.path.open("ab") as file:
        file.writelines(packed)
    (entry,) = find(tmp_path, wanted, NOW + 90 * SECONDS_PER_DAY)
    assert entry.ref == wanted
    assert find(tmp_path, "ZZZZZZZZ", NOW) == ()


def test_finds_nothing_where_nothing_is(tmp_path: Path) -> None:
    assert find(tmp_path, "7KQ2M9D4") == ()
    assert find(tmp_path / "missing", "7KQ2M9D4") == ()


HELD, OTHER = References().next(NOW), "7KQ2M9D4"
DATA = b"data v=1"
MIDNIGHT = NOW - NOW % SECONDS_PER_DAY + SECONDS_PER_DAY
SOON, LATE = MAX_TRANSACTION_SECONDS - 1, MAX_TRANSACTION_SECONDS + 1
LATER = [
    pytest.param("hold", NOW, [(HELD, 9, DATA)], [0], id="DATA"),
    pytest.param("hold", NOW, [(OTHER, 1, LINE), (OTHER, 2, DATA), (HELD, 9, DATA)], [2], id="after others"),
    pytest.param("hold", NOW, [(OTHER, 1, LINE)], [], id="no DATA"),
    pytest.param("hold", NOW, [], [], id="nothing"),
    pytest.param("hold", NOW, [(HELD, SOON, DATA)], [0], id="just in time"),
    pytest.param("hold", NOW, [(HELD, LATE, DATA)], [], id="much later"),
    pytest.param("hold", NOW, [(OTHER, LATE, LINE), (HELD, 9, DATA)], [], id="behind what is much later"),
    pytest.param("hold", NOW, [(HELD, 9, DATA), (HELD, 10, DATA)], [0], id="nothing after DATA"),
    pytest.param("hold", NOW, [(HELD, 1, LINE), (HELD, 9, DATA)], [0, 1], id="all of the reference"),
    pytest.param("hold", MIDNIGHT - 1, [(HELD, 9, DATA)], [0], id="over midnight"),
    pytest.param("hold", MIDNIGHT - 1, [(OTHER, 0.5, LINE), (OTHER, 8, LINE), (HELD, 9, DATA)], [2], id="well over"),
    pytest.param("hold", MIDNIGHT - 1, [(HELD, 9 + SECONDS_PER_DAY, DATA)], [], id="two days on"),
    pytest.param("reject", NOW, [(HELD, 9, DATA)], [], id="was not held"),
    pytest.param(
        "hold", NOW, [(OTHER, 9, DATA + b" tx=1-3"), (OTHER, 9.5, DATA + b" tx=1-2")], [1], id="of the same mail"
    ),
    pytest.param("hold", NOW, [(OTHER, 9, b'data v=1 tx="1-2')], [], id="damaged"),
]


def of_word(word: str, ref: str, now: float, line: bytes) -> DecisionRecord:
    one = judged(ref, now, line)
    return one._replace(decision=one.decision._replace(word=word))  # type: ignore[arg-type]


@pytest.mark.parametrize(("word", "began", "following", "found"), LATER)
def test_finds_what_followed_from_a_hold(
    tmp_path: Path, word: str, began: float, following: list[tuple[str, float, bytes]], found: list[int]
) -> None:
    journal = Journal(tmp_path)
    journal.write(of_word(word, HELD, began, LINE))
    for ref, seconds, line in following:
        journal.write(of_word("hold", ref, began + seconds, line))
    journal.file.close()
    assert [entry.time for entry in find(tmp_path, HELD, NOW)] == [began, *(began + following[at][1] for at in found)]


def test_a_hold_at_data_is_the_last(tmp_path: Path) -> None:
    """Its record of RCPT was lost with a killed daemon."""
    journal = Journal(tmp_path)
    for seconds in (0, 1):
        journal.write(of_word("hold", HELD, NOW + seconds, DATA + b" x=1"))
    journal.file.close()
    assert [entry.time for entry in find(tmp_path, HELD, NOW)] == [NOW]


def test_no_more_is_read_than_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day may have gigabytes; what is behind the answer is not even read."""
    writing = Journal(tmp_path)
    for word, ref, seconds, line in [
        ("reject", OTHER, 0, LINE),
        ("hold", HELD, 1, LINE),
        ("hold", OTHER, 2, LINE),
        ("hold", HELD, 3, DATA),
    ]:
        writing.write(of_word(word, ref, NOW + seconds, line))
    for number in range(1000):
        writing.write(of_word("accept", f"1{number:07}", NOW + 4, LINE))
    writing.file.close()
    decoded: list[bytes] = []
    decode = journal.unpack_entry
    monkeypatch.setattr(journal, "unpack_entry", lambda record: decoded.append(record) or decode(record))  # type: ignore[func-returns-value]
    assert len(find(tmp_path, OTHER, NOW)) == 1
    assert len(decoded) == 1
    assert len(find(tmp_path, HELD, NOW)) == 2
    assert len(decoded) == 1 + 4


def test_prunes_old_days_and_nothing_else(tmp_path: Path) -> None:
    kept = ["2026-11-21.mpk", "2026-11-23.mpk", "2026-11-24.mpk", "2026-11-01.mpk.gz", "x2026-11-01.mpk", "notes"]
    old = ["2025-12-31.mpk", "2026-11-20.mpk"]
    for name in kept + old:
        (tmp_path / name).touch()
    assert [path.name for path in prune(tmp_path, 2, NOW)] == old
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
