"""`eximacl check`: ask as Exim would, with nothing counted, reserved or logged."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from eximacl.cli import exits
from eximacl.cli.command import Command, Section
from eximacl.cli.errors import explained
from eximacl.cli.options import (
    Failure,
    config_option,
    find_socket,
    json_option,
    load_config,
    print_json,
    socket_option,
)
from eximacl.cli.output import VERDICT_STYLES, paint, progress
from eximacl.cli.trace import print_trace
from eximacl.daemon.offline import offline_judge
from eximacl.mail.address import parse_address, parse_quoted, quoted, without_brackets
from eximacl.policy.engine import NOT_OURS
from eximacl.policy.outcome import Traced
from eximacl.policy.query import STAGES
from eximacl.protocol.batch import AskOne, BatchError, Line, ask_each, ip_problem, read_batch
from eximacl.protocol.control import judge
from eximacl.protocol.exim import Reply
from eximacl.system.text import printable

# Shorter batches are over before a bar could be read.
PROGRESS_LINES = 2000


@click.command(cls=Command, section=Section.DECISIONS, epilog=exits.HELP)
@click.option("--ip", help="The client's IP address.", metavar="IP")
@click.option("--host", default="", help="The client's reverse-DNS name; leave it out for a client without one.")
@click.option("--host-deferred", is_flag=True, help="The reverse look-up could not be finished.")
@click.option("--helo", help="The name given in HELO or EHLO.")
@click.option("--from", "--sender", "sender", help="The envelope sender; '' is the null sender of a bounce.")
@click.option("--rcpt", "--recipient", "rcpt", help="The recipient's address.")
@click.option("--stage", type=click.Choice(STAGES), help="The stage.  [default: the last one that the values allow]")
@click.option(
    "--batch",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Ask each line of FILE ('-' is standard input): queries as Exim writes them, or TSV whose first line "
    "names the columns (ip host helo from rcpt stage).",
)
@click.option("--explain", is_flag=True, help="Print each check, question, answer and time.")
@click.option(
    "--offline",
    is_flag=True,
    help="Judge in this process from the policy file: DNS is asked, counts are taken as empty.",
)
@json_option
@config_option
@socket_option
def check(
    ip: str | None,
    host: str,
    host_deferred: bool,
    helo: str | None,
    sender: str | None,
    rcpt: str | None,
    stage: str | None,
    batch: Path | None,
    explain: bool,
    offline: bool,
    as_json: bool,
    config_path: Path,
    socket_path: Path | None,
) -> int:
    """Ask what Exim would be told. Changes and counts nothing.

    --explain marks what a real query would have counted, reserved or remembered with "(not done)".

    \b
    Examples:
      eximacl check --ip 192.0.2.7 --from a@example.net --rcpt steve@example.org
      eximacl check --explain --ip 192.0.2.7 --rcpt steve.3.count@example.org
      eximacl check --batch queries.tsv --json > verdicts.jsonl

    With --batch the exit status is 0 when every line was asked, whatever the verdicts, and 65 when one could not be.
    """
    values = _values(ip, host, host_deferred, helo, sender, rcpt)
    if batch is not None:
        if values or stage:
            raise click.UsageError("--batch takes its queries from the file: leave out --ip, --from and the others")
        if explain:
            raise click.UsageError("--explain is for one query: leave out --batch")
        lines = _read_file(batch)
        with _judge(offline, config_path, socket_path) as ask:
            return _run_batch(lines, ask, as_json=as_json)
    if not ip:
        raise click.UsageError("give at least --ip, the client's address (or --batch FILE)")
    word = stage or ("rcpt" if rcpt is not None else "mail" if sender is not None else "helo" if helo else "connect")
    query = _complete(word, values)
    with _judge(offline, config_path, socket_path) as ask:
        reply = ask(word, query)
    if as_json:
        print_json(reply_as_dict(reply))
    else:
        _print(reply, explain, word)
    return exits.VERDICTS[reply.verdict]


def _values(
    ip: str | None, host: str, host_deferred: bool, helo: str | None, sender: str | None, rcpt: str | None
) -> dict[str, str]:
    """Return the given values under the protocol's names. Raises UsageError for what cannot be a value."""
    if ip is not None:
        problem = ip_problem(ip)
        if problem:
            raise click.UsageError(f"--ip: {printable(problem)}")
    # As Exim sends them: the sender as it was written, the recipient out of its quotes.
    sender = None if sender is None else _typed("--from", sender, ", or '' for a bounce", null=True)
    rcpt = None if rcpt is None else str(parse_quoted(_typed("--rcpt", rcpt)))
    if any(map(str.isspace, host)):
        raise click.UsageError(f"--host: {host!r} is not a host name")
    if host and host_deferred:
        raise click.UsageError("--host-deferred means that no --host was found: leave out one of them")
    given = {
        "ip": ip,
        "host": host or None,
        "host_deferred": "1" if host_deferred else None,
        "helo": helo,
        "from": sender,
        "rcpt": rcpt,
    }
    return {key: value for key, value in given.items() if value is not None}


