"""`helo`: the name in the client's greeting. Nothing is refused for it unless the policy says so."""

from __future__ import annotations

from dataclasses import dataclass

from eximacl.check import (
    Action,
    Ask,
    Hit,
    Networks,
    Outcome,
    Query,
    RecordKind,
    Suffixes,
    Unknown,
    check,
    option,
    strongest,
)
from eximacl.mail.hosts import dns_name, ip_address, literal_address

# What a name may lead to: a host, or (RFC 5321 section 2.3.5 takes any domain name) mail.
_KINDS: tuple[RecordKind, ...] = ("A", "AAAA", "MX")
_YOURS = "please use your own name in HELO/EHLO"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `helo`."""

    no_name: Action = option(
        "off", "What to do when it is neither a name with a dot nor an address in brackets: `localhost`, `192.0.2.7`."
    )
    ours: Action = option(
        "off", "What to do when it is in `own_names` or `own_addresses`, or is an address on which Exim listens."
    )
    other_address: Action = option(
        "off", "What to do when it is an address in brackets that is not the client's: `[192.0.2.9]`."
    )
    unresolvable: Action = option("off", "What to do when the name has neither an address nor an MX record in DNS.")
    own_names: Suffixes = option([], "Names with which only our own hosts greet.")
    own_addresses: Networks = option([], "Addresses with which only our own hosts greet.")


def _idle(options: Options) -> bool:
    return options.no_name == options.ours == options.other_address == options.unresolvable == "off"


@check("helo", stages={"helo", "mail", "rcpt"}, options=Options, idle=_idle)
async def helo(query: Query, options: Options, ask: Ask) -> Outcome:
    """Look at the name in HELO or EHLO: not a host name, ours, another address than the client's, or not in DNS.

    Each of the four has its own action. Where several apply, the strongest action counts.
    """
    greeting = query.helo
    if not greeting:
        return None
    hits = [_ours(query, options), _no_name(greeting, options), _other_address(query, options)]
    if options.unresolvable != "off":
        hit = await _unresolvable(greeting, options.unresolvable, ask)
        if isinstance(hit, Unknown):
            return strongest(filter(None, hits)) or hit
        hits.append(hit)
    return strongest(filter(None, hits))


def _no_name(greeting: str, options: Options) -> Hit | None:
    if "." in (dns_name(greeting) or "") or literal_address(greeting):
        return None
    text = "please use the full name of your host in HELO/EHLO, or its address in brackets"
    return Hit("helo-no-name", greeting, text, status="5.2", action=options.no_name)


def _ours(query: Query, options: Options) -> Hit | None:
    # With or without brackets: who greets with our address means to look like us.
    address = literal_address(query.helo) or literal_address(f"[{query.helo}]")
    if address is None:
        ours = options.own_names.match(query.helo) is not None
    else:
        ours = str(address) in options.own_addresses or address == ip_address(query.values.get("local_ip", ""))
    return Hit("helo-ours", query.helo, f"{query.helo} is our own; {_YOURS}", action=options.ours) if ours else None


def _other_address(query: Query, options: Options) -> Hit | None:
    claimed, client = literal_address(query.helo), ip_address(query.ip)
    if claimed is None or client is None or claimed == client:
        return None
    return Hit(
        "helo-other-address", str(claimed), f"{claimed} is not your address; {_YOURS}", action=options.other_address
    )


async def _unresolvable(greeting: str, action: Action, ask: Ask) -> Hit | Unknown | None:
    """Return whether a name is not in DNS. What is not a name is left to `no_name`."""
    name = dns_name(greeting)
    if name is None or "." not in name:
        return None
    answers = await ask.look_up_all([(name, kind) for kind in _KINDS])
    if any(answer for answer in answers if not isinstance(answer, Unknown)):
        return None
    unknown = next((answer for answer in answers if isinstance(answer, Unknown)), None)
    if unknown is not None:
        return unknown
    return Hit("helo-unresolvable", name, f"your HELO/EHLO name {name} is not in DNS", action=action)
