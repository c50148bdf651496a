"""What a check finds and what the policy decides: outcome, action, verdict, trace. Values only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, get_args

from eximacl.policy.places import NO_TERMS, Place, Terms
from eximacl.policy.query import Stage

Word = Literal["accept", "defer", "reject", "hold"]
Action = Literal["reject", "drop", "defer", "hold", "observe", "off"]
OnUnknown = Literal["accept", "defer"]

WORDS: tuple[Word, ...] = get_args(Word)
ACTIONS: tuple[Action, ...] = get_args(Action)


class Hit(NamedTuple):
    """A check's objection.

    reason: a stable slug, never reworded (`rdns-tld`); detail: what exactly was hit (`sa`).
    text: the sentence the client is told; it may quote the query, since it leaves only inside `message`.
    sentence: the sentence for the rejection log; empty: the same as `text`.
    status: the enhanced status code's subject and detail (RFC 3463), to which the action adds 5 or 4.
    temporary: True where time alone may cure it: the answer is `defer`, whatever the action is.
    action: for a check whose conditions have actions of their own, this one's; the check's `observe` outweighs it.
    stands_for: whom the recipient's name stands for all the same, where this objection is not acted on.
    """

    reason: str
    detail: str
    text: str
    sentence: str = ""
    status: str = "7.1"
    temporary: bool = False
    action: Action | None = None
    stands_for: Alias | None = None


class Unknown(NamedTuple):
    """A check (or a look-up) could not find out, and why. Never a reason for a 5xx."""

    detail: str


class Reserve(NamedTuple):
    """No objection, if the message gets one of `limit` slots under `key`, which counts it.

    The slot is reserved once nothing else objected to the recipient, and used for good when the message is accepted.
    Where there will never be one (the objection is not temporary), that decides before the checks that follow.
    objection: makes the objection where there is no slot for it (see `Place.slot`). terms: whose slots these are.
    """

    key: str
    limit: int
    objection: Callable[[Place], Hit]
    terms: Terms = NO_TERMS


class CountFate(NamedTuple):
    """No objection, but what becomes of the recipient is counted, up to `most` events in `window` seconds.

    An event is noted under the key `refused` where one of the checks `by` refused the recipient, under `accepted`
    where nothing objected. In `window` each refused recipient counts once, an accepted one up to `each` times. Where
    the check that returns this observes, a hit of these under `observe` counts, too.
    """

    by: tuple[str, ...]
    refused: str
    accepted: str
    window: float
    most: int
    each: int


class Alias(NamedTuple):
    """The recipient is another name for `mailbox`: the checks after this one judge that localpart.

    reserve: the slot that the message needs besides. label: what the delivered message says about the address.
    address: the whole address for which it stands where that is not one of our mailboxes; `mailbox` is empty then.
    """

    mailbox: str
    reserve: Reserve | None = None
    label: str = ""
    address: str = ""


class Allowed(NamedTuple):
    """The sender is so well known that the checks after this one may not object; `detail` says who vouches for it.

    A check that is declared with `heeds_allowed=False` may.
    """

    detail: str


@dataclass(frozen=True, slots=True)
class AtData:
    """This message cannot be judged before DATA, where Exim asks again. For a check that runs at `rcpt` and `data`."""


class Delayed(NamedTuple):
    """No objection any more: the first attempt was so many seconds ago, and the delivered message says so."""

    seconds: float

    def __str__(self) -> str:
        minutes, seconds = divmod(round(self.seconds), 60)
        return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


Outcome: TypeAlias = Hit | Unknown | Reserve | CountFate | Alias | Allowed | Delayed | AtData | None


class Traced(NamedTuple):
    """One line of a verdict's explanation.

    result: `pass`, `exempt`, `spared`, `alias`, `unknown`, or the action taken on a hit (`reject`, `observe`, …).
    """

    check: str
    result: str
    reason: str = ""
    detail: str = ""
    seconds: float = 0.0


class Bug(NamedTuple):
    """A bug in a check: the exception that it raised, or that stands for an outcome which is none."""

    check: str
    error: BaseException


class Decision(NamedTuple):
    """What the policy decided, and why. `check`, `reason`, `text` and `sentence` are empty for `accept`.

    want: the later stages of this transaction that Exim still has to ask about. archived: the files of a held message.
    bugs: what checks raised; each is an Unknown in the trace. label: what the delivered message says about the address
    that it came by, and delayed: how long it had to wait, as 00:05:12; empty: nothing. closes: whether the connection
    is closed after the reply.
    """

    word: Word
    trace: tuple[Traced, ...]
    check: str = ""
    reason: str = ""
    detail: str = ""
    text: str = ""
    sentence: str = ""
    status: str = ""
    want: tuple[Stage, ...] = ()
    archived: tuple[str, ...] = ()
    bugs: tuple[Bug, ...] = ()
    label: str = ""
    delayed: str = ""
    closes: bool = False
