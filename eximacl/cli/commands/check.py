"""`eximacl check`: ask as Exim would, with nothing counted, reserved or logged."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from eximacl.cli import exits
from eximacl.cli.batch import read_batch, run_batch
from eximacl.cli.command import Command, Section
from eximacl.cli.options import (
    Failure,
    ask_daemon,
    config_option,
    find_socket,
    ip_problem,
    json_option,
    load_config,
    print_json,
    socket_option,
)
from eximacl.cli.trace import print_trace
from eximacl.daemon.daemon import network_of
from eximacl.daemon.judge import Judge
from eximacl.dns.list_health import DnsNetwork
from eximacl.mail.address import parse_address, parse_quoted, quoted, without_brackets
from eximacl.policy.engine import NOT_OURS
from eximacl.policy.outcome import Traced
from eximacl.policy.query import STAGES
from eximacl.protocol.exim import Reply, format_query, limit_for, parse_reply
from eximacl.state import open_state
from eximacl.system.text import printable

AskOne = Callable[[str, Mapping[str, str]], Reply]


@click.command(cls=Command, section=Section.DECISIONS, epilog=exits.HELP)
@click.option("--ip", help="The client's IP address.", metavar="IP")
@click.option("--host", default="", help="The client's reverse-DNS name; leave it out for a client without one.")
@click.option("--host-deferred", is_flag=True, help="The reverse look-up could not be finished.")
@click.option("--helo", help="The name given in HELO or EHLO.")
@click.option("--from", "sender", help="The envelope sender; '' is the null sender of a bounce.")
@click.option("--rcpt", help="The recipient's address.")
@click.option("--stage", type=click.Choice(STAGES), help="The stage.  [default: the last one that the values allow]")
@click.option(
    "--batch",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Ask each line of FILE ('-' is standard input): queries as on the wire, or TSV whose first line "
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

    \b
    Examples:
      eximacl check --ip 192.0.2.7 --host mail.example.sa --from a@example.net --rcpt steve@example.org
      eximacl check --explain --ip 192.0.2.7 --from '' --rcpt steve.3.count@example.org
      eximacl check --batch queries.tsv --json > verdicts.jsonl

    With --batch the exit status is 0 when every line was asked, whatever the verdicts, and 65 when one could not be.
    """
    values = _values(ip, host, host_deferred, helo, sender, rcpt)
    if batch is not None:
        if values or stage:
            raise click.UsageError("--batch takes its queries from the file: leave out --ip, --from and the others")
        if explain:
            raise click.UsageError("--explain is for one query: leave out --batch")
        return run_batch(read_batch(batch), _asker(offline, config_path, socket_path), as_json=as_json)
    if not ip:
        raise click.UsageError("give at least --ip, the client's address (or --batch FILE)")
    word = stage or ("rcpt" if rcpt is not None else "mail" if sender is not None else "helo" if helo else "connect")
    reply = _asker(offline, config_path, socket_path)(word, _complete(word, values))
    if as_json:
        print_json(reply_as_dict(reply))
    else:
        _print(reply, explain)
    return exits.VERDICTS[reply.verdict]


def _values(
    ip: str | None, host: str, host_deferred: bool, helo: str | None, sender: str | None, rcpt: str | None
) -> dict[str, str]:
    """Return the given values under the names of the wire. Raises UsageError for what cannot be a value."""
    if ip is not None:
        problem = ip_problem(ip)
        if problem:
            raise click.UsageError(f"--ip: {problem}")
    # As Exim sends them: the sender as it was written, the recipient out of its quotes.
    sender = None if sender is None else _typed("--from", sender, ", or '' for a bounce", null=True)
    rcpt = None if rcpt is None else str(parse_quoted(_typed("--rcpt", rcpt)))
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
    """Return an address without what people put around it. `null`: there may be none. Raises UsageError."""
    found = without_brackets(text)
    if not (null and not found) and not all(parse_address(found)):
        raise click.UsageError(f"{option}: {text!r} is no address; give localpart@domain{otherwise}")
    return found


def _complete(stage: str, values: Mapping[str, str]) -> dict[str, str]:
    """Add what the stage needs and nobody types: the transaction, the flags, an empty sender."""
    complete = {"tx": f"check-{os.getpid()}-{time.time_ns()}", "host": "", "helo": "", "from": "", **values}
    if stage == "rcpt" and "rcpt" not in values:
        raise click.UsageError("stage rcpt needs --rcpt")
    complete.setdefault("rcpts", quoted(parse_address(values["rcpt"])) if "rcpt" in values else "")
    complete["host_failed"] = "0" if complete["host"] or "host_deferred" in values else "1"
    return {**complete, "dry": "1"}


def _asker(offline: bool, config_path: Path, socket_path: Path | None) -> AskOne:
    """Return the function that answers one query: by the daemon, or in this process."""
    if not offline:
        path = find_socket(socket_path, config_path)
        return lambda stage, values: ask_daemon(path, format_query(stage, values))
    loaded = load_config(config_path)
    network = network_of(loaded.settings.dns)
    judge = Judge(loaded.policy, open_state("memory:"), next_ref=lambda _: "", network=network)
    runner = asyncio.Runner()
    context = click.get_current_context()
    context.call_on_close(runner.close)
    context.call_on_close(lambda: runner.run(_close(network)))
    # Lists that have not been tried out are not believed.
    runner.run(network.probe(loaded.policy.probes, loaded.settings.dns.budget))

    def ask_here(stage: str, values: Mapping[str, str]) -> Reply:
        line = format_query(stage, values).rstrip(b"\n")
        if len(line) > limit_for(line):
            raise Failure(f"line-too-long: the query is longer than {limit_for(line)} bytes", exits.DATA)
        reply = parse_reply(runner.run(_answer(judge, line)))
        if reply.verdict == "error":
            raise Failure(f"{reply.reason}: {reply.message}", exits.DATA)
        return reply

    return ask_here


async def _answer(judge: Judge, line: bytes) -> bytes:
    answer = judge.judge(line)
    return answer if isinstance(answer, bytes) else await answer


async def _close(network: DnsNetwork) -> None:
    network.close()


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


def _print(reply: Reply, explain: bool) -> None:
    answer = reply_as_dict(reply)
    by = f"   ({printable(answer['check'])}: {printable(reply.reason)})" if answer.get("check") else ""
    if any(line["reason"] == NOT_OURS.trace[0].reason for line in answer.get("trace", ())):
        by = "   (not in policy.domains)"
    click.echo(f"{reply.verdict}   {reply.code} {printable(reply.message) or 'no objection'}{by}")
    if not explain:
        return
    click.echo()
    print_trace([Traced(**line) for line in answer["trace"]], answer["questions"], times=True)
    if reply.want:
        click.echo(f"\n  Exim would be asked again at: {printable(reply.want)}")
