"""Exim's part of a message: the body from a spool, however hostile the query, and the headers without Exim's own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.archive import SpoolError
from eximacl.archive.spool import HEADERS_CUT_BYTES, body_chunks, is_message_id, message_headers, open_body, refusal
from tests.archive.holding import BODY, ID, let_everybody_pass, nobody, spool_with

LONG_ID = "1xVYtn-000000005aB-0821"

IDS = [
    (ID, True),
    (LONG_ID, True),
    ("", False),
    (f"{ID}\n", False),
    (f"{ID}-D", False),
    (ID[:-1], False),
    (LONG_ID[:-1], False),
    ("1xVYt/-00005a-08", False),
    ("1xVYt.-00005a-08", False),
    ("1xVYtä-00005a-08", False),
    ("1xVYt\u0661-00005a-08", False),
    ("../../../../etc/x", False),
]


@pytest.mark.parametrize(("text", "valid"), IDS)
def test_ids(text: str, valid: bool) -> None:
    assert is_message_id(text) is valid


def read(spool: Path | str, message_id: str = ID, queue: str = "") -> bytes:
    with open_body(str(spool), message_id, queue) as body:
        return b"".join(body_chunks(body, 5))


@pytest.mark.parametrize("message_id", [ID, LONG_ID])
@pytest.mark.parametrize("place", ["input", "input/n", "later/input", "later/input/n"])
@pytest.mark.parametrize("body", [BODY, b"", b"\xff\x00\n", b"no line end"])
def test_the_body_is_what_follows_the_first_line(tmp_path: Path, message_id: str, place: str, body: bytes) -> None:
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / f"{message_id}-D").write_bytes(f"{message_id}-D\n".encode() + body)
    assert read(tmp_path, message_id, "later" if place.startswith("later") else "") == body


REFUSED = [
    ("id", "/spool", "../x", "", "id: '../x' is not a message id"),
    ("relative", "spool", ID, "", "spool: 'spool' is not an absolute path"),
    ("nul", "/spool\0", ID, "", "is not an absolute path; send spool=\\$spool_directory"),
    ("queue-up", "/spool", ID, "..", "queue: '..' cannot be the name of a queue"),
    ("queue-path", "/spool", ID, "a/b", "queue: 'a/b' cannot be the name of a queue"),
    ("queue-long", "/spool", ID, "a" * 101, "cannot be the name of a queue"),
    ("missing", "/nonexistent", ID, "", "^/nonexistent: No such file or directory; it must be a part of Exim's spool"),
]


@pytest.mark.parametrize(
    ("spool", "message_id", "queue", "text"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_what_is_no_part_of_a_spool_is_refused(spool: str, message_id: str, queue: str, text: str) -> None:
    with pytest.raises(SpoolError, match=text):
        open_body(spool, message_id, queue)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def elsewhere(tmp_path: Path) -> Path:
    return spool_with(tmp_path / "elsewhere") / "input"


def link_file(spool: Path, outside: Path) -> None:
    (spool / "input").mkdir()
    (spool / "input" / f"{ID}-D").symlink_to(outside / f"{ID}-D")


def link_split_file(spool: Path, outside: Path) -> None:
    (spool / "input/n").mkdir(parents=True)
    (spool / "input/n" / f"{ID}-D").symlink_to(outside / f"{ID}-D")


def link_input(spool: Path, outside: Path) -> None:
    (spool / "input").symlink_to(outside)


def link_split(spool: Path, outside: Path) -> None:
    (spool / "input").mkdir()
    (spool / "input/n").symlink_to(outside)


def fifo(spool: Path, outside: Path) -> None:
    (spool / "input").mkdir()
    os.mkfifo(spool / "input" / f"{ID}-D")


def directory(spool: Path, outside: Path) -> None:
    (spool / "input" / f"{ID}-D").mkdir(parents=True)


def nothing(spool: Path, outside: Path) -> None:
    (spool / "input").mkdir()


def nothing_split(spool: Path, outside: Path) -> None:
    (spool / "input/n").mkdir(parents=True)


def file_for_directory(spool: Path, outside: Path) -> None:
    (spool / "input").mkdir()
    (spool / "input/n").touch()


def other_name(spool: Path, outside: Path) -> None:
    (spool / "input").mkdir()
    (spool / "input" / f"{ID}-D").write_text("1xVYtn-00005a-09-D\nHello\n")


def torn_name(spool: Path, outside: Path) -> None:
    (spool / "input").mkdir()
    (spool / "input" / f"{ID}-D").write_text(ID)


FOUND = [
    (link_file, "-D: Too many levels of symbolic links; it must be a part of Exim's spool, and not a symbolic link"),
    (link_split_file, "input/n/.*-D: Too many levels of symbolic links"),
    (link_input, "input: Not a directory; it must be a part"),
    (link_split, "input/n: Not a directory; it must be a part"),
    (fifo, "-D is not a regular file"),
    (directory, "-D is not a regular file"),
    (nothing, f"input holds no {ID}-D: the daemon must run on the same machine as Exim and see the same"),
    (nothing_split, f"input holds no {ID}-D"),
    (file_for_directory, "input/n: Not a directory"),
    (other_name, "does not begin with its own name"),
    (torn_name, "does not begin with its own name"),
]


@pytest.mark.parametrize(("make", "text"), FOUND, ids=lambda value: getattr(value, "__name__", ""))
def test_what_lies_there_is_checked(tmp_path: Path, make: Callable[[Path, Path], None], text: str) -> None:
    outside = elsewhere(tmp_path)
    spool = tmp_path / "spool"
    spool.mkdir()
    make(spool, outside)
    before = descriptors()
    with pytest.raises(SpoolError, match=text):
        open_body(str(spool), ID)
    assert descriptors() == before


def test_the_spool_itself_may_be_a_link(tmp_path: Path) -> None:
    spool_with(tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    assert read(tmp_path / "link") == BODY


SHUT = [
    ("file", f"input/{ID}-D"),
    ("input", "input"),
    ("spool", "."),
    ("split", "input/n"),
    ("split file", f"input/n/{ID}-D"),
]


@pytest.mark.parametrize("shut", [path for _, path in SHUT], ids=[name for name, _ in SHUT])
@pytest.mark.parametrize(("gid", "group"), [(8, "mail"), (64_999, "64999")])
def test_who_may_not_read_is_told_which_group_to_join(tmp_path: Path, shut: str, gid: int, group: str) -> None:
    let_everybody_pass(tmp_path)
    spool = spool_with(tmp_path / "spool")
    if "n" in Path(shut).parts:
        (spool / "input/n").mkdir()
        (spool / "input" / f"{ID}-D").rename(spool / "input/n" / f"{ID}-D")
    os.chown(spool / shut, -1, gid)
    (spool / shut).chmod(0o750)

    with nobody(), pytest.raises(SpoolError, match=f"cannot be read: add the daemon's user to the group {group} "):
        open_body(str(spool), ID)
    with nobody():
        assert (f"to the group {group} " in refusal(str(spool))) is (shut in ("input", "."))
    with nobody(gid):
        assert refusal(str(spool)) == ""
        assert read(spool) == BODY


@pytest.mark.parametrize("spool", ["none", "empty", "file"])
def test_a_spool_that_is_not_there_yet_refuses_nobody(tmp_path: Path, spool: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    assert refusal(str(tmp_path / spool)) == ""


@pytest.mark.parametrize("shut", [path for _, path in SHUT[:2]], ids=[name for name, _ in SHUT[:2]])
def test_a_group_that_systemd_hides(tmp_path: Path, shut: str) -> None:
    """Under PrivateUsers every group but the daemon's own is shown as this one; to join it would not help."""
    let_everybody_pass(tmp_path)
    spool = spool_with(tmp_path / "spool")
    os.chown(spool / shut, -1, 65534)
    (spool / shut).chmod(0o700)
    with nobody(), pytest.raises(SpoolError, match=r"systemd/archive\.conf as /etc/systemd/system/eximacl") as caught:
        open_body(str(spool), ID)
    assert "usermod" not in str(caught.value)


