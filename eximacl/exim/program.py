"""Asking the Exim program. It is run only with options that read, test and print; nothing is sent or changed."""

from __future__ import annotations

import itertools
import pwd
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from eximacl.exim.errors import SetupError
from eximacl.system import paths

# Reading a configuration takes some ten milliseconds, but a `-bh` session also waits for DNS and time limits.
RUN_SECONDS = 60.0

_DATE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")
_WRONG = re.compile(r"error|failed", re.IGNORECASE)
_LISTED = re.compile(r"^\w+list (\w+) = ?(.*)$", re.MULTILINE)
_OPTION = re.compile(r"^(\w+) =(?: (.*))?$", re.MULTILINE)


@dataclass(frozen=True)
class RunResult:
    """The result of one run: exit status (-1: it did not end in time), standard output and standard error."""

    status: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """What is wrong, in Exim's words: the first line that says so and its continuations, without the date."""
        lines = [_DATE.sub("", line.rstrip()) for line in (self.err + self.out).splitlines() if line.strip()]
        start = next((number for number, line in enumerate(lines) if _WRONG.search(line)), 0)
        more = itertools.takewhile(lambda line: line.startswith(" "), lines[start + 1 :])
        return " ".join(line.strip() for line in [*lines[start : start + 1], *more])


@dataclass(frozen=True)
class Exim:
    """An Exim program, and the configuration that it is to read (None: its own).

    macros: passed with `-D`, as root may; they override what the configuration sets (Exim specification, 5.2).
    """

    path: Path = paths.EXIM
    config: Path | None = None
    macros: Mapping[str, str] | None = None

    def run(self, *args: str, text: str = "") -> RunResult:
        """Run it once. Raises SetupError where there is no such program."""
        where = ["-C", str(self.config)] if self.config else []
        defined = [f"-D{name}={value}" for name, value in (self.macros or {}).items()]
        try:
            done = subprocess.run(
                [str(self.path), *where, *defined, *args],
                input=text.encode(),
                capture_output=True,
                timeout=RUN_SECONDS,
                cwd="/",
            )
        except subprocess.TimeoutExpired:
            return RunResult(-1, "", f"{self.path} did not end within {RUN_SECONDS:.0f} s")
        except OSError as error:
            raise SetupError(
                f"{self.path}: {error.strerror}: install exim4-daemon-light, or name it with --exim"
            ) from None
        return RunResult(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def options(self, *names: str) -> dict[str, str]:
        """Return the values of main options by name, without those that this Exim does not know."""
        return {name: value or "" for name, value in _OPTION.findall(self.run("-bP", *names).out)}

    def lists(self, *names: str) -> dict[str, str]:
        """Return named lists by name, without those that the configuration does not define."""
        found = dict(_LISTED.findall(self.run("-bP", *(f"+{name}" for name in names)).out))
        for name in names if len(found) < len(names) > 1 else ():  # Exim stops at the first that is missing
            found.update(_LISTED.findall(self.run("-bP", f"+{name}").out))
        return found

    def macro(self, name: str) -> str | None:
        """Return the value of a macro; None where it is not defined."""
        for line in self.run("-bP", "macro", name).out.splitlines():
            key, _, value = line.partition("=")
            if key == name:
                return value
        return None

    def expand(self, text: str) -> str:
        """Expand a string (`-be`); empty where that fails."""
        said = self.run("-be", text)
        return said.out.rstrip("\n") if said.status == 0 and not said.out.startswith("Failed:") else ""

    def user_id(self) -> int | None:
        """Return the user id of Exim's own user; None where there is no such user."""
        named = self.options("exim_user").get("exim_user") or "Debian-exim"
        try:
            return int(named) if named.isdigit() else pwd.getpwnam(named).pw_uid
        except KeyError:
            return None

    def config_file(self) -> Path | None:
        """Return the configuration file that it reads."""
        found = re.search(r"^Configuration file is (.*)$", self.run("-bV").out, re.MULTILINE)
        return Path(found[1]) if found else None


def check_configuration(exim: Exim) -> str:
    """Return Exim's complaint about its configuration; empty where it can read all of it.

    `-bV` reads the main section and the drivers; `-bP` makes it read and print the rest.
    """
    for args in (["-bV"], ["-bP"], ["-bP", "routers"], ["-bP", "transports"], ["-bP", "authenticators"]):
        said = exim.run(*args)
        if said.status != 0:
            return said.complaint or f"exim4 {' '.join(args)} exited {said.status}"
    return ""
