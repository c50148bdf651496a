"""Ways to break a working set-up. Rule: each is one thing that goes wrong in life, done as there, and mended.

Each is a context manager on a `World`; it may yield options for the doctor.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from tests.doctor.world import World
from tests.lab import SERVFAIL, Responder

CONF_D = "conf.d/main/00_eximacl"


class Break(Protocol):
    """One way."""

    def __call__(self, world: World) -> AbstractContextManager[Sequence[str] | None]: ...


@contextmanager
def changed(path: Path, text: str) -> Iterator[None]:
    """A file with another text, for a while."""
    before, found = path.read_bytes(), path.stat()
    path.write_text(text)
    try:
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


@contextmanager
def configured(world: World, path: Path, text: str) -> Iterator[None]:
    """A part of Exim's configuration with another text, and the configuration made of it."""
    with changed(path, text):
        done = world.run("update-exim4.conf")
        assert done.status == 0, done
        yield
    world.run("update-exim4.conf")


def setting(*lines: str) -> Break:
    """Lines in the admin's 000_localmacros."""

    @contextmanager
    def broken(world: World) -> Iterator[None]:
        path = world.lab.etc / "conf.d/main/000_localmacros"
        text = "".join(f"{line}\n" for line in lines).replace("@COPY@", world.copy().name)
        with configured(world, path, path.read_text() + text):
            yield

    return broken


def policy(before: str, after: str) -> Break:
    """The policy file with something else in it."""

    @contextmanager
    def broken(world: World) -> Iterator[None]:
        text = world.config.read_text()
        assert before in text
        with changed(world.config, text.replace(before, after)):
            yield

    return broken


def snippet(name: str, before: str, after: str) -> Break:
    """A snippet changed by hand."""

    @contextmanager
    def broken(world: World) -> Iterator[None]:
        path = world.copy() / name
        text = path.read_text()
        assert before in text
        with changed(path, text.replace(before, after)):
            yield

    return broken


def full(before: str, after: str) -> Break:
    """A policy that writes to a disk with no space left; after: with `DISK` in it."""

    @contextmanager
    def broken(world: World) -> Iterator[None]:
        disk = world.home / "disk"
        disk.mkdir(exist_ok=True)
        world.run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk))
        world.run("sh", "-c", f"cat /dev/zero > {disk}/filled")
        with policy(before, after.replace("DISK", str(disk)))(world):
            yield
        world.run("umount", str(disk))

    return broken


@contextmanager
def powerless(world: World) -> Iterator[None]:
    """A daemon that may only do what files and directories let its user do; the spool is for Exim's alone."""
    spool = world.lab.spool / "input"
    found = spool.stat()
    spool.chmod(0o700)
    world.stop()
    world.start("--bounding-set=-dac_override,-dac_read_search")
    yield
    world.stop()
    world.start()
    spool.chmod(found.st_mode)


@contextmanager
def exims_log(world: World) -> Iterator[None]:
    """The rejection log belongs to somebody else."""
    path = world.home / "rejections.jsonl"
    path.touch(mode=0o600)
    os.chown(path, world.lab.spool.stat().st_uid, -1)
    with powerless(world):
        yield
    path.unlink()


def socket_mode(mode: int, group: int | None = None) -> Break:
    """The socket with another mode, or of another group."""

    @contextmanager
    def broken(world: World) -> Iterator[None]:
        found = world.socket.stat()
        world.socket.chmod(mode)
        os.chown(world.socket, -1, found.st_gid if group is None else group)
        yield
        os.chown(world.socket, -1, found.st_gid)
        world.socket.chmod(found.st_mode)

    return broken


@contextmanager
def closed_directory(world: World) -> Iterator[None]:
    world.home.chmod(0o700)
    yield
    world.home.chmod(0o755)


@contextmanager
def socket_is_a_file(world: World) -> Iterator[Sequence[str]]:
    path = world.home / "no-socket"
    path.touch()
    yield ["--socket", str(path)]


