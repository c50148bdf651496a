"""Many queries in one file: as on the wire, or tab-separated values whose first line names the columns.

A line that is wrong keeps no other from being asked. Each query is dry and a transaction of its own.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from eximacl.policy.query import STAGES
from eximacl.protocol.client import RequestRefused
from eximacl.protocol.exim import NEEDED, ProtocolError, Reply, parse_line

COLUMNS = ("stage", "ip", "host", "host_deferred", "helo", "from", "rcpt", "rcpts", "tx")

# Answers one query, by its stage and its values. Raises RequestRefused for what is wrong with it.
AskOne = Callable[[str, Mapping[str, str]], Reply]


class BatchError(Exception):
    """There are no queries in a file; the text says what is expected."""


class Line(NamedTuple):
    """One query of a batch: its line number, and the query; or what is wrong with it."""

    number: int
    stage: str
    values: Mapping[str, str]
    problem: str = ""


class BatchAnswer(NamedTuple):
    """The reply to a line of a batch; None where it could not be asked, and then `problem` says why."""

    line: Line
    reply: Reply | None
    problem: str = ""


def read_batch(data: bytes) -> list[Line]:
    """Return the queries in a file. Raises BatchError."""
    lines = [(number, line) for number, line in enumerate(data.splitlines(), 1) if line.strip()]
    if not lines:
        raise BatchError("there is no query in it")
    first = lines[0][1].decode("utf-8", "surrogateescape")
    if " " in first and first.split(" ")[0] in STAGES:
        return [_wire_line(number, line) for number, line in lines]
    columns = first.split("\t")
    unknown = [column for column in columns if column not in COLUMNS]
    if unknown or "ip" not in columns:
        raise BatchError(
            f"the first line is neither a query nor the names of TSV columns"
            f" ({', '.join(unknown) or 'ip is missing'}); the columns are {' '.join(COLUMNS)}"
        )
    return [_tsv_line(number, columns, line) for number, line in lines[1:]]


def ask_each(lines: Iterable[Line], ask: AskOne) -> Iterator[BatchAnswer]:
    """Ask one line after the other, and yield the answers. Raises DaemonError where nothing can be asked."""
    for line in lines:
        if line.problem:
            yield BatchAnswer(line, None, line.problem)
            continue
        try:
            yield BatchAnswer(line, ask(line.stage, line.values))
        except RequestRefused as error:
            if error.is_daemons_own:
                raise
            yield BatchAnswer(line, None, f"{error.reason}: {error.message}")


def ip_problem(ip: str) -> str:
    """Return what is wrong with an IP address as text; empty when nothing is."""
    try:
        ipaddress.ip_address(ip)
    except ValueError:
        hint = "; write it without brackets" if ip.startswith("[") else ""
        return f"{ip!r} is not an IP address{hint}"
    return ""


def _wire_line(number: int, line: bytes) -> Line:
    try:
        word, values = parse_line(line)
    except ProtocolError as error:
        return Line(number, "", {}, str(error))
    values.pop("v", None)
    return _finished(number, word, values)


def _tsv_line(number: int, columns: list[str], line: bytes) -> Line:
    fields = line.decode("utf-8", "surrogateescape").split("\t")
    if len(fields) != len(columns):
        return Line(number, "", {}, f"{len(fields)} columns, but the first line names {len(columns)}")
    values = dict(zip(columns, fields, strict=True))
    stage = values.pop("stage", "") or ("rcpt" if values.get("rcpt") else "connect")
    return _finished(number, stage, values)


def _finished(number: int, stage: str, values: dict[str, str]) -> Line:
    """Make a line dry, and its own transaction; find what is wrong with it."""
    if stage not in STAGES:
        return Line(number, "", {}, f"{stage!r} is not a stage; the stages are {' '.join(STAGES)}")
    values = {"tx": f"batch-{os.getpid()}-{number}", "from": "", **values, "dry": "1"}
    missing = [key for key in NEEDED[stage] if key not in values]
    problem = f"stage {stage} needs {', '.join(missing)}" if missing else ""
    if not problem and "ip" in values:
        problem = ip_problem(values["ip"])
    return Line(number, stage, values, problem)
