"""The journal: every decision, accepts too, as one msgpack record in `YYYY-MM-DD.mpk`. Days are UTC's.

It is appended to and never rewritten. Each record is one msgpack object of extension type RECORD_TYPE with a 32-bit
length (MessagePack specification, ext 32), whose data are a CRC-32 and one msgpack array:

    FORMAT, reference, time, stage, domain, protocol, line, questions, trace, verdict, more

`more` is a map, empty in most records: what is added later (a second verdict, a scanner's answer, the hash of the
record before) gets a name in it, and readers skip the names that they do not know. A reader that meets garbage looks
for the next header whose checksum is right; so a crash, a full disk or a bad block costs only the records it hit.
"""

from __future__ import annotations

import re
import struct
import time
import zlib
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import msgpack

from eximacl.policy.outcome import Decision, Traced
from eximacl.protocol.codecs import query_values, shorten_values
from eximacl.records.appender import Appender, Later
from eximacl.records.decision import DecisionRecord
from eximacl.records.references import time_of
from eximacl.records.room import BYTES_PER_MB, CUT_MARK, Bounds, cut_text
from eximacl.system.files import open_regular

KEY = "journal.dir"
FORMAT = 2
RECORD_TYPE = 0x45  # any number that is ours alone: b"E"
# One of DATA has some 10 kB of headers. A sender may send a megabyte of headers with each message, and must not fill
# the disk with it; a reader holds one whole record in memory.
MAX_RECORD_BYTES = 256 * 1024
# An ordinary record of the other stages has 600 bytes; with the answers of twenty DNS lists, 4 kB.
MAX_EARLY_BYTES = 8 * 1024
# How a record that would be larger is cut: to texts of so many characters and lists of so many items, by the first of
# these that is enough. A text that was cut ends in CUT_MARK, and CUT in `more` says how many bytes the query had.
CUTS = ((4096, 1000), (256, 50), (256, 0), (64, 0))
CUT = "cut"
SECONDS_PER_DAY = 86_400
# The part of `journal.keep_mb` that one day may take. The other half is for the days before it, which a flood today
# cannot push out.
DAY_SHARE = 2

# From RCPT to the end of the message, as far as `find` looks: 50 MB at 64 kbit/s take two hours. To read on costs as
# much as the records of that time, a sixth of a day's.
MAX_TRANSACTION_SECONDS = 4 * 3600

# Those of a policy with some hundred domains or disposable addresses in use.
ACCEPTS_KEPT = 256

_HEADER = struct.Struct(">BIBI")  # ext 32, length, type, CRC-32 of what follows
_EXT32 = 0xC9
_CRC_BYTES = 4
# The first byte of a length is 0, and the array has eleven elements, of which FORMAT is the first.
_START = re.compile(rb"\xc9\x00.{3}E.{4}\x9b\x02", re.DOTALL)
_START_BYTES = 12
_ARRAY_OF_11 = b"\x9b"
_NOTHING_MORE = b"\x80"
_FILE_NAME = re.compile(r"(\d{4}-\d\d-\d\d)\.mpk")
_READ_BYTES = 1024 * 1024

