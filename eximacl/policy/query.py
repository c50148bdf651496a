"""A query: the stage, and every value that the mail server knew by then. A value only: nothing here acts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from eximacl.mail.address import Address, without_tag

Stage = Literal["connect", "helo", "mail", "rcpt", "data", "end"]

STAGES: tuple[Stage, ...] = get_args(Stage)


class Query(NamedTuple):
    """One query of the mail server's: the stage, and every value that it knew by then.

    values: each key as it was sent, unknown ones too. sender: None before MAIL, `NULL_SENDER` for a bounce.
    recipient: None before RCPT. mailbox: the localpart that the recipient checks judge: the recipient's own, until an
    `Alias` replaces it by its owner's; empty if it stands for an address elsewhere. recipients: all that the message
    has, known from DATA on. now: when it came, in seconds since 1970. dry: nothing may be counted, reserved, archived
    or recorded for it. separators: the characters that start a tag in localparts of the recipient's domain
    (`policy.separators`). elsewhere: whether the recipient's name stands for an address at another host
    (`Alias.address`), and not for a mailbox.
    """

    stage: Stage
    values: Mapping[str, str]
    sender: Address | None = None
    recipient: Address | None = None
    mailbox: str = ""
    recipients: tuple[Address, ...] = ()
    now: float = 0.0
    dry: bool = False
    separators: str = "+"
    elsewhere: bool = False

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
        """The transaction's id: the same for every recipient of one message, and never used twice."""
        return self.values.get("tx", "")

    @property
    def reserved(self) -> bool:
        """Whether a reply to one of this transaction's recipients wanted `end`, because a slot was reserved."""
        return "end" in self.values.get("want", "")

    @property
    def domain(self) -> str:
        """The domain of the (first) recipient; empty before RCPT."""
        first = self.recipient or next(iter(self.recipients), None)
        return first.domain if first else ""

    @property
    def owner(self) -> str:
        """The mailbox without a tag: for steve+shop, steve."""
        return without_tag(self.mailbox, self.separators)

    @property
    def names(self) -> tuple[str, ...]:
        """The localparts by which a list may mean the recipient: as it was sent, its mailbox, and that one's owner."""
        mailbox, recipient = self.mailbox, self.recipient
        sent = mailbox if recipient is None else recipient[0]
        if sent == mailbox and len(self.separators) == 1 and self.separators not in mailbox:
            return (mailbox,)  # most of them, in a third of the time
        if self.elsewhere:
            return (sent,)
        return tuple(dict.fromkeys((sent, mailbox, self.owner)))

    @property
    def is_held(self) -> bool:
        """Whether this DATA query is about a message whose recipients were held."""
        return self.stage == "data" and "held" in self.values

    def judged_as(self, mailbox: str, *, elsewhere: bool = False) -> Query:
        """Return this query with the localpart that later checks are to judge."""
        return self._replace(mailbox=mailbox, elsewhere=elsewhere)

    def for_recipient(self, recipient: Address) -> Query:
        """Return this query about one of its recipients (DATA asks about all of them at once)."""
        return self._replace(recipient=recipient, mailbox=recipient.localpart)
