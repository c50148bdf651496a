"""From a held DATA query to the archive: what is kept, what is said when it cannot be, and what never raises."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eximacl.archive import ArchiveError, hold, messages
from eximacl.archive.hold import Archiver, held_ref
from eximacl.config import Settings, load
from eximacl.policy.outcome import Unknown
from eximacl.policy.query import Query
from eximacl.protocol.exim import format_query, parse_query
from tests.archive.holding import BODY, HEADERS, ID, NOON, spool_with

HELD = {
    "tx": "1-1",
    "ip": "192.0.2.7",
    "host": "mx.example.net",
    "helo": "helo.example.net",
    "from": "ann@example.net",
    "rcpts": "ghost@example.org",
    "id": ID,
    "message_id": "<1@example.net>",
    "subject": "=?utf-8?q?J=C3=BCrgen?=",
    "headers": HEADERS,
    "held": "7KQ2M9D4",
    "held_reason": "unknown-recipient",
    "held_check": "valid_recipient",
    "held_message": "5.1.1 no (ref=7KQ2M9D4)",
    "held_sentence": "Mail for ghost not accepted",
}


def query(stage: str = "data", **values: str) -> Query:
    return parse_query(format_query(stage, {**HELD, **values}).rstrip(b"\n"))


@pytest.fixture
def settings(tmp_path: Path) -> Callable[[str], Settings]:
    def load_with(archive: str = 'dir = "archive"') -> Settings:
        path = tmp_path / "eximacl.toml"
        path.write_text(f'[archive]\n{archive}\n[policy]\ndomains = ["example.org"]\norder = []\n')
        return load(path).settings

    return load_with


async def test_a_message_is_kept_with_what_the_query_says(settings: Callable[..., Settings], tmp_path: Path) -> None:
    spool = spool_with(tmp_path / "spool")
    kept = await Archiver(settings()).archive(query(spool=str(spool)), NOON)
    (message,) = messages(tmp_path / "archive")
    assert kept == (message.name,)
    assert message.path.read_bytes() == HEADERS.encode() + b"\n" + BODY
    known = message.envelope
    assert known is not None
    assert (known.ref, known.time, known.sender, known.recipients) == (
        "7KQ2M9D4", NOON, "ann@example.net", ("ghost@example.org",),
    )  # fmt: skip
    assert (known.ip, known.host, known.helo) == ("192.0.2.7", "mx.example.net", "helo.example.net")
    assert (known.reason, known.check, known.sentence) == (
        "unknown-recipient", "valid_recipient", "Mail for ghost not accepted",
    )  # fmt: skip
    assert (known.message_id, known.subject) == ("<1@example.net>", "Jürgen")


async def test_a_subject_is_redacted_where_the_settings_say_so(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    archiver = Archiver(settings('dir = "archive"\nredact = ["subject"]'))
    await archiver.archive(query(spool=str(spool_with(tmp_path / "spool"))), NOON)
    (message,) = messages(tmp_path / "archive")
    assert message.envelope is not None
    assert message.envelope.subject == "(redacted)"


async def test_a_named_queue_has_its_own_spool(settings: Callable[..., Settings], tmp_path: Path) -> None:
    spool_with(tmp_path / "spool" / "later")
    kept = await Archiver(settings()).archive(query(spool=f"{tmp_path}/spool", queue="later"), NOON)
    assert isinstance(kept, tuple)
    assert len(kept) == 1


async def test_two_domains_have_a_file_each(settings: Callable[..., Settings], tmp_path: Path) -> None:
    spool = spool_with(tmp_path / "spool")
    held = query(spool=str(spool), rcpts="ghost@example.org, ghost@example.com")
    kept = await Archiver(settings()).archive(held, NOON)
    assert isinstance(kept, tuple)
    assert [name.endswith(domain) for name, domain in zip(kept, ("example.org", "example.com"), strict=True)]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        pytest.param({"spool": ""}, "spool=$spool_directory", id="no spool"),
        pytest.param({"spool": "/nowhere"}, "/nowhere: No such file or directory", id="another machine's spool"),
        pytest.param(
            {"spool": "SPOOL", "id": "../../../etc/passwd"}, "not a message id of Exim's", id="a path as an id"
        ),
        pytest.param({"spool": "SPOOL", "queue": "../x"}, "cannot be the name of a queue", id="a path as a queue"),
        pytest.param({"spool": "SPOOL", "rcpts": ""}, "has no held recipient", id="no recipient"),
        pytest.param({"spool": "SPOOL", "headers": "x" * 65536}, "65536 bytes or more", id="cut headers"),
    ],
)
async def test_what_cannot_be_kept_is_told_and_leaves_nothing(
    settings: Callable[..., Settings], tmp_path: Path, values: dict[str, str], why: str
) -> None:
    spool = spool_with(tmp_path / "spool")
    values = {key: value.replace("SPOOL", str(spool)) for key, value in values.items()}
    kept = await Archiver(settings()).archive(query(**values), NOON)
    assert isinstance(kept, Unknown)
    assert why in kept.detail
    assert list(messages(tmp_path / "archive")) == []


async def test_without_an_archive_there_is_nothing_to_keep_it_in(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    kept = await Archiver(settings("")).archive(query(spool=str(tmp_path)), NOON)
    assert kept == Unknown("archive.dir is not set any more")


def test_the_archive_s_directory_is_made_at_the_start(settings: Callable[..., Settings], tmp_path: Path) -> None:
    Archiver(settings())
    assert (tmp_path / "archive").is_dir()


def test_an_archive_that_cannot_be_is_refused_at_the_start(settings: Callable[..., Settings], tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("a file")
    with pytest.raises(ArchiveError, match=r"archive\.dir: .*/archive is not a directory; create it"):
        Archiver(settings())
    with pytest.raises(ArchiveError, match=r"archive\.group: there is no group 'nosuchgroup'"):
        Archiver(settings('dir = "archive2"\ngroup = "nosuchgroup"'))
    assert not (tmp_path / "archive2").exists()


@pytest.mark.parametrize(
    ("text", "ref"),
    [("7KQ2M9D4", "7KQ2M9D4"), ("7kq2m9d4", "7KQ2M9D4"), ("", ""), ("../../..", ""), ("7KQ2M9D4 x", "")],
)
def test_a_reference_is_one_or_none(text: str, ref: str) -> None:
    assert held_ref(query(held=text)) == ref


async def test_what_waits_for_the_disk_longer_than_exim_is_reported(
    settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = spool_with(tmp_path / "spool")
    gate = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        archiver = Archiver(settings(), threads)
        threads.submit(gate.wait)
        waiting = asyncio.create_task(archiver.archive(query(spool=str(spool)), NOON))
        await asyncio.sleep(0)
        assert archiver.late() == ""
        monkeypatch.setattr(hold, "LATE_SECONDS", 0.0)
        assert "of 1 held messages that wait for it, one has waited for 0 s" in archiver.late()
        gate.set()
        assert isinstance(await waiting, tuple)
        assert archiver.late() == ""


async def test_it_says_once_when_much_has_come_in(settings: Callable[..., Settings], tmp_path: Path) -> None:
    spool = spool_with(tmp_path / "spool", bytes(60_000))
    archiver = Archiver(settings('dir = "archive"\nkeep_mb = 1\nfree_mb = 0'))
    grew = []
    for _ in range(5):
        await archiver.archive(query(spool=str(spool)), NOON)
        grew.append(archiver.grew())
    assert grew == [False, True, False, True, False]
