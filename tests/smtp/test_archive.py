"""A held message from a real Exim through the real daemon: what is refused with a reference is in the archive."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from eximacl.archive import find, purge
from eximacl.records.journal import find as find_decisions
from eximacl.records.journal import journal_files
from tests.lab.daemons import chosen
from tests.lab.exim import USER
from tests.lab.waiting import until
from tests.smtp.holding import (
    BRAZIL,
    GOOD,
    IN_GROUP,
    NOT_IN_GROUP,
    Holding,
    digest,
    half_files,
    holding,
    reference,
)
from tests.smtp.real import EACH_DAEMON, together

pytestmark = EACH_DAEMON
UNSPLIT, SPLIT = "split_spool_directory = false", "split_spool_directory = true"
HEADERS = (
    b"Received: from a.example\r\n\tby b.example with esmtp;\r\n\tMon, 23 Nov 2026 12:00:00 +0000\r\n"
    b'Subject: =?utf-8?q?J=C3=BCrgen?= "quoted" \\back\r\nMessage-ID: <one@example.net>\r\nX-Odd:no blank \r\n'
    b"X-Bits: \xe4\xff\r\nTo:   ghost@example.org\r\n\r\n"
)
BODIES = {
    "text": b"Hello\r\n",
    "dots": b"Hello\r\n.\r\n..\r\n.dot\r\n",
    "8-bit": b"\xff\xfe\x80 \xc3\xa4\r\n",
    "empty": b"",
    "binary": bytes(set(range(1, 256)) - {10, 13}) + b"\r\n",
    "three megabytes": (b"." + b"x" * 997 + b"\r\n") * 3000,
}
Start = Callable[[str], Holding]


@pytest.fixture(scope="module")
def started() -> Iterator[Start]:
    """Start both, once for each kind of spool and Exim."""
    known: dict[tuple[str, str], Holding] = {}
    with ExitStack() as stack:

        def start(main: str) -> Holding:
            key = chosen(), main
            if key not in known:
                known[key] = stack.enter_context(holding(main))
            return known[key]

        yield start


@pytest.fixture
def both(started: Start) -> Iterator[Holding]:
    """An Exim and a daemon, which runs again afterwards."""
    found = started(SPLIT)
    yield found
    found.daemon.ensure()


@pytest.mark.parametrize("main", [UNSPLIT, SPLIT])
@pytest.mark.parametrize("chunks", [0, 1, 3], ids=["DATA", "one BDAT", "three BDAT"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_every_byte_is_kept(started: Start, main: str, chunks: int, body: bytes) -> None:
    kept = started(main)
    reply = kept.send(HEADERS + body, chunks=chunks)
    assert reply.startswith("550 5.1.1 ")
    message = kept.of(reply)
    assert message.path.parent.name == "new"
    assert message.path.read_bytes() == (HEADERS + body).replace(b"\r\n", b"\n")
    assert message.envelope is not None
    assert message.envelope.sha256 == digest(HEADERS + body)
    assert kept.lab.queued() == 0


def test_fifty_megabytes(both: Holding) -> None:
    message = HEADERS + (b"." + b"x" * 997 + b"\r\n") * 50_000
    known = both.of(both.send(message)).envelope
    assert known is not None
    assert (known.size, known.sha256) == (len(message) - message.count(b"\r\n"), digest(message))


def test_headers_that_exim_takes_away_are_not_kept(both: Holding) -> None:
    """A delivery adds these; Exim removes what comes with them (return_path_remove and its siblings) before it asks."""
    taken = b"Return-Path: <x@example.net>\r\nEnvelope-To: x@example.org\r\nDelivery-Date: today\r\n"
    reply = both.send(taken + HEADERS)
    assert both.of(reply).path.read_bytes() == HEADERS.replace(b"\r\n", b"\n")


def test_with_exim_s_options_off_they_are_kept() -> None:
    options = "return_path_remove = false\nenvelope_to_remove = false\ndelivery_date_remove = false\n"
    with holding(options) as kept:
        sent = b"Return-Path: <x@example.net>\r\nEnvelope-To: x@example.org\r\nDelivery-Date: today\r\n" + HEADERS
        assert kept.of(kept.send(sent)).path.read_bytes() == sent.replace(b"\r\n", b"\n")


def test_no_headers(both: Holding) -> None:
    sent = b"\r\nHello\r\n"
    assert both.of(both.send(sent)).path.read_bytes() == b"\nHello\n"


def test_what_is_kept_beside_the_message(both: Holding) -> None:
    reply = both.send(HEADERS + b"x\r\n")
    message = both.of(reply)
    known = message.envelope
    assert known is not None
    assert (known.sender, known.recipients) == ("ann@example.net", ("ghost@example.org",))
    assert (known.ip, known.host, known.helo) == (GOOD, "mx.example.net", "mx.example.net")
    assert (known.check, known.reason) == ("valid_recipient", "unknown-recipient")
    assert known.sentence == "Mail for ghost not accepted at example.org"
    assert (known.message_id, known.subject) == ("<one@example.net>", 'Jürgen "quoted" \\back')
    assert known.released == ()
    assert (both.archive / "example.org" / "today" / "new" / message.name).is_file()
    assert message.path.stat().st_mode & 0o777 == 0o640
    both.lab.logged(f"(ref={known.ref})")


def test_the_line_in_the_rejection_log(both: Holding) -> None:
    """One line for a held message: none at RCPT, where its fate was still open."""
    reply = both.send(HEADERS + b"x\r\n")
    name = both.of(reply).name
    until(lambda: any(line["ref"] == reference(reply) for line in both.rejections()))
    (line,) = (line for line in both.rejections() if line["ref"] == reference(reply))
    assert list(line)[1:10] == [
        "from",
        "helo",
        "reason",
        "filename",
        "subject",
        "ip",
        "message-id",
        "recipient",
        "host",
    ]
    assert {key: value for key, value in line.items() if key not in ("time", "ref")} == {
        "from": "<ann@example.net>",
        "helo": "mx.example.net",
        "reason": "Mail for ghost not accepted at example.org",
        "filename": name,
        "subject": 'Jürgen "quoted" \\back',
        "ip": GOOD,
        "message-id": "<one@example.net>",
        "recipient": "ghost@example.org",
        "host": "mx.example.net",
        "stage": "data",
        "check": "unknown-recipient",
        "verdict": "hold",
        "domain": "example.org",
    }


SECRET = b"Thread-Topic: ToPsEcReT\r\nsUBJECT: =?utf-8?q?ToPsEcReT?=\r\n ToPsEcReT\r\nSubject : ToPsEcReT\r\n"
NO_HEADERS_LOGGED = "MAIN_LOG_SELECTOR = -rejected_header\n"


def having(needle: bytes, *directories: Path) -> set[str]:
    """Return the names of the files below that have it in them."""
    files = {path for directory in directories for path in directory.rglob("*") if path.is_file()}
    return {path.name for path in files if needle in path.read_bytes()}


@pytest.mark.parametrize(
    ("redact", "main", "logs"),
    [
        pytest.param('"subject"', NO_HEADERS_LOGGED, set(), id="redacted, and Exim told not to log headers"),
        pytest.param('"subject"', "", {"rejectlog"}, id="redacted"),
        pytest.param("", "", {"rejectlog", "rejections.jsonl", "JOURNAL", "ENVELOPE"}, id="not redacted"),
    ],
)
def test_where_a_subject_is_left(redact: str, main: str, logs: set[str]) -> None:
    """With `redact` in the message alone; what Exim logs is Exim's option."""
    with holding(main, redact=redact) as kept:
        reply = kept.send(SECRET + HEADERS.replace(b"Subject", b"X-Other") + b"x\r\n")
        message = kept.of(reply)
        assert message.envelope is not None
        assert message.envelope.subject == ("(redacted)" if redact else "ToPsEcReT ToPsEcReT")
        until(lambda: len(kept.rejections()) == 1)
        until(lambda: len(find_decisions(kept.directory / "journal", reference(reply))) == 2)
        (journal,) = journal_files(kept.directory / "journal")
        names = {"JOURNAL": journal.name, "ENVELOPE": f"{message.name}.json"}
        found = having(b"ToPsEcReT", kept.directory, kept.lab.log, kept.lab.spool)
        assert found == {names.get(name, name) for name in logs} | {message.name}
        assert message.path.read_bytes().startswith(SECRET.replace(b"\r\n", b"\n"))


