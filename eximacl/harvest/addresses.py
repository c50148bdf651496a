"""The addresses in a header field (RFC 5322 section 3.4). Any text yields the addresses in it, never an error.

What strict parsers refuse is read as people meant it: missing quotes and brackets, names with commas, folded lines,
8-bit letters. What stands in a display name, a comment or a quoted string is never an address, whatever it looks like.
Time is linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from eximacl.mail.address import Address, canonical_domain, unquote

# RFC 5321 section 4.5.3.1 allows 64 and 255 octets; forwarders' localparts (SRS) are longer. Beyond this it is junk.
ADDRESS_CHARACTERS_MAX = 512

# A gap, a word, a domain literal, or a single character; and before them all, a quoted string.
_SIMPLE = r'\s+|[^\s"(),:;<>@\[\]]+|\[[^\[\]]*\]|.'
_UNQUOTED_TOKEN = re.compile(_SIMPLE, re.DOTALL)
_TOKEN = re.compile(rf'"(?:[^"\\]|\\.)*"|{_SIMPLE}', re.DOTALL)
_PARENTHESIS = re.compile(r"\\.|[()]", re.DOTALL)
_DEPTH = {"(": 1, ")": -1}
_GAP = " "
# Quotation marks that people and programs put around an address, though they do not quote in RFC 5322.
_OPENING, _CLOSING = "'`‘“«", "'`’”»"


def addresses(text: str) -> Iterator[Address]:
    """Yield the mailboxes of an address list: groups, comments, routes and obsolete spellings included.

    Domains are canonical; localparts are unquoted, otherwise as they were spelt.
    """
    for tokens in _mailboxes(text):
        for one in _side_by_side(tokens):
            found = _mailbox(one)
            if found is not None:
                yield found


def _tokens(text: str) -> Iterator[str]:
    """Yield the tokens of a text; gaps and comments as one blank.

    After a quote or a parenthesis that is never closed, no other of its kind opens anything; searching for its end
    again and again would take quadratic time.
    """
    at = 0
    pattern = _TOKEN
    comments = True
    while match := pattern.match(text, at):
        token, at = match[0], match.end()
        if token == "(":
            end = _comment_end(text, at) if comments else 0
            comments = end > 0
            at = end or at
            yield _GAP
        elif token == '"':
            pattern = _UNQUOTED_TOKEN
        else:
            yield _GAP if token.isspace() else token


def _comment_end(text: str, at: int) -> int:
    """Return where the comment that begins before `at` ends; comments nest (RFC 5322 section 3.2.2). 0: nowhere."""
    depth = 1
    for match in _PARENTHESIS.finditer(text, at):
        depth += _DEPTH.get(match[0], 0)
        if not depth:
            return match.end()
    return 0


def _mailboxes(text: str) -> Iterator[list[str]]:
    """Yield the tokens of each mailbox: those in angle brackets where there are any, else all."""
    current: list[str] = []
    bracketed = False  # its brackets are closed: what follows up to the comma is not part of it
    for token in _tokens(text):
        if token in (",", ";"):
            yield current
            current, bracketed = [], False
        elif token == "<":
            if bracketed:
                yield current
            current, bracketed = [], False
        elif token == ">":
            bracketed = True
        elif token == ":":
            if not bracketed:
                current = []  # that was the name of a group, a route or a scheme
        elif not bracketed:
            current.append(token)
    yield current


def _side_by_side(tokens: list[str]) -> Iterator[list[str]]:
    """Yield the mailboxes between which the comma was forgotten; one of them where there is a single @."""
    start = cut = 0
    seen = False
    for at, token in enumerate(tokens):
        if token == "@":
            if cut:
                yield tokens[start:cut]
                start = cut
            seen, cut = True, 0
        elif token == _GAP and seen and not cut and _ends_word(tokens, at):
            cut = at
    yield tokens[start:]


def _ends_word(tokens: list[str], gap: int) -> bool:
    """Return whether the word before a gap ends there: gaps are allowed around @ and dots."""
    after = tokens[gap + 1 : gap + 2]
    return tokens[gap - 1][-1] not in "@." and bool(after) and after[0][0] not in "@."


def _mailbox(tokens: list[str]) -> Address | None:
    """Read `localpart@domain` around the @; the words of a name before it are skipped."""
    if tokens.count("@") != 1:  # two in one word are not an address, and which is meant nobody knows
        return None
    at = tokens.index("@")
    domain = "".join(_dotted(tokens[at + 1 :], -1, 0))
    pieces = [*_dotted(tokens[:at][::-1], 0, -1)][::-1]
    if not domain or not pieces:
        return None
    localpart = "".join(unquote(piece) if piece[0] == '"' else piece for piece in pieces)
    if len(localpart) + len(domain) > ADDRESS_CHARACTERS_MAX:
        return None
    if domain[-1] in _CLOSING:
        # Outlook writes 'steve@example.org'; no domain ends so, but a localpart may begin so.
        localpart = localpart[1:] if localpart[:1] in _OPENING else localpart
        domain = domain[:-1]
        if not (localpart and domain):
            return None
    return Address(localpart, canonical_domain(domain))


def _dotted(tokens: Sequence[str], near: int, far: int) -> Iterator[str]:
    """Yield the words that belong together, going away from the @: gaps are allowed around dots (RFC 5322 section 4.4).

    near, far: the index (0 or -1) of the end of a word that faces the @, and of its other end.
    """
    last = ""
    gap = True
    for token in tokens:
        if token == _GAP:
            gap = bool(last)
            continue
        if token == "@" or (last and gap and last[near] != "." and token[far] != "."):
            return
        yield token
        last, gap = token, False
