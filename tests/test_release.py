"""Handing over to a sendmail program: the header, the arguments, and every way in which it can fail.

What Exim makes of it is in tests/cli/test_releasing.py.
"""

from __future__ import annotations

import io
import os
import pwd
from pathlib import Path

import pytest

from eximacl.release import ReleaseError, current_user, deliver, release_header, sendmail_arguments

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
    ("environ", "name"),
    [
        pytest.param({"SUDO_USER": "steve"}, "steve", id="before sudo"),
        pytest.param({"SUDO_USER": "a\nb: c"}, "a_b__c", id="hostile"),
        pytest.param({}, pwd.getpwuid(os.getuid()).pw_name, id="without sudo"),
    ],
)
def test_the_user(environ: dict[str, str], name: str) -> None:
    assert current_user(environ) == name


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    assert current_user({}) == "4000000"


@pytest.mark.parametrize(
    ("sender", "recipient", "expected"),
    [
        pytest.param("a@example.net", "b.c+d@example.org", ["a@example.net", "b.c+d@example.org"], id="plain"),
        pytest.param("", "b@example.org", ["<>", "b@example.org"], id="null sender"),
        pytest.param("-x@example.net", "-bP@example.org", ["-x@example.net", "-bP@example.org"], id="like options"),
        pytest.param("a b@example.net", 'b,"c@example.org', ['"a b"@example.net', '"b,\\"c"@example.org'], id="quoted"),
        pytest.param(
            '"a b"@example.net', "b\\@example.org", ['"a b"@example.net', '"b\\\\"@example.org'], id="has quotes"
        ),
        pytest.param("hyvä@example.net", "b@[192.0.2.7]", ["hyvä@example.net", "b@[192.0.2.7]"], id="others"),
        pytest.param("a@b@example.net", "b", ['"a@b"@example.net', "b"], id="with an @, without a domain"),
    ],
)
def test_arguments(sender: str, recipient: str, expected: list[str]) -> None:
    assert sendmail_arguments(sender, [recipient]) == [*OPTIONS, expected[0], "--", expected[1]]


@pytest.mark.parametrize("address", ["a\nb@example.org", "a\0@example.org", "\x7f@example.org"])
def test_addresses_that_no_command_line_takes(address: str) -> None:
    with pytest.raises(ReleaseError, match=r"holds control characters; name a recipient with --to"):
        sendmail_arguments("", [address])


def test_nobody() -> None:
    with pytest.raises(ReleaseError, match="there is nobody to send it to"):
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
        pytest.param("exit 1", r"did not take the message \(exit status 1\): and said nothing", id="did not read"),
        pytest.param("kill -9 $$", r"was ended by signal 9", id="killed"),
        pytest.param("cat >/dev/null; yes | head -c 100000; exit 1", r"(y ){1000}", id="said much"),
    ],
)
def test_failures(program: Path, script: str, words: str) -> None:
    with pytest.raises(ReleaseError, match=words):
        run(program, script, b"x" * 1_000_000)


def test_a_program_that_hangs_is_ended(program: Path) -> None:
    with pytest.raises(ReleaseError, match=r"was ended by signal 9 \(it has 0 s\)"):
        run(program, "exec tail -f /dev/null", b"x" * 1_000_000, seconds=0.05)


def test_what_it_leaves_in_the_background_is_not_waited_for(program: Path) -> None:
    """As Exim delivers: the child keeps the output open."""
    run(program, f"cat >/dev/null; tail -f /dev/null & echo $! > {program}.pid")
    os.kill(int(Path(f"{program}.pid").read_text()), 9)


def test_a_message_that_cannot_be_read(program: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    program.write_text("#!/bin/sh\nexec cat >/dev/null\n")
    with pytest.raises(OSError, match="Input/output error"):
        deliver(Broken(), b"X: 1\n", [], program)


def test_no_program(tmp_path: Path) -> None:
    with pytest.raises(
        ReleaseError, match="none cannot be run: No such file or directory; name another with --sendmail"
    ):
        deliver(io.BytesIO(), b"", [], tmp_path / "none")
