"""The words that all parts share: stage, query, outcome, action, verdict. Values only: nothing here acts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from eximacl.mail.address import Address

Stage = Literal["connect", "helo", "mail", "rcpt", "data", "end"]
Word = Literal["accept", "defer", "reject", "hold"]
Action = Literal["reject", "defer", "hold", "observe", "off"]
OnUnknown = Literal["accept", "defer"]

STAGES: tuple[Stage, ...] = get_args(Stage)
WORDS: tuple[Word, ...] = get_args(Word)
ACTIONS: tuple[Action, ...] = get_args(Action)


class Query(NamedTuple):
    """One question of Exim's: the stage, and every value that Exim knew by then.

    `values` holds each key as it was sent, unknown ones too. `sender` is None before MAIL and
    `NULL_SENDER` for a bounce; `recipient` is None before RCPT. `mailbox` is the localpart that the
    recipient checks judge: the recipient's own, until an `Alias` puts its owner's in its place.
    `recipients` are all that the message has, known from DATA on.
    """

    stage: Stage
    values: Mapping[str, str]
    sender: Address | None = None
    recipient: Address | None = None
    mailbox: str = ""
    recipients: tuple[Address, ...] = ()

    @property
    def ip(self) -> str:
        """The client's address, as text; empty when unknown."""
        return self.values.get("ip", "")

    @property
    def host(self) -> str:
        """The client's reverse-DNS name as Exim found it (`$sender_host_name`), canonical but for case and IDNA."""
        return self.values.get("host", "")

    @property
    def host_deferred(self) -> bool:
        """Whether the reverse look-up could not be finished (`$host_lookup_deferred`); not the same as no PTR."""
        return self.values.get("host_deferred", "") == "1"

    @property
    def helo(self) -> str:
        """The name the client gave in HELO or EHLO (`$sender_helo_name`)."""
        return self.values.get("helo", "")

    @property
    def transaction(self) -> str:
        """The transaction's id: the same for every recipient of one message, never used again."""
        return self.values.get("tx", "")

    @property
    def reserved(self) -> bool:
        """Whether a reply to one of this transaction's recipients wanted `end`: it reserved a place."""
        return "end" in self.values.get("want", "")

    @property
    def dry(self) -> bool:
        """Whether nothing may be counted, reserved, recorded or logged for this query."""
        return self.values.get("dry", "") == "1"

    def judged_as(self, mailbox: str) -> Query:
        """Return this query with the localpart that later checks are to judge."""
        return self._replace(mailbox=mailbox)

    def for_recipient(self, recipient: Address) -> Query:
        """Return this query about one of its recipients (DATA asks about all of them at once)."""
        return self._replace(recipient=recipient, mailbox=recipient.localpart)


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


class Reply(NamedTuple):
    """One reply on the wire. `verdict` is a Word, or `error` (the snippet then treats the daemon as failed)."""

    verdict: str
    code: int = 0
    reason: str = ""
    ref: str = ""
    want: str = ""
    message: str = ""
    log: str = ""
    extra: Mapping[str, Any] = {}
