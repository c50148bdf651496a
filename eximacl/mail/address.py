"""Mail addresses and domain names as the checks compare them, in one canonical form.

A domain is compared in lower case, without a trailing dot, in A-labels (RFC 5890); a localpart keeps the spelling the
client sent, and is compared in lower case (RFC 5321 section 2.3.11 leaves that to us) and NFC (RFC 6532 section 3.1).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

# RFC 1035 section 2.3.4. A longer text is not a domain name, and its many parents would cost quadratic time.
MAX_NAME_CHARACTERS = 255

# RFC 3490 section 3.1: what separates labels besides the full stop.
_DOTS = re.compile("[\u3002\uff0e\uff61]")
_QUOTING = re.compile(r'\\(.)|"', re.DOTALL)
_ATOM = r"[^\s\"\\()<>\[\]:;@,.\x00-\x1f\x7f]+"
_DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED_STRING = r'"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*"'
_MAILBOX = re.compile(rf"(?:{_DOT_ATOM.pattern}|{_QUOTED_STRING})@(?:{_DOT_ATOM.pattern}|\[[\w.:-]+\])")


class Address(NamedTuple):
    """A mailbox of SMTP's envelope (RFC 5321 section 4.1.2): `localpart` as sent, `domain` canonical.

    The null sender `<>` is `NULL_SENDER`, both parts empty.
    """

    localpart: str
    domain: str

    def __str__(self) -> str:
        return f"{self.localpart}@{self.domain}" if self.domain else self.localpart

    @property
    def is_null(self) -> bool:
        """Whether this is the null sender of a bounce (RFC 5321 section 4.5.5)."""
        return not self.localpart and not self.domain


NULL_SENDER = Address("", "")
_new = tuple.__new__


def parse_address(text: str) -> Address:
    """Split `local@domain` at its last `@`; without one the whole text is the localpart."""
    localpart, at, domain = text.rpartition("@")
    if not at:
        return Address(domain, "")
    # Avoids `Address(…)` and the general case of `canonical_domain`, which take half of this function's time.
    plain = domain.isascii() and not domain.endswith(".")
    return _new(Address, (localpart, domain.lower() if plain else canonical_domain(domain)))


def parse_quoted(text: str) -> Address:
    """Split an address as SMTP writes it (RFC 5321 section 4.1.2): the localpart comes out of its quotes."""
    address = parse_address(text)
    if '"' in text or "\\" in text:
        return address._replace(localpart=unquote(address.localpart))
    return address


def without_brackets(text: str) -> str:
    """Remove blanks and angle brackets around an address, as people paste it; `<>` becomes empty."""
    text = text.strip()
    return text[1:-1].strip() if text.startswith("<") and text.endswith(">") else text


def quoted(address: Address) -> str:
    """Write an address as SMTP does: with quotes around a localpart that is not a dot-atom. Opposite of `parse_quoted`.

    So a comma or an @ in a client's localpart never makes two addresses of one.
    """
    if _DOT_ATOM.fullmatch(address.localpart) or address.is_null:
        return str(address)
    localpart = address.localpart.replace("\\", "\\\\").replace('"', '\\"')
    return str(address._replace(localpart=f'"{localpart}"'))


def is_mailbox(text: str) -> bool:
    """Whether a text is one whole address, localpart and domain, as SMTP writes it."""
    return _MAILBOX.fullmatch(text) is not None


def canonical_domain(name: str) -> str:
    """Return `name` in lower case, without a trailing dot, in A-labels; one that IDNA refuses stays as it is.

    IDNA 2008 (RFC 5891, with the mapping of UTS 46) gives the A-labels, as in browsers and registries since: `straße`
    is a name of its own. A label that it refuses, such as an emoji, has those of IDNA 2003 (RFC 3490).
    """
    name = name.rstrip(".").lower()
    if name.isascii() or len(name) > MAX_NAME_CHARACTERS:
        return name
    return _a_labels(name)


def canonical_localpart(localpart: str) -> str:
    """Return a localpart as it is compared: in lower case, and in NFC, since a letter can be written in two ways."""
    localpart = localpart.lower()
    return localpart if localpart.isascii() else unicodedata.normalize("NFC", localpart)


def parents(domain: str) -> Iterator[str]:
    """Yield a canonical domain and each parent: `a.b.c`, `b.c`, `c`. The empty name has none."""
    while domain:
        yield domain
        _, _, domain = domain.partition(".")


def unquote(localpart: str) -> str:
    """Remove quotes and backslashes from a localpart (RFC 5321 section 4.1.2), as in Exim's `$local_part`."""
    return _QUOTING.sub(r"\1", localpart)


def without_tag(localpart: str, separators: str) -> str:
    """Return `localpart` up to the first of the `separators` (RFC 5233). One at the start does not count."""
    end = len(localpart)
    for separator in separators:
        if separator in localpart:
            found = localpart.find(separator, 1, end)
            end = found if found > 0 else end
    return localpart[:end]


@lru_cache(maxsize=1024)
def _a_labels(name: str) -> str:
    import idna  # reading its tables takes some 10 ms, and few policies need them

    try:
        name = idna.uts46_remap(name, std3_rules=False, transitional=False)
    except UnicodeError:
        name = _DOTS.sub(".", unicodedata.normalize("NFKC", name))
    return ".".join(map(_a_label, name.split("."))).rstrip(".")


def _a_label(label: str) -> str:
    import idna

    try:
        return label if label.isascii() else idna.alabel(label).decode("ascii")
    except UnicodeError:
        pass
    try:
        encoded = label.encode("idna").decode("ascii")
    except UnicodeError:
        return label
    return label if "." in encoded else encoded
