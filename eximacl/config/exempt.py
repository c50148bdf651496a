"""Exempting mail after a wrong refusal: its sender, the sender's domain, the client's address or its host name.

The policy is loaded once: to see what it exempts already, and where its lists are (`exempt_change`). It is loaded again
only where the files have changed before the entry was written.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from eximacl.config.exempt_change import LISTS, TABLE, Change, ExemptError, lists_of, plan_change, source_of, toml_of
from eximacl.config.load import Loaded, load
from eximacl.config.problems import ConfigError
from eximacl.config.values import Values
from eximacl.mail.address import NULL_SENDER, canonical_domain, parse_address, parse_quoted, quoted
from eximacl.mail.entries import domain
from eximacl.mail.hosts import is_public_suffix
from eximacl.mail.senders import is_for_one_message, untagged
from eximacl.policy.plan import Exempt
from eximacl.policy.query import Query
from eximacl.protocol.client import DaemonError
from eximacl.protocol.control import reload
from eximacl.protocol.exim import build_query, split_addresses
from eximacl.records.journal import Entry
from eximacl.system.locks import directory_lock

ExemptKind = Literal["sender", "domain", "ip", "host"]
KINDS: tuple[ExemptKind, ...] = get_args(ExemptKind)

# A list's lines end with a comment after a blank and #; an address with such signs in it would be cut there.
_UNFIT = re.compile(r"[\s#\x00-\x1f\x7f]")


class RefusedMail(NamedTuple):
    """Mail that should have been accepted: its recipient, and what is known of its sender.

    recipient: empty where it was refused before RCPT. Both addresses are as SMTP writes them (`address.quoted`).
    """

    recipient: str
    sender: str
    ip: str
    host: str
    helo: str

    @property
    def query(self) -> Query:
        """The question that Exim would ask about the next such mail."""
        values = {"ip": self.ip, "host": self.host, "helo": self.helo, "from": self.sender, "tx": "allow", "dry": "1"}
        if self.recipient:
            # Exim has the recipient's localpart without its quotes.
            values["rcpt"] = str(parse_quoted(self.recipient))
        return build_query("rcpt", values)


def refused_mails(entry: Entry) -> list[RefusedMail]:
    """Return the mail that a decision was about, one for each domain of its recipients.

    At DATA these are all recipients that were held; before RCPT there are none, and the mail has an empty one.
    """
    values = entry.values()
    recipients = (parse_address(values["rcpt"]),) if "rcpt" in values else split_addresses(values.get("rcpts", ""))
    sender, ip, host, helo = (values.get(key, "") for key in ("from", "ip", "host", "helo"))
    by_domain: dict[str, str] = {}
    for one in recipients:
        by_domain.setdefault(one.domain, quoted(one))
    return [RefusedMail(recipient, sender, ip, host, helo) for recipient in by_domain.values() or ("",)]


@dataclass(frozen=True, slots=True)
class Exemption:
    """An exemption that is in the policy now.

    entry: what was added to the list `key` in `file`; changed: the files that it took. already: what exempted the
    mail before, as `list: entry`; then nothing was changed. reload: what came of the daemon's reload; empty: none was
    needed.
    """

    entry: str
    key: str
    file: Path
    changed: tuple[Path, ...]
    already: str = ""
    reload: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON shows it."""
        return {
            "entry": self.entry,
            "key": self.key,
            "list": str(self.file),
            "changed": list(map(str, self.changed)),
            "already": self.already,
            "reload": self.reload,
        }


class ExemptionPlan(NamedTuple):
    """An exemption that can be added: for which mail, with which comment, by which change of the policy's files."""

    mail: RefusedMail
    comment: str
    change: Change