def test_a_spool_that_nobody_may_even_look_for(tmp_path: Path) -> None:
    spool = spool_with(tmp_path / "shut/spool")
    (tmp_path / "shut").chmod(0o700)
    with nobody(), pytest.raises(SpoolError, match="to the group of Exim's spool"):
        open_body(str(spool), ID)


@pytest.mark.needs_root
def test_a_disk_that_fails_at_once(tmp_path: Path) -> None:
    """A file of the kernel's in the place of the body: its first bytes are a read error."""
    path = spool_with(tmp_path) / "input" / f"{ID}-D"
    subprocess.run(["mount", "--bind", f"/proc/{os.getpid()}/mem", str(path)], check=True)
    try:
        with pytest.raises(SpoolError, match="-D cannot be read: Input/output error"):
            open_body(str(tmp_path), ID)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_disk_that_fails_is_the_spool_s_fault(tmp_path: Path) -> None:
    """Reading a directory's descriptor is the read error that can be had everywhere."""
    directory = os.open(tmp_path, os.O_RDONLY)
    with open_body(str(spool_with(tmp_path)), ID) as body:
        os.dup2(directory, body.fileno())
        os.close(directory)
        with pytest.raises(SpoolError, match="the spool cannot be read: Is a directory"):
            list(body_chunks(body, 5))


