"""`eximacl mint`: make a disposable address, as the policy of its domain will read it."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import click

from eximacl.cli import exits
from eximacl.cli.command import Command, Section
from eximacl.cli.options import Failure, config_option, json_option, load_config, print_json
from eximacl.config import Loaded
from eximacl.daemon.judge import Judge
from eximacl.mail.address import canonical_domain
from eximacl.mail.disposable import Rules
from eximacl.mail.disposable import mint as mint_address
from eximacl.protocol.exim import format_query, parse_reply
from eximacl.state import open_state


@click.command(cls=Command, section=Section.ADDRESSES)
@click.argument("name")
@click.option("--count", type=int, help="Valid for N messages.", metavar="N")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Valid until this day begins.", metavar="YYYY-MM-DD")
@click.option("--domain", help="The domain.  [default: NAME's, else the only one of the policy]")
@config_option
@json_option
def mint(name: str, count: int | None, until: date | None, domain: str | None, config_path: Path, as_json: bool) -> int:
    """Make a disposable address.

    NAME is a localpart or an address. The new address is signed if the policy says so.

    \b
    Examples:
      eximacl mint steve --count 3
      eximacl mint steve@example.org --until 2026-12-31
    """
    if (count is None) == (until is None):
        raise click.UsageError("give either --count N or --until YYYY-MM-DD")
    loaded = load_config(config_path)
    localpart, at, own_domain = name.rpartition("@")
    if not at:
        localpart, own_domain = name, ""
    domain = canonical_domain(domain or own_domain or _only_domain(loaded))
    day = None if until is None else date(until.year, until.month, until.day)
    try:
        address = mint_address(_rules(loaded, domain), localpart, domain, time.time(), count=count, until=day)
    except ValueError as error:
        raise Failure(str(error), exits.DATA) from None
    refused = _refused(loaded, address)
    if as_json:
        print_json({"address": address, "warning": refused})
    else:
        click.echo(address)
        if refused:
            click.echo(f"Warning: mail to it is refused by the policy as it is: {refused}", err=True)
    return 0


def _only_domain(loaded: Loaded) -> str:
    domains = list(loaded.settings.policy.domains)
    if len(domains) != 1:
        raise Failure("the policy has several domains: name one with --domain, or give NAME as an address", exits.USAGE)
    return domains[0]


def _rules(loaded: Loaded, domain: str) -> Rules:
    plan = loaded.policy.for_domain(domain)
    if plan is None:
        raise Failure(f"policy.domains does not list {domain}", exits.NOT_FOUND)
    for step in plan.steps("rcpt"):
        if step.name == "disposable":
            rules: Rules = step.options
            return rules
    raise Failure(
        f"disposable addresses are not read at {domain}: checks.disposable is off, or not in policy.order", exits.CONFIG
    )


def _refused(loaded: Loaded, address: str) -> str:
    """Return what a client would be told about the address now; empty when it would be accepted.

    The client is one that nothing else can be held against: it has no name, and the sender is the null sender.
    """
    judge = Judge(loaded.policy, open_state("memory:"), next_ref=lambda _: "")
    line = format_query("rcpt", {"tx": "mint", "ip": "127.0.0.1", "from": "", "rcpt": address, "dry": "1"})
    reply = judge.judge(line.rstrip(b"\n"))
    assert isinstance(reply, bytes)
    return parse_reply(reply).message
