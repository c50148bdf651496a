"""`bounce_tag`: bounces to mail that was never sent lack a tag.

A tag is valid in its week when Exim's ${prvscheck} accepts it.
"""

from __future__ import annotations

from dataclasses import dataclass

from eximacl.check import Alias, Ask, Hit, Outcome, Query, Recipients, Secrets, check, option
from eximacl.mail import batv, srs


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `bounce_tag`."""

    recipients: Recipients = option(
        [], "Those who send with tagged envelope senders only; bounces to them without a valid tag are refused."
    )
    keys: Secrets = option(
        "", "A file of keys, one per line: the first signs, each of them verifies. At most 64 characters each."
    )

    srs_secrets: Secrets = option(
        "",
        "A file of secrets, one per line, that made the SRS0= and SRS1= addresses of mail which is forwarded here; "
        "empty: a bounce to one is known by its form, and for other mail it is a name like any other.",
    )

    def __post_init__(self) -> None:
        if self.recipients.filled and not self.keys.filled:
            raise ValueError("keys: recipients needs a file with at least one key")
        if any(len(key) > batv.KEY_BYTES_MAX for key in self.keys):
            raise ValueError(f"keys: a key is longer than {batv.KEY_BYTES_MAX} bytes, which Exim cannot use")


@check("bounce_tag", stages={"rcpt"}, options=Options, resolves=True)
async def bounce_tag(query: Query, options: Options, ask: Ask) -> Outcome:
    """Refuse bounces without a valid tag (BATV, prvs) to addresses that send with tags only.

    The checks after this one judge the address without its tag, for mail from every sender. Addresses of forwarded
    mail (SRS) stand for those of its senders, and are not mailboxes of ours.
    """
    recipient, sender = query.recipient, query.sender
    if recipient is None or sender is None:
        return None
    mailbox, domain = query.mailbox, recipient.domain
    owner = batv.untagged(mailbox) if "=" in mailbox else mailbox  # an = is in every tag, and in few names
    rewritten = srs.parse(owner) if "=" in mailbox else None
    if rewritten is not None and (sender.is_null or options.srs_secrets.filled):
        return _forwarded(query, rewritten, options, Alias(owner) if owner != mailbox else None)
    if owner == mailbox:
        if not sender.is_null or not _is_listed(query, options):
            return None
        return _hit("bounce-untagged", "no tag", mailbox, domain)
    # The owner is found in the mailbox, but the tag was made over the address as it was sent.
    tagged = batv.parse(query.values.get("rcpt", "") or str(recipient))
    if sender.is_null and options.keys.filled and _is_listed(query.judged_as(owner), options):
        if tagged is None:
            return _hit("bounce-untagged", "no tag of ours", owner, domain, Alias(owner))
        if not batv.is_signed(tagged, options.keys):
            return _hit("bounce-tag-bad", tagged.digits, owner, domain, Alias(owner))
        if batv.is_over(tagged, query.now):
            return _hit("bounce-tag-over", tagged.day, owner, domain, Alias(owner))
    return Alias(owner)


def _forwarded(query: Query, rewritten: srs.Rewritten, options: Options, named: Alias | None) -> Hit | Alias:
    """Judge mail to the sender of a message that was forwarded here: its bounce, mostly.

    Without secrets only a bounce may come here: anybody can write the form, and if a host behind this one refuses the
    name, a message with a sender comes back to someone who may never have sent it. A bounce comes back to nobody.
    named: the name without its tags, if it has any. A wrong hash stands for that, and not for a mailbox elsewhere.
    """
    sender = Alias("", address=rewritten.address)
    if not options.srs_secrets.filled:
        return sender
    days = srs.valid_days(rewritten, options.srs_secrets)
    if days is None:
        return _unknown("srs-bad", rewritten.hash, query, named)
    if srs.is_over(rewritten, days, query.now):
        return _unknown("srs-over", f"over {days} days old", query, named)
    return sender


def _unknown(reason: str, detail: str, query: Query, named: Alias | None) -> Hit:
    localpart = query.recipient.localpart if query.recipient else ""
    text = f"mail to {localpart} not accepted here"
    sentence = f"Mail for {localpart} not accepted at {query.domain}"
    return Hit(reason, detail, text, sentence, status="1.1", stands_for=named)


def _is_listed(query: Query, options: Options) -> bool:
    """Return whether this recipient, or the one of which it is a subaddress, sends with tags only."""
    return any(options.recipients.match(name, query.domain) for name in (query.mailbox, query.owner))


def _hit(reason: str, detail: str, localpart: str, domain: str, owner: Alias | None = None) -> Hit:
    text = f"{localpart} did not send the original message"
    sentence = f"Bounce for {localpart} not accepted at {domain}: {detail}"
    return Hit(reason, detail, text, sentence, stands_for=owner)
