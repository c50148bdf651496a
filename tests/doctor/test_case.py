"""What is known of a machine: from a real Exim with a few lines, a policy file, and what listens at the socket."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor import Case
from eximacl.exim import Exim
from tests.doctor.proof import known
from tests.lab import Responder

LISTED = [
    ("@ : example.org : *.example.com : localhost : EXAMPLE.ORG", ("mx.example.net", "example.org")),
    ("<; example.org ; dsearch,ret=key;/etc/none", ("example.org",)),
    ("lsearch;/etc/none", ()),
    ("", ()),
]
SETTINGS = "hostlist eximacl_dir = /s\nhostlist eximacl_socket = /run/a\nhostlist eximacl_timeout = ask=5s held=60s\n"


@pytest.fixture
def case(tmp_path: Path) -> Callable[..., Case]:
    """A case whose Exim has these lines."""

    def made(text: str = "", policy: str = "", **facts: object) -> Case:
        path = tmp_path / "exim.conf"
        path.write_text(f"keep_environment =\nprimary_hostname = mx.example.net\n{text}")
        return known(tmp_path, policy, exim=Exim(config=path), **facts)

    return made


@pytest.mark.needs_exim
@pytest.mark.parametrize(("listed", "domains"), LISTED)
def test_local_domains(case: Callable[..., Case], listed: str, domains: tuple[str, ...]) -> None:
    assert case(f"domainlist local_domains = {listed}\n").local_domains == domains


RECIPIENTS = [
    ("example.com : example.org", "postmaster@example.org"),  # the one that is judged
    ("example.com", "postmaster@example.com"),
    ("", "postmaster@mx.example.net"),
]


@pytest.mark.needs_exim
@pytest.mark.parametrize(("listed", "recipient"), RECIPIENTS)
def test_whom_the_sessions_write_to(case: Callable[..., Case], listed: str, recipient: str) -> None:
    assert case(f"domainlist local_domains = {listed}\n").recipient == recipient


@pytest.mark.needs_exim
def test_what_exim_says(case: Callable[..., Case]) -> None:
    seen = case(f"acl_smtp_rcpt = /s/rcpt.acl\n{SETTINGS}exim_user = root\n")
    assert (seen.complaint, seen.acls["rcpt"], seen.acls["data"], seen.wired) == ("", "/s/rcpt.acl", "", True)
    assert (seen.directory, seen.settings["socket"], seen.setting("timeout")["held"]) == (Path("/s"), "/run/a", "60s")
    assert seen.setting("none") == {}
    assert seen.exim_user
    assert (seen.exim_user.name, seen.exim_user.uid) == ("root", 0)
    assert seen.sessions.early is False


@pytest.mark.needs_exim
def test_what_exim_says_of_nothing(case: Callable[..., Case]) -> None:
    seen = case()
    assert (seen.directory, seen.wired, seen.settings) == (None, False, {})
    assert seen.hostname == "mx.example.net"
    assert case("no_such_option = 1\n").complaint


@pytest.mark.needs_exim
def test_where_the_daemon_listens(case: Callable[..., Case], tmp_path: Path) -> None:
    policy = '[server]\nsocket = "/run/policy"\n'
    assert case(SETTINGS, policy, socket=Path("/run/told")).daemon_socket == Path("/run/told")
    assert case(SETTINGS, policy).daemon_socket == Path("/run/policy")
    assert case(SETTINGS, "[nonsense]\n").daemon_socket == Path("/run/a")
    assert "nonsense" in case("", "[nonsense]\n").problems[0]


@pytest.mark.needs_exim
def test_a_daemon_that_is_none(case: Callable[..., Case], tmp_path: Path) -> None:
    gone = case(socket=tmp_path / "none")
    assert (gone.status, "does not exist" in gone.silence, gone.daemon_user) == (None, True, None)
    assert gone.view == Path("/")
    with Responder(tmp_path / "other"):
        other = case(socket=tmp_path / "other")
        assert (other.status, bool(other.silence)) == (None, True)


@pytest.mark.needs_root
def test_whom_the_daemon_runs_as(case: Callable[..., Case]) -> None:
    here = case(_asked={"pid": os.getpid()})
    assert (here.status, here.silence) == ({"pid": os.getpid()}, "")
    assert here.daemon_user is None  # no eximacl: the process has ended, and another has its number
    assert case(_asked={"pid": os.getpid()}, daemon_user=object()).view == Path(f"/proc/{os.getpid()}/root")
    assert case(_asked={"pid": 1 << 21}, daemon_user=object()).view == Path("/")
