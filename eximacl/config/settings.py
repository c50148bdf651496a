"""The settings tables, declared as the options of checks are: name, type, default and help in one place.

A table is data: `values` fills it from TOML; the sample, the docs and `eximacl config explain` print it. A file mode, a
URL or a template has its own type, so that `kinds.KINDS` knows how to read it.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NewType

from eximacl.mail.host_lists import Clients, Hosts
from eximacl.mail.lists import Domains, Networks, Recipients, Suffixes
from eximacl.mail.sender_lists import SenderRules
from eximacl.policy.declare import Check, Named, Option, option, options_of, tables_of
from eximacl.policy.outcome import Action, OnUnknown
from eximacl.policy.plan import KNOWN_DAYS, Exempt
from eximacl.policy.state import ROWS_MAX
from eximacl.system import paths

FileMode = NewType("FileMode", int)
StateUrl = NewType("StateUrl", str)
Template = NewType("Template", str)
# Characters that start a tag in a localpart.
Separators = NewType("Separators", str)
Servers = NewType("Servers", tuple[str, ...])
# Of names in REDACTABLE.
Redacted = NewType("Redacted", tuple[str, ...])

# The order in which checks run unless `policy.order` says otherwise; those that are not installed are left out.
# `dictionary_attack` counts what comes after it. Then the cheapest and most specific first; `disposable` must come
# before the checks that judge its owner's name, `dnswl` before those from which a well-known client is exempt, the
# lists before `resolvable_sender`, which has to wait for the sender's own name servers, and last `greylist`, which
# delays only what all of these pass, and `rate`, which counts only what gets through.
DEFAULT_ORDER = (
    "dictionary_attack",
    "bounce_tag",
    "disposable",
    "bad_recipient",
    "valid_recipient",
    "localpart_pattern",
    "bounce",
    "bounce_storm",
    "blocked_recipient",
    "sender",
    "sender_domain",
    "rdns_tld",
    "helo",
    "dnswl",
    "rdns",
    "dnsbl",
    "rhsbl",
    "resolvable_sender",
    "greylist",
    "rate",
)
# Stands for a name that the admin chooses.
NAME = "NAME"
# What `archive.redact` may keep out of logs and envelopes.
REDACTABLE = ("subject",)


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """The socket on which Exim asks."""

    socket: Path = option(str(paths.SOCKET), "The Unix socket; the snippets name the same path.")
    mode: FileMode = option("0660", "The socket's permissions, in octal. Exim's user must be able to write to it.")
    group: str = option(
        "auto",
        "The socket's group; auto: Debian-exim, if that exists and the daemon may use it; empty: the daemon's own.",
    )
    connections: int = option(
        4096,
        "How many connections may wait for the rest of their query; beyond that the oldest gets the answer `busy`.",
        minimum=1,
        maximum=100_000,
    )


@dataclass(frozen=True, kw_only=True)
class StateSettings:
    """Where the daemon remembers counted addresses, blocks, greylisting and rates."""

    url: StateUrl = option(
        paths.STATE_URL,
        "sqlite:PATH keeps the state in that file; memory: forgets it when the daemon stops.",
    )
    rows: int = option(
        ROWS_MAX,
        "How many rows each check may have, of clients, senders or recipients, about 450 bytes each. Beyond that what "
        "is new is not remembered; of counted events, and of those who wait for greylisting, the oldest are forgotten.",
        minimum=1000,
        maximum=100_000_000,
    )
    forget_days: int = option(
        1826,
        "A counted or dated address that nobody has written to for this many days is forgotten, and how often it was "
        "used; 0: never. Refused messages count, too.",
        minimum=0,
    )


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """The log of rejections."""

    rejections: Path | None = option(
        str(paths.REJECTIONS), "The file to which a JSON object is appended for each rejection; empty: no such log."
    )
    max_mb: int = option(
        1000, "Nothing is appended to a file that would become larger than this many megabytes; 0: no limit.", minimum=0
    )
    free_mb: int = option(
        200, "Nothing is appended while the file's disk has fewer megabytes free, or less than a fifth; 0: always.",
        minimum=0,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class JournalSettings:
    """The journal of all decisions, from which `eximacl why` explains one."""

    dir: Path | None = option(str(paths.JOURNAL), "The directory of the daily files; empty: no journal.")
    keep_days: int = option(30, "Daily files older than this many days are deleted; 0: kept for ever.", minimum=0)
    keep_mb: int = option(
        2000,
        "The oldest days are deleted when all others take more than half of this many megabytes, and today's file may "
        "take the other half; 0: no limit.",
        minimum=0,
    )
    free_mb: int = option(
        500, "Nothing is recorded while the journal's disk has fewer megabytes free, or less than a fifth; 0: always.",
        minimum=0,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ArchiveSettings:
    """The archive of held messages, which the action `hold` needs."""

    dir: Path | None = option(
        "", f"The directory of the archive, such as {paths.ARCHIVE}, which must be one file system; empty: no archive."
    )
    group: str = option("", "The group that may read the archive; empty: the group that the daemon runs as.")
    keep_days: int = option(30, "Messages older than this many days are deleted; 0: kept for ever.", minimum=0)
    keep_mb: int = option(
        1000, "The oldest messages are deleted when all together take more megabytes than this; 0: no limit.", minimum=0
    )
    free_mb: int = option(
        500, "No message is kept while the archive's disk has fewer megabytes free, or less than a fifth; 0: always.",
        minimum=0,
    )  # fmt: skip
    redact: Redacted = option(
        [], 'What is left out of the rejection log, the journal and the envelopes: "subject". The messages keep it.'
    )
    sendmail: Path = option(
        str(paths.SENDMAIL), "Exim's sendmail program, to which `eximacl archive release` gives messages."
    )


@dataclass(frozen=True, kw_only=True)
class DnsSettings:
    """How the checks look names up in DNS."""

    servers: Servers = option(
        [],
        "The name servers: IP addresses, with a port if needed (127.0.0.1:5353, [::1]:53); empty: /etc/resolv.conf.",
    )
    budget: float = option(
        3.0,
        "Seconds that all look-ups of one query may take together; half of them at most for names that the client "
        "chose, the rest for DNS lists. What is not known by then is unknown.",
        minimum=0.1,
        # With a second for the state, this still ends before Exim gives up (EXIMACL_TIMEOUT, five seconds).
        maximum=3.5,
    )
    cache: int = option(20_000, "How many answers are cached, about 600 bytes each.", minimum=100, maximum=5_000_000)


@dataclass(frozen=True, kw_only=True)
class PolicySettings:
    """Whose mail is judged, and by which checks."""

    domains: Domains = option(
        None, "The domains whose recipients are judged: example.org, or .example.org for all domains below it."
    )
    order: tuple[str, ...] = option(DEFAULT_ORDER, "The checks that run, in this order; the first objection decides.")
    separators: Separators = option(
        "+",
        "Characters that start a tag in a localpart: with +, mail to steve+shop is for steve. Empty: no tags.",
    )
    known_days: int = option(
        KNOWN_DAYS,
        "For how many days after the last message to an address it is a known sender (see `spare_known`).",
        minimum=1,
        maximum=732,
    )
    checks_dir: Path | None = option("", "A directory of your own checks (*.py); empty: none.")


@dataclass(frozen=True)
class Settings:
    """All settings tables; a field is a table."""

    server: ServerSettings
    state: StateSettings
    log: LogSettings
    journal: JournalSettings
    archive: ArchiveSettings
    dns: DnsSettings
    policy: PolicySettings


@dataclass(frozen=True, kw_only=True)
class ExemptOptions:
    """Mail to which no check objects. An entry in any of these lists is enough."""

    recipients: Recipients = option([], "Recipients whose mail is never refused.")
    senders: SenderRules = option([], "Envelope senders whose mail is never refused.")
    sender_domains: Suffixes = option([], "Domains whose envelope senders are never refused.")
    ips: Networks = option([], "Clients that are never refused, by IP address.")
    hosts: Hosts = option([], "Clients that are never refused, by reverse-DNS name.")
    clients: Clients = option([], "Clients that are never refused, by address or name: lists as postgrey's.")
    greetings: Hosts = option([], "Clients that are never refused, by the name in HELO or EHLO, which anyone can use.")


@dataclass(frozen=True, kw_only=True)
class GlobalExemptOptions(ExemptOptions):
    """Mail to which no check objects. An entry in any of these lists is enough.

    It is accepted before any check runs, and not counted. A recipient is also exempt under a name that a check resolves
    to it (a tagged or disposable address); a counted address is counted all the same.
    """

    # RFC 5321 section 4.5.1 and RFC 2142 section 4: these two must be reachable.
    recipients: Recipients = option(["postmaster", "abuse"], "Recipients whose mail is never refused.")


@dataclass(frozen=True, kw_only=True)
class CommonOptions:
    """The options that every check has."""

    action: Action = option(
        "reject",
        "What to do on a hit: reject, drop (reject, and close the connection), defer, hold (archive, then reject), "
        "observe (only record it), or off.",
    )
    on_unknown: OnUnknown = option("accept", "What to do when the check cannot find out: accept or defer.")
    exempt: Exempt = option(
        {}, "Mail to which this check does not object: a table with the keys of [exempt]. Names are still resolved."
    )
    spare_known: bool = option(
        False, "Whether mail is spared whose sender one of the recipient domain's users has written to."
    )
    message: Template = option("", "The text that the client gets, with {fields}; empty: the check's own text.")


class OptionTable(NamedTuple):
    """One table of the configuration: its dotted key, its help, and its options."""

    key: str
    doc: str
    options: tuple[Option, ...]

    def get(self, name: str) -> Option | None:
        """Return the option of that name, or None."""
        return next((option for option in self.options if option.name == name), None)


def _table(key: str, declaration: type) -> OptionTable:
    return OptionTable(key, inspect.getdoc(declaration) or "", options_of(key, declaration))


SETTINGS: Mapping[str, type] = {
    "server": ServerSettings,
    "state": StateSettings,
    "log": LogSettings,
    "journal": JournalSettings,
    "archive": ArchiveSettings,
    "dns": DnsSettings,
    "policy": PolicySettings,
}
SETTINGS_TABLES: Mapping[str, OptionTable] = {key: _table(key, declaration) for key, declaration in SETTINGS.items()}
EXEMPT_TABLE = _table("exempt", GlobalExemptOptions)
NARROW_EXEMPT_TABLE = _table("exempt", ExemptOptions)
# The settings that a domain's own file may change.
NARROW_POLICY_TABLE = SETTINGS_TABLES["policy"]._replace(
    options=tuple(one for one in SETTINGS_TABLES["policy"].options if one.name == "separators")
)
COMMON_TABLE = _table("checks.NAME", CommonOptions)
# What may stand at the top of the main file, and at the top of a domain's file.
TOP_LEVEL = (*SETTINGS, "exempt", "checks")
DOMAIN_TOP_LEVEL = ("policy", "exempt", "checks")


def common_options(check: Check) -> tuple[Option, ...]:
    """Return the options that every check has, with the defaults of `check`."""
    defaults: dict[str, Any] = {
        "action": check.action,
        "on_unknown": check.on_unknown,
        "spare_known": check.spare_known,
    }
    return tuple(
        dataclasses.replace(option, default=defaults.get(option.name, option.default))
        for option in COMMON_TABLE.options
    )


def check_table(check: Check) -> OptionTable:
    """Return the table of one check: its own options, then the common ones."""
    return OptionTable(f"checks.{check.name}", check.doc, (*check.options, *common_options(check)))


def named_table(key: str, declaration: type[Named]) -> OptionTable:
    """Return the declaration of each table of an option (see `check.Tables`)."""
    return _table(key, declaration)


def tables_within(key: str, options: tuple[Option, ...]) -> Iterator[OptionTable]:
    """Yield the tables that options hold, and the tables in these; NAME stands for the name of each."""
    for one in options:
        kind = tables_of(one)
        if kind is not None:
            table = named_table(f"{key}.{one.name}.{NAME}", kind)
            yield table
            yield from tables_within(table.key, table.options)
