"""Envelope senders of systems that write a new one for each message: whose they are, and what in them stays the same.

`original` returns the address behind tags (BATV) and forwarding (SRS); `reduced` also takes out what else changes: the
numbers, keys and recipients that mailing lists and bulk mailers put into a sender to recognise its bounces (VERP).
"""

from __future__ import annotations

import re

from eximacl.mail.address import Address

CHANGING = "#"
# A localpart of one word is a person's name or number (12345678@qq.com) unless it is longer than people's.
PERSON_CHARACTERS_MAX = 19
# Longer localparts are cut before they are searched. RFC 5321 section 4.5.3.1.1 has 64.
_CHARACTERS_MAX = 256
# A sender may be tagged, forwarded, and tagged again; more layers than this are nobody's.
_LAYERS_MAX = 4
_FLAGS = re.IGNORECASE | re.DOTALL | re.ASCII

# draft-levine-smtp-batv: prvs=TAG=NAME, in its first versions prvs=NAME/TAG, also seen as prvs=NAME=TAG; Barracuda:
# btv1==TAG==NAME; SparkPost: msprvs1=TAG=NAME.
_TAGGED = re.compile(
    r"(?:prvs=(?P<name>[^=]+)=[0-9]{4}[0-9a-z]{6}|prvs=(?P<first>[^=/]+)/[0-9]{4}[0-9a-z]{6}"
    r"|(?:ms)?prvs1?=[^=]+=(?P<last>.+)|btv1==[^=]+==(?P<b>.+))",
    _FLAGS,
)
_TAG = re.compile(r"[0-9]{4}[0-9a-z]{6}", _FLAGS)
# https://www.libsrs2.net/srs/srs.pdf: SRS0=HASH=TIME=DOMAIN=NAME, and SRS1 where the second host forwards; `+` or `-`
# may stand for the first `=`. Exchange Online puts the forwarding mailbox in front: joe+SRS=HASH=TIME=DOMAIN=NAME.
_FORWARDED = re.compile(
    r"(?:srs0[=+-]|srs1[=+-][^=]+=[^=]+=[=+-]|[^+]+\+srs=)[^=]+=[^=]+=(?P<domain>[^=]+)=(?P<name>.+)", _FLAGS
)

# Behind these words a list writes the message's number, the recipient and a key, in an order of its own.
_FOR_BOUNCES = re.compile(r"(?:^|(?<=[-_.=]))(?:bounces?|bo|returns?|verp)(?=[-_.=/])(?=.*[0-9=])", _FLAGS)
_ROBOT = re.compile(
    r"(bounces?|returns?|reply|no-?reply|notif(?:y|ications?)|news(?:letter)?|list|mail(?:er)?|verp)[0-9]{3,}", _FLAGS
)
_BASE64 = re.compile(r"(?=.*(?:==|/))[a-z0-9+/]{20,}={0,2}(?=[_.-]|$)", _FLAGS)
_UUID = re.compile(r"[0-9a-f]{8,16}(?:-[0-9a-f]{4,8}){3}-[0-9a-f]{12}", _FLAGS)
_WORD = re.compile(r"[^\W_]+")
_HEX = re.compile(r"(?=.*[0-9])[0-9a-f]{4,}", _FLAGS)
_LETTERS_AND_DIGITS = re.compile(r"[0-9]+[^\W\d_]|[^\W\d_][0-9]")
_RANDOM_CHARACTERS = 20
_MIXED_CASE = re.compile(r"[a-z][A-Z]|[A-Z]{2}[a-z]")
# Of an address for one message: a number behind a word for bounces; a number and a recipient, news-17-ann=example.net;
# a Google group's list+bncBCLK3T7Y.
_BOUNCE_NUMBER = re.compile(
    r"(?:^|(?<=[-_.=+]))(?:bounces?|returns?|verp)(?:[-_.=/](?=.*[0-9])|\+(?=.*[0-9]{2})|[0-9]{3,})", _FLAGS
)
_VERP = re.compile(r"(?=.*[0-9]{2}).*[^=]=[a-z0-9-]+\.[a-z]", _FLAGS)
_GROUPS = re.compile(r"\+bnc[a-z0-9]{6,}$", _FLAGS)
# Mailgun's bounce+5c1a2b.4d3e1f-ann=example.net@.
_MAILGUN = re.compile(r"bounce\+[0-9a-f]{3,}\.[0-9a-f]{3,}-", _FLAGS)
_BOUNCE_HOST = re.compile(r"(?:^|\.)bounces?\.", _FLAGS)
# Fewer are a user's name: ann2b, 3com4u.
_KEY_CHARACTERS_MIN = 10
_SEVERAL = re.compile(r"#(?:[\W_]*#)+")