def _typed(option: str, text: str, otherwise: str = "", *, null: bool = False) -> str:
    """Return an address without what people put around it. null: it may be empty. Raises UsageError."""
    found = without_brackets(text)
    if not (null and not found) and not all(parse_address(found)):
        raise click.UsageError(f"{option}: {text!r} is not an address; give localpart@domain{otherwise}")
    return found


def _complete(stage: str, values: Mapping[str, str]) -> dict[str, str]:
    """Add what the stage needs and nobody types: the transaction, the flags, an empty sender. Raises UsageError."""
    complete = {"tx": f"check-{os.getpid()}-{time.time_ns()}", "host": "", "helo": "", "from": "", **values}
    if stage == "rcpt" and "rcpt" not in values:
        raise click.UsageError("stage rcpt needs --rcpt")
    complete.setdefault("rcpts", quoted(parse_address(values["rcpt"])) if "rcpt" in values else "")
    complete["host_failed"] = "0" if complete["host"] or "host_deferred" in values else "1"
    return {**complete, "dry": "1"}


@contextlib.contextmanager
def _judge(offline: bool, config_path: Path, socket_path: Path | None) -> Iterator[AskOne]:
    """Yield what answers one query: the daemon, or this process. Raises Failure for what it raises."""
    with explained():
        if offline:
            with offline_judge(load_config(config_path)) as ask:
                yield ask
        else:
            yield partial(judge, find_socket(socket_path, config_path))


def _read_file(path: Path) -> list[Line]:
    """Read the queries in a file; `-` is standard input. Raises Failure."""
    try:
        return read_batch(sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes())
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", exits.IO_ERROR) from None
    except BatchError as error:
        raise Failure(f"{path}: {printable(str(error))}", exits.DATA) from None


def _run_batch(lines: list[Line], ask: AskOne, *, as_json: bool) -> int:
    """Ask and print every line. Returns 0, or exits.DATA where a line could not be asked. Raises DaemonError."""
    bad = 0
    with progress("Asking", len(lines), PROGRESS_LINES) as bar:
        for line, reply, problem in ask_each(lines, ask):
            bar.advance(1)
            if reply is None:
                bad += 1
                click.echo(f"line {line.number}: {printable(problem)}", err=True)
            else:
                _print_answer(line, reply, as_json)
    if bad:
        click.echo(f"{bad} of {len(lines)} lines could not be asked", err=True)
    return exits.DATA if bad else 0


def _print_answer(line: Line, reply: Reply, as_json: bool) -> None:
    if as_json:
        answer = {"line": line.number, "verdict": reply.verdict, "code": reply.code, "reason": reply.reason}
        print_json({**answer, "check": reply.extra.get("check", ""), "message": reply.message})
        return
    rcpt = printable(line.values.get("rcpt", ""))
    click.echo(f"{line.number}\t{reply.verdict}\t{reply.reason or '-'}\t{rcpt}\t{printable(reply.message)}")


def reply_as_dict(reply: Reply) -> dict[str, Any]:
    """Return a reply as JSON shows it, the explanation decoded."""
    extra = dict(reply.extra)
    for key in ("trace", "questions"):
        if key in extra:
            extra[key] = json.loads(extra[key])
    return {
        "verdict": reply.verdict,
        "code": reply.code,
        "reason": reply.reason,
        "want": reply.want,
        "message": reply.message,
        **extra,
    }


def _print(reply: Reply, explain: bool, stage: str) -> None:
    answer = reply_as_dict(reply)
    by = f"   ({printable(answer['check'])}: {printable(reply.reason)})" if answer.get("check") else ""
    if any(line["reason"] == NOT_OURS.trace[0].reason for line in answer.get("trace", ())):
        by = "   (not in policy.domains)"
    verdict = paint(reply.verdict, VERDICT_STYLES.get(reply.verdict))
    # Before there is a recipient, few checks have been asked.
    none = "no objection" if stage == "rcpt" else f"no objection at {stage}"
    click.echo(f"{verdict}   {reply.code} {printable(reply.message) or none}{by}")
    if reply.extra.get("close"):
        click.echo("  then Exim closes the connection")
    if not explain:
        return
    click.echo()
    print_trace([Traced(**line) for line in answer["trace"]], answer["questions"], times=True, dry=True)
    if reply.want:
        click.echo(f"\n  Exim would be asked again at: {printable(reply.want)}")
