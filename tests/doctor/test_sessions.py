"""Sessions with the real Exim, in which a socket of ours takes the daemon's place."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from eximacl.doctor.sessions import TOKEN, Session, Sessions, _listening, verdict
from eximacl.exim_setup import Exim
from tests.lab.site import ROOT

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
    return Sessions(Exim(config=path), "postmaster@example.org", early=True)


def test_three_recipients(sessions: Sessions) -> None:
    held = sessions.recipients
    assert [reply[:3] for reply in held.replies[3:6]] == ["250", "550", "451"], held
    assert held.said(550)
    assert held.said(451)
    assert [stage for stage in ("connect", "helo", "mail", "rcpt", "end") if held.asked(stage) is None] == []
    assert held.asked("data") is None
    assert held.ended
    assert sessions.recipients is held


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
    """It does not wait for a client that does not come; one that says nothing, or is answered nothing, is no harm."""
    with _listening(lambda *_: None) as (path, queries):
        for line in (b"", b"control do=x\n", b"rcpt v=1\n"):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                client.sendall(line)
                client.shutdown(socket.SHUT_WR)
                assert client.recv(1) == b""
        assert queries == [b"rcpt v=1\n"]
    assert not Path(path).exists()
