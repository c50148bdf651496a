"""Disposable addresses: their syntax, signature and calendar. Pure; every address has one canonical spelling.

`NAME.N.count` takes N messages, `NAME.date.DD-MM-YYYY` takes mail until that day begins; either may end in a
signature, one more piece: `steve.3.count.x7k2m9qa`. `NAME.count.N` and `NAME.date.YYYY-MM-DD` are other spellings of
the same addresses, and `NAME.count` is an address where the rules have a default count. What ends in `N.count` or
`N.count.PIECE` is never read as `NAME.count.N`.

An address that looks like one and breaks a rule is `Malformed`, never an ordinary address: otherwise a bad count would
be no limit at all. For the same reason this module recognises more than the router in exim-snippets delivers.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from eximacl.mail.address import canonical_domain
from eximacl.mail.batv import untagged
from eximacl.mail.lists import Secrets

# Eight letters of base32 are 40 bits: 10^12 guesses, each an SMTP command; and short enough to write by hand.
SIGNATURE_CHARACTERS = 8
# RFC 5321 section 4.5.3.1.1; other hosts may refuse a longer one.
LOCALPART_OCTETS_MAX = 64
# Enough to recognise it in a log line.
DETAIL_CHARACTERS_MAX = 40

_SIGNATURE = re.compile(f"[a-z2-7]{{{SIGNATURE_CHARACTERS}}}")
# These need no quotes in an address, and Exim's default ACLs accept them.
_SEPARATOR = re.compile(r"[.+=_~-]+")
_KEYWORD = re.compile(r"[A-Za-z]+")
# Dot-string of RFC 5321 section 4.1.2, with the letters of RFC 6531.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\ud7ff\ue000-\U0010ffff-]+"
_DOT_STRING = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")

Standing = Literal["open", "begun", "too-far"]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How disposable addresses are written at a domain, and their limits.

    timezone: in which a day begins. secrets: the first one signs, each of them verifies. default_count: how many
    messages `NAME.count` takes; 0: it is an ordinary name.
    Raises ValueError, whose text starts with the field to change, when the fields contradict each other.
    """

    timezone: ZoneInfo
    separator: str = "."
    count_keyword: str = "count"
    date_keyword: str = "date"
    largest_count: int = 100
    default_count: int = 0
    farthest_days: int = 732
    sign: bool = False
    secrets: Secrets = field(default_factory=Secrets)

    def __post_init__(self) -> None:
        if not _SEPARATOR.fullmatch(self.separator):
            raise ValueError(f"separator: {self.separator!r} must be one or more of . + = _ ~ -")
        for name in ("count_keyword", "date_keyword"):
            if not _KEYWORD.fullmatch(getattr(self, name)):
                raise ValueError(f"{name}: {getattr(self, name)!r} must be a word of the letters a to z")
        if self.count_keyword.lower() == self.date_keyword.lower():
            raise ValueError(f"date_keyword: {self.date_keyword!r} must differ from count_keyword")
        if self.default_count > self.largest_count:
            raise ValueError(f"default_count: {self.default_count} is more than largest_count ({self.largest_count})")
        if self.sign and not self.secrets:
            raise ValueError("secrets: sign = true needs a file with at least one secret")


class Disposable(NamedTuple):
    """A valid disposable address.

    name: its owner's localpart, as it was spelt. unsigned: the localpart without signature, in canonical spelling.
    limit: how many messages it accepts, 0 for a dated one. until: the day on which it ends, None for a counted one.
    """

    name: str
    unsigned: str
    limit: int
    until: date | None

    @property
    def last_day(self) -> date | None:
        """The last day on which a dated one takes mail, None for a counted one, and where the calendar has no such."""
        return None if self.until is None or self.until == date.min else self.until - timedelta(days=1)


class Malformed(NamedTuple):
    """Something that looks like a disposable address and is not valid. `reason` is a stable slug.

    name: its owner's localpart, where it names an ordinary one; else empty.
    """

    reason: str
    detail: str
    name: str = ""


def parse(rules: Rules, localpart: str, domain: str) -> Disposable | Malformed | None:
    """Read `localpart` at a canonical `domain`; None if it is an ordinary one. Never raises."""
    if rules.separator not in localpart:
        return None  # most of them, in a tenth of the time
    pieces = _split(rules, localpart)
    if pieces is None:
        return None
    # The owner must be an ordinary address: `steve.3.count.5.count` would have two limits.
    if not pieces.name:
        return _refuse("disposable-nameless", localpart)
    if _split(rules, pieces.name) is not None or untagged(pieces.name) != pieces.name:
        return _refuse("disposable-nested", pieces.name)
    address = _address(rules, pieces)
    if isinstance(address, Malformed):
        return address
    return _check_signature(rules, address, domain, pieces.signature) or address