class Exempter:
    """Adds exemptions of one kind to the policy at `config`, and has the daemon reload it where that is needed.

    everywhere: for all domains, and not only for that of the recipient. socket: the daemon's; None: the policy's.
    """

    def __init__(self, config: Path, kind: ExemptKind, *, everywhere: bool = False, socket: Path | None = None) -> None:
        self._config = config.absolute()
        self._kind: ExemptKind = kind
        self._everywhere = everywhere
        self._socket = socket
        self._loaded: Loaded | None = None

    def plan(self, mails: Sequence[RefusedMail], comment: str) -> list[ExemptionPlan]:
        """Work out the exemptions of these mails, one for each domain; nothing is changed yet. Raises ExemptError.

        comment: stands beside the entries where there is room for one.
        """
        # The mails are copies of one message, so for all domains one entry is enough.
        mails = mails[:1] if self._everywhere else mails
        return [ExemptionPlan(mail, comment, self._change_for(mail, comment)) for mail in mails]

    def add(self, plans: Sequence[ExemptionPlan]) -> list[Exemption]:
        """Write what was planned, and have the daemon reload its policy where that is needed. Raises ExemptError."""
        done: list[tuple[Change, tuple[Path, ...]]] = []
        try:
            with _explained(), directory_lock(self._config.parent):
                for one in plans:
                    done.append(self._write(one))
        finally:
            # What was written before an error is to be in force, too.
            reloaded = self._reload() if any(change.reload for change, _ in done) else ""
        return [
            Exemption(one.entry, one.key, one.file, changed, one.already, reloaded if one.reload else "")
            for one, changed in done
        ]

    def _write(self, plan: ExemptionPlan) -> tuple[Change, tuple[Path, ...]]:
        change = plan.change
        if not change.is_current():
            self._loaded = None
            change = self._change_for(plan.mail, plan.comment)
        changed = change.apply()
        if changed:
            self._loaded = None
        return change, changed

    def _change_for(self, mail: RefusedMail, comment: str) -> Change:
        if self._loaded is None:
            self._loaded = _load(self._config)
            self._socket = self._socket or self._loaded.settings.server.socket
        with _explained():
            return _plan(self._loaded, self._kind, mail, comment, everywhere=self._everywhere)

    def _reload(self) -> str:
        """Have the daemon reload its policy; return what came of it."""
        assert self._socket is not None, "a change was planned, so the policy was loaded"
        try:
            problems = reload(self._socket).problems
        except DaemonError as error:
            return f"not in force yet: {error}; run `eximacl reload`"
        return "not in force: run `eximacl reload`" if problems else "in force"


def _plan(loaded: Loaded, kind: ExemptKind, mail: RefusedMail, comment: str, *, everywhere: bool) -> Change:
    """Work out how to exempt such a message. Raises ExemptError, OSError."""
    entry = entry_for(kind, mail)
    recipient = mail.query.recipient
    if recipient is None and not everywhere:
        raise ExemptError(
            "it was refused before there was a recipient, so no domain's list can have it; "
            "exempt it everywhere (--everywhere)"
        )
    if recipient is not None and loaded.policy.for_domain(recipient.domain) is None:
        raise ExemptError(f"policy.domains does not list the domain of {mail.recipient}")
    domain = recipient.domain if recipient and not everywhere else ""
    key, list_type = LISTS[kind]
    for scope in dict.fromkeys((domain, "")):
        already = exempting_entry(lists_of(loaded, scope), key, mail)
        if already:
            file = source_of(loaded, scope, key) or toml_of(loaded, scope)
            return Change(loaded.path, entry, scope, file, f"{TABLE}.{key}", already=already)
    return plan_change(loaded, domain, key, list_type, entry, comment)


def entry_for(kind: ExemptKind, mail: RefusedMail) -> str:
    """Return the narrowest entry that covers a message by its sender, sender's domain, ip or host.

    Raises ExemptError where the mail has no such thing.
    """
    sender = untagged(mail.query.sender or NULL_SENDER)
    found = {"sender": quoted(sender), "domain": sender.domain, "ip": mail.ip, "host": canonical_domain(mail.host)}
    entry = found[kind]
    if kind in ("sender", "domain") and not sender.domain:
        raise ExemptError("the null sender of a bounce cannot be exempted, since anyone may use it; exempt ip or host")
    if not entry:
        raise ExemptError(f"the client {mail.ip} has no reverse name; exempt its ip")
    if kind == "sender" and (not sender.localpart or sender.localpart.startswith("@")):
        raise ExemptError(f"{entry} in a list means more than this sender; exempt domain, ip or host")
    if kind == "sender" and is_for_one_message(sender):
        raise ExemptError(
            f"{entry} looks like an address for one message: the next one will have another, which this entry "
            f"would not cover; exempt domain ({sender.domain}), ip or host"
        )
    if kind in ("domain", "host") and is_public_suffix(entry):
        raise ExemptError(f"anyone can have a name below {entry}; exempt something else")
    if _UNFIT.search(entry) or not entry.isprintable():
        raise ExemptError(f"{entry!r} cannot be an entry of a list; exempt domain, ip or host")
    key, list_type = LISTS[kind]
    try:
        if kind == "host":
            domain(entry)  # in a list, some texts that DNS may hold mean more than one host
        lists: dict[str, Any] = {key: list_type([entry])}
    except ValueError as error:
        raise ExemptError(f"{error}; exempt something else") from None
    if not Exempt(**lists).match(mail.query):
        raise ExemptError(f"{entry} in {TABLE}.{key} would not exempt this mail; exempt something else")
    return entry


def exempting_entry(lists: Values, key: str, mail: RefusedMail) -> str:
    """Return what in one list (`senders: ann@example.net`) exempts such a message now; empty if nothing does."""
    return (key in lists and Exempt(**{key: lists[key].value}).match(mail.query)) or ""


def _load(config: Path) -> Loaded:
    try:
        return load(config)
    except ConfigError as error:
        raise ExemptError(f"the configuration is wrong, mend it first: {error}") from None


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Make an OSError an ExemptError."""
    try:
        yield
    except OSError as error:
        raise ExemptError(f"{error.filename}: {error.strerror}") from None
