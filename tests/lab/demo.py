"""`make run`: a daemon and a real Exim to play with, and example messages through both.

Whatever goes wrong is said in one line with what to do about it, and nothing is left running.
"""

from __future__ import annotations

import contextlib
import fcntl
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap

import click

from eximacl.cli.output import Style, paint
from tests.lab.daemon import Daemon
from tests.lab.daemons import EXIM
from tests.lab.exim import USER, Lab
from tests.lab.mails import CLIENTS, NAMES, Result, examples, send
from tests.lab.names import Names, reverse_zone
from tests.lab.namespace import Missing, require_root
from tests.lab.policy import install
from tests.lab.site import PASSWORD, ROOT, Site

HOST, PORT = "127.0.0.1", 2525
# Deleted each time, so that the examples go as they should.
FRESH = ("state.db", "state.db-wal", "state.db-shm")
HEADINGS = ("result", "sender", "recipient")
# A terminal of 80 columns, and a README on a web page, show this much without wrapping or scrolling.
COLUMNS = 78
RESULTS = {"2": ("accepted", Style.GOOD), "4": ("deferred", Style.WARNING), "5": ("rejected", Style.BAD)}
NO_REPLY = ("no reply", Style.BAD)


@click.command()
@click.option("--once", is_flag=True, help="Exit after the examples; 1 when one did not go as expected.")
@click.option(
    "--var", type=click.Path(file_okay=False, path_type=Path), default=ROOT / "var", help="Where state and logs go."
)
def main(once: bool, var: Path) -> None:
    """Start the daemon and a private Exim, and send example messages through them."""
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell that starts us in the background ignores SIGINT
        signal.signal(number, _interrupt)
    try:
        with _running(var.resolve()) as (config, lab):
            results = [send(lab, mail) for mail in examples()]
            click.echo("\n".join(table(results)))
            wrong = sum(not result.expected for result in results)
            click.echo(f"\n{len(results)} messages, {wrong} not as expected.")
            if not once:
                click.echo(_by_hand(lab, config))
                signal.pause()
    except Missing as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        click.echo("\nStopped Exim and the daemon.")
        return
    sys.exit(1 if wrong else 0)


def table(results: Sequence[Result]) -> Iterator[str]:
    """Lay the results out in columns, below the client that they are of. A refusal has its check and reply below it."""
    rows = [(RESULTS.get(one.reply[:1], NO_REPLY), one.mail.sender, one.mail.recipient) for one in results]
    widths = [
        max(map(len, column)) for column in zip(HEADINGS, *((word, *rest) for (word, _), *rest in rows), strict=True)
    ]
    yield paint("client", Style.HEADING)
    yield paint("  " + _line(HEADINGS, widths), Style.HEADING)
    client = ""
    for ((word, style), *addresses), one in zip(rows, results, strict=True):
        if one.mail.client != client:
            client = one.mail.client
            yield CLIENTS[client]
        yield f"  {paint(word, style)}{_line((word, *addresses), widths)[len(word) :]}"
        if not one.reply.startswith("250"):
            yield from _wrapped(f"{one.check or 'Exim itself'}: {one.reply}")
        if not one.expected:
            yield f"    <- expected {one.mail.reply} {one.mail.check}".rstrip()


def _wrapped(text: str) -> Iterator[str]:
    yield from wrap(text, COLUMNS, initial_indent="    ", subsequent_indent="      ")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _shown(path: Path) -> Path:
    """Return a path as people would type it in this directory."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


@contextlib.contextmanager
def _running(var: Path) -> Iterator[tuple[Path, Lab]]:
    """Run the daemon with its state in `var`, and Exim."""
    require_root()
    var.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context((var / "lock").open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Missing(f"another `make run` uses {var}: stop it, or give another directory with --var") from None
        for name in FRESH:
            (var / name).unlink(missing_ok=True)
        # Exim's user must be able to reach the socket, wherever this directory is.
        run = Path(tempfile.mkdtemp(prefix="eximacl-run-"))
        stack.callback(shutil.rmtree, run, ignore_errors=True)
        run.chmod(0o755)
        (run / "spool").mkdir()
        shutil.chown(run / "spool", USER, USER)
        config = _shown(install(var, run / "eximacl.sock", run / "sendmail"))
        names = stack.enter_context(Names(reverse_zone(NAMES)))
        stack.enter_context(Daemon(config, run / "eximacl.sock", var / "daemon.log"))
        # Its spool is at the same path for Exim, in its own mounts, and for the daemon, which keeps held mail.
        macros = {"EXIMACL_SOCKET": str(run / "eximacl.sock"), "SPOOLDIR": str(run / "spool")}
        site = Site(macros={**macros, "EXIMACL_NOTE_SENT": "yes"})
        lab = stack.enter_context(Lab(site, listen=(HOST, PORT), names=names, queue_only=False))
        (run / "sendmail").write_text(f'#!/bin/sh\nexec {shlex.join(lab.namespace.command(EXIM))} "$@"\n')
        (run / "sendmail").chmod(0o755)
        click.echo(f"The daemon serves {config}; Exim listens on {lab.server[0]}:{lab.server[1]}.\n")
        yield config, lab


def _by_hand(lab: Lab, config: Path) -> str:
    host, port = lab.server
    known = {**CLIENTS, HOST: "a relay host: never asked about"}
    clients = "\n".join(f"    {address}  {name}" for address, name in known.items())
    return f"""
Send mail yourself (apt-get install swaks); --local-interface chooses the client:
{clients}

    swaks --server {host}:{port} --local-interface 127.0.1.2 \\
        --from ann@example.net --to steve@example.org

Log in as a user, each with the password {PASSWORD}. With +end they end a disposable
address of their own; whom they write to is a known sender, if greylist is on:

    swaks --server {host}:{port} --local-interface 127.0.1.1 --auth PLAIN \\
        --auth-user steve@example.org --auth-password {PASSWORD} \\
        --from steve@example.org --to steve.4.count+end@example.org

Ask without sending:

    .venv/bin/eximacl check --config {config} --explain --ip 192.0.2.7 \\
        --host mail.example.sa --from ann@example.net --rcpt steve@example.org

Mail to unknown recipients at example.com is held; REF is the reference in the reply:

    .venv/bin/eximacl archive list --config {config}
    .venv/bin/eximacl archive show --config {config} REF
    .venv/bin/eximacl archive release --config {config} REF \\
        --to steve@example.org

Change {config}, then: .venv/bin/eximacl reload --config {config}
Delivered mail: {lab.mail}/NAME/new
Exim's log: {lab.log}/mainlog; rejections: {config.parent}/rejections.jsonl

Ctrl-C stops both."""


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