def test_smtputf8() -> None:
    with holding("MAIN_SMTPUTF8_ADVERTISE_HOSTS = *") as kept:
        message = "Subject: Grüße\r\n\r\nGrüße\r\n".encode()
        archived = kept.of(kept.send(message, "geist-ä@example.org", mail=" SMTPUTF8 BODY=8BITMIME"))
        assert archived.path.read_bytes() == message.replace(b"\r\n", b"\n")
        assert archived.envelope is not None
        assert archived.envelope.recipients == ("geist-ä@example.org",)
        assert archived.envelope.subject == "Grüße"


def test_a_named_queue() -> None:
    """A site's own ACL may put a message into a queue, whose spool is a directory of its own."""
    with holding("acl_smtp_predata = /etc/exim4/queue.acl", files={"queue.acl": "accept queue = later\n"}) as kept:
        assert kept.of(kept.send(HEADERS)).path.read_bytes() == HEADERS.replace(b"\r\n", b"\n")


def test_each_domain_has_its_own_action(both: Holding) -> None:
    """The same checks: example.org holds unknown recipients and rejects Brazil, example.com the other way round."""
    before = len(both.archived())
    assert both.send(HEADERS, "ghost@example.com").startswith("550 5.1.1 ")
    assert both.send(HEADERS, "steve@example.org", source=BRAZIL).startswith("550 5.7.1 ")
    assert len(both.archived()) == before
    reply = both.send(HEADERS, "steve@example.com", source=BRAZIL)
    assert reply.startswith("550 5.7.1 ")
    message = both.of(reply)
    assert message.path.parts[-4] == "example.com"
    assert message.envelope is not None
    assert message.envelope.check == "rdns_tld"


