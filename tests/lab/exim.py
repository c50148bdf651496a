"""A stock Exim that sees the lab's configuration, spool and mailboxes instead of the machine's."""

from __future__ import annotations

import contextlib
import errno
import grp
import mailbox
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from tests.lab.daemons import EXIM, binds
from tests.lab.dialogue import Client
from tests.lab.names import Names
from tests.lab.namespace import Missing, Namespace, require, require_root
from tests.lab.site import ROOT, Site, documented
from tests.lab.waiting import until
from tests.needs import needs

PACKAGE = "exim4-daemon-light"
USER = "Debian-exim"

# Exim listens within 50 ms; a machine under load may take a hundred times that.
START_SECONDS = 10.0
POLL_SECONDS = 0.01
# As much of the logs as helps in a failure's report.
LOG_CHARACTERS = 4000
# How far from the wanted port the next free one may be.
PORTS = 50


class Lab:
    """A running Exim. `server` is where it listens; `mail`, `spool` and `log` are its directories as we see them.

    site: its configuration. listen: the address to listen on, and the port, or the next free one (0: any).
    names: its DNS; a server of its own, which knows nothing, by default.
    queue_only: leave accepted mail in the spool until `deliver()` (then a test needs not wait).
    """

    @needs("needs_root", "needs_exim", "needs_network")
    def __init__(
        self,
        site: Site | None = None,
        *,
        listen: tuple[str, int] = ("", 0),
        names: Names | None = None,
        queue_only: bool = True,
    ) -> None:
        require_root()
        require(EXIM, "update-exim4.conf", package=PACKAGE)
        self.site = site or Site()
        self._close = contextlib.ExitStack()
        try:
            self._build(names)
            self.server = self._start(listen, queue_only)
        except BaseException:
            self._close.close()
            raise

    def _build(self, names: Names | None) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="eximacl-lab-"))
        self._close.callback(shutil.rmtree, self.home, ignore_errors=True)
        self.home.chmod(0o755)
        self.names = names or self._close.enter_context(Names())
        self.etc, self.mail, self.spool, self.log = (self.home / name for name in ("etc", "mail", "spool", "log"))
        for directory in (self.etc, self.home / "var-lib"):
            directory.mkdir()
        user, group = _ids()
        for directory in (self.mail, self.spool, self.log):
            directory.mkdir(mode=0o755)
            os.chown(directory, user, group)
        resolver = self.home / "resolv.conf"
        resolver.write_text(f"nameserver {self.names.address}\noptions timeout:1 attempts:1\n")
        mailname = self.home / "mailname"
        mailname.write_text(f"{self.site.hostname}\n")
        self.site.write(self.etc)
        self.namespace = self._close.enter_context(
            Namespace(
                {
                    self.etc: Path("/etc/exim4"),
                    self.home / "var-lib": Path("/var/lib/exim4"),
                    self.spool: Path("/var/spool/exim4"),
                    self.log: Path("/var/log/exim4"),
                    self.mail: Path("/var/mail"),
                    resolver: Path("/etc/resolv.conf").resolve(),
                    mailname: Path("/etc/mailname"),
                    **binds(),
                }
            )
        )
        self._configure()

    def _configure(self) -> None:
        if self.site.snippets:
            self.namespace.run("sh", "-e", "-c", documented(self.site.kind), cwd=ROOT)
            if self.site.tags:
                self.namespace.run("sh", "-e", "-c", documented(self.site.kind, "tags"), cwd=ROOT)
        elif self.site.kind != "plain":
            self.namespace.run("update-exim4.conf")

    def _start(self, listen: tuple[str, int], queue_only: bool) -> tuple[str, int]:
        host = listen[0] or self.names.address
        port = _free_port(host, listen[1])
        self._output = self._close.enter_context((self.home / "exim.out").open("wb"))
        # -odq leaves mail in the spool; without it each message is delivered as it comes. -oY: without the
        # notifier socket, whose abstract name would be the same for all labs and the machine's own Exim.
        mode = ["-oY", "-odq"] if queue_only else ["-oY"]
        daemon = self.namespace.start(
            [EXIM, "-bdf", "-oX", f"[{host}]:{port}", "-oP", "/var/spool/exim4/daemon.pid", *mode], self._output
        )
        self._daemon = daemon
        self._close.callback(_reap, daemon)
        self._close.callback(self.namespace.close)
        self._wait(daemon, f"{host}:{port}")
        return host, port

    def _wait(self, daemon: subprocess.Popen[bytes], where: str) -> None:
        """Wait for the line that Exim logs once it listens: a connection would be a client to its ACLs."""
        deadline = time.monotonic() + START_SECONDS
        while "daemon started" not in self.mainlog():
            if daemon.poll() is not None:
                raise RuntimeError(f"Exim did not start (exit {daemon.returncode}):\n{self.logs()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Exim does not listen on {where} after {START_SECONDS:.0f} s:\n{self.logs()}")
            time.sleep(POLL_SECONDS)

    def close(self) -> None:
        """Stop Exim and remove the lab. Calling it twice is harmless."""
        self._close.close()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def client(self, source: str = "127.0.0.2") -> Client:
        """Connect from `source`."""
        return Client(self.server, source)

    def play(
        self, script: str, source: str = "127.0.0.2", calls: Mapping[str, Callable[[], object]] | None = None
    ) -> list[str]:
        """Play a dialogue from `source`; return its transcript. Raises Mismatch."""
        with self.client(source) as client:
            try:
                client.play(script, calls)
            except Exception as error:
                error.add_note(f"---- the end of the lab's logs\n{self.logs()[-LOG_CHARACTERS:]}")
                raise
            return client.transcript

    def run(self, *argv: str, text: str = "") -> str:
        """Run a command inside the lab and return its output."""
        return self.namespace.run(*argv, text=text)

    def expand(self, text: str) -> str:
        """Expand a string as Exim does (`exim4 -be`)."""
        return self.run(EXIM, "-be", text).rstrip("\n")

    def setting(self, name: str) -> str:
        """Return a main option's value as Exim has read it (`exim4 -bP`), with its name."""
        return self.run(EXIM, "-bP", name).rstrip("\n")

    def deliver(self) -> None:
        """Deliver all mail in the spool, and return when that is done."""
        self.run(EXIM, "-qff")

    def queued(self) -> int:
        """Return how many messages are in the spool."""
        return int(self.run(EXIM, "-bpc"))

    def mailbox(self, localpart: str) -> list[mailbox.MaildirMessage]:
        """Return the messages in a mailbox, oldest first."""
        directory = self.mail / localpart
        if not directory.exists():
            return []
        maildir = mailbox.Maildir(directory, create=False)
        return [maildir[key] for key in sorted(maildir.keys())]

    def cpu_seconds(self) -> float:
        """Return the CPU time of Exim's daemon and of all its children that have ended (proc(5), `stat`)."""
        fields = Path(f"/proc/{self._pid()}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def children(self) -> int:
        """Return how many children Exim's daemon has, whose CPU time is not in `cpu_seconds` yet."""
        return len(_children(self._pid()))

    def _pid(self) -> int:
        """Return the process of Exim's daemon, the child of the one that has entered the namespaces."""
        (exim,) = _children(self._daemon.pid)
        return exim

    def mainlog(self) -> str:
        """Return Exim's main log so far."""
        return _read(self.log / "mainlog")

    def logged(self, *words: str, since: int = 0) -> str:
        """Wait until these stand in Exim's main log, and return it from this place on. Raises TimeoutError.

        Exim may reply to a client before it writes the line about it; from 4.100 on it does.
        """
        until(lambda: all(each in self.mainlog()[since:] for each in words), f"{words} in Exim's log")
        return self.mainlog()[since:]

    def logs(self) -> str:
        """Return all that Exim wrote, for a failure's report."""
        files = [self.home / "exim.out", *(self.log / f"{name}log" for name in ("main", "reject", "panic"))]
        return "".join(f"-- {path.name}\n{_read(path)}" for path in files if path.exists())


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _ids() -> tuple[int, int]:
    try:
        return pwd.getpwnam(USER).pw_uid, grp.getgrnam(USER).gr_gid
    except KeyError:
        raise Missing(f"the user {USER} is missing: apt-get install {PACKAGE}") from None


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""


def _free_port(host: str, wanted: int) -> int:
    """Find a port by binding it: `wanted` or the next free one; any for 0. Raises Missing."""
    for port in range(wanted, wanted + PORTS if wanted else 1):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise Missing(f"cannot listen on {host}:{port}: {error.strerror}") from None
            else:
                return int(probe.getsockname()[1])
    raise Missing(f"no free port on {host} from {wanted} to {wanted + PORTS - 1}")


def _reap(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
