"""The journal: every decision, accepts too, as one msgpack record in `YYYY-MM-DD.mpk` (DESIGN 9). Days are UTC's.

Rule: appended, never rewritten, and no torn record takes its neighbours with it. Each record is one msgpack
object of extension type RECORD_TYPE with a 32-bit length (MessagePack specification, ext 32), whose data are a CRC-32
and one msgpack array. A reader that meets garbage looks for the next such header whose checksum is right; so
a crash, a full disk or a bad block costs the records it hit.
"""

from __future__ import annotations

import re
import struct
import time
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import msgpack

from eximacl.policy.outcome import Decision, Traced
from eximacl.protocol.exim import ProtocolError, parse_line
from eximacl.records.appender import Appender, Later
from eximacl.records.decision import DecisionRecord
from eximacl.records.references import time_of

KEY = "journal.dir"
FORMAT = 1
RECORD_TYPE = 0x45  # any number that is ours alone: b"E"
# A record holds one line of at most 2 MiB and what was found about it.
MAX_RECORD_BYTES = 8 * 1024 * 1024
SECONDS_PER_DAY = 86_400

# From RCPT to the end of the message, as far as `find` looks: 50 MB at 64 kbit/s take two hours. To read on costs as
# much as the records of that time, a sixth of a day's.
MAX_TRANSACTION_SECONDS = 4 * 3600

# Those of a policy with some hundred domains or disposable addresses in use.
ACCEPTS_KEPT = 256

_HEADER = struct.Struct(">BIBI")  # ext 32, length, type, CRC-32 of what follows
_EXT32 = 0xC9
_CRC_BYTES = 4
# The first byte of a length is 0, and the array has eight elements, of which FORMAT is the first.
_START = re.compile(rb"\xc9\x00.{3}E.{4}\x98\x01", re.DOTALL)
_START_BYTES = 12
_ARRAY_OF_8 = b"\x98"
_FILE_NAME = re.compile(r"(\d{4}-\d\d-\d\d)\.mpk")
_DATA = b"data "  # how a query of that stage begins
_READ_BYTES = 1024 * 1024

# `default` for an answer of a kind that msgpack does not know: a record never fails for it.
_pack = msgpack.Packer(unicode_errors="surrogateescape", default=str).pack


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision as it was recorded.

    line: the query's bytes as they came (but for `archive.redact`), without newline. questions: who asked, the kind,
    its fields, the answer last; an answer that could not be had is `{"unknown": why}`. log: the text sent for Exim's
    own log.
    """

    ref: str
    time: float
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
    domain: str


def pack_entry(judged: DecisionRecord) -> bytes:
    """Write one decision as a framed record. A check that merely passed is its bare name in the trace."""
    decision, reply = judged.decision, judged.reply
    # Accepts are alike; they have their trace and verdict packed once for all.
    pack_verdict = _pack_accept if decision.word == "accept" else _pack_verdict
    verdict = pack_verdict(decision, reply.code, reply.want, reply.message, reply.log)
    questions = [asked.as_list() for asked in judged.asked] if judged.asked else ()
    start = _pack((FORMAT, judged.ref, judged.now, judged.line, judged.domain, questions))
    return frame(b"%b%b%b" % (_ARRAY_OF_8, start[1:], verdict))


def _pack_verdict(decision: Decision, code: int, want: str, message: str, log: str) -> bytes:
    """Pack the last two of the eight elements."""
    trace = [t.check if t.result == "pass" and not t.reason else t[:4] for t in decision.trace]
    verdict = (decision.word, code, decision.reason, decision.check, decision.detail, want, message, log)
    packed: bytes = _pack(trace) + _pack(verdict)
    return packed


_pack_accept = lru_cache(maxsize=ACCEPTS_KEPT)(_pack_verdict)


def frame(data: bytes) -> bytes:
    """Make a record of msgpack data."""
    return _HEADER.pack(_EXT32, len(data) + _CRC_BYTES, RECORD_TYPE, zlib.crc32(data)) + data


class Journal:
    """Writes today's file in `directory`, and tomorrow's when tomorrow comes."""

    def __init__(self, directory: Path, later: Later | None = None) -> None:
        self.directory = directory
        now = time.time()
        self._day_began = _day_began(now)
        self.file = Appender(directory / _file_name(now), key=KEY, later=later)

    def record(self, judged: DecisionRecord) -> None:
        """Record one decision."""
        if not 0 <= judged.now - self._day_began < SECONDS_PER_DAY:
            self._day_began = _day_began(judged.now)
            self.file.reopen(self.directory / _file_name(judged.now))
        self.file.write(pack_entry(judged))

    def move(self, directory: Path) -> None:
        """Go on in another directory, or in the same one with the file opened anew; what waits comes along."""
        self.directory = directory
        self.file.reopen(directory / self.file.path.name)


@dataclass(slots=True)
class Reading:
    """What reading a journal has met beside its entries."""

    skipped_bytes: int = 0


def read_journal(path: Path, reading: Reading | None = None) -> Iterator[Entry]:
    """Yield the entries of one file in the order they were written, stepping over what is torn or garbage.

    `reading` is told how many bytes were stepped over. Raises OSError.
    """
    reading = reading or Reading()
    buffer = b""
    with path.open("rb") as file:
        while chunk := file.read(_READ_BYTES):
            buffer += chunk
            buffer = yield from _entries(buffer, reading, last=False)
    yield from _entries(buffer, reading, last=True)


def find(directory: Path, ref: str, now: float | None = None) -> tuple[Entry, ...]:
    """Return the decisions with a (normalised) reference, the earliest first; none where there are none.

    Looks for the first where its time says, then everywhere. Only a recipient that was held has more: what became of
    the message at DATA, which is looked for in the records of the next MAX_TRANSACTION_SECONDS. Of several recipients
    that were held, the message has the reference of the first, and is found by the transaction.
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
    if first.word != "hold" or first.line.startswith(_DATA):
        return
    transaction = _transaction(first)
    for entry in following:
        if entry.time > first.time + MAX_TRANSACTION_SECONDS:
            return
        at_data = entry.line.startswith(_DATA)
        if entry.ref == first.ref or (at_data and transaction and _transaction(entry) == transaction):
            yield entry
            if at_data:
                return


def _transaction(entry: Entry) -> str:
    try:
        return parse_line(entry.line)[1].get("tx", "")
    except ProtocolError:
        return ""


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


def prune(directory: Path, keep_days: int, now: float) -> list[Path]:
    """Delete the files of days more than `keep_days` before `now`'s, and return them."""
    first = _file_name(now - keep_days * SECONDS_PER_DAY)
    old = [path for path in journal_files(directory) if path.name < first]
    for path in old:
        path.unlink(missing_ok=True)
    return old


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
        entry = _decode(buffer[start:end]) if end is not None and end <= len(buffer) else None
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


def _decode(record: bytes) -> Entry | None:
    """Decode a whole record; None where its checksum is wrong or it is of another format."""
    data = memoryview(record)[_HEADER.size :]
    if zlib.crc32(data) != _HEADER.unpack_from(record)[3]:
        return None
    try:
        found = msgpack.unpackb(data, use_list=False, strict_map_key=False, unicode_errors="surrogateescape")
        form, ref, when, line, domain, questions, trace, verdict = found
        word, code, reason, check, detail, want, message, log = verdict
    except (ValueError, TypeError, msgpack.UnpackException):
        return None
    if form != FORMAT:
        return None
    traced = tuple(Traced(t, "pass") if isinstance(t, str) else Traced(*t) for t in trace)
    return Entry(ref, when, line, questions, traced, word, code, reason, check, detail, want, message, log, domain)
