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
# How many strangers become known in a day by one user: more than a person writes to, less than a stolen account does.
NEW_A_DAY_MAX = 500
# And by all users at a domain, since several accounts may be stolen, or one may have many names.
NEW_AT_DOMAIN_MAX = 4000


class Sent(NamedTuple):
    """A message that a user sends, at a time in seconds since 1970.

    user: as whom Exim has authenticated them (`$authenticated_id`); empty where its authenticator does not say.
    """

    sender: Address
    recipients: tuple[Address, ...]
    user: str
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
        if await _has_enough(state, sent):
            break
        await settled(state.first_seen(key, sent.now, until))
        count += 1
    return count


async def _has_enough(state: State, sent: Sent) -> bool:
    """Count a stranger, and return whether there were enough of them today.

    A user chooses the envelope sender, but not the name by which Exim knows them; a login in capitals is the same one.
    """
    who = f"user:{sent.user.lower()}" if sent.user else f"sender:{correspondent(sent.sender)}"
    for key, most in ((who, NEW_A_DAY_MAX), (f"domain:{sent.sender.domain}", NEW_AT_DOMAIN_MAX)):
        if await settled(state.count(f"sent-new:{key}", DAY_SECONDS, most + 1, sent.now)) > most:
            return True
    return False


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
