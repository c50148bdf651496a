"""The protocol of Exim's snippets, sans I/O: bytes in, `Query` or `ProtocolError` out; `Decision` in, bytes out.

One line each way, of the same syntax: a word, then `key=value`. A value is bare, or quoted the way Exim's
`${quote:}` writes and its `${extract}` reads it (Exim specification, chapter 11): `\\"`, `\\\\`, `\\n`, `\\r`
and the other escapes of C. Nothing that a client controls can leave the quotes it came in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, NamedTuple, cast

from eximacl.mail.address import NULL_SENDER, Address, parse_address, parse_quoted
from eximacl.policy.outcome import Decision
from eximacl.policy.query import STAGES, Query, Stage

# How records name this protocol.
NAME = "exim"
VERSION = "1"
CONTROL = "control"
SENT = "sent"
NOTHING = '""'

# Addresses, names and HELO are bounded by Exim's 16 kB command line; each may double when quoted.
MAX_LINE_BYTES = 64 * 1024
# Only DATA carries headers: Exim's header_maxsize is 1 MiB by default, and quoting may double it.
MAX_DATA_LINE_BYTES = 2 * 1024 * 1024 + MAX_LINE_BYTES
# Exim's own default of recipients_max, which a site may raise. To read as many takes 60 ms, in which no other query is
# answered.
RECIPIENTS_MAX = 50_000
# Exim answers its client with one SMTP line of at most 512 octets (RFC 5321 section 4.5.3.1.5).
MAX_TEXT_BYTES = 400

# What Exim's client is told for each verdict (RFC 5321 section 4.2.3).
CODES: Mapping[str, int] = {"accept": 250, "defer": 451, "reject": 550, "hold": 550}

NEEDED: Mapping[str, tuple[str, ...]] = {
    "connect": ("ip",),
    "helo": ("ip", "helo"),
    "mail": ("ip", "from"),
    "rcpt": ("ip", "tx", "from", "rcpt"),
    "data": ("ip", "tx", "from", "rcpts"),
    "end": ("tx",),
    SENT: ("user", "from", "rcpts"),
    CONTROL: ("do",),
}

# What is not a pair swallows the rest of the line, so that a refused line is scanned once; possessive
# repetitions never look back.
_PAIR = re.compile(
    r"""
    [ \t]++ (?:
        ([A-Za-z][A-Za-z0-9_-]*+) = (?: "([^"\\]*+(?:\\.[^"\\]*+)*+)" | ([^\s"]*+) ) (?![^ \t])
        | (.+)
    )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
# What the snippets send for each recipient, in their order, if nothing in it needed a backslash: one match instead
# of fifteen, a third of the instructions. Whatever differs is read by `_PAIR`, to the same values.
USUAL_STAGE: Stage = "rcpt"
USUAL_QUOTED = frozenset(("host", "helo", "from", "tls", "rcpt"))  # with `${quote:}`, which may leave them bare
# fmt: off
USUAL_KEYS = (
    "v", "tx", "ip", "port", "host", "host_failed", "host_deferred", "local_ip", "local_port", "helo", "from", "tls",
    "rcpt", "count", "accepted",
)
# fmt: on
_PLAIN_VALUE = "([A-Za-z0-9_.:-]*+)"
_QUOTED_VALUE = r'"?+((?<=")[^"]*+(?="(?![^ ]))|(?<!")[A-Za-z0-9_.:-]*+(?![^ ]))"?+'
_USUAL = re.compile(
    USUAL_STAGE + "".join(f" {key}={_QUOTED_VALUE if key in USUAL_QUOTED else _PLAIN_VALUE}" for key in USUAL_KEYS)
)
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
# Stands for an unescaped backslash meanwhile; no decoded text can hold it. A client may send a megabyte of
# escapes in its headers: what `${quote:}` writes is undone by `replace`, ten times as fast as one by one.
_BACKSLASH = "\ud800"
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
# What makes a text look other than it is: controls (\udc80 to \udc9f are the same bytes in a text that is not UTF-8),
# separators of lines, changes of direction (UAX #9), and what nobody sees. Not the joiners U+200C and U+200D, which
# belong to names in Persian and in the languages of India.
_UNSAFE = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\udc80-\\udc9f\\u2028\\u2029"
    "\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u206f"
    "\\xad\\u180e\\u200b\\u2060-\\u2065\\ufeff\\ufff9-\\ufffb\\U000e0000-\\U000e007f]+"
)
# An address, up to the `, ` outside of quotes that ends it.
_ADDRESS = re.compile(r'(?:"(?:[^"\\]|\\.)*"|\\.|[^",\\]|,(?! ))+', re.DOTALL)
_BARE = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)


class ProtocolError(Exception):
    """The peer sent something that is not a query. `reason`: a slug; the text says what is wrong, without values."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


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


class LineReader:
    """Collects one line from chunks, whatever their sizes. The first newline, or the end, completes it."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> bytes | None:
        """Take a chunk; return the line once its newline is there. Raises ProtocolError when it is too long."""
        start = len(self._buffer)
        self._buffer += chunk
        end = self._buffer.find(b"\n", start)
        line = self._buffer if end < 0 else self._buffer[:end]
        if len(line) > limit_for(line):
            raise ProtocolError("line-too-long", f"the query is longer than {limit_for(line)} bytes")
        return None if end < 0 else bytes(line)

    def end(self) -> bytes:
        """The peer has half-closed: return what there is as the line. Raises ProtocolError where there is nothing."""
        if not self._buffer:
            raise ProtocolError("empty", "the connection ended before a query")
        return bytes(self._buffer)


def limit_for(line: bytes | bytearray) -> int:
    """Return how many bytes a line that starts like this one may have."""
    return MAX_DATA_LINE_BYTES if line.startswith(b"data ") else MAX_LINE_BYTES


def parse_line(line: bytes) -> tuple[str, dict[str, str]]:
    """Split a line into its word and its values. Bytes that are not UTF-8 become lone surrogates.

    Raises ProtocolError on anything that is not `word key=value …`, and on a key given twice.
    """
    return _split(_text(line))


def _text(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape").rstrip("\r\n \t")


def _split(text: str) -> tuple[str, dict[str, str]]:
    word, space, rest = text.partition(" ")
    values: dict[str, str] = {}
    pairs = _PAIR.findall(space + rest)
    for key, quoted, bare, garbage in pairs:
        if garbage:
            raise ProtocolError("syntax", f"expected key=value, after {len(values)} good ones")
        values[key] = unescape(quoted) if quoted else bare
    if len(values) != len(pairs):
        raise ProtocolError("duplicate-key", "a key is given twice")
    return word, values


def parse_query(line: bytes, now: float = 0.0) -> Query:
    """Parse one query. now: the time, in seconds since 1970. Raises ProtocolError; unknown keys are kept."""
    text = _text(line)
    usual = _USUAL.fullmatch(text)
    if usual and usual[1] == VERSION and "\\" not in text:
        return build_query(USUAL_STAGE, dict(zip(USUAL_KEYS, usual.groups())), now)  # noqa: B905 (naming strict costs)
    word, values = _split(text)
    needed = NEEDED.get(word)
    if needed is None:
        raise ProtocolError("unknown-stage", f"the stage is none of {', '.join(STAGES)}")
    if values.get("v") != VERSION:
        raise ProtocolError("version", f"expected v={VERSION}; the snippets and the daemon are of different versions")
    for key in needed:
        if key not in values:
            raise ProtocolError("missing-key", f"stage {word} needs {key}=")
    if word in (CONTROL, SENT):
        raise ProtocolError("control", f"{word} is not a query")
    return build_query(cast("Stage", word), values, now)


def parse_sent(line: bytes) -> tuple[Address, tuple[Address, ...], str]:
    """Return sender, recipients and user of a message that a user sends. Raises ProtocolError."""
    _, values = parse_line(line)
    for key in NEEDED[SENT]:
        if key not in values:
            raise ProtocolError("missing-key", f"{SENT} needs {key}=")
    return parse_quoted(values["from"]), split_addresses(values["rcpts"]), values["user"]


def build_query(stage: Stage, values: Mapping[str, str], now: float = 0.0) -> Query:
    """Return the Query of values as they came. now: the time, in seconds since 1970. Raises ProtocolError."""
    sender, recipient = values.get("from"), values.get("rcpt")
    to = None if recipient is None else parse_address(recipient)
    return Query(
        stage,
        values,
        None if sender is None else parse_quoted(sender) if sender else NULL_SENDER,
        to,
        to.localpart if to else "",
        split_addresses(values["rcpts"], RECIPIENTS_MAX) if "rcpts" in values else (),
        now,
        values.get("dry") == "1",
    )


def split_addresses(text: str, most: int | None = None) -> tuple[Address, ...]:
    """Split Exim's `$recipients`: addresses joined with `, `, as the client sent them, so with quoted localparts.

    most: raise ProtocolError where there are more.
    """
    found = islice(_ADDRESS.finditer(text), None if most is None else most + 1)
    addresses = tuple(parse_quoted(part) for match in found if (part := match[0].lstrip(" ")))
    if most is not None and len(addresses) > most:
        raise ProtocolError(
            "too-many-recipients", f"a message may have {most} recipients; set Exim's recipients_max to that or less"
        )
    return addresses


def rewrite(line: bytes, changes: Mapping[str, Callable[[str], str]]) -> bytes:
    """Return a query that parses with some of its values changed, each by its key's function; all others keep their
    bytes."""

    def changed(pair: re.Match[str]) -> str:
        key, quoted, bare, _ = pair.groups()
        if key not in changes:
            return pair[0]
        old = bare if quoted is None else unescape(quoted)
        new = changes[key](old)
        return pair[0] if new == old else f" {key}={quote(new)}"

    word, space, rest = _text(line).partition(" ")
    return (word + _PAIR.sub(changed, space + rest)).encode("utf-8", "surrogateescape")


def format_query(word: str, values: Mapping[str, str]) -> bytes:
    """Write a query as the snippets do. `v` is added."""
    pairs = "".join(f" {key}={quote(value)}" for key, value in values.items())
    return f"{word} v={VERSION}{pairs}\n".encode("utf-8", "surrogateescape")


def format_reply(reply: Reply) -> bytes:
    """Write a reply. Its texts lose control characters and are cut to MAX_TEXT_BYTES."""
    verdict, code, reason, ref, want, message, log, extra = reply
    if message or log:
        message, log = safe_text(message), safe_text(log)
    line = (
        f"verdict={verdict} code={code} reason={quote(reason) if reason else NOTHING} ref={ref} "
        f'want="{want}" message="{message}" log="{log}"'
    )
    if extra:
        line += "".join(f" {key}={quote(str(value))}" for key, value in extra.items())
    return line.encode("utf-8", "surrogateescape") + b"\n"


def parse_reply(line: bytes) -> Reply:
    """Parse a reply, as `eximacl check` gets it. Raises ProtocolError."""
    _, values = parse_line(b"reply " + line)
    try:
        named = {key: values.pop(key) for key in ("verdict", "reason", "ref", "want", "message", "log")}
        code = int(values.pop("code"))
    except (KeyError, ValueError):
        raise ProtocolError("syntax", "the reply lacks a field, or its code is not a number") from None
    return Reply(code=code, extra=values, **named)


def reply_for(decision: Decision, ref: str, extra: Mapping[str, str] | None = None) -> Reply:
    """Return a decision as a reply. extra: further keys; without them a `hold` has those that DATA brings back."""
    word = decision.word
    want = " ".join(decision.want) if decision.want else ""
    if word == "accept":
        if extra is None:
            extra = _said_in_message(decision) if decision.label or decision.delayed else {}
        return Reply(word, CODES[word], "", ref, want, "", "", extra)
    code = CODES[word]
    suffix = f" (ref={ref})" if ref else ""
    if extra is None:
        extra = held_words(decision) if word == "hold" else {}
    if decision.closes:
        extra = {"close": "yes", **extra}
    message = cut(f"{code // 100}.{decision.status} {decision.text}", suffix)
    log = cut(f"eximacl: {decision.check} {decision.reason} {decision.detail}", suffix)
    return Reply(word, code, decision.reason, ref, want, message, log, extra)


def _said_in_message(decision: Decision) -> dict[str, str]:
    """Return what an `accept` has for the delivered message, in a header."""
    said = {"label": decision.label, "delayed": decision.delayed}
    return {key: value for key, value in said.items() if value}


def held_words(decision: Decision) -> dict[str, str]:
    """Return what a `hold` says about itself at RCPT, for the snippet to send back at DATA."""
    return {"check": decision.check, "sentence": one_line(decision.sentence)}


def held_reply(query: Query, decision: Decision, ref: str) -> Reply:
    """Return the decision on a held message as a reply: refused in the words that the recipient had at RCPT."""
    message = query.values.get("held_message", "") or f"5.{decision.status} {decision.text}"
    outcome = "archived" if decision.archived else "not archived"
    return Reply("reject", CODES["reject"], decision.reason, ref, "", message, f"eximacl: held, {outcome} (ref={ref})")


def error_reply(error: ProtocolError) -> Reply:
    """Return the reply to what is not a query."""
    return Reply("error", reason=error.reason, message=str(error), log=f"eximacl: {error}")


def one_line(text: str) -> str:
    """Return a text without control characters, cut so that an Exim variable and a log line can hold it."""
    return "".join(char if char.isprintable() else " " for char in text[:MAX_TEXT_BYTES])


def cut(text: str, suffix: str) -> str:
    """Return text and suffix, the text cut to what leaves room for the suffix (see `safe_text`)."""
    room = MAX_TEXT_BYTES - len(suffix)
    if len(text) * 4 <= room:
        return text + suffix
    return text.encode("utf-8", "surrogateescape")[:room].decode("utf-8", "ignore") + suffix


def quote(text: str) -> str:
    """Quote as Exim's `${quote:}` does (Exim specification, section 11.7)."""
    if not text:
        return NOTHING
    if _BARE.fullmatch(text):
        return text
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{text}"'


def unescape(text: str) -> str:
    """Undo the escapes inside quotes, as Exim reads them: `\\n`, `\\x41`, `\\101`, and `\\` before anything else."""
    if "\\" not in text:
        return text
    text = text.replace("\\\\", _BACKSLASH).replace('\\"', '"').replace("\\n", "\n").replace("\\r", "\r")
    if "\\" not in text:
        return text.replace(_BACKSLASH, "\\")
    text = _ESCAPE.sub(_unescape_one, text).replace(_BACKSLASH, "\\")
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def safe_text(text: str) -> str:
    """Make a text fit for a reply: no control characters, quotes escaped, at most MAX_TEXT_BYTES of it."""
    if not text:
        return text
    if not (text.isascii() and text.isprintable() and len(text) <= MAX_TEXT_BYTES):
        text = _UNSAFE.sub(" ", text)
        data = text.encode("utf-8", "surrogateescape")
        if len(data) > MAX_TEXT_BYTES:
            text = data[:MAX_TEXT_BYTES].decode("utf-8", "ignore")
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _unescape_one(match: re.Match[str]) -> str:
    hexadecimal, octal, letter = match.groups()
    if hexadecimal:
        return _byte(int(hexadecimal, 16))
    if octal:
        return _byte(int(octal, 8) & 0xFF)
    return _LETTERS.get(letter, letter)


def _byte(number: int) -> str:
    return bytes([number]).decode("utf-8", "surrogateescape")