# `default` for an answer of a kind that msgpack does not know: a record never fails for it.
_pack = msgpack.Packer(unicode_errors="surrogateescape", default=str).pack


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision as it was recorded.

    line: the query's bytes as they came, without newline, unless `archive.redact` or a cut changed them. questions: who
    asked, the kind, its fields, the answer last; an answer that could not be had is `{"unknown": why}`. log: the text
    for the mail server's own log. more: what only some records have; CUT: how many bytes the query had before the cut.
    """

    ref: str
    time: float
    stage: str
    domain: str
    protocol: str
    line: bytes
    questions: tuple[tuple[Any, ...], ...]
    trace: tuple[Traced, ...]
    word: str
    code: int
    reason: str
    check: str
    detail: str
    want: str
    message: str
    log: str
    more: Mapping[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, str]:
        """Return the values of the query; none of one that is damaged."""
        return query_values(self.protocol, self.line)


def pack_entry(record: DecisionRecord) -> bytes:
    """Return one decision as a framed record of at most MAX_RECORD_BYTES, before DATA of at most MAX_EARLY_BYTES."""
    ref, protocol, line, query, asked, decision, code, message, log = record
    room = (MAX_RECORD_BYTES if query.stage == "data" else MAX_EARLY_BYTES) - _HEADER.size
    if len(line) > room or len(asked) > CUTS[0][1]:  # not packed in vain: it takes 10 ms a megabyte
        return frame(_pack_cut(record, room))
    # Accepts are alike; they have their trace and verdict packed once for all.
    pack_verdict = _pack_accept if decision.word == "accept" else _pack_verdict
    verdict = pack_verdict(decision, code, message, log)
    questions = [one.as_list() for one in asked] if asked else ()
    start = _pack((FORMAT, ref, query.now, query.stage, query.domain, protocol, line, questions))
    data = b"".join((_ARRAY_OF_11, start[1:], verdict, _NOTHING_MORE))
    return frame(data if len(data) <= room else _pack_cut(record, room))


def _pack_verdict(decision: Decision, code: int, message: str, log: str) -> bytes:
    """Pack the two elements before the last."""
    packed: bytes = _pack(_trace_of(decision)) + _pack(_verdict_of(decision, code, message, log))
    return packed


_pack_accept = lru_cache(maxsize=ACCEPTS_KEPT)(_pack_verdict)


def _trace_of(decision: Decision) -> list[Any]:
    """Return a trace as it is packed: a check that merely passed is its bare name."""
    return [t.check if t.result == "pass" and not t.reason else t[:4] for t in decision.trace]


def _verdict_of(decision: Decision, code: int, message: str, log: str) -> tuple[Any, ...]:
    want = " ".join(decision.want) if decision.want else ""
    return decision.word, code, decision.reason, decision.check, decision.detail, want, message, log


def _pack_cut(record: DecisionRecord, room: int) -> bytes:
    """Pack a record whose texts or lists are too long, cut until it has at most `room` bytes."""
    line, decision = record.line, record.decision
    questions: list[Any] = [one.as_list() for one in record.asked[: CUTS[0][1]]]
    trace, verdict = _trace_of(decision), _verdict_of(decision, record.code, record.message, record.log)
    more = {CUT: len(line)}
    packed = b""
    for characters, items in CUTS:
        line = shorten_values(record.protocol, line, characters, CUT_MARK)
        if not items:
            line = line[: room // 2]
        start = (
            FORMAT,
            record.ref,
            record.query.now,
            record.query.stage,
            record.query.domain[:characters],
            record.protocol,
            line,
        )
        lists = (_shortened(questions, characters, items), _shortened(trace, characters, items))
        packed = _pack((*start, *lists, _shortened(verdict, characters, len(verdict)), more))
        if len(packed) <= room:
            break
    return packed


def _shortened(value: Any, characters: int, items: int) -> Any:
    """Return plain values with each text and each list cut."""
    if isinstance(value, str):
        return cut_text(value, characters)
    if isinstance(value, list | tuple):
        return [_shortened(one, characters, items) for one in value[:items]]
    if isinstance(value, dict):
        return {key: _shortened(one, characters, items) for key, one in value.items()}
    return value


def frame(data: bytes) -> bytes:
    """Return msgpack data as a record."""
    return _HEADER.pack(_EXT32, len(data) + _CRC_BYTES, RECORD_TYPE, zlib.crc32(data)) + data


class Journal:
    """Writes today's file in `directory`, and tomorrow's when tomorrow comes."""

    def __init__(self, directory: Path, later: Later | None = None, bounds: Bounds | None = None) -> None:
        self.directory = directory
        now = time.time()
        self._day_began = _day_began(now)
        self.file = Appender(directory / _file_name(now), key=KEY, later=later, bounds=bounds)

    def write(self, record: DecisionRecord) -> None:
        """Record one decision."""
        now = record.query.now
        if not 0 <= now - self._day_began < SECONDS_PER_DAY:
            self._day_began = _day_began(now)
            self.file.reopen(self.directory / _file_name(now))
        self.file.write(pack_entry(record))

    def move(self, directory: Path, bounds: Bounds | None = None) -> None:
        """Go on in another directory, or reopen the file in the same one; what waits to be written comes along."""
        self.directory = directory
        self.file.reopen(directory / self.file.path.name, bounds)


@dataclass(slots=True)
class Reading:
    """What reading a journal has met beside its entries."""

    skipped_bytes: int = 0


def read_journal(path: Path, reading: Reading | None = None) -> Iterator[Entry]:
    """Yield the entries of one file in the order they were written, stepping over what is torn or garbage.

    reading: its `skipped_bytes` grows by what was stepped over. Raises OSError.
    """
    reading = reading or Reading()
    buffer = b""
    with open_regular(path) as file:
        while chunk := file.read(_READ_BYTES):
            buffer += chunk
            buffer = yield from _entries(buffer, reading, last=False)
    yield from _entries(buffer, reading, last=True)


def find(directory: Path, ref: str, now: float | None = None) -> tuple[Entry, ...]:
    """Return the decisions with a (normalised) reference, the earliest first; none where there are none.

    The first is looked for in the file of its time, then in all others. Only a recipient that was held has more: what
    became of the message at DATA, which is looked for in the records of the next MAX_TRANSACTION_SECONDS. Where several
    recipients were held, the message has the reference of the first one, and is found by its transaction.
    """
    likely = datetime.fromtimestamp(time_of(ref, time.time() if now is None else now), UTC)
    names = [f"{likely + timedelta(days=shift):%Y-%m-%d}.mpk" for shift in (0, 1, -1)]
    paths = [directory / name for name in names]
    paths += [path for path in reversed(journal_files(directory)) if path not in paths]
    for path in paths:
        if path.exists():
            entries = read_journal(path)
            for entry in entries:
                if entry.ref == ref:
                    return entry, *_later(entry, chain(entries, _next_day(path)))
    return ()


def _later(first: Entry, following: Iterator[Entry]) -> Iterator[Entry]:
    """Yield what else is recorded of a held recipient's message. DATA is the end of a transaction."""
    if first.word != "hold" or first.stage == "data":
        return
    transaction = first.values().get("tx", "")
    for entry in following:
        if entry.time > first.time + MAX_TRANSACTION_SECONDS:
            return
        at_data = entry.stage == "data"
        if entry.ref == first.ref or (at_data and transaction and entry.values().get("tx", "") == transaction):
            yield entry
            if at_data:
                return


