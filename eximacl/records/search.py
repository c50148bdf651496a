"""Finding lines in the rejection log, in its rotated and gzipped files too, and following it as it grows.

A search reads everything once, in the order in which it was written. No line can stop it: one that is not a JSON object
is counted and passed over.
"""

from __future__ import annotations

import ipaddress
import json
import lzma
import os
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, NamedTuple

from eximacl.mail.address import Address, canonical_domain, parse_quoted, quoted, without_brackets
from eximacl.mail.lists import Domains, Networks, Recipients
from eximacl.protocol.exim import split_addresses
from eximacl.records.errors import READERS, reading
from eximacl.records.follow import BLOCK_BYTES, LINE_BYTES_MAX, Follower
from eximacl.records.rotated import NotReadable, log_files, plain_lines
from eximacl.system.files import Identity, identity_of, open_regular
from eximacl.system.text import RAW, with_bytes
from eximacl.system.times import parse_instant

# A file's last change is the time of its last line, unless the clock was set.
MTIME_SLACK_SECONDS = 60.0
_STAMP = b'{"time": "'
_STAMP_END = len(_STAMP) + len("2026-12-31T14:30:05.000+00:00")
# Times in the log are cut to milliseconds.
_STAMP_SECONDS = 0.001
# Characters that JSON writes as they are, so that they can be found without decoding it.
_PLAIN = re.compile(r"[a-z0-9@._+=-]+", re.ASCII)

LogEntry = dict[str, Any]


class LogLine(NamedTuple):
    """One line: its bytes as they stand in the file, without newline, and what they say."""

    line: bytes
    entry: LogEntry


@dataclass(slots=True)
class SearchReport:
    """What a search has met besides the lines that it wanted.

    damaged: how many lines were not ours; damaged_in: in which files. unreadable: a text for each file that could not
    be read to its end.
    """

    damaged: int = 0
    damaged_in: list[Path] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


class Wanted:
    """What is searched for: all conditions must hold. Raises ValueError for a value that cannot be searched for.

    domain: as in a policy (`.example.org`: all below it); recipient and sender: a localpart, an address, or @domain,
    `<>` is the null sender; ip: an address or a network; check: the slug in the log; since and until: seconds since
    1970, the first included, the last not.
    """

    def __init__(
        self,
        *,
        domain: str = "",
        recipient: str = "",
        sender: str = "",
        ip: str = "",
        check: str = "",
        ref: str = "",
        since: float | None = None,
        until: float | None = None,
    ) -> None:
        self.since, self.until = since, until
        self._since = b"" if since is None else _stamp(since)
        self._until = b"" if until is None else _stamp(until + _STAMP_SECONDS)
        needles: list[str] = []
        self._in_domain: Callable[[LogEntry], bool] | None = None
        self._tests: list[Callable[[LogEntry], bool]] = []
        if domain:
            needles.append(self._domain(domain))
        if recipient:
            needles.append(self._recipient(recipient))
        if sender:
            needles.append(self._sender(sender))
        if ip:
            needles.append(self._ip(ip))
        if check:
            needles.append(self._equal("check", check.replace("_", "-")))
        if ref:
            needles.append(self._equal("ref", ref))
        plain = [needle for needle in needles if _PLAIN.fullmatch(needle)]
        # The longest one is usually the rarest.
        self.needle = max(plain, key=len, default="").encode("ascii")

    def in_time(self, line: bytes) -> bool:
        """Whether a line may be of the wanted time, by its first bytes; True where these are not as we write them."""
        if not (self._since or self._until) or not line.startswith(_STAMP) or line[_STAMP_END : _STAMP_END + 1] != b'"':
            return True
        stamp = line[len(_STAMP) : _STAMP_END]
        return stamp >= self._since and (not self._until or stamp < self._until)

    def covers(self, entry: LogEntry) -> bool:
        """Whether a decoded line is wanted."""
        return self.may_cover(entry) and all(test(entry) for test in self._tests)

    def may_cover(self, entry: LogEntry) -> bool:
        """Whether time and domain are as wanted, of an entry of which nothing else may be known."""
        return self._time(entry) and (self._in_domain is None or self._in_domain(entry))

    def _time(self, entry: LogEntry) -> bool:
        if self.since is None and self.until is None:
            return True
        when = time_of(entry)
        if when is None:
            return False
        return (self.since is None or when >= self.since) and (self.until is None or when < self.until)

    def _domain(self, text: str) -> str:
        domains = Domains([text])

        def test(entry: LogEntry) -> bool:
            return text_of(entry, "domain") in domains or any(one[1] in domains for one in _recipients(entry))

        self._in_domain = test
        return _needle(canonical_domain(text))

    def _recipient(self, text: str) -> str:
        address, wanted = _asked(text)
        self._tests.append(lambda entry: any(wanted.match(*one) for one in _recipients(entry)))
        return _needle(quoted(address))

    def _sender(self, text: str) -> str:
        if text.strip() == "<>":
            self._tests.append(lambda entry: text_of(entry, "from") == "<>")
            return ""
        address, wanted = _asked(text)
        self._tests.append(lambda entry: bool(wanted.match(*_address(text_of(entry, "from")))))
        return _needle(quoted(address))

    def _ip(self, text: str) -> str:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            hint = "; write it without brackets" if text.startswith("[") else ""
            raise ValueError(f"{text!r} is not an IP address or network{hint}") from None
        networks = Networks([str(network)])
        self._tests.append(lambda entry: text_of(entry, "ip") in networks)
        if network.version == 6:
            return ""  # it can be written in several ways
        octets = network.prefixlen // 8
        return ".".join(str(network.network_address).split(".")[:octets]) + ("." if octets < 4 else "")

    def _equal(self, key: str, value: str) -> str:
        self._tests.append(lambda entry: text_of(entry, key).lower() == value.lower())
        return value.lower()


