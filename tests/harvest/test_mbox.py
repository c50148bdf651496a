"""What separates the messages of an mbox, as real programs write it, and what only looks like it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

from eximacl.harvest import mbox as mboxes
from eximacl.harvest.mbox import LINE_BYTES_MAX, NO_DATE, is_mbox, mbox_messages
from eximacl.harvest.message import Criteria, Reader
from eximacl.harvest.read import Chunk, tally
from eximacl.mail.lists import Domains

FROM = b"From x@example.com Thu Nov 26 19:08:37 2020\n"
A = FROM + b"To: a@example.org\n\nbody\n"
B = b"To: b@example.org\n\nbody\n"


def recipients(data: bytes) -> str:
    """The localparts that were read, and ! for each message that was told and not read."""
    found = []
    for message in mbox_messages(BytesIO(data)):
        assert message.problem in ("", NO_DATE)
        read = Reader(Criteria(Domains(["example.org"])), 2e9).read(message.header).recipients if message.header else ()
        found.append("!" if message.problem else "".join(sorted(one.partition("@")[0] for one in read)) or "-")
    return " ".join(found)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(A + b"\n" + FROM + B, "a b", id="empty line"),
        pytest.param(A + FROM + B, "a b", id="no empty line (mboxshell#16)"),
        pytest.param(A.replace(b"\n", b"\r\n") + FROM.replace(b"\n", b"\r\n") + B, "a b", id="CRLF"),
        pytest.param(A + b"last line" + FROM + B, "a b", id="no end of the last line"),
        pytest.param(A + b"<html></html>" + FROM + B, "a b", id="no end of the last line, HTML"),
        pytest.param(FROM + b"To: a@example.org\n" + FROM + B, "a b", id="no text and no empty line"),
        pytest.param(FROM + FROM + B, "b", id="two From lines"),
        pytest.param(b"\xef\xbb\xbf" + A + b"\n" + FROM + B, "a b", id="byte order mark (getmail6#273)"),
        pytest.param(b"\n" + A + b"\n" + FROM + B, "a b", id="begins with an empty line"),
        pytest.param(b"\r\n\r\n" + A, "a", id="begins with empty lines, CRLF"),
        pytest.param(A + b"\nFrom - Thu Nov 26 19:08:37 2020\n" + B, "a b", id="Thunderbird"),
        pytest.param(A + b"From - Thu Nov 26 19:08:37 2020\nX-Mozilla-Status: 0001\n" + B, "a b", id="dense"),
        pytest.param(A + b"\nFrom 161641@xxx Thu Nov 26 19:08:37 +0000 2020\n" + B, "a b", id="Takeout"),
        pytest.param(A + b"\nFrom ???@??? Thu Nov 26 19:08:37 2020\n" + B, "a b", id="Eudora"),
        pytest.param(A + b"\nFrom x@example.com  Thu, 26 Nov 2020 19:08 +0200\n" + B, "a b", id="RFC 5322 date"),
        pytest.param(A + b"\nFrom x 2020-11-26T19:08:37Z\n" + B, "a b", id="ISO date"),
        pytest.param(A + b"\nFrom x@y Thu Nov 26 19:08:37 MET DST 2020\n" + B, "a b", id="zone of two words"),
        pytest.param(A + b"\n" + FROM + b">From y@example.com Thu Nov 26 19:08:37 2020\n" + B, "a b", id="remote from"),
        pytest.param(b"From nobody\n" + B, "b", id="first line without a date"),
        pytest.param(A + b"\nFrom nobody\nSubject: x\n" + B, "a !", id="without a date: told"),
        pytest.param(A + b"\nFrom the archive, as promised:\n\nhello\n", "a", id="text"),
        pytest.param(A + b"\nFrom the archive, as promised\nNote: look at it\n\n", "a", id="text before a colon"),
        pytest.param(A + b"From nobody\nSubject: x\n" + B, "a", id="text without an empty line"),
        pytest.param(A + b"\nFrom 2020 at 10:30 on\nwe met\n\n" + FROM + B, "a b", id="text with a date"),
        pytest.param(A + b"\n>" + FROM + B, "a", id="quoted"),
        pytest.param(A + b"\n>>" + FROM + B, "a", id="quoted twice"),
        pytest.param(A + b"\n> " + FROM + B, "a", id="quoted with a blank"),
        pytest.param(A + b"\nit began " + FROM + B, "a", id="in the middle of a sentence"),
        pytest.param(A + b"\nFrom " + b"x" * 2 * LINE_BYTES_MAX + b" 2020 10:30\n" + B, "a", id="a line too long"),
        pytest.param(A + b"\n" + FROM, "a", id="nothing follows"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("read_bytes", [1024 * 1024, 700])
def test_separators(monkeypatch: pytest.MonkeyPatch, data: bytes, expected: str, read_bytes: int) -> None:
    # Less than the longest line, so that each of them lies across two reads.
    monkeypatch.setattr(mboxes, "READ_BYTES", read_bytes)
    assert recipients(data) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [(A, True), (b"\n\n" + A, True), (b"\xef\xbb\xbf" + A, True), (B, False), (b"", False), (b"\nTo: a\n", False)],
)
def test_is_mbox(data: bytes, expected: bool) -> None:
    assert is_mbox(data) is expected


def test_several_messages_in_a_file_of_a_maildir(tmp_path: Path) -> None:
    (tmp_path / "1:2,S").write_bytes(A + FROM + B)
    found = tally(Chunk("files", str(tmp_path), ("1:2,S",)), Reader(Criteria(Domains(["example.org"])), 2e9))
    assert (found.messages, sorted(found.seen)) == (2, ["a@example.org", "b@example.org"])


def test_a_message_that_may_be_two_is_told(tmp_path: Path) -> None:
    (tmp_path / "box").write_bytes(A + b"\nFrom nobody\nSubject: x\n" + B)
    found = tally(Chunk("mbox", str(tmp_path / "box")), Reader(Criteria(Domains(["example.org"])), 2e9))
    assert found.messages == 1
    assert found.troubles.examples == {"broken": [(f"{tmp_path}/box: From nobody", NO_DATE)]}