def _next_day(path: Path) -> Iterator[Entry]:
    """Yield the entries of the day after a file's."""
    following = path.with_stem(f"{date.fromisoformat(path.stem) + timedelta(days=1)}")
    if following.exists():
        yield from read_journal(following)


def journal_files(directory: Path) -> list[Path]:
    """Return the journal's files, the oldest first; nothing else in the directory counts."""
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if _FILE_NAME.fullmatch(path.name))


def bounds_of(keep_mb: int, free_mb: int) -> Bounds:
    """Return the bounds of one day's file as the journal's settings want them."""
    most = keep_mb * BYTES_PER_MB // DAY_SHARE
    what = f"half of journal.keep_mb = {keep_mb}"
    return Bounds(most, what, "journal.keep_mb", free_mb * BYTES_PER_MB, f"journal.free_mb = {free_mb}")


def prune(directory: Path, keep_days: int, now: float) -> list[Path]:
    """Delete the files of days more than `keep_days` before `now`'s, and return them."""
    first = _file_name(now - keep_days * SECONDS_PER_DAY)
    old = [path for path in journal_files(directory) if path.name < first]
    for path in old:
        path.unlink(missing_ok=True)
    return old


def shrink(directory: Path, keep_mb: int, now: float) -> list[Path]:
    """Delete the oldest days until all days but `now`'s take their part of `keep_mb`; return what was deleted."""
    days = [path for path in journal_files(directory) if path.name != _file_name(now)]
    sizes = {path: path.stat().st_size for path in days}
    most = keep_mb * BYTES_PER_MB - keep_mb * BYTES_PER_MB // DAY_SHARE
    deleted = []
    for path in days:
        if sum(sizes.values()) <= most:
            break
        path.unlink(missing_ok=True)
        del sizes[path]
        deleted.append(path)
    return deleted


def _day_began(now: float) -> float:
    return now // SECONDS_PER_DAY * SECONDS_PER_DAY


def _file_name(now: float) -> str:
    return f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d}.mpk"


def _entries(buffer: bytes, reading: Reading, *, last: bool) -> Generator[Entry, None, bytes]:
    """Yield the entries in `buffer` and return what may be the beginning of one more; `last`: nothing follows."""
    start = 0
    while start < len(buffer):
        end = _record_end(buffer, start)
        if end is not None and end > len(buffer) and not last:
            break
        entry = unpack_entry(buffer[start:end]) if end is not None and end <= len(buffer) else None
        if end is not None and entry is not None:
            yield entry
            start = end
            continue
        found = _START.search(buffer, start + 1)
        keep = 0 if last else _START_BYTES - 1
        resume = found.start() if found else max(start + 1, len(buffer) - keep)
        reading.skipped_bytes += resume - start
        start = resume
        if not found:
            break
    return buffer[start:]


def _record_end(buffer: bytes, start: int) -> int | None:
    """Return where the record at `start` ends by its header, past the buffer's end too; None where no record is."""
    if len(buffer) - start < _HEADER.size:
        return start + _HEADER.size if buffer[start] == _EXT32 else None
    ext, length, kind, _ = _HEADER.unpack_from(buffer, start)
    if ext != _EXT32 or kind != RECORD_TYPE or not _CRC_BYTES < length <= MAX_RECORD_BYTES:
        return None
    end: int = start + _HEADER.size - _CRC_BYTES + length
    return end


def unpack_entry(record: bytes) -> Entry | None:
    """Return the entry of a whole record; None if its checksum is wrong or it has another format."""
    data = memoryview(record)[_HEADER.size :]
    if zlib.crc32(data) != _HEADER.unpack_from(record)[3]:
        return None
    try:
        found = msgpack.unpackb(data, use_list=False, strict_map_key=False, unicode_errors="surrogateescape")
        form, ref, when, stage, domain, protocol, line, questions, trace, verdict, more = found
        word, code, reason, check, detail, want, message, log = verdict
        traced = tuple(Traced(t, "pass") if isinstance(t, str) else Traced(*t) for t in trace)
    except (ValueError, TypeError, msgpack.UnpackException):
        return None
    if form != FORMAT:
        return None
    what = (ref, when, stage, domain, protocol, line, questions, traced)
    return Entry(*what, word, code, reason, check, detail, want, message, log, more)
