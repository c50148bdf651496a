"""Reading real files: whole and broken ones, mboxes in parts of any size."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.harvest import mbox as mboxes
from eximacl.harvest.dates import EARLIEST_SECONDS
from eximacl.harvest.mbox import HEADER_BYTES_MAX, LOOK_BACK_BYTES, mbox_messages, open_mbox
from eximacl.harvest.message import Criteria, Reader
from eximacl.harvest.read import Chunk, tally
from eximacl.harvest.tally import AddressCount, Tally
from eximacl.mail.lists import Domains

NOW = 1_800_000_000.0
GOOD = b"Date: Thu, 26 Nov 2020 19:08:37 +0000\nTo: a@example.org\n\nbody\n"
WHEN = 1606417717
FROM = b"From x@example.com Thu Nov 26 19:08:37 2020\n"


def read(directory: Path, *names: str, since: float = 0.0) -> Tally:
    reader = Reader(Criteria(Domains(["example.org"])), NOW)
    return tally(Chunk("files", str(directory), names), reader, since)


def reasons(found: Tally) -> list[tuple[str, int, str]]:
    counts, examples = found.troubles.counts, found.troubles.examples
    return [(kind, counts[kind], examples[kind][0][1]) for kind in counts]


def test_a_good_message(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(GOOD)
    assert read(tmp_path, "m") == Tally({"a@example.org": AddressCount(1, WHEN, WHEN)}, 1)
    assert read(tmp_path, "m", since=WHEN + 1) == Tally({}, 1)


def test_without_a_date_the_file_tells(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"To: a@example.org\n\n")
    os.utime(tmp_path / "m", (1e9, 1e9))
    assert read(tmp_path, "m").seen == {"a@example.org": AddressCount(1, 10**9, 10**9)}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"X: " + b"x" * 300_000 + b"\n" + GOOD, id="long header"),
        pytest.param(GOOD.split(b"\n\n")[0], id="truncated in the header"),
        pytest.param(GOOD.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(gzip.compress(GOOD), id="gzip"),
        pytest.param(gzip.compress(b"X: " + os.urandom(200_000).hex().encode() + b"\n" + GOOD), id="gzip, long"),
        pytest.param(b"\xef\xbb\xbfTo: a@example.org\n" + GOOD.replace(b"To", b"X-To"), id="byte order mark"),
        pytest.param(b"\n\r\n\n" + GOOD, id="empty lines first"),
        pytest.param(gzip.compress(b"\xef\xbb\xbf\n" + GOOD), id="gzip, byte order mark"),
        pytest.param(FROM + GOOD, id="From line"),
        pytest.param(b"From nobody\n" + GOOD, id="From line without a date"),
        pytest.param(b"\0\0X: \0\n" + GOOD + b"\0" * 9999, id="NULs"),
        pytest.param("Subject: Grüße\n".encode("latin-1") + GOOD, id="wrong encoding"),
    ],
)  # fmt: skip
def test_odd_messages_are_read(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m").write_bytes(data)
    found = read(tmp_path, "m")
    assert (reasons(found), found.seen) == ([], {"a@example.org": AddressCount(1, WHEN, WHEN)})


@pytest.mark.parametrize(
    ("data", "kind", "reason"),
    [
        pytest.param(b"", "broken", "empty", id="empty"),
        pytest.param(b"\n\r\n\n", "broken", "empty", id="empty lines"),
        pytest.param(FROM + b"no field\n", "broken", "no header follows", id="a From line alone"),
        pytest.param(os.urandom(100_000).replace(b":", b""), "broken", "no header", id="binary"),
        pytest.param(b"To: " + b"a@example.org," * 800_000, "broken", "longer than 1024 KiB", id="10 MB line"),
        pytest.param(gzip.compress(GOOD * 9)[:-20], "broken", "", id="gzip, truncated"),
        pytest.param(b"\x1f\x8b" + b"x" * 99, "broken", "", id="no gzip"),
    ],
)
def test_broken_messages_are_counted_and_the_next_is_read(tmp_path: Path, data: bytes, kind: str, reason: str) -> None:
    (tmp_path / "bad").write_bytes(data)
    (tmp_path / "good").write_bytes(GOOD)
    found = read(tmp_path, "bad", "good")
    assert found.messages == 1
    ((trouble, count, why),) = reasons(found)
    assert (trouble, count) == (kind, 1)
    assert reason in why


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    found = read(tmp_path, "pipe", "directory", "loop", "gone")
    assert found.troubles.counts == {"unreadable": 3, "vanished": 1}
    assert found.troubles.examples["unreadable"][0] == (f"{tmp_path}/pipe", "it is not a regular file")


def test_a_bug_costs_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m").write_bytes(GOOD)

    def fail(*_: object) -> None:
        raise RecursionError("deep")

    monkeypatch.setattr(Reader, "read", fail)
    assert reasons(read(tmp_path, "m", "m")) == [("broken", 2, "RecursionError: deep")]


def mbox(lines: bytes = b"\n") -> bytes:
    """Five messages, with all that looks like a separator and is none."""
    parts = []
    for k in range(5):
        text = b"To: m%d@example.org\nX: %s\n\nbody\n>From me\nFrom you\n\nFrom here on\n\n" % (k, b"x" * 97 * k)
        parts.append(FROM + text + b"\n")
    return b"".join(parts).replace(b"\n", lines)


@pytest.mark.parametrize("lines", [b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [1, 7, 64, 1000, 10**6])
def test_each_message_of_an_mbox_is_in_one_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: bytes, size: int
) -> None:
    path = tmp_path / "box"
    path.write_bytes(mbox(lines))
    monkeypatch.setattr(mboxes, "READ_BYTES", 50)
    found: list[bytes] = []
    for start in range(0, path.stat().st_size, size):
        with open_mbox(str(path), max(start - LOOK_BACK_BYTES, 0)) as file:
            for line, header, _ in mbox_messages(file, start, start + size):
                assert line.rstrip() == FROM.rstrip()
                assert header is not None
                found.append(header[:5])
    assert found == [b"To: m"] * 5


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gz"])
def test_an_mbox(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "box"
    too_long = FROM + b"X: " + b"x" * (HEADER_BYTES_MAX + 9) + b"\n\n\n"
    path.write_bytes(pack(mbox() + too_long + FROM + b"To: z@example.org"))
    reader = Reader(Criteria(Domains(["example.org"])), NOW)
    found = tally(Chunk("mbox", str(path)), reader)
    assert found.messages == 6
    assert found.seen["z@example.org"] == AddressCount(1, WHEN, WHEN)
    assert found.troubles.counts == {"broken": 1}
    assert found.troubles.examples["broken"][0][0] == f"{path}: {FROM.decode().rstrip()}"


def test_a_torn_compressed_mbox_yields_what_is_before(tmp_path: Path) -> None:
    (tmp_path / "box").write_bytes(gzip.compress(mbox() + os.urandom(3_000_000))[:-1_000_000])
    found = tally(Chunk("mbox", str(tmp_path / "box")), Reader(Criteria(Domains(["example.org"])), NOW))
    assert (found.messages, found.troubles.counts) == (5, {"broken": 1})


def test_an_mbox_that_is_gone(tmp_path: Path) -> None:
    found = tally(Chunk("mbox", str(tmp_path / "box"), end=9), Reader(Criteria(Domains([])), NOW))
    assert found.troubles.counts == {"vanished": 1}


@pytest.mark.parametrize(
    ("changed", "taken"),
    [
        pytest.param(2**45, int(NOW), id="beyond the calendar"),
        pytest.param(int(NOW) + 60, int(NOW), id="in the future"),
        pytest.param(-(2**30), EARLIEST_SECONDS, id="before 1970"),
        pytest.param(0, EARLIEST_SECONDS, id="1970"),
    ],
)
@pytest.mark.parametrize("before", [b"", b"From x\n"], ids=["file", "mbox"])
def test_a_time_that_cannot_be_is_the_nearest_that_can(tmp_path: Path, before: bytes, changed: int, taken: int) -> None:
    path = Path("/dev/shm") / f"{tmp_path.name}-{os.getpid()}"  # many disks hold no time as late as the first
    path.write_bytes(before + b"To: a@example.org\n\n")
    try:
        os.utime(path, (changed, changed))
        chunk = Chunk("mbox", str(path)) if before else Chunk("files", "/dev/shm", (path.name,))
        found = tally(chunk, Reader(Criteria(Domains(["example.org"])), NOW))
    finally:
        path.unlink()
    assert found.seen == {"a@example.org": AddressCount(1, taken, taken)}


def test_a_part_without_messages_is_read_no_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mboxes, "READ_BYTES", 1000)
    (tmp_path / "box").write_bytes(FROM + GOOD + b"x" * 100_000)
    with open_mbox(str(tmp_path / "box"), 10_000 - LOOK_BACK_BYTES) as file:
        assert list(mbox_messages(file, 10_000, 20_000)) == []
        assert file.tell() <= 22_000
