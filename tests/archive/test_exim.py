"""The spool of a real Exim while its DATA ACL waits for an answer, and the message that is archived out of it."""

from __future__ import annotations

import grp
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eximacl.archive import Archive, Held, SpoolError, messages
from eximacl.archive.spool import message_headers, open_body
from tests.archive.holding import archive_at, held, nobody, whole
from tests.lab import Lab, Responder, Site
from tests.lab.dialogue import Client
from tests.lab.exim import USER
from tests.lab.responder import Action, Asked

QUERY = (
    "data v=1 id=$message_exim_id size=$message_size spool=${quote:$spool_directory} queue=${quote:$queue_name} "
    "headers=${quote:$message_headers_raw}"
)
HEADERS = (
    b"Received: from a.example\r\n\tby b.example with esmtp;\r\n\tMon, 23 Nov 2026 12:00:00 +0000\r\n"
    b"Subject: =?utf-8?q?caf=C3=A9?=\r\nX-Odd:no blank \r\nX-Bits: \xe4\xff\r\n"
    b"Bcc: x@example.org\r\nTo:   steve@example.org\r\n"
)
# What is sent with each dot of a line's start single, and how the body lies in the archive.
BODIES = {
    "dots": (b"Hello\r\n.\r\n..\r\n.dot\r\n", b"Hello\n.\n..\n.dot\n"),
    "8-bit": (b"\xff\xfe\x80 \xc3\xa4\r\n", b"\xff\xfe\x80 \xc3\xa4\n"),
    "empty": (b"", b""),
    "blank lines": (b"\r\n\r\nx\r\n\r\n", b"\n\nx\n\n"),
    "like an id": (b"1xVYtn-00005a-08-D\r\n", b"1xVYtn-00005a-08-D\n"),
    "a megabyte": ((b"x" * 998 + b"\r\n") * 1050, (b"x" * 998 + b"\n") * 1050),
}


# juha's mail goes into a named queue.
RCPT_ACL = """
warn local_parts = juha
     queue = later
"""
DATA_ACL = f"""
warn set acl_m_reply = ${{readsocket{{SOCKET}}{{{QUERY}\\n}}{{20s}}}}
deny message = $acl_m_reply
"""
REFUSAL = "not today"


class Holding:
    """A real Exim whose DATA ACL asks us and refuses whatever comes; `look` is called while it waits."""

    def __init__(self, home: Path, main: str) -> None:
        self.look: Callable[[Asked], None] = lambda _: None
        self.errors: list[BaseException] = []
        self.responder = Responder(home / "socket", self._answer)
        site = Site(
            macros={"MESSAGE_SIZE_LIMIT": "100M"},
            main=main,
            rcpt_acl=RCPT_ACL,
            files={"data.local": DATA_ACL.replace("SOCKET", str(home / "socket"))},
            snippets=False,
        )
        self.lab = Lab(site)

    def _answer(self, asked: Asked) -> Action:
        try:
            self.look(asked)
        except BaseException as error:
            self.errors.append(error)
        return REFUSAL.encode()

    def held(self, asked: Asked) -> Held:
        """Return the message that Exim asks about. Outside the lab, its spool lies elsewhere."""
        assert asked["spool"] == "/var/spool/exim4"
        return held(self.lab.spool, headers=asked["headers"], id=asked["id"], queue=asked["queue"])

    def send(self, message: bytes, *, chunks: int = 0, to: str = "steve") -> None:
        """Send a message by DATA, or by BDAT in `chunks` pieces; it is refused, and what `look` raised is raised."""
        with self.lab.client() as client:
            client.reply()
            client.ask("EHLO mx.example.net")
            client.ask("MAIL FROM:<ann@example.net>")
            assert client.ask(f"RCPT TO:<{to}@example.org>").startswith("250")
            if chunks:
                reply = self._send_chunks(client, message, chunks)
            else:
                assert client.ask("DATA").startswith("354")
                stuffed = b"".join(b"." * line.startswith(b".") + line for line in message.splitlines(keepends=True))
                client.send_bytes(stuffed + b".\r\n")
                reply = client.reply()
        for error in self.errors:
            raise error
        assert reply == f"550 {REFUSAL}"

    def _send_chunks(self, client: Client, message: bytes, chunks: int) -> str:
        size = len(message) // chunks + 1
        for start in range(0, chunks * size, size):
            chunk = message[start : start + size]
            last = " LAST" if start + size >= chunks * size else ""
            client.send_bytes(f"BDAT {len(chunk)}{last}\r\n".encode() + chunk)
            reply = client.reply()
        return reply

    def close(self) -> None:
        self.lab.close()
        self.responder.close()