OWN = f"Received: from x\n\tby mx.example.org\n\tid {ID}\n\tfor joe@example.org;\n\tMon, 23 Nov 2026 19:10:31 +0000\n"
RECEIVED = "Received: from a\n\tby b with esmtp id 1abcde-00005a-08;\n"
HEADERS = [
    ("own first", OWN + "Subject: x\n", "Subject: x\n"),
    ("own only", OWN, ""),
    ("own without end", OWN.rstrip("\n"), ""),
    ("own spelt otherwise", OWN.replace("Received:", "RECEIVED :") + "Subject: x\n", "Subject: x\n"),
    ("then another's", OWN + RECEIVED + "Subject: x\n", RECEIVED + "Subject: x\n"),
    ("another's only", RECEIVED, RECEIVED),
    ("own not first", "Subject: x\n" + OWN, "Subject: x\n" + OWN),
    ("a longer id", OWN.replace(ID, f"{ID}9"), OWN.replace(ID, f"{ID}9")),
    ("no line end", "Subject: x", "Subject: x\n"),
    ("none", "", ""),
    ("8-bit", "Subject: \udce4\n", "Subject: \udce4\n"),
]


@pytest.mark.parametrize(("block", "headers"), [row[1:] for row in HEADERS], ids=[row[0] for row in HEADERS])
def test_exim_s_own_received_is_no_part_of_a_message(block: str, headers: str) -> None:
    assert message_headers(block, ID) == headers


@pytest.mark.parametrize("filler", ["x", "ä", "\udce4"])
def test_headers_that_exim_has_cut_are_refused(filler: str) -> None:
    bytes_each = len(filler.encode("utf-8", "surrogateescape"))
    whole = f"Subject: {filler * ((HEADERS_CUT_BYTES - 11) // bytes_each)}\n"
    assert message_headers(whole, ID) == whole
    with pytest.raises(SpoolError, match="the headers have 65536 bytes or more"):
        message_headers(whole + filler * 2, ID)


def test_no_descriptor_is_lost(tmp_path: Path) -> None:
    spool = spool_with(tmp_path)
    before = descriptors()
    for _ in range(50):
        read(spool)
    assert descriptors() == before
