"""Giving a message to a sendmail program: the header, the arguments, and every way in which it can fail.

What Exim makes of it is in test_release.py.
"""

from __future__ import annotations

import io
import os
import signal
import tempfile
from pathlib import Path

import pytest

from eximacl.archive.errors import MaybeReleased, ReleaseError
from eximacl.archive.sendmail import deliver, release_header, sendmail_arguments
from tests.archive.holding import small_disk
from tests.lab.waiting import until
from tests.state.forks import Child, Tell

OPTIONS = ["-bnq", "-G", "-oep", "-i", "-f"]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.touch(0o755)
    return path


def run(program: Path, script: str, message: bytes = b"the message\n", seconds: float = 60) -> None:
    program.write_text(f"#!/bin/sh\n{script}\n")
    deliver(io.BytesIO(message), b"X: 1\n", ["a", "b c"], program, seconds)


def test_the_header() -> None:
    header = release_header("7KQ2M9D4", 1_795_450_593.8, "steve").decode("ascii")
    assert header.startswith("X-Eximacl-Released: 7KQ2M9D4 ")
    assert header.endswith(" by steve\n")
    assert "2026" in header


@pytest.mark.parametrize(
    ("sender", "recipient", "expected"),
    [
        pytest.param("a@example.net", "b.c+d@example.org", ["a@example.net", "b.c+d@example.org"], id="plain"),
        pytest.param("", "b@example.org", ["<>", "b@example.org"], id="null sender"),
        pytest.param("-x@example.net", "-bP@example.org", ["-x@example.net", "-bP@example.org"], id="like options"),
        pytest.param("a b@example.net", "b,c@example.org", ['"a b"@example.net', '"b,c"@example.org'], id="quoted"),
        pytest.param(
            '"a b"@example.net', '"b\\\\"@example.org', ['"a b"@example.net', '"b\\\\"@example.org'], id="has quotes"
        ),
        pytest.param(
            '""@example.net',
            '"a"@example.org, victim@example.com, "b"@example.org',
            ['""@example.net', '"a@example.org, victim@example.com, b"@example.org'],
            id="quotes of its own",
        ),
        pytest.param(
            "a\\,b@example.net", '"\\"a\\""@example.org', ['"a,b"@example.net', '"\\"a\\""@example.org'], id="escapes"
        ),
        pytest.param("hyvä@example.net", "b@[192.0.2.7]", ["hyvä@example.net", "b@[192.0.2.7]"], id="others"),
        pytest.param("a@b@example.net", "b@Example.ORG", ['"a@b"@example.net', "b@example.org"], id="with an @"),
    ],
)
def test_arguments(sender: str, recipient: str, expected: list[str]) -> None:
    assert sendmail_arguments(sender, [recipient]) == [*OPTIONS, expected[0], "--", expected[1]]


@pytest.mark.parametrize(
    "address", ["a\nb@example.org", "a\0@example.org", "\x7f@example.org", "b", "", "a@b, c", "a@b,c.example", "a@b c"]
)
def test_addresses_that_no_command_line_takes(address: str) -> None:
    with pytest.raises(ReleaseError, match=r"is not an address; export the message, or name its recipients with --to"):
        sendmail_arguments("", [address])


def test_nobody() -> None:
    with pytest.raises(ReleaseError, match="it has no recipients"):
        sendmail_arguments("", [])


def test_gives_header_message_and_arguments(program: Path) -> None:
    run(program, f'printf "%s|" "$@" > {program}.args; cat > {program}.in', b"\xff\0\n" * 100_000)
    assert Path(f"{program}.args").read_text() == "a|b c|"
    assert Path(f"{program}.in").read_bytes() == b"X: 1\n" + b"\xff\0\n" * 100_000


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param(
            "cat >/dev/null; echo no such user >&2; exit 67", r"\(exit status 67\): no such user$", id="refused"
        ),
        pytest.param("exit 1", r"did not take the message \(exit status 1\) and said nothing$", id="did not read"),
        pytest.param("cat >/dev/null; yes | head -c 100000; exit 1", r"(y ){1000}", id="said much"),
    ],
)
def test_failures(program: Path, script: str, words: str) -> None:
    with pytest.raises(ReleaseError, match=words):
        run(program, script, b"x" * 1_000_000)


