"""What a check finds and what the policy decides: outcome, action, verdict, trace. Values only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple, TypeAlias, get_args

from eximacl.policy.query import Stage

Word = Literal["accept", "defer", "reject", "hold"]
Action = Literal["reject", "defer", "hold", "observe", "off"]
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
    """

    reason: str
    detail: str
    text: str
    sentence: str = ""
    status: str = "7.1"
    temporary: bool = False
    action: Action | None = None


class Unknown(NamedTuple):
    """A check (or a look-up) could not find out, and why. Never a reason for a 5xx."""

    detail: str


class Alias(NamedTuple):
    """The recipient is another name of `mailbox`: from here on, checks judge that localpart.

    last: asked once nothing else objected to the recipient; its outcome is judged like the check's own.
    """

    mailbox: str
    last: Callable[[], Awaitable[Hit | Unknown | None]] | None = None


class Allowed(NamedTuple):
    """The mail is so well known that no check after this one is asked; `detail` says by whom."""

    detail: str


Outcome: TypeAlias = Hit | Unknown | Alias | Allowed | None


class Traced(NamedTuple):
    """One line of a verdict's explanation.

    result: `pass`, `exempt`, `spared`, `alias`, `unknown`, or the action taken on a hit (`reject`, `observe`, …).
    """

    check: str
    result: str
    reason: str = ""
    detail: str = ""
    seconds: float = 0.0


class Decision(NamedTuple):
    """What the policy decided, and why. `check`, `reason`, `text` and `sentence` are empty for `accept`.

    want: the later stages of this transaction that Exim still has to ask about.
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