def search(
    paths: Iterable[Path],
    wanted: Wanted,
    report: SearchReport,
    *,
    skip: Iterable[Identity] = (),
    progress: Callable[[int], None] | None = None,
) -> Iterator[LogLine]:
    """Yield the wanted lines of these files, in their order.

    report: gets the files that cannot be read, and what is damaged. skip: files to pass over, as are those that are
    gone by now. progress: called with the number of further bytes of the files that were read.
    """
    with ExitStack() as stack:
        # All are opened first. Otherwise a rotation in the middle would make us read a file twice, or not at all.
        opened, seen = [], set(skip)
        for path in paths:
            try:
                file = stack.enter_context(open_regular(path))
            except FileNotFoundError:
                continue
            except OSError as error:
                who = f"; {READERS}" if isinstance(error, PermissionError) else ""
                report.unreadable.append(f"{path} cannot be read: {error.strerror}{who}")
                continue
            status = os.fstat(file.fileno())
            if identity_of(status) in seen:
                continue
            seen.add(identity_of(status))
            if wanted.since is None or status.st_mtime >= wanted.since - MTIME_SLACK_SECONDS:
                opened.append((path, file))
            elif progress:
                progress(status.st_size)
        for path, file in opened:
            before = report.damaged
            yield from _search_file(path, file, wanted, report, progress)
            if report.damaged > before:
                report.damaged_in.append(path)