def test_a_program_that_is_killed_may_have_taken_it(program: Path) -> None:
    with pytest.raises(MaybeReleased, match=r"was killed by signal 9 and said nothing$"):
        run(program, "kill -9 $$")


def test_a_program_that_hangs_is_ended_with_its_children(program: Path) -> None:
    with pytest.raises(MaybeReleased, match=r"took longer than 1 s and was killed: busy$"):
        run(program, f"echo busy; tail -f /dev/null & echo $! > {program}.pid; wait", seconds=1)
    until(lambda: gone(int(Path(f"{program}.pid").read_text())), "the child to end")


def gone(pid: int) -> bool:
    """Whether a process has ended; perhaps nobody has asked for its status yet (proc(5), stat)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_whoever_is_killed_leaves_exim_the_whole_message(program: Path, number: int) -> None:
    """The end of a pipe would be the end of a message that was cut short."""
    script = f"echo > {program}.ready; read go < {program}.go; cat > {program}.part; mv {program}.part {program}.in"
    program.write_text(f"#!/bin/sh\n{script}\n")
    os.mkfifo(f"{program}.go")

    def release(tell: Tell) -> None:
        deliver(io.BytesIO(b"x" * 1_000_000), b"X: 1\n", [], program)

    with Child(release) as child:
        until(Path(f"{program}.ready").exists, "the program")
        os.kill(child.pid, number)
        assert child.wait() == -number
    Path(f"{program}.go").write_text("go\n")
    until(Path(f"{program}.in").exists, "the message")
    assert Path(f"{program}.in").stat().st_size == 1_000_005


def test_ctrl_c_ends_the_program(program: Path) -> None:
    program.write_text(f"#!/bin/sh\necho $$ > {program}.new; mv {program}.new {program}.pid; exec tail -f /dev/null\n")

    def release(tell: Tell) -> None:
        with pytest.raises(KeyboardInterrupt):
            deliver(io.BytesIO(), b"X: 1\n", [], program)

    with Child(release) as child:
        until(Path(f"{program}.pid").exists, "the program")
        os.kill(child.pid, signal.SIGINT)
        assert child.wait() == 0
    assert gone(int(Path(f"{program}.pid").read_text()))


def test_what_it_leaves_in_the_background_is_not_waited_for(program: Path) -> None:
    """As Exim delivers: the child keeps the output open."""
    run(program, f"cat >/dev/null; tail -f /dev/null & echo $! > {program}.pid")
    os.kill(int(Path(f"{program}.pid").read_text()), 9)


def test_a_message_that_cannot_be_read(program: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    program.write_text(f"#!/bin/sh\necho > {program}.ran\n")
    with pytest.raises(ReleaseError, match=r"the message cannot be copied to .*: Input/output error"):
        deliver(Broken(), b"X: 1\n", [], program)
    assert not Path(f"{program}.ran").exists()


def test_no_room_for_the_copy(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = tmp_path / "small"
    small.mkdir()
    with small_disk(small, "size=64k"):
        monkeypatch.setattr(tempfile, "tempdir", str(small))
        with pytest.raises(ReleaseError, match=r"copied to .*small \(TMPDIR names another directory\): No space"):
            run(program, "exit 0", b"x" * 1_000_000)


def test_no_program(tmp_path: Path) -> None:
    with pytest.raises(
        ReleaseError, match="none cannot be run: No such file or directory; name another with --sendmail"
    ):
        deliver(io.BytesIO(), b"", [], tmp_path / "none")
