"""Whom our users write to: their answers are spared by the checks that have `spare_known`.

Exim tells it once per message of an authenticated client. What is kept is that a user at a domain of ours has written
to an address, not who, when or how often; nothing goes into the journal or a log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from eximacl.daemon.state_requests import StateRequest, Values
from eximacl.mail.address import Address
from eximacl.mail.senders import correspondent
from eximacl.policy.known import KNOWN_PREFIX, known_key
from eximacl.policy.later import settled
from eximacl.policy.plan import Policy
from eximacl.policy.state import State

DAY_SECONDS = 86400.0
# A newsletter's readers are nobody's correspondents.
RECIPIENTS_MAX = 100
# So many strangers a day become known by one sender: more than a person writes to, less than a stolen account.
NEW_A_DAY_MAX = 500


class Sent(NamedTuple):
    """A message that a user sends, at a time in seconds since 1970."""

    sender: Address
    recipients: tuple[Address, ...]
    now: float


async def note_sent(policy: Policy, state: State, sent: Sent) -> int:
    """Make the recipients known at the sender's domain, if a check there spares known senders; return how many are new.

    Raises StateError.
    """
    count = 0
    until = sent.now + policy.known_days * DAY_SECONDS
    for who in _strangers(policy, sent):
        key = known_key(sent.sender.domain, who)
        if await settled(state.remember(key, sent.now, until)):
            continue
        new = f"sent-new:{correspondent(sent.sender)}"
        if await settled(state.count(new, DAY_SECONDS, NEW_A_DAY_MAX + 1, sent.now)) > NEW_A_DAY_MAX:
            break
        await settled(state.first_seen(key, sent.now, until))
        count += 1
    return count


def _strangers(policy: Policy, sent: Sent) -> Iterator[str]:
    ours = policy.for_domain(sent.sender.domain)
    if ours is None or not ours.spares_known or len(sent.recipients) > RECIPIENTS_MAX:
        return
    for recipient in sent.recipients:
        if recipient.domain and policy.for_domain(recipient.domain) is None:
            yield correspondent(recipient)


async def _any_known(state: State, _values: Values, now: float) -> dict[str, Any]:
    return {"some": bool(await settled(state.sightings(KNOWN_PREFIX, now, None, 1)))}


REQUESTS: Mapping[str, StateRequest] = {"known-senders": StateRequest(_any_known)}
