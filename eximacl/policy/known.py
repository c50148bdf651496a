"""Known senders: to whom a user at the recipient's domain has written (see `eximacl.daemon.sent`)."""

from __future__ import annotations

from dataclasses import dataclass

from eximacl.mail.senders import correspondent
from eximacl.policy.later import MayWait, then
from eximacl.policy.outcome import Unknown
from eximacl.policy.query import Query
from eximacl.policy.questions import Ask, Request, StateQuestion
from eximacl.policy.state import State

# Of the keys under which they are kept.
KNOWN_PREFIX = "sent:"
KNOWN_SENDERS = Ask("known_senders")


@dataclass(frozen=True, slots=True)
class IsKnown(StateQuestion[bool | Unknown]):
    """Is `key` known? Nothing is changed."""

    kind = "isknown"

    key: str

    def put(self, state: State, now: float, dry: bool) -> MayWait[bool]:
        return then(state.seen(self.key, now), lambda since: since is not None)


def known_key(domain: str, who: str) -> str:
    """Return the key under which it is known that a user at one of our domains has written to an address."""
    return f"{KNOWN_PREFIX}{domain}:{who}"


async def known_sender(query: Query) -> str:
    """Return to whom a user at the recipient's domain has written, if it is the sender; empty if it is not."""
    sender, recipient = query.sender, query.recipient
    if sender is None or sender.is_null or recipient is None:
        return ""
    who = correspondent(sender)
    known = await Request(IsKnown(known_key(recipient.domain, who)), KNOWN_SENDERS)
    return who if known is True else ""