def standing(rules: Rules, until: date, now: float) -> Standing:
    """Return whether the day `until` has begun at `now` (seconds since 1970), or is farther away than allowed."""
    today = datetime.fromtimestamp(now, rules.timezone).date()
    if until > today + timedelta(days=rules.farthest_days):
        return "too-far"
    return "begun" if until < today or now >= begins(until, rules.timezone) else "open"


def begins(day: date, zone: ZoneInfo) -> float:
    """Return when `day` begins, in seconds since 1970.

    If midnight comes twice, the first one counts; if it is skipped, the moment when the clock is put forward (PEP 495).
    """
    return datetime(day.year, day.month, day.day, tzinfo=zone, fold=0).timestamp()


def mint(
    rules: Rules, name: str, domain: str, now: float, *, count: int | None = None, until: date | None = None
) -> str:
    """Return a new address of `name` at `domain`: for `count` messages, or until a day begins.

    It is signed if the rules say so. Raises ValueError, with a text for people, for an address that the check would
    refuse or that cannot be written without quotes.
    """
    if not _DOT_STRING.fullmatch(name):
        raise ValueError(f"{name!r} is not a localpart that can be written without quotes")
    address = _mint_unsigned(rules, name, now, count, until)
    canonical = canonical_domain(domain)
    localpart = address.unsigned
    if rules.sign:
        localpart += rules.separator + sign(next(iter(rules.secrets)), f"{address.unsigned}@{canonical}")
    if len(localpart.encode()) > LOCALPART_OCTETS_MAX:
        raise ValueError(f"{localpart} is longer than {LOCALPART_OCTETS_MAX} octets; other hosts may refuse it")
    if parse(rules, localpart, canonical) != address:
        raise ValueError(f"{name!r} is itself a disposable address; give its owner's name")
    return f"{localpart}@{canonical}"


