"""`dictionary_attack`: clients that name one recipient after the other that does not exist.

Good mail first: hosts of mailing lists and forwarding hosts have a few stale addresses among many good ones, so a
client's share of unknown recipients counts as well as their number.
"""

from __future__ import annotations

from dataclasses import dataclass

from eximacl.check import Ask, CountFate, Hit, Outcome, Query, Unknown, check, option
from eximacl.mail.hosts import ip_address, network_of

MINUTE_SECONDS = 60.0
# Each recipient rewrites the times of all that are remembered for its client: a thousand are eight kilobytes.
REMEMBERED_MAX = 1000
# How often one accepted recipient counts: a host that many use writes to the same few mailboxes of a small site again
# and again, but who knows one name must not make up for a thousand guesses with it.
EACH_MAX = 10


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `dictionary_attack`."""

    limit: int = option(
        0, "How many different unknown recipients one client may name within `minutes`; 0: the check is off.",
        minimum=0, maximum=REMEMBERED_MAX,
    )  # fmt: skip
    percent: int = option(
        50,
        "A client is only put off if at least this share of its recipients was unknown, beside those accepted.",
        minimum=1,
        maximum=100,
    )
    minutes: int = option(60, "For how many minutes a recipient counts.", minimum=1, maximum=1440)
    unknown: tuple[str, ...] = option(
        ["valid_recipient"], "The checks whose refusals mean that a recipient is unknown; they must come later."
    )
    network4: int = option(32, "IPv4 clients in one network of this prefix length count as one.", minimum=8, maximum=32)
    network6: int = option(
        64, "IPv6 clients in one network of this prefix length count as one.", minimum=16, maximum=128
    )

    def __post_init__(self) -> None:
        if not self.unknown:
            raise ValueError("unknown: name at least one check")


def _idle(options: Options) -> bool:
    return not options.limit


def _counts(options: Options) -> tuple[str, ...]:
    return options.unknown


@check(
    "dictionary_attack",
    stages={"rcpt"},
    options=Options,
    action="defer",
    counts=_counts,
    idle=_idle,
    temporary=True,
    spare_known=True,
)
async def dictionary_attack(query: Query, options: Options, ask: Ask) -> Outcome:
    """Put off clients that have named too many unknown recipients: in number, and as a share of all.

    They are put off for all recipients, so that they do not find out which ones exist. What is put off does not count.
    """
    address, sender = ip_address(query.ip), query.sender
    if address is None or sender is None:
        return None
    client = network_of(address, options.network4, options.network6)
    # In a joe job good hosts return mail to invented names: that says nothing about the mail that they send.
    what = "bounces" if sender.is_null else "mail"
    seconds = options.minutes * MINUTE_SECONDS
    keys = (f"dictionary:{what}:{client}:unknown", f"dictionary:{what}:{client}:accepted")
    unknown = await ask.count_events(keys[0], seconds)
    if isinstance(unknown, Unknown):
        return unknown
    if unknown >= options.limit:
        accepted = await ask.count_events(keys[1], seconds)
        if isinstance(accepted, Unknown):
            return accepted
        if _is_attack(unknown, accepted, options):
            return _hit(client, unknown, unknown + accepted, options)
    return CountFate(options.unknown, *keys, seconds, REMEMBERED_MAX, EACH_MAX)


def _is_attack(unknown: int, accepted: int, options: Options) -> bool:
    """Whether the share is too large: that among those remembered, if there were more."""
    return unknown * 100 >= options.percent * (unknown + accepted)


def _hit(client: str, unknown: int, named: int, options: Options) -> Hit:
    text = f"too many unknown recipients from {client} in {options.minutes} min; please try again later"
    detail = f"{client}: {unknown} of {named} unknown in {options.minutes} min"
    return Hit("dictionary-attack", detail, text, temporary=True)
