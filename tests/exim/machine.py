"""What these tests do to a machine's Exim and ask it, all in a lab."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from tests.doctor.world import MAILBOXES, PID_FILE, Done, World
from tests.lab import Site
from tests.lab.site import ROOT, Kind

# A recipient that the lab's policy refuses, and one that it does not know anything against.
REFUSED, GOOD = "info99@example.org", "steve@example.org"
RELOAD = ("--yes", "--reload", "--pid-file", PID_FILE)
SESSION = """
    S: 220
    C: EHLO mx.example.net
    S: 250
    C: MAIL FROM:<a@example.net>
    S: 250
    C: RCPT TO:<{recipient}>
    S: {code}
    C: QUIT
    """


def machine(kind: Kind, macros: dict[str, str] | None = None, files: dict[str, str] | None = None) -> World:
    """Return a machine with Debian's Exim and a running daemon, not yet wired to each other."""
    return World(Site(kind, macros or {}, mailboxes=MAILBOXES, files=files or {}, snippets=False), wired=False)


class Kept:
    """A machine, and the configuration that its Exim has been started with."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._places = {"etc": world.lab.etc, "var-lib": world.lab.home / "var-lib"}
        self._starts = starts(world)
        self._kept = Path(tempfile.mkdtemp(prefix="kept-", dir=world.home))
        for name, directory in self._places.items():
            shutil.copytree(directory, self._kept / name, symlinks=True)

    def put_back(self) -> None:
        """Make the configuration what it was; an Exim that was started with another is restarted."""
        for name, directory in self._places.items():
            for found in directory.iterdir():
                shutil.rmtree(found) if found.is_dir() else found.unlink()
            shutil.copytree(self._kept / name, directory, symlinks=True, dirs_exist_ok=True)
        if starts(self.world) != self._starts:
            restart(self.world)
            self._starts = starts(self.world)


def starts(world: World) -> int:
    """Return how often Exim's daemon has started, after a SIGHUP too."""
    return world.lab.mainlog().count("daemon started")


def other_snippets(world: World) -> str:
    """Return a directory with the snippets of another version, as the lab sees it."""
    directory = world.home / "other-snippets"
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(ROOT / "exim-snippets", directory)
    (directory / "end.acl").write_text((directory / "end.acl").read_text() + "# of another version\n")
    return str(directory)


def install(world: World, *options: str) -> Done:
    """Wire it in, and wait until Exim runs with it."""
    before = starts(world)
    done = world.eximacl("exim", "install", *RELOAD, *options)
    assert done.status == 0, done
    if "reloads" in done.out:
        world.wait_for_exim(before + 1)
    return done


def restart(world: World) -> None:
    """Make Exim read its configuration again."""
    before = starts(world)
    world.run("sh", "-c", f"kill -HUP $(cat {PID_FILE})")
    world.wait_for_exim(before + 1)


def takes(world: World, recipient: str, code: str = "250") -> None:
    """Hold a session with the Exim that runs. Raises Mismatch where its reply to RCPT is another."""
    world.lab.play(SESSION.format(recipient=recipient, code=code))


def acl(world: World, stage: str = "rcpt") -> str:
    """Return what Exim has for a stage, by its configuration."""
    return world.lab.setting(f"acl_smtp_{stage}").partition(" = ")[2]


def tree(directory: Path, *without: str) -> dict[str, str]:
    """Return a digest of each file below a directory, but of those whose path starts so."""
    found = {str(path.relative_to(directory)): path for path in sorted(directory.rglob("*")) if path.is_file()}
    return {
        name: f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for name, path in found.items()
        if not name.startswith(without)
    }
