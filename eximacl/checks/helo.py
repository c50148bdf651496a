"""`helo`: the name in the client's greeting. Nothing is refused for it unless the policy says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eximacl.check import (
    Action,
    Ask,
    Hit,
    Hosts,
    Networks,
    Outcome,
    PatternTimeout,
    Query,
    RecordKind,
    Records,
    Suffixes,
    Unknown,
    check,
    option,
    strongest,
)
from eximacl.mail.hosts import dns_name, ip_address, literal_address, network_of, registrable_domain
from eximacl.mail.providers import Providers

# What a name may lead to: a host, or (RFC 5321 section 2.3.5 takes any domain name) mail.
_KINDS: tuple[RecordKind, ...] = ("A", "AAAA", "MX")
_DEFERRED = Unknown("the reverse look-up of the client was deferred")
_YOURS = "please use your own name in HELO/EHLO"
# A host near its name's address is the same site's: networks of these prefix lengths belong to one customer.
_NEAR4, _NEAR6 = 24, 64
# Whose names junk senders like to greet with, and whose hosts all have (confirmed) reverse names.
PROVIDERS = [
    "gmail.com google.com",
    "googlemail.com google.com",
    "google.com",
    "outlook.com outlook.com hotmail.com",
    "hotmail.com outlook.com hotmail.com",
    "live.com outlook.com hotmail.com",
    "msn.com outlook.com hotmail.com",
    "yahoo.com",
    "aol.com aol.com yahoo.com",
    "icloud.com icloud.com apple.com",
    "gmx.net gmx.net gmx.com",
    "gmx.de gmx.net gmx.com",
    "web.de",
]


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
    provider: Action = option("off", "What to do when it is the name of one of `providers`, from elsewhere.")
    unresolvable: Action = option("off", "What to do when the name has neither an address nor an MX record in DNS.")
    unrelated: Action = option(
        "off",
        "What to do when the name has nothing in common with the client: neither the domain of its reverse name, nor "
        "an address in its network.",
    )
    bad: Action = option("off", "What to do when it is in `bad_names`.")
    own_names: Suffixes = option([], "Names with which only our own hosts greet.")
    own_addresses: Networks = option([], "Addresses with which only our own hosts greet.")
    bad_names: Hosts = option([], "Greetings of junk senders.")
    providers: Providers = option(PROVIDERS, "Providers whose names only their own hosts greet with.")


def _idle(options: Options) -> bool:
    conditions = ("bad", "no_name", "ours", "other_address", "provider", "unresolvable", "unrelated")
    return all(getattr(options, name) == "off" for name in conditions)


@check("helo", stages={"helo", "mail", "rcpt"}, options=Options, idle=_idle)
async def helo(query: Query, options: Options, ask: Ask) -> Outcome:
    """Look at the name in HELO or EHLO: not a host name, ours, another's, not in DNS, or unlike the client.

    Each condition has its own action. Where several apply, the strongest action counts.
    """
    if not query.helo:
        return None
    found: list[Hit | Unknown | None] = [_ours(query, options), _no_name(query.helo, options)]
    found += [_other_address(query, options), _bad(query.helo, options), _provider(query, options)]
    if not options.unresolvable == options.unrelated == "off":
        found += await _by_name(query, options, ask)
    unknown = (one for one in found if isinstance(one, Unknown))
    return strongest(one for one in found if isinstance(one, Hit)) or next(unknown, None)


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


def _bad(greeting: str, options: Options) -> Hit | Unknown | None:
    try:
        entry = None if options.bad == "off" else options.bad_names.match(greeting)
    except PatternTimeout as timeout:
        return _unless_observed(Unknown(str(timeout)), options.bad)
    if entry is None:
        return None
    return Hit("helo-bad", entry, f"{greeting} is not accepted in HELO/EHLO", action=options.bad)


def _provider(query: Query, options: Options) -> Hit | Unknown | None:
    if options.provider == "off":
        return None
    provider = options.providers.provider_of(query.helo)
    if provider is None or options.providers.has_host(provider, query.host):
        return None
    if not query.host and query.host_deferred:
        return _unless_observed(_DEFERRED, options.provider)
    text = f"{query.helo} is a name of {provider}; {_YOURS}"
    return Hit("helo-provider", f"{query.helo} from {query.host or query.ip}", text, action=options.provider)


async def _by_name(query: Query, options: Options, ask: Ask) -> list[Hit | Unknown | None]:
    """Return what DNS says against the name. What is not a name is left to `no_name`."""
    name = dns_name(query.helo)
    if name is None or "." not in name:
        return []
    is_unlike = options.unrelated != "off" and not _is_like(name, dns_name(query.host))
    if options.unresolvable == "off" and not is_unlike:
        return []
    answers = await ask.look_up_all([(name, kind) for kind in _KINDS])
    found = [_unresolvable(name, answers, options.unresolvable)]
    if is_unlike:
        found.append(_unrelated(name, query, answers[:2], options.unrelated))
    return found


def _unresolvable(name: str, answers: Sequence[Records | Unknown], action: Action) -> Hit | Unknown | None:
    if action == "off" or any(answer for answer in answers if not isinstance(answer, Unknown)):
        return None
    unknown = next((answer for answer in answers if isinstance(answer, Unknown)), None)
    if unknown is not None:
        return _unless_observed(unknown, action)
    return Hit("helo-unresolvable", name, f"your HELO/EHLO name {name} is not in DNS", action=action)


def _unrelated(name: str, query: Query, answers: Sequence[Records | Unknown], action: Action) -> Hit | Unknown | None:
    """Return whether a name that is unlike the client's has no address near it."""
    client = ip_address(query.ip)
    if client is None:
        return None
    here = network_of(client, _NEAR4, _NEAR6)
    addresses = (ip_address(text) for answer in answers if not isinstance(answer, Unknown) for text in answer)
    if any(address and network_of(address, _NEAR4, _NEAR6) == here for address in addresses):
        return None
    unknown = next((answer for answer in answers if isinstance(answer, Unknown)), None)
    if not query.host and query.host_deferred:
        unknown = _DEFERRED
    if unknown is not None:
        return _unless_observed(unknown, action)
    text = f"your HELO/EHLO name {name} does not belong to {client}"
    return Hit("helo-unrelated", f"{name} from {query.host or client}", text, action=action)


def _unless_observed(unknown: Unknown, action: Action) -> Unknown | None:
    """Return what could not be found out, unless the condition is only observed: nothing may be put off for that."""
    return None if action == "observe" else unknown


def _is_like(name: str, host: str | None) -> bool:
    """Whether two canonical names are one, or were registered by one organization."""
    return host is not None and (name == host or registrable_domain(name) == registrable_domain(host) != "")
