"""`bounce_tag`: bounces to mail that was never sent lack a tag. Rule: what is a good one, Exim's ${prvscheck} says."""

from __future__ import annotations

from dataclasses import dataclass

from eximacl.check import Alias, Ask, Hit, Outcome, Query, Recipients, Secrets, check, option
from eximacl.mail import batv as prvs
from eximacl.mail.address import without_tag


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `bounce_tag`."""

    recipients: Recipients = option(
        [], "Addresses, localparts or @domains that send with tagged envelope senders only: other bounces are refused."
    )
    keys: Secrets = option(
        "", "A file of keys, one a line: the first makes tags, all are good. At most 64 characters each."
    )
    separators: str = option("+", "Characters that start a subaddress: with + steve+shop is listed where steve is.")

    def __post_init__(self) -> None:
        if self.recipients.filled and not self.keys.filled:
            raise ValueError("keys: recipients need a file with at least one key")
        if any(len(key) > prvs.KEY_BYTES_MAX for key in self.keys):
            raise ValueError(f"keys: a key is longer than {prvs.KEY_BYTES_MAX} bytes, which Exim cannot use")


@check("bounce_tag", stages={"rcpt"}, options=Options)
async def bounce_tag(query: Query, options: Options, ask: Ask) -> Outcome:
    """Refuse bounces to addresses that send with tags only, unless they carry a valid one (BATV, prvs).

    The checks after this one judge the address without its tag, whoever writes to it.
    """
    recipient, sender = query.recipient, query.sender
    if recipient is None or sender is None:
        return None
    # Two questions, since the tag was made over the address as it was sent: whose it is, and whether it is good.
    owner = prvs.untagged(query.mailbox)
    tagged = prvs.parse(query.values.get("rcpt", "")) if owner != query.mailbox else None
    if tagged is None:
        if not sender.is_null or not _is_listed(query.mailbox, recipient.domain, options):
            return None
        return _hit("bounce-untagged", "no tag", query.mailbox, recipient.domain)
    if sender.is_null and options.keys.filled and _is_listed(owner, recipient.domain, options):
        if not prvs.is_signed(tagged, options.keys):
            return _hit("bounce-tag-bad", tagged.digits, owner, recipient.domain)
        if prvs.is_over(tagged, ask.now):
            return _hit("bounce-tag-over", tagged.day, owner, recipient.domain)
    return Alias(owner)


def _is_listed(localpart: str, domain: str, options: Options) -> bool:
    """Tell whether this address, or the one that it is a subaddress of, sends with tags only."""
    names = (localpart, without_tag(localpart, options.separators))
    return any(options.recipients.match(name, domain) for name in names)


def _hit(reason: str, detail: str, localpart: str, domain: str) -> Hit:
    text = f"{localpart} has not sent the mail that this answers"
    return Hit(reason, detail, text, f"Bounce for {localpart} not accepted at {domain}: {detail}")
