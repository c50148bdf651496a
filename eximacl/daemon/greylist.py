"""What greylisting remembers: listing it, and forgetting some of it.

Both the running daemon and, where none runs, its state answer REQUESTS (`eximacl.daemon.state_requests`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, get_args

from eximacl.checks.greylist import PREFIX, passes_key
from eximacl.daemon.state_requests import ANSWER_CHARACTERS, Source, StateRequest, Values, given, part
from eximacl.mail.address import parse_quoted, without_brackets
from eximacl.mail.senders import reduced
from eximacl.policy.later import settled
from eximacl.policy.places import LISTED_MAX
from eximacl.policy.state import Sighting, State
from eximacl.protocol.client import UNREADABLE, DaemonError
from eximacl.protocol.exim import ProtocolError

# waiting: the first attempt was put off; passed: it came again in time; known: the client is not put off any more.
Standing = Literal["waiting", "passed", "known"]


class Greylisted(NamedTuple):
    """What is remembered of a client and, unless it is `known`, of a sender and a recipient.

    sender: as it is compared, with `#` for what changes. since, until: in seconds since 1970.
    """

    key: str
    standing: Standing
    client: str
    sender: str
    recipient: str
    since: float
    until: float

    @property
    def waits(self) -> bool:
        """Whether only the first attempt was seen."""
        return self.standing == "waiting"

    @property
    def triplet(self) -> str:
        """What was compared."""
        return self.key.removeprefix(f"{PREFIX}{self.standing}:")


class GreylistFilter(NamedTuple):
    """Which of it is wanted: each of these that is not empty must agree.

    client: a domain or a network as it is listed, or an address in that network. sender, recipient: an address, or
    `@domain`; an empty sender is the null sender, None is any.
    """

    client: str = ""
    sender: str | None = None
    recipient: str = ""
    standings: tuple[str, ...] = get_args(Standing)

    def covers(self, one: Greylisted) -> bool:
        """Whether this is wanted."""
        return (
            one.standing in self.standings
            and (not self.client or _is_client(one.client, self.client.lower()))
            and (self.sender is None or _is_sender(one, self.sender))
            and (not self.recipient or _is_address(one.recipient, without_brackets(self.recipient).lower()))
        )


def greylisted(source: Source, wanted: GreylistFilter = GreylistFilter()) -> Iterator[Greylisted]:  # noqa: B008 (it never changes)
    """Yield what is remembered and wanted, in order of the keys.

    Of a triplet that has passed, its first attempt is remembered for some hours more; it is not yielded.
    """
    after: Values = {}
    passed: set[str] = set()
    while True:
        answer = source("greylist", after)
        page = [_read(fields) for fields in part(answer, "greylist", list)]
        passed.update(one.triplet for one in page if one.standing == "passed")
        yield from (one for one in page if wanted.covers(one) and not (one.waits and one.triplet in passed))
        if not part(answer, "more", bool) or not page:
            return
        after = {"after": page[-1].key}


def forget_greylisted(source: Source, some: Iterable[Greylisted]) -> int:
    """Forget them, so that the next attempt is the first; return how many there were."""
    return sum(bool(part(source("greylist-forget", {"key": one.key}), "forgotten", bool)) for one in some)


def _is_client(listed: str, wanted: str) -> bool:
    if listed == wanted:
        return True
    try:
        return ipaddress.ip_address(wanted) in ipaddress.ip_network(listed)
    except ValueError:  # one of them is a domain
        return False


def _is_sender(one: Greylisted, wanted: str) -> bool:
    if one.standing == "known":
        return False
    address = without_brackets(wanted)
    return _is_address(one.sender, reduced(parse_quoted(address))) if address else not one.sender


def _is_address(listed: str, wanted: str) -> bool:
    return listed.endswith(wanted) if wanted.startswith("@") else listed == wanted


def _read(fields: Any) -> Greylisted:
    """Return what stands in an answer. Raises DaemonError."""
    types = (str, int | float, int | float)
    if not isinstance(fields, list) or len(fields) != len(types) or not all(map(isinstance, fields, types)):
        raise DaemonError(UNREADABLE)
    key, since, until = fields
    word, _, rest = str(key).removeprefix(PREFIX).partition(":")
    standing = next((one for one in get_args(Standing) if one == word), None)
    if standing is None:
        raise DaemonError(UNREADABLE)
    client, _, addresses = rest.partition(" ")
    sender, _, recipient = addresses.rpartition(" ")
    return Greylisted(key, standing, client, sender, recipient, float(since), float(until))


async def _list(state: State, values: Values, now: float) -> dict[str, Any]:
    found: tuple[Sighting, ...] = await settled(state.sightings(PREFIX, now, values.get("after")))
    page: list[Sighting] = []
    characters = 0
    for one in found:
        characters += len(one.key)
        if page and characters > ANSWER_CHARACTERS:
            break
        page.append(one)
    return {"greylist": [list(one) for one in page], "more": len(page) < len(found) or len(found) == LISTED_MAX}


async def _forget(state: State, values: Values, _now: float) -> dict[str, Any]:
    key = given(values, "key")
    if not key.startswith(PREFIX):
        raise ProtocolError("control", f"key= begins with {PREFIX}")
    forgotten = await settled(state.unsee(key))
    standing, _, rest = key.removeprefix(PREFIX).partition(":")
    if forgotten and standing == "known":
        # Its next delivery would make it known again.
        await settled(state.forget(passes_key(rest)))
    if forgotten and standing == "passed":
        # Its next attempt would be taken for a retry.
        await settled(state.unsee(f"{PREFIX}waiting:{rest}"))
    return {"forgotten": forgotten}


REQUESTS: Mapping[str, StateRequest] = {
    "greylist": StateRequest(_list),
    "greylist-forget": StateRequest(_forget),
}
