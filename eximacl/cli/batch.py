"""`eximacl check --batch`: reading the file, and printing one answer a line."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from eximacl.cli import exits
from eximacl.cli.options import Failure, print_json
from eximacl.cli.output import progress
from eximacl.protocol.batch import AskOne, BatchError, Line, ask_each, read_batch
from eximacl.protocol.exim import Reply
from eximacl.system.text import printable

# Shorter batches are over before a bar could be read.
PROGRESS_LINES = 2000


def read_file(path: Path) -> list[Line]:
    """Read the queries in a file; `-` is standard input. Raises Failure."""
    try:
        return read_batch(sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes())
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", exits.IO_ERROR) from None
    except BatchError as error:
        raise Failure(f"{path}: {printable(str(error))}", exits.DATA) from None


def run_batch(lines: list[Line], ask: AskOne, *, as_json: bool) -> int:
    """Ask and print every line. Returns 0, or exits.DATA where a line could not be asked. Raises DaemonError."""
    bad = 0
    with progress("Asking", len(lines), PROGRESS_LINES) as bar:
        for line, reply, problem in ask_each(lines, ask):
            bar.advance(1)
            if reply is None:
                bad += 1
                click.echo(f"line {line.number}: {printable(problem)}", err=True)
            else:
                _print_line(line, reply, as_json)
    if bad:
        click.echo(f"{bad} of {len(lines)} lines could not be asked", err=True)
    return exits.DATA if bad else 0


def _print_line(line: Line, reply: Reply, as_json: bool) -> None:
    if as_json:
        answer = {"line": line.number, "verdict": reply.verdict, "code": reply.code, "reason": reply.reason}
        print_json({**answer, "check": reply.extra.get("check", ""), "message": reply.message})
        return
    rcpt = printable(line.values.get("rcpt", ""))
    click.echo(f"{line.number}\t{reply.verdict}\t{reply.reason or '-'}\t{rcpt}\t{printable(reply.message)}")
