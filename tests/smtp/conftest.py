"""Real Exims with the shipped snippets, one for each configuration, shared by all tests of a session."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.lab import SERVFAIL, SILENT, Daemon, Lab, Names, Responder, Site, reverse_zone
from tests.lab.daemons import VARIABLE, chosen
from tests.lab.mails import NAMES
from tests.lab.policy import install
from tests.lab.responder import ACCEPT
from tests.smtp.real import Real

# The clients of these tests: what their addresses look up to.
CLIENTS = {
    "127.0.0.2": "mx.example.net",
    "127.0.0.3": "mail.example.com.br",
    "127.0.0.5": SERVFAIL,
    "127.0.0.6": SILENT,
    "127.0.0.99": "relay.example.org",
}


Labs = Callable[[Site], "tuple[Lab, Responder]"]


@pytest.fixture(autouse=True)
def exim(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The daemon that the labs of this test run; without a parameter (`real.EACH_DAEMON`) the one asked for outside."""
    name: str = getattr(request, "param", None) or chosen()
    monkeypatch.setenv(VARIABLE, name)
    return name


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A directory that Exim's own user can reach, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="eximacl-test-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture(scope="session")
def names() -> Iterator[Names]:
    with Names(reverse_zone(CLIENTS)) as server:
        yield server


@pytest.fixture(scope="session")
def started(home: Path, names: Names) -> Iterator[Labs]:
    """Start a lab with a scripted daemon for a site, once per session and Exim."""
    with ExitStack() as stack:
        known: dict[tuple[str, str], tuple[Lab, Responder]] = {}

        def start(site: Site) -> tuple[Lab, Responder]:
            key = chosen(), repr(site)
            if key not in known:
                path = home / f"{len(known)}.sock"
                macros = {"EXIMACL_SOCKET": str(path), **site.macros}
                daemon = stack.enter_context(Responder(path))
                wired = Site(**{**vars(site), "macros": macros})
                known[key] = stack.enter_context(Lab(wired, names=names)), daemon
            return known[key]

        yield start
        for lab, _ in known.values():
            panics = lab.log / "paniclog"
            assert not panics.exists(), panics.read_text()


@pytest.fixture
def labs(started: Labs) -> Labs:
    """Like `started`, with the daemon as new."""

    def start(site: Site) -> tuple[Lab, Responder]:
        lab, daemon = started(site)
        daemon.answer = lambda _: ACCEPT
        daemon.asked.clear()
        return lab, daemon

    return start


@pytest.fixture(scope="session")
def started_real(home: Path) -> Iterator[Callable[[], Real]]:
    """Start a lab with the real daemon, once per session and Exim."""
    with ExitStack() as stack:
        known: dict[str, Real] = {}

        def start() -> Real:
            if chosen() not in known:
                directory = home / f"real-{chosen()}"
                directory.mkdir()
                path = home / f"{directory.name}.sock"
                site = Site(macros={"EXIMACL_SOCKET": str(path), "EXIMACL_TIMEOUT": "1s"})
                names = stack.enter_context(Names(reverse_zone(NAMES)))
                daemon = stack.enter_context(Daemon(install(directory, path), path, directory / "daemon.log"))
                known[chosen()] = Real(stack.enter_context(Lab(site, names=names)), daemon, directory)
            return known[chosen()]

        yield start


@pytest.fixture
def real(started_real: Callable[[], Real]) -> Iterator[Real]:
    """A lab with the real daemon, which runs again afterwards."""
    found = started_real()
    yield found
    found.daemon.ensure()