@contextmanager
def not_installed(world: World) -> Iterator[None]:
    with configured(world, world.lab.etc / CONF_D, ""):
        yield


def lost(name: str) -> Break:
    """A file of the configuration is gone."""

    @contextmanager
    def broken(world: World) -> Iterator[None]:
        path = world.lab.etc / name
        away = world.home / "away"
        path.rename(away)
        world.run("update-exim4.conf")
        yield
        away.rename(path)
        world.run("update-exim4.conf")

    return broken


@contextmanager
def no_snippets(world: World) -> Iterator[None]:
    path = world.copy()
    away = path.with_name("away")
    path.rename(away)
    yield
    away.rename(path)


@contextmanager
def no_acl(world: World) -> Iterator[None]:
    path = world.copy() / "want.acl"
    away = world.home / "want.acl"
    path.rename(away)
    yield
    away.rename(path)


@contextmanager
def unreadable_snippet(world: World) -> Iterator[None]:
    path = world.copy() / "ask.acl"
    path.chmod(0o600)
    yield
    path.chmod(0o644)


@contextmanager
def stopped(world: World) -> Iterator[None]:
    world.stop()
    yield
    world.start()


@contextmanager
def hung(world: World) -> Iterator[None]:
    pid = world.daemon_pid()
    world.freeze()
    yield
    world.thaw(pid)


@contextmanager
def another_program(world: World) -> Iterator[Sequence[str]]:
    path = world.home / "other.sock"
    with Responder(path):
        yield ["--socket", str(path)]


@contextmanager
def refused_reload(world: World) -> Iterator[None]:
    with policy("[policy]", "[nonsense]\n[policy]")(world):
        world.eximacl("reload")
    yield
    world.eximacl("reload")


@contextmanager
def another_policy(world: World) -> Iterator[Sequence[str]]:
    path = world.home / "other.toml"
    path.write_text(world.config.read_text())
    yield ["--config", str(path)]


@contextmanager
def unapplied_setting(world: World) -> Iterator[None]:
    with policy("[state]", "[state]\n")(world), policy('group = "Debian-exim"', 'group = ""')(world):
        world.eximacl("reload")
        yield
    world.eximacl("reload")


@contextmanager
def broken_config(world: World) -> Iterator[None]:
    path = world.home / "config"
    made = world.lab.home / "var-lib/config.autogenerated"
    path.write_bytes(made.read_bytes())
    made.write_text("no_such_option = 1\n" + path.read_text())
    yield
    world.run("update-exim4.conf")


@contextmanager
def changed_since_start(world: World) -> Iterator[None]:
    made = world.lab.home / "var-lib/config.autogenerated"
    found = made.stat()
    os.utime(made, (found.st_atime + 3600, found.st_mtime + 3600))
    yield
    os.utime(made, ns=(found.st_atime_ns, found.st_mtime_ns))


@contextmanager
def not_made_yet(world: World) -> Iterator[None]:
    path = world.lab.etc / "conf.d/main/000_localmacros"
    found = path.stat()
    os.utime(path, (found.st_atime + 3600, found.st_mtime + 3600))
    yield
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


@contextmanager
def no_exim(world: World) -> Iterator[Sequence[str]]:
    yield ["--pid-file", str(world.home / "no.pid")]


@contextmanager
def nobody_listens(world: World) -> Iterator[Sequence[str]]:
    yield ["--smtp", "127.0.0.1:1"]


@contextmanager
def dead_dns(world: World) -> Iterator[None]:
    world.names.learn({("example.org", "MX"): SERVFAIL})
    yield
    del world.names.zone["example.org", "MX"]


@contextmanager
def future(world: World) -> Iterator[None]:
    path = world.home / "state.db"
    found = path.stat()
    os.utime(path, (found.st_atime + 1e8, found.st_mtime + 1e8))
    yield
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