def test_two_held_recipients_share_a_message_and_two_domains_have_a_copy_each(both: Holding) -> None:
    reply = both.send(HEADERS, "ghost@example.org", "spook@example.org", source=BRAZIL)
    known = both.of(reply).envelope
    assert known is not None
    assert known.recipients == ("ghost@example.org", "spook@example.org")
    reply = both.send(HEADERS, "ghost@example.org", "steve@example.com", source=BRAZIL)
    copies = find(both.archive, reference(reply))
    assert [copy.envelope and copy.envelope.recipients for copy in copies] == [
        ("steve@example.com",),
        ("ghost@example.org",),
    ]
    assert copies[0].path.samefile(copies[1].path)


@pytest.mark.parametrize(
    "recipients",
    [
        pytest.param(("steve@example.org", "ghost@example.org"), id="held after good"),
        pytest.param(("ghost@example.org", "steve@example.org"), id="good after held"),
    ],
)
def test_a_good_and_a_held_recipient_come_one_by_one(both: Holding, recipients: tuple[str, ...]) -> None:
    assert both.send(HEADERS, *recipients).startswith("451 4.5.3 ")
    outcome = {name: both.send(HEADERS, name) for name in recipients}
    assert outcome["steve@example.org"].startswith("250 ")
    assert both.of(outcome["ghost@example.org"])


# ---- what can go wrong


def refused_without_archive(kept: Holding, why: str) -> None:
    """A message is refused all the same; the daemon's log says that it is lost, and why; nothing is half there."""
    reply = kept.send(HEADERS + BODIES["three megabytes"])
    assert reply.startswith("550 5.1.1 ")
    assert reference(reply)
    told = [line for line in kept.log().splitlines() if reference(reply) in line]
    assert any("without being archived" in line and why in line for line in told), kept.log()
    assert [path for path in kept.archive.glob("*/2*/*/*") if path.is_file()] == []
    until(lambda: any(line["ref"] == reference(reply) for line in kept.rejections()))
    (line,) = (line for line in kept.rejections() if line["ref"] == reference(reply))
    assert (line["verdict"], line["filename"]) == ("reject", "")
    assert kept.lab.queued() == 0


def test_a_full_disk() -> None:
    with holding(small="size=1m") as kept:
        refused_without_archive(kept, "No space left on device; free some space, or lower archive.keep_mb")
        assert kept.of(kept.send(HEADERS + b"small\r\n"))


def test_no_archive_directory() -> None:
    with holding() as kept:
        kept.archive.rmdir()
        refused_without_archive(kept, f"{kept.archive} is not a directory; create it, or mount what belongs there")
        kept.archive.mkdir()
        assert kept.of(kept.send(HEADERS))


def test_an_archive_that_the_daemon_may_not_write() -> None:
    with holding(rights=IN_GROUP) as kept:
        kept.archive.chmod(0o555)
        refused_without_archive(kept, "Permission denied; the daemon's user must be able to write there")
        kept.archive.chmod(0o755)
        assert kept.of(kept.send(HEADERS))


def test_a_spool_that_the_daemon_may_not_read() -> None:
    with holding(rights=NOT_IN_GROUP) as kept:
        refused_without_archive(kept, f"add the daemon's user to the group {USER} (usermod -aG), and restart")


def test_two_at_once(both: Holding) -> None:
    """Two messages in the daemon's hands at the same time: each of them is kept, with its own bytes."""
    sent = {number: HEADERS + str(number).encode() * 2_000_000 + b"\r\n" for number in range(2)}
    replies: dict[int, str] = {}
    together([lambda number=number: replies.update({number: both.send(sent[number])}) for number in sent])  # type: ignore[misc]
    for number, message in sent.items():
        known = both.of(replies[number]).envelope
        assert known is not None
        assert known.sha256 == digest(message)


def test_a_purge_while_messages_arrive(both: Holding) -> None:
    """Purges to the smallest size, again and again: each message was archived whole, and is there whole or purged."""
    both.clear()
    stopped = threading.Event()
    purged: dict[str, int] = {}

    def purge_again_and_again() -> None:
        while not stopped.is_set():
            done = purge(both.archive, keep_days=1, keep_mb=1, now=time.time())
            assert done.problems == []
            purged.update((one.ref, one.bytes) for one in done.messages)

    message = HEADERS + b"x" * 300_000 + b"\r\n"
    replies: list[str] = []
    purger = threading.Thread(target=purge_again_and_again)
    purger.start()
    try:
        together([lambda: replies.extend(both.send(message) for _ in range(10))] * 4)
    finally:
        stopped.set()
        purger.join()
    kept = {archived.envelope.ref for archived in both.archived() if archived.envelope}
    assert half_files(both.archive) == []
    assert len(purged) >= 30
    assert all(size > 300_000 for size in purged.values())
    assert {reference(reply) for reply in replies} == purged.keys() | kept
    assert "without being archived" not in both.log()
