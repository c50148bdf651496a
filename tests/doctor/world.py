"""A working set-up to be broken: stock Exim, the snippets wired in by `eximacl exim install`, the real daemon.

All of it runs in the lab's namespaces, and so does the doctor; the machine itself is not examined.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from tests.lab import Lab, Names, Site
from tests.lab.daemon import listens
from tests.lab.policy import install
from tests.lab.site import ROOT
from tests.lab.waiting import until

PID_FILE = "/var/spool/exim4/daemon.pid"
MAILBOXES = ("steve", "postmaster", "info99")


class Done(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str


class World:
    """A lab, a daemon in it, and the commands of eximacl. `home` is seen by both under the same path.

    site: `@SOCKET@` in a macro stands for the daemon's socket. wired: by `eximacl exim install`. settings: more of the
    policy file.
    """

    def __init__(self, site: Site | None = None, *, wired: bool = True, settings: str = "") -> None:
        self.home = Path(tempfile.mkdtemp(prefix="eximacl-world-"))
        self.home.chmod(0o755)
        self.socket = self.home / "eximacl.sock"
        self.config = install(self.home, self.socket)
        shutil.rmtree(self.home / "domains")  # a domain with a file of its own has to be in the policy
        self.config.write_text(f"{self.config.read_text()}\n{settings}")
        self.names = Names({})
        self._daemon: subprocess.Popen[bytes] | None = None
        site = site or Site(snippets=False, mailboxes=MAILBOXES)
        macros = {name: value.replace("@SOCKET@", str(self.socket)) for name, value in site.macros.items()}
        self.lab = Lab(replace(site, macros=macros), names=self.names)
        self.run("mount", "-t", "proc", "proc", "/proc")
        self.start()
        self.wait_for_exim(1)
        if wired:
            done = self.eximacl("exim", "install", "--yes", "--router", "--reload", "--pid-file", PID_FILE)
            assert done.status == 0, done
            self.wait_for_exim(2)

    def run(self, *argv: str, text: str = "") -> Done:
        """Run a command in the lab."""
        environ = {name: value for name, value in os.environ.items() if name != "EXIMACL_SOCKET"}
        done = subprocess.run(
            self.lab.namespace.command(*argv),
            input=text.encode(),
            capture_output=True,
            timeout=120,
            env={**environ, "PYTHONPATH": str(ROOT), "EXIMACL_CONFIG": str(self.config)},
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def eximacl(self, *args: str, text: str = "") -> Done:
        """Run a command of eximacl's in the lab."""
        return self.run(sys.executable, "-m", "eximacl", *args, text=text)

    def doctor(self, *args: str) -> list[dict[str, Any]]:
        """Return what the doctor finds; its exit status has to fit.

        Which holes the machine's own Exim has depends on its last upgrade, so that finding is left out.
        """
        host, port = self.lab.server
        done = self.eximacl("doctor", "--json", "--pid-file", PID_FILE, "--smtp", f"{host}:{port}", *args)
        found = [json.loads(line) for line in done.out.splitlines()]
        assert done.err == "", done.err
        assert done.status == int(any(each["level"] == "problem" for each in found)), done
        own = "--exim" not in args
        return [each for each in found if not (own and (each["diagnosis"], each["level"]) == ("version", "warning"))]

    def start(self, *rights: str) -> None:
        """Start the daemon; rights: options of setpriv."""
        command = ["setpriv", *rights, sys.executable, "-m", "eximacl", "serve", "--config", str(self.config)]
        with (self.home / "daemon.log").open("ab") as output:
            self._daemon = self.lab.namespace.start(["env", f"PYTHONPATH={ROOT}", *command], output)
        until(lambda: listens(self.socket), f"the daemon: {(self.home / 'daemon.log').read_text()}")

    def stop(self) -> None:
        """Stop the daemon."""
        assert self._daemon
        self.run("kill", str(self.daemon_pid()))
        self._daemon.wait(10)

    def freeze(self) -> None:
        """Stop the daemon as a debugger would, until `thaw`."""
        self.run("kill", "-STOP", str(self.daemon_pid()))

    def thaw(self, pid: int) -> None:
        """Let the daemon go on; nsenter, which has stopped with its child, needs waking, too."""
        assert self._daemon
        self.run("kill", "-CONT", str(pid))
        self._daemon.send_signal(signal.SIGCONT)

    def daemon_pid(self) -> int:
        """Return the daemon's process id, as the lab sees it."""
        done = self.eximacl("status", "--json")
        return int(json.loads(done.out)["pid"])

    def copy(self) -> Path:
        """Return the copy of the snippets that is wired in."""
        (found,) = (path for path in (self.lab.etc / "eximacl").iterdir() if path.is_dir())
        return found

    def wait_for_exim(self, starts: int) -> None:
        """Wait until Exim's daemon has been started (or restarted by SIGHUP) so often."""
        until(lambda: self.lab.mainlog().count("daemon started") >= starts, f"Exim's start {starts}")
        until(self._heeds, "Exim to heed SIGHUP")  # it makes a certificate after it has logged its start

    def _heeds(self) -> bool:
        shown = self.run("sh", "-c", f"cat /proc/$(cat {PID_FILE})/status").out
        caught = re.search(r"(?m)^SigCgt:\s*(\w+)$", shown)
        sleeps = re.search(r"(?m)^State:\s*S", shown) is not None
        return sleeps and caught is not None and bool(int(caught[1], 16) & 1 << (signal.SIGHUP - 1))

    def close(self) -> None:
        """End all of it."""
        self.lab.close()
        if self._daemon:
            self._daemon.wait(10)
        self.names.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> World:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if isinstance(error, Exception):
            error.add_note(self.lab.logs()[-3000:])
        self.close()
