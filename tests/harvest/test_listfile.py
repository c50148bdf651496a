"""The list: read back by the very list type of valid_recipient, and nobody's work lost."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from eximacl.config.list_files import fill
from eximacl.harvest.listfile import ListFile, ListFileError, line_of, unwritable
from eximacl.harvest.tally import AddressCount
from eximacl.mail.lists import Recipients

SEEN = AddressCount(2, 1606417717, 1700000000)
ODD = [
    "a b", 'q"q', "a@b", "a#b", "o'neill", "jörg", "j\udcf6", "a\\b", " x", "x ", "#x", "a #b", "@x", "", "a\nb",
    "a\tb", "a\x0bb", "a\rb", "\x85", "a\u2028b", "\u00a0x", "a;b", "-", "*", "a\x00", "\ufeffa", "a,b",
    "a\u202eb", "a\u200bb", "\udc9b31m",
]  # fmt: skip


def read(path: Path) -> Recipients:
    recipients = Recipients()
    fill(recipients, path, path.name)
    return recipients


def write(path: Path, *entries: str, merge: bool = False, force: bool = False) -> int:
    listfile = ListFile(path)
    listfile.check(force=force, merge=merge)
    return listfile.write(dict.fromkeys(entries, SEEN), merge=merge)


@pytest.mark.parametrize("localpart", ODD)
@pytest.mark.parametrize("domain", ["@example.org", ""])
def test_what_is_written_is_read_back_or_told(tmp_path: Path, localpart: str, domain: str) -> None:
    entry = localpart + domain
    why = unwritable(entry, localpart=not domain)
    if why:
        return
    path = tmp_path / "list"
    write(path, entry, "zoe@example.org")
    found = read(path)
    assert len(found) == 2
    assert found.match(localpart, "example.org") == entry


def test_only_what_must_be_is_refused() -> None:
    refused = {localpart for localpart in ODD if unwritable(f"{localpart}@example.org")}
    assert refused == {
        " x", "#x", "a #b", "@x", "", "a\nb", "a\tb", "a\x0bb", "a\rb", "\x85", "\u00a0x", "a\x00", "\ufeffa",
        "a\u2028b", "a\u202eb", "a\u200bb", "\udc9b31m", "j\udcf6",
    }  # fmt: skip
    assert unwritable("a@b", localpart=True)


def test_lines() -> None:
    assert line_of("a@x.org", SEEN) == "a@x.org  # 2 mails, 2020-11-26 to 2023-11-14"
    assert line_of("a@x.org", AddressCount(1, 0, 0)) == "a@x.org  # 1 mail, 1970-01-01"


def test_sorted_and_its_own_file_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "list"
    assert write(path, "z@a.org", "a@b.org", "a@a.org") == 3
    assert [line.split()[0] for line in path.read_text().splitlines()[2:]] == ["a@a.org", "z@a.org", "a@b.org"]
    assert write(path, "b@a.org") == 1
    assert len(read(path)) == 1


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_a_new_list_is_as_private_as_the_umask_says(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write(tmp_path / "list", "a@a.org")
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "list").stat().st_mode) == mode


@pytest.mark.parametrize("text", ["steve\n", "# mine\n", "changed"])
def test_the_work_of_others_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "list"
    if text == "changed":
        write(path, "a@a.org")
        text = path.read_text() + "boss@a.org\n"
    path.write_text(text)
    with pytest.raises(ListFileError, match="--merge keeps its entries"):
        write(path, "b@a.org")
    assert path.read_text() == text
    assert write(path, "b@a.org", force=True) == 1
    assert read(path).match("boss", "a.org") is None


def test_merging(tmp_path: Path) -> None:
    path = tmp_path / "list"
    write(path, "old@a.org", "both@a.org")
    path.write_text(path.read_text().replace("2 mails", "9 mails") + "# by hand\nBoss@a.org # the boss\r\n\n@b.org")
    assert write(path, "both@a.org", "boss@a.org", "new@a.org", merge=True) == 5
    text = path.read_text()
    assert "# by hand\nBoss@a.org # the boss\n@b.org\nboth@a.org  # 2 mails" in text
    assert "old@a.org  # 9 mails" in text
    assert text.count("boss@a.org") == 0
    assert len(read(path)) == 5
    assert write(path, "new@a.org", merge=True) == 5
    assert path.read_text() == text


@pytest.mark.needs_root
def test_mode_owner_and_link_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "list"
    write(path, "a@a.org")
    path.chmod(0o600)
    os.chown(path, 65534, 65534)
    (tmp_path / "link").symlink_to(path)
    write(tmp_path / "link", "b@a.org")
    status = path.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o600, 65534, 65534)
    assert (tmp_path / "link").is_symlink()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link", "list"]


def test_what_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ListFileError, match="cannot be written: No such file"):
        write(tmp_path / "gone/list", "a@a.org")
    (tmp_path / "d").mkdir()
    with pytest.raises(ListFileError, match="cannot be read"):
        write(tmp_path / "d", "a@a.org")
    path = tmp_path / "list"
    write(path, "a@a.org")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    before = path.read_bytes()
    with pytest.raises(ListFileError, match="No space left"):
        write(path, "b@a.org")
    assert path.read_bytes() == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["d", "list"]
