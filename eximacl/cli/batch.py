"""`eximacl check --batch`: many queries from one file, in the order of the file, one answer a line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import click

from eximacl.cli import exits
from eximacl.cli.options import Failure, ip_problem, print_json
from eximacl.cli.output import progress
from eximacl.policy.query import STAGES
from eximacl.protocol.exim import NEEDED, ProtocolError, Reply, parse_line
from eximacl.system.text import printable

COLUMNS = ("stage", "ip", "host", "host_deferred", "helo", "from", "rcpt", "rcpts", "tx")
# Shorter batches are over before a bar could be read.
PROGRESS_LINES = 2000


class Line(NamedTuple):
    """One query of a batch: its line number, and the query; or what is wrong with it."""

    number: int
    stage: str
    values: Mapping[str, str]
    problem: str = ""


def read_batch(path: Path) -> list[Line]:
    """Read queries as on the wire, or TSV whose first line names its columns. Raises Failure."""
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", exits.IO_ERROR) from None
    lines = [(number, line) for number, line in enumerate(data.splitlines(), 1) if line.strip()]
    if not lines:
        raise Failure(f"{path}: there is no query in it", exits.DATA)
    first = lines[0][1].decode("utf-8", "surrogateescape")
    if " " in first and first.split(" ")[0] in STAGES:
        return [_wire_line(number, line) for number, line in lines]
    columns = first.split("\t")
    unknown = [column for column in columns if column not in COLUMNS]
    if unknown or "ip" not in columns:
        raise Failure(
            f"{path}: the first line is neither a query nor the names of TSV columns"
            f" ({', '.join(map(printable, unknown)) or 'ip is missing'}); the columns are {' '.join(COLUMNS)}",
            exits.DATA,
        )
    return [_tsv_line(number, columns, line) for number, line in lines[1:]]


def run_batch(lines: list[Line], ask: Callable[[str, Mapping[str, str]], Reply], *, as_json: bool) -> int:
    """Ask and print every line. Returns 0, or exits.DATA where a line could not be asked."""
    bad = 0
    with progress("Asking", len(lines), PROGRESS_LINES) as bar:
        for line in lines:
            bar.advance(1)
            try:
                if line.problem:
                    raise Failure(line.problem, exits.DATA)
                reply = ask(line.stage, line.values)
            except Failure as error:
                if error.status == exits.UNAVAILABLE:
                    raise
                bad += 1
                click.echo(f"line {line.number}: {error.message}", err=True)
                continue
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


def _wire_line(number: int, line: bytes) -> Line:
    try:
        word, values = parse_line(line)
    except ProtocolError as error:
        return Line(number, "", {}, str(error))
    if word not in STAGES:
        return Line(number, "", {}, f"{printable(word)!r} is no stage; the stages are {' '.join(STAGES)}")
    values.pop("v", None)
    return _finished(number, word, values)


def _tsv_line(number: int, columns: list[str], line: bytes) -> Line:
    fields = line.decode("utf-8", "surrogateescape").split("\t")
    if len(fields) != len(columns):
        return Line(number, "", {}, f"{len(fields)} columns, but the first line names {len(columns)}")
    values = dict(zip(columns, fields, strict=True))
    stage = values.pop("stage", "") or ("rcpt" if values.get("rcpt") else "connect")
    if stage not in STAGES:
        return Line(number, "", {}, f"{printable(stage)!r} is no stage; the stages are {' '.join(STAGES)}")
    return _finished(number, stage, values)


def _finished(number: int, stage: str, values: dict[str, str]) -> Line:
    """Make every line of a batch dry, and its own transaction."""
    values = {"tx": f"batch-{os.getpid()}-{number}", "from": "", **values, "dry": "1"}
    missing = [key for key in NEEDED[stage] if key not in values]
    problem = f"stage {stage} needs {', '.join(missing)}" if missing else ""
    if not problem and "ip" in values:
        problem = ip_problem(values["ip"])
    return Line(number, stage, values, problem)
