"""`rdns`: whether the client has a reverse name, whether it leads back, and whether a person chose it."""

from __future__ import annotations

from dataclasses import dataclass

from eximacl.check import Action, Ask, Hit, Outcome, Patterns, PatternTimeout, Query, Unknown, check, option, strongest
from eximacl.mail.address import canonical_domain
from eximacl.mail.generic_names import LINE_WORDS, is_made_from, is_provider
from eximacl.mail.hosts import IPAddress, ip_address

_STATUS = "7.25"  # RFC 7372 section 3.3: reverse DNS validation failed


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `rdns`."""

    missing: Action = option("off", "What to do with a client whose address has no name in DNS.")
    unconfirmed: Action = option("off", "What to do with one whose names do not resolve back to its address.")
    generic: Action = option(
        "off", "What to do with one whose name contains its address, or matches one of the patterns."
    )
    patterns: Patterns = option(
        [LINE_WORDS], "For `generic`: names that providers give to the lines of their customers."
    )


def _idle(options: Options) -> bool:
    return options.missing == options.unconfirmed == options.generic == "off"


@check("rdns", stages={"connect", "helo", "mail", "rcpt"}, options=Options, idle=_idle)
async def rdns(query: Query, options: Options, ask: Ask) -> Outcome:
    """Look at the client's reverse name: none, one that does not resolve back, or one made from its address.

    Each of the three has its own action. Where several apply, the strongest action counts.
    """
    address = ip_address(query.ip)
    if address is None:
        return None
    if not query.host and query.host_deferred:
        return Unknown("the reverse look-up of the client was deferred")
    names: tuple[str, ...] = (query.host,)
    if not query.host:
        found = await ask.reverse_names(str(address))
        if isinstance(found, Unknown):
            return found
        names = found
    try:
        return strongest(_hits(address, names, bool(query.host), options))
    except PatternTimeout as timeout:
        return Unknown(str(timeout))


def _hits(address: IPAddress, names: tuple[str, ...], confirmed: bool, options: Options) -> list[Hit]:
    """Return a hit for each condition that applies to the client; its action may still be off."""
    if not names:
        text = f"{address} has no reverse DNS name"
        return [Hit("rdns-missing", str(address), text, status=_STATUS, action=options.missing)]
    hits = []
    if not confirmed:
        text = f"the reverse DNS name of {address} does not resolve back to it"
        hits.append(Hit("rdns-unconfirmed", names[0], text, status=_STATUS, action=options.unconfirmed))
    generic = next((name for name in names if _is_generic(name, address, options.patterns)), None)
    if generic is not None:
        text = f"{generic} looks like a dial-up or customer line; please send through your provider's mail server"
        hits.append(Hit("rdns-generic", generic, text, action=options.generic))
    return hits


def _is_generic(name: str, address: IPAddress, patterns: Patterns) -> bool:
    name = canonical_domain(name)
    return is_made_from(name, address) or (patterns.search(name) is not None and not is_provider(name))