@pytest.fixture(scope="module")
def started() -> Iterator[Callable[[str], Holding]]:
    """Start a real Exim for each kind of spool, once."""
    known: dict[str, Holding] = {}
    home = Path(tempfile.mkdtemp(prefix="eximacl-archive-"))
    home.chmod(0o755)

    def start(main: str) -> Holding:
        if main not in known:
            place = home / str(len(known))
            place.mkdir()
            known[main] = Holding(place, main)
        known[main].errors.clear()
        return known[main]

    yield start
    for holding in known.values():
        holding.close()
    shutil.rmtree(home)


UNSPLIT, SPLIT = "split_spool_directory = false", "split_spool_directory = true"
WIRE = "spool_wireformat = true"


@pytest.mark.parametrize("main", [UNSPLIT, SPLIT])
@pytest.mark.parametrize("chunks", [0, 1, 3])
@pytest.mark.parametrize("to", ["steve", "juha"])
@pytest.mark.parametrize(("body", "archived"), BODIES.values(), ids=BODIES.keys())
def test_every_byte(
    started: Callable[[str], Holding], tmp_path: Path, main: str, chunks: int, to: str, body: bytes, archived: bytes
) -> None:
    holding = started(main)
    archive = archive_at(tmp_path / "archive")
    places = archiving(holding, archive)
    holding.send(HEADERS + b"\r\n" + body, chunks=chunks, to=to)
    (message,) = messages(archive.root)
    expected = HEADERS.replace(b"\r\n", b"\n") + b"\n" + archived
    assert message.path.read_bytes() == expected
    assert message.envelope is not None
    assert message.envelope.sha256 == hashlib.sha256(expected).hexdigest()
    assert whole(message)
    (place,) = places
    assert [part for part in place.parts if len(part) == 1] == ([place.name[5]] if main == SPLIT else [])
    assert ("later" in place.parts) is (to == "juha")


def archiving(holding: Holding, archive: Archive) -> list[Path]:
    """Archive whatever Exim asks about; the file that it has in its spool then is added to what this returns."""
    places: list[Path] = []

    def look(asked: Asked) -> None:
        archive.store(holding.held(asked))
        places.extend(path.relative_to(holding.lab.spool) for path in holding.lab.spool.rglob(f"{asked['id']}-D"))

    holding.look = look
    return places


def test_fifty_megabytes(started: Callable[[str], Holding], tmp_path: Path) -> None:
    holding = started(UNSPLIT)
    archive = archive_at(tmp_path / "archive")
    archiving(holding, archive)
    line = b"." + b"x" * 997
    holding.send(HEADERS + b"\r\n" + (line + b"\r\n") * 50_000)
    (message,) = messages(archive.root)
    assert whole(message)
    expected = HEADERS.replace(b"\r\n", b"\n") + b"\n" + (line + b"\n") * 50_000
    assert message.envelope is not None
    assert message.envelope.sha256 == hashlib.sha256(expected).hexdigest()


def test_with_spool_wireformat_a_chunked_body_keeps_its_line_ends(
    started: Callable[[str], Holding], tmp_path: Path
) -> None:
    holding = started(WIRE)
    archive = archive_at(tmp_path / "archive")
    archiving(holding, archive)
    holding.send(HEADERS + b"\r\n.dot\r\nx\r\n", chunks=1)
    (message,) = messages(archive.root)
    assert message.path.read_bytes() == HEADERS.replace(b"\r\n", b"\n") + b"\n.dot\r\nx\r\n"


def test_long_headers_are_cut_by_exim_and_refused_by_us(started: Callable[[str], Holding]) -> None:
    holding = started(UNSPLIT)
    lengths: list[int] = []

    def look(asked: Asked) -> None:
        lengths.append(len(asked["headers"]))
        with pytest.raises(SpoolError, match="65536 bytes or more"):
            message_headers(asked["headers"], asked["id"])

    holding.look = look
    holding.send(b"".join(b"X-%d: %s\r\n" % (number, b"x" * 900) for number in range(100)) + b"\r\nHello\r\n")
    assert lengths == [65_536]


def test_who_is_not_in_exim_s_group_is_told_so(started: Callable[[str], Holding]) -> None:
    holding = started(UNSPLIT)
    told: list[str] = []

    def look(asked: Asked) -> None:
        for groups in ((), (grp.getgrnam(USER).gr_gid,)):
            with nobody(*groups):
                try:
                    with open_body(str(holding.lab.spool), asked["id"]) as body:
                        told.append(body.read().decode())
                except SpoolError as error:
                    told.append(str(error))

    holding.look = look
    holding.send(b"Subject: x\r\n\r\nHello\r\n")
    assert f"add the daemon's user to the group {USER} (usermod -aG), and restart the daemon" in told[0]
    assert told[1] == "Hello\n"