class Tail:
    """The wanted lines of a log: those that it has, then those that it gets. Close it.

    clock: monotonic, in seconds.
    """

    def __init__(self, path: Path, wanted: Wanted, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._wanted = wanted
        self._follower = Follower(path, clock)

    def past(self, report: SearchReport) -> Iterator[LogLine]:
        """Yield the lines of the rotated files, then all that the log itself has. Raises RecordsError."""
        with reading(self.path):
            # The log is opened before its rotated files are looked for: if it is rotated meanwhile, it is read once.
            opened = self._follower.look()
            yield from search(log_files(self.path), self._wanted, report, skip=opened)
        yield from self.new(report)

    def new(self, report: SearchReport) -> Iterator[LogLine]:
        """Yield the lines that are new since the last call; never wait for one. Raises RecordsError."""
        with reading(self.path):
            for block in self._follower.read():
                yield from pick(block, self._wanted, report)

    def close(self) -> None:
        """Close all files."""
        self._follower.close()


def pick(block: bytes, wanted: Wanted, report: SearchReport) -> Iterator[LogLine]:
    """Yield the wanted lines of a block of whole lines; count the damaged ones in `report`."""
    for line in _candidates(block, wanted.needle, report):
        if not line or not wanted.in_time(line):
            continue
        entry = decode(line)
        if entry is None:
            report.damaged += 1
        elif wanted.covers(entry):
            yield LogLine(line, entry)


def decode(line: bytes) -> LogEntry | None:
    """Return the JSON object of a line; None where it is damaged or empty. Its texts have their bytes again."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or not entry:
        return None
    return with_bytes(entry) if RAW in entry else entry


def text_of(entry: LogEntry, key: str) -> str:
    """Return a value as text; empty where it is missing. Lines that we did not write may hold anything."""
    value = entry.get(key, "")
    return value if isinstance(value, str) else json.dumps(value)


def time_of(entry: LogEntry) -> float | None:
    """Return when a line was written, in seconds since 1970; None where it does not say."""
    try:
        return parse_instant(text_of(entry, "time"))
    except ValueError:
        return None


def _search_file(
    path: Path, file: IO[bytes], wanted: Wanted, report: SearchReport, progress: Callable[[int], None] | None
) -> Iterator[LogLine]:
    reported = 0
    try:
        lines = plain_lines(path, file)
    except NotReadable as error:
        report.unreadable.append(f"{path} was passed over: {error}")
        return
    try:
        while block := lines.read(BLOCK_BYTES):
            if not block.endswith(b"\n"):
                block += lines.readline(LINE_BYTES_MAX)
            yield from pick(block, wanted, report)
            if progress:
                progress(file.tell() - reported)
                reported = file.tell()
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        report.unreadable.append(f"{path} is damaged, and was read up to there: {why}")


def _candidates(block: bytes, needle: bytes, report: SearchReport) -> Iterable[bytes]:
    """Return the lines of a block that may be wanted, as far as that shows without decoding them."""
    # An address may be quoted although it needs no quotes, as in `<"joe"@example.org>`; then the needle is not in its
    # line. JSON writes such quotes with a backslash, so without one the needle decides.
    if not needle or b'\\"@' in block or b"\\\\" in block:
        return block.split(b"\n")
    # Lines without the needle are not decoded, so that a torn one among them has to be found by its ends.
    if not _looks_whole(block):
        lines = block.split(b"\n")
        torn = [line for line in lines if line and not (line.startswith(b"{") and line.endswith(b"}"))]
        report.damaged += len(torn)
        lines = [line for line in lines if line.startswith(b"{") and line.endswith(b"}")]
        return [line for line in lines if needle in line.lower()]
    # The usual case: no line is looked at but those around a needle.
    return _lines_with(block, needle)


def _looks_whole(block: bytes) -> bool:
    """Whether each line of a block begins and ends as an object does; much faster than looking at each line."""
    # With N lines there are N ends `}` and N - 1 places where one line ends and the next begins: `}`, newline, `{`.
    newlines = block.count(b"\n")
    ends = block.count(b"}\n") + (not block.endswith(b"\n"))
    return block.startswith(b"{") and block.count(b"}\n{") == ends - 1 and newlines + (block[-1:] != b"\n") == ends


def _lines_with(block: bytes, needle: bytes) -> Iterator[bytes]:
    """Yield the lines of a block that hold the needle, in any case of letters."""
    lower = block.lower()
    at = lower.find(needle)
    while at >= 0:
        start = block.rfind(b"\n", 0, at) + 1
        end = block.find(b"\n", at)
        end = len(block) if end < 0 else end
        yield block[start:end]
        at = lower.find(needle, end)


def _address(text: str) -> Address:
    """Return an address in any of its spellings: between blanks, in angle brackets, with quotes or without."""
    return parse_quoted(without_brackets(text))


def _asked(text: str) -> tuple[Address, Recipients]:
    """Return an address that is searched for, and what it covers. Raises ValueError."""
    address = _address(text)
    if "@" in text and not address.domain:
        raise ValueError(f"{text!r} is not a localpart, an address, or @domain")
    return address, Recipients.of(address)


def _needle(name: str) -> str:
    """Return what the line of an address or a domain must hold; nothing where that can be written in two ways."""
    return "" if "xn--" in name else name.lower()


def _recipients(entry: LogEntry) -> tuple[Address, ...]:
    """Return localpart and domain of each recipient of a line."""
    return split_addresses(text_of(entry, "recipient"))


def _stamp(seconds: float) -> bytes:
    """Return a time as our own lines begin; such texts sort as their times do."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").encode("ascii")
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{seconds:.0f} s from 1970 is outside the calendar") from None
