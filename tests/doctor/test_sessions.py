"""Sessions with the real Exim, in which a socket of ours takes the daemon's place."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eximacl.doctor.access import Who
from eximacl.doctor.sessions import TOKEN, Session, Sessions, line_from, listening, verdict
from eximacl.exim import Exim
from tests.lab.site import ROOT

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_exim]

CONFIG = """keep_environment =
primary_hostname = mx.example.org
domainlist local_domains = example.org
hostlist relay_from_hosts = 192.0.2.99
spool_directory = {home}/spool
log_file_path = {home}/%slog
host_lookup =
EXIMACL_PLAIN = yes
EXIMACL_ASK_EARLY = yes
EXIMACL_DIR = {snippets}
.include {snippets}/macros
begin acl
acl_check_rcpt:
  accept
acl_check_data:
  accept
begin routers
all:
  driver = redirect
  data = :blackhole:
"""


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Sessions:
    home = tmp_path_factory.mktemp("exim")
    for directory in (home, *home.parents):
        directory.chmod(directory.stat().st_mode | 0o055)
    home.chmod(0o777)
    path = home / "exim.conf"
    path.write_text(CONFIG.format(home=home, snippets=ROOT / "exim-snippets"))
    user = Who.of_account("Debian-exim")
    assert user is not None
    return Sessions(Exim(config=path), "postmaster@example.org", early=True, uid=user.uid)


def test_a_recipient_for_each_verdict(sessions: Sessions) -> None:
    held = sessions.accepted
    each = (held, sessions.rejected, sessions.deferred)
    assert [one.reply(3)[:3] for one in each] == ["250", "550", "451"], each
    assert (sessions.rejected.said(550), sessions.deferred.said(451)) == (True, True)
    assert [stage for stage in ("connect", "helo", "mail", "rcpt", "end") if held.asked(stage) is None] == []
    assert held.asked("data") is None
    assert held.ended
    assert (sessions.accepted is held, held.stopped) == (True, "")


def test_a_message(sessions: Sessions) -> None:
    assert sessions.message.asked("data")
    assert sessions.message.said(550)


def test_nobody_at_the_socket(sessions: Sessions) -> None:
    assert (sessions.alone.reply(3)[:3], sessions.alone.queries) == ("250", ())


@pytest.mark.parametrize("stage", ["connect", "helo", "mail"])
def test_refused_early(sessions: Sessions, stage: str) -> None:
    assert sessions.refused_at(stage).said(550)


def test_a_client_that_is_not_asked_about(sessions: Sessions) -> None:
    assert sessions.from_client("192.0.2.99").queries == ()
    assert sessions.from_client("192.0.2.98").queries != ()


def test_replies_that_did_not_come() -> None:
    assert Session(("220 hello",), (), "", True).reply(3) == ""


def test_a_verdict_is_known_again() -> None:
    assert (verdict("accept").message, TOKEN in verdict("reject").message) == ("", True)


def test_the_socket_goes_at_once() -> None:
    """It does not wait for a client that does not come; one that says nothing, or gets no answer, does no harm."""
    with listening(lambda *_: None, 0) as (path, queries):
        for line in (b"", b"control do=x\n", b"rcpt v=1\n"):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                client.sendall(line)
                client.shutdown(socket.SHUT_WR)
                assert client.recv(1) == b""
        assert queries == [b"rcpt v=1\n"]
    assert not Path(path).exists()


NOBODY = 65534


def test_nobody_else_asks_at_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger does not get in; one that has got in all the same is sent away at once, however slow it is."""
    monkeypatch.setenv("TMPDIR", "/" + "x" * 120)
    with listening(lambda *_: verdict("accept"), 0) as (path, queries):
        connect = f"import socket; socket.socket(socket.AF_UNIX).connect({str(path)!r})"
        command = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", sys.executable, "-c", connect]
        assert b"PermissionError" in subprocess.run(command, capture_output=True).stderr
        path.parent.chmod(0o711)
        path.chmod(0o666)
        told = f"import socket; c = socket.socket(socket.AF_UNIX); c.connect({str(path)!r}); print(c.recv(1))"
        assert subprocess.run([*command[:-1], told], capture_output=True).stdout == b"b''\n"
    assert queries == []


def test_a_client_has_one_deadline() -> None:
    """Not one for each byte: past it, nothing more is read."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"r")
        with pytest.raises(TimeoutError):
            line_from(ours, time.monotonic())