def original(sender: Address) -> Address:
    """Return the address behind a sender's tags and behind hosts that forwarded it; itself, where there are none."""
    for _ in range(_LAYERS_MAX):
        inner = _untagged(sender) or _unforwarded(sender)
        if inner is None:
            break
        sender = inner
    return sender


def untagged(sender: Address) -> Address:
    """Return the address behind a sender's tags (BATV). It has the same domain, so nobody gains by writing a tag.

    What a host has forwarded (SRS) stays as it is: anyone can write a stranger's address into such a sender.
    """
    for _ in range(_LAYERS_MAX):
        inner = _untagged(sender) if "=" in sender.localpart else None
        if inner is None:
            break
        sender = inner
    return sender


def is_for_one_message(sender: Address) -> bool:
    """Return whether a sender looks like one that its system writes for a single message, or for a single day.

    An entry of a list would not match its next message. Tags do not count, since lists see through them.
    """
    localpart = untagged(sender).localpart[:_CHARACTERS_MAX]
    return bool(
        _FORWARDED.fullmatch(localpart)
        or any(pattern.search(localpart) for pattern in (_UUID, _BASE64, _BOUNCE_NUMBER, _VERP, _GROUPS, _MAILGUN))
        or any(_is_random(word) for word in _WORD.findall(localpart))
        or (_BOUNCE_HOST.search(sender.domain) and CHANGING in reduced(sender))
    )


def _is_random(word: str) -> bool:
    if len(word) < _KEY_CHARACTERS_MIN or word.isdigit():
        return False
    switches = len(_LETTERS_AND_DIGITS.findall(word))
    return switches > 2 or (switches > 0 and _HEX.fullmatch(word) is not None)


def correspondent(address: Address) -> str:
    """Return whose an address is, in lower case: without tags, forwarding hosts and extension."""
    localpart, domain = original(address)
    end = localpart.find("+", 1)
    return str(Address(localpart[:end] if end > 0 else localpart, domain)).lower()


def _untagged(sender: Address) -> Address | None:
    found = _TAGGED.fullmatch(sender.localpart)
    if found is None:
        return None
    if found["name"] and _TAG.fullmatch(found["name"]):  # both parts look like a tag: it stands first
        return sender._replace(localpart=sender.localpart.rpartition("=")[2])
    return sender._replace(localpart=next(filter(None, found.groups())))


def _unforwarded(sender: Address) -> Address | None:
    found = _FORWARDED.fullmatch(sender.localpart)
    return found and Address(found["name"], found["domain"].lower())


def reduced(sender: Address) -> str:
    """Return a sender in lower case with `#` in place of what changes from one message of a system to the next.

    Two senders with the same reduced form are of one system, or of people whose addresses differ in a number.
    """
    localpart, domain = original(sender)
    written = localpart[:_CHARACTERS_MAX]
    localpart = _UUID.sub(CHANGING, _BASE64.sub(CHANGING, written))
    end = localpart.find("+", 1)
    localpart = localpart[:end] if end > 0 else localpart
    found = _FOR_BOUNCES.search(localpart)
    if found:
        localpart = localpart[: found.end() + 1] + CHANGING
    localpart = _SEVERAL.sub(CHANGING, _WORD.sub(_reduced_word, localpart))
    if localpart == CHANGING and len(written) <= PERSON_CHARACTERS_MAX:
        localpart = written
    return str(Address(localpart, domain)).lower()


def _reduced_word(found: re.Match[str]) -> str:
    word = found[0]
    robot = _ROBOT.fullmatch(word)
    if robot:
        return robot[1] + CHANGING
    if word.isdigit() or _HEX.fullmatch(word) or len(_LETTERS_AND_DIGITS.findall(word)) > 1:
        return CHANGING
    return CHANGING if len(word) >= _RANDOM_CHARACTERS and _MIXED_CASE.search(word) else word