def sign(secret: bytes, address: str) -> str:
    """Return the signature of an unsigned address, in canonical spelling and with its domain."""
    digest = hmac.digest(secret, address.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return base64.b32encode(digest).decode("ascii")[:SIGNATURE_CHARACTERS].lower()


def verify(secrets: Iterable[bytes], address: str, signature: str) -> bool:
    """Return whether one of the secrets made `signature` for `address`, in constant time per secret."""
    given = signature.encode("utf-8", "surrogatepass")
    return any(hmac.compare_digest(sign(secret, address).encode(), given) for secret in secrets)


def _mint_unsigned(rules: Rules, name: str, now: float, count: int | None, until: date | None) -> Disposable:
    name = name.lower()
    if count is not None and until is None:
        if not 1 <= count <= rules.largest_count:
            largest = f"{rules.largest_count} (checks.disposable.largest_count)"
            raise ValueError(f"the count {count} is not between 1 and {largest}")
        return _counted(rules, name, count)
    if until is None or count is not None:
        raise ValueError("give either a count or a date")
    stands = standing(rules, until, now)
    if stands == "begun":
        zone = "the machine's time zone" if rules.timezone.key == "localtime" else f"time zone {rules.timezone}"
        raise ValueError(f"{until} has already begun in {zone}; the address would accept no mail")
    if stands == "too-far":
        raise ValueError(f"{until} is more than {rules.farthest_days} days away (checks.disposable.farthest_days)")
    return _dated(rules, name, until)


class _Pieces(NamedTuple):
    """What looks like a disposable address. digits: the count as it was written, empty where it was left out."""

    kind: Literal["counted", "dated"]
    name: str
    digits: str
    signature: str | None


def _split(rules: Rules, localpart: str) -> _Pieces | None:
    """Take an address apart; None for an ordinary one."""
    patterns = _patterns(rules.separator, rules.count_keyword, rules.date_keyword)
    if not patterns.keyword.search(localpart):
        return None
    found = patterns.counted.match(localpart)
    if found:
        return _Pieces("counted", found[1] or "", found[2], found[3])
    # Before the other order: with eight digits, the last piece may be a signature.
    found = patterns.default.match(localpart) if rules.default_count else None
    if found:
        return _Pieces("counted", found[1] or "", "", found[2])
    found = patterns.reverse.match(localpart)
    if found:
        return _Pieces("counted", found[1] or "", found[2], found[3])
    found = patterns.dated.match(localpart)
    return _Pieces("dated", found[1] or "", found[2], found[3]) if found else None


def _address(rules: Rules, pieces: _Pieces) -> Disposable | Malformed:
    kind, name, digits, _ = pieces
    if kind == "dated":
        until = _date(digits)
        return _refuse("dated-invalid", digits, name) if until is None else _dated(rules, name, until)
    if not digits:
        unsigned = rules.separator.join((name.lower(), rules.count_keyword.lower()))
        return Disposable(name, unsigned, rules.default_count, None)
    limit = _count(digits, rules.largest_count)
    return _refuse("counted-invalid", digits, name) if limit is None else _counted(rules, name, limit)


def _counted(rules: Rules, name: str, limit: int) -> Disposable:
    unsigned = rules.separator.join((name.lower(), str(limit), rules.count_keyword.lower()))
    return Disposable(name, unsigned, limit, None)


def _dated(rules: Rules, name: str, until: date) -> Disposable:
    day = f"{until.day:02}-{until.month:02}-{until.year:04}"
    return Disposable(name, rules.separator.join((name.lower(), rules.date_keyword.lower(), day)), 0, until)


def _count(digits: str, largest: int) -> int | None:
    """Read N. A leading zero is refused: `3` and `03` would be two addresses with a count each."""
    if not digits.isascii() or digits.startswith("0") or len(digits) > len(str(largest)):
        return None
    return int(digits) if int(digits) <= largest else None


def _date(digits: str) -> date | None:
    """Read DD-MM-YYYY or YYYY-MM-DD. The year has four digits and the others two, so no date is both."""
    day, month, year = digits[:2], digits[3:5], digits[6:]
    if digits[4:5] == "-":
        year, month, day = digits[:4], digits[5:7], digits[8:]
    if not digits.isascii() or digits not in (f"{day}-{month}-{year}", f"{year}-{month}-{day}"):
        return None
    if (len(day), len(month), len(year)) != (2, 2, 4):
        return None
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _check_signature(rules: Rules, address: Disposable, domain: str, signature: str | None) -> Malformed | None:
    """Judge the last piece; with `sign = false` a well-formed one is not verified."""
    signed = f"{address.unsigned}@{domain}"
    if signature is None:
        return _refuse("signature-missing", signed, address.name) if rules.sign else None
    signature = signature.lower()
    if not _SIGNATURE.fullmatch(signature) or (rules.sign and not verify(rules.secrets, signed, signature)):
        return _refuse("signature-bad", signature, address.name)
    return None


def _refuse(reason: str, detail: str, name: str = "") -> Malformed:
    return Malformed(reason, detail[:DETAIL_CHARACTERS_MAX], name)


class _Patterns(NamedTuple):
    """keyword: is in every such address. The others: what looks like one: (name) (digits) (signature).

    counted: NAME.N.count. reverse: NAME.count.N. default: NAME.count, without digits.
    """

    keyword: re.Pattern[str]
    counted: re.Pattern[str]
    reverse: re.Pattern[str]
    default: re.Pattern[str]
    dated: re.Pattern[str]


# More than the number of different spellings in one policy.
@lru_cache(maxsize=256)
def _patterns(separator: str, count_keyword: str, date_keyword: str) -> _Patterns:
    between = re.escape(separator)
    head = rf"(?:(.*){between})?"
    tail = rf"(?:{between}((?:(?!{between}).)*))?\Z"
    signature = rf"(?:{between}({_SIGNATURE.pattern}))?\Z"
    # The whole date first: with - as separator, a signature of digits could pass as a part of it.
    day = r"(\d+-\d+-\d+|\d[\d-]*)"
    flags = re.IGNORECASE | re.DOTALL
    return _Patterns(
        re.compile(rf"{count_keyword}|{date_keyword}", flags),
        re.compile(rf"{head}(\d+){between}{count_keyword}{tail}", flags),
        re.compile(rf"{head}{count_keyword}{between}(\d+){tail}", flags),
        re.compile(rf"{head}{count_keyword}{signature}", flags),
        re.compile(rf"{head}{date_keyword}{between}{day}{tail}", flags),
    )
