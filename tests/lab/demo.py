"""`make run`: a daemon and a real Exim to play with, and example mails through both.

Rule: whatever goes wrong is said in one line that names the thing to do, and nothing is left running.
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
from textwrap import shorten

import click

from tests.lab.daemon import Daemon
from tests.lab.daemons import EXIM
from tests.lab.exim import USER, Lab
from tests.lab.mails import CLIENTS, NAMES, Result, examples, send
from tests.lab.names import Names, reverse_zone
from tests.lab.namespace import Missing, require_root
from tests.lab.policy import install
from tests.lab.site import ROOT, Site

HOST, PORT = "127.0.0.1", 2525
# What is made anew each time, so that the examples go as they should.
FRESH = ("state.db", "state.db-wal", "state.db-shm")
# The reference at the end of a longer one is in every log.
REPLY_CHARACTERS = 72
HEADINGS = ("client", "sender", "recipient", "SMTP reply", "check", "")


@click.command()
@click.option("--once", is_flag=True, help="Exit after the examples; 1 when one did not go as expected.")
@click.option(
    "--var", type=click.Path(file_okay=False, path_type=Path), default=ROOT / "var", help="Where state and logs go."
)
def main(once: bool, var: Path) -> None:
    """Start the daemon and a private Exim, and send example mails through them."""
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell that starts us in the background ignores SIGINT
        signal.signal(number, _interrupt)
    try:
        with _running(var.resolve()) as (config, lab):
            results = [send(lab, mail) for mail in examples()]
            click.echo("\n".join(table(results)))
            wrong = sum(not result.expected for result in results)
            click.echo(f"\n{len(results)} mails, {wrong} not as expected.")
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
    """Lay the results out in columns."""
    rows = [HEADINGS]
    for result in results:
        mail = result.mail
        reply = shorten(result.reply, REPLY_CHARACTERS, placeholder=" …")
        mark = "" if result.expected else f"<- expected {mail.reply} {mail.check}".rstrip()
        rows.append((CLIENTS[mail.client], f"<{mail.sender}>", mail.recipient, reply, result.check or "-", mark))
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        if number == 0:
            yield "  ".join("-" * width for width in widths).rstrip()


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
        # Exim's user must be able to reach the socket, wherever this tree lies.
        run = Path(tempfile.mkdtemp(prefix="eximacl-run-"))
        stack.callback(shutil.rmtree, run, ignore_errors=True)
        run.chmod(0o755)
        (run / "spool").mkdir()
        shutil.chown(run / "spool", USER, USER)
        config = install(var, run / "eximacl.sock", run / "sendmail")
        names = stack.enter_context(Names(reverse_zone(NAMES)))
        stack.enter_context(Daemon(config, run / "eximacl.sock", var / "daemon.log"))
        # Its spool is at the same path for Exim, in its own mounts, and for the daemon, which keeps held mail.
        site = Site(macros={"EXIMACL_SOCKET": str(run / "eximacl.sock"), "SPOOLDIR": str(run / "spool")})
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

    swaks --server {host}:{port} --local-interface 127.0.1.2 --from ann@example.net --to steve@example.org

Ask without sending:

    .venv/bin/eximacl check --config {config} --explain --ip 192.0.2.7 --host mail.example.sa \\
        --from ann@example.net --rcpt steve@example.org

Mail for nobody at example.com is held; REF is the reference in its reply:

    .venv/bin/eximacl archive list --config {config}
    .venv/bin/eximacl archive show --config {config} REF
    .venv/bin/eximacl archive release --config {config} REF --to steve@example.org

Change {config}, then: .venv/bin/eximacl reload --config {config}
Delivered mail: {lab.mail}/NAME/new; Exim's log: {lab.log}/mainlog; rejections: {config.parent}/rejections.jsonl

Ctrl-C stops both."""


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
