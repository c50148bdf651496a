"""Finding mail in real trees: Maildirs of every layout, links that go round, what cannot be read."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from eximacl.harvest import find as walking
from eximacl.harvest.find import NoMail, Source, Walk, chunks
from eximacl.harvest.tally import Troubles

MAIL = b"From: a@example.com\nTo: a@example.org\n\nbody\n"
MBOX = b"From a Thu Nov 26 19:08:37 2020\n" + MAIL


def maildir(path: Path, files: int = 1, names: tuple[str, ...] = ("cur", "new", "tmp")) -> Path:
    for name in names:
        (path / name).mkdir(parents=True)
        for k in range(files):
            (path / name / f"{k}:2,S").write_bytes(MAIL)
    return path


def names(walk: Walk, path: Path) -> list[str]:
    """What is read, without the directory before it."""
    found = [
        f"{chunk.path}/{name}" for chunk in chunks(walk.find(path).sources, Troubles()) for name in chunk.names or ("",)
    ]
    return sorted(os.path.relpath(one, path) for one in found)


@pytest.mark.parametrize("below", ["", ".Sent", ".Archive.2020", "Lists/debian", "user/Maildir/.x"])
def test_maildirs_and_their_folders(tmp_path: Path, below: str) -> None:
    maildir(tmp_path)
    if below:
        maildir(tmp_path / below)
    (tmp_path / "dovecot-uidlist").write_bytes(MBOX)
    (tmp_path / "cur/.hidden").write_bytes(MAIL)
    expected = ["cur/0:2,S", "new/0:2,S"]
    assert names(Walk(), tmp_path) == sorted(expected + [f"{below}/{one}" for one in expected if below])


def test_a_maildir_without_new(tmp_path: Path) -> None:
    assert names(Walk(), maildir(tmp_path, 1, ("cur",))) == ["cur/0:2,S"]


def test_mboxes_and_single_messages(tmp_path: Path) -> None:
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "inbox").write_bytes(MBOX)
    (tmp_path / "old.gz").write_bytes(gzip.compress(MBOX))
    (tmp_path / "deep/er/x.EML").write_bytes(MAIL)
    for name in ("empty", "text", "torn.gz"):
        (tmp_path / name).write_bytes({"empty": b"", "text": b"hello"}.get(name, b"\x1f\x8b\x08"))
    found = Walk().find(tmp_path)
    assert set(found.sources) == {
        Source("mbox", f"{tmp_path}/inbox", 0, len(MBOX)),
        Source("mbox", f"{tmp_path}/old.gz", 0, 0),
        Source("messages", f"{tmp_path}/deep/er", 1),
    }
    assert found.others == 3
    assert names(Walk(), tmp_path / "deep") == ["er/x.EML"]


def test_a_single_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m").write_bytes(MAIL)
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "m", Path("m")):
        (chunk,) = chunks(Walk().find(path).sources, Troubles())
        assert (chunk.path, chunk.names) == (str(path.parent), ("m",))


@pytest.mark.parametrize(
    "data",
    [b"root:x:0:0:root:/root:/bin/sh\n", b"", b"\x1f\x8b\x08", os.urandom(99)],
    ids=["passwd", "empty", "gzip", "random"],
)
def test_a_file_that_is_no_mail(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "f").write_bytes(data)
    with pytest.raises(NoMail, match="f is not mail: neither an mbox"):
        Walk().find(tmp_path / "f")


def test_a_directory_without_mail(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    with pytest.raises(NoMail, match="holds no mail: no Maildir"):
        Walk().find(tmp_path)
    with pytest.raises(FileNotFoundError):
        Walk().find(tmp_path / "gone")


def test_excluded_folders(tmp_path: Path) -> None:
    for name in (".Junk", ".Spam.2020", ".Archive.Trash", "junk e-mail", ".Sent"):
        maildir(tmp_path / "m" / name)
    (tmp_path / "Spam.mbox").write_bytes(MBOX)
    found = Walk().find(tmp_path)
    assert {Path(source.path).parent.name for source in found.sources} == {".Sent"}
    assert len(found.excluded) == 5
    assert len(Walk(["sent"]).find(tmp_path).excluded) == 1
    assert Walk().find(tmp_path / "m/.Junk").sources  # named by the admin


def test_a_directory_of_skipped_folders_only(tmp_path: Path) -> None:
    maildir(tmp_path / "m/.Junk")
    walk = Walk()
    found = walk.find(tmp_path / "m")
    assert (found.sources, found.excluded, found.again) == ((), (f"{tmp_path}/m/.Junk",), False)
    assert walk.find(tmp_path / "m").again


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\n", b"\r\n\r\n"], ids=["BOM", "LF", "CRLF"])
def test_an_mbox_and_a_message_after_a_preamble(tmp_path: Path, before: bytes) -> None:
    (tmp_path / "box").write_bytes(before + MBOX)
    (tmp_path / "m").write_bytes(before + MAIL)
    assert Walk().find(tmp_path / "box").sources[0].kind == "mbox"
    assert Walk().find(tmp_path / "m").sources[0].kind == "message"


def test_links_that_go_round_and_paths_that_overlap(tmp_path: Path) -> None:
    maildir(tmp_path / "m")
    (tmp_path / "m/.up").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "m")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "box").write_bytes(MBOX)
    walk = Walk()
    assert len(names(walk, tmp_path)) == 3
    assert walk.find(tmp_path / "m").sources == walk.find(tmp_path / "box").sources == ()


def test_deep_directories(tmp_path: Path) -> None:
    """Deeper than a path may be long: what lies below cannot be read, and the rest is."""
    fd = os.open(tmp_path, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=fd)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    maildir(tmp_path / "m")
    walk = Walk()
    assert len(walk.find(tmp_path).sources) == 2
    assert walk.troubles["unreadable"] == 1
    assert walk.troubles.examples["unreadable"][0][1] == "File name too long"


def test_what_vanishes_between_walking_and_reading(tmp_path: Path) -> None:
    sources = Walk().find(maildir(tmp_path / "m")).sources
    for name in ("cur", "new"):
        (tmp_path / "m" / name / "0:2,S").unlink()
        (tmp_path / "m" / name).rmdir()
    troubles = Troubles()
    assert list(chunks(sources, troubles)) == []
    assert troubles.counts == {"vanished": 2}


def test_work_is_cut_into_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "CHUNK_FILES", 2)
    monkeypatch.setattr(walking, "CHUNK_BYTES", 50)
    maildir(tmp_path / "m", 5, ("cur",))
    (tmp_path / "box").write_bytes(MBOX)
    (tmp_path / "z.gz").write_bytes(gzip.compress(MBOX))
    found = Walk().find(tmp_path).sources
    pieces = list(chunks(found, Troubles()))
    assert sorted(len(piece.names) for piece in pieces if piece.kind == "files") == [1, 2, 2]
    assert [(piece.start, piece.end) for piece in pieces if piece.path.endswith("box")] == [(0, 50), (50, len(MBOX))]
    assert [(piece.start, piece.end) for piece in pieces if piece.path.endswith("gz")] == [(0, 0)]
    assert all(source.weight for source in found)


def test_a_link_to_itself_costs_nobody_else(tmp_path: Path) -> None:
    """It is left to reading, which tells of it."""
    maildir(tmp_path / "M", 2, ("cur",))
    (tmp_path / "M/cur/loop").symlink_to("loop")
    (tmp_path / "M/cur/below").mkdir()
    troubles = Troubles()
    found = [name for chunk in chunks(Walk().find(tmp_path).sources, troubles) for name in chunk.names]
    assert (sorted(found), troubles.counts) == (["0:2,S", "1:2,S", "loop"], {})
