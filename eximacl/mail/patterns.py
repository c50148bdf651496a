"""Lists of regular expressions, each search of which ends in time, however badly a pattern backtracks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, ClassVar, TypeAlias

import regex

from eximacl.mail.entries import shown, unfit
from eximacl.mail.entry_list import EntryList

# RFC 5321 section 4.5.3.1.3 allows 256 octets for a whole path; longer texts are judged by their first 256.
# Not the 64 of a localpart: forwarders' localparts (SRS) are longer, and a pattern with $ must see the end.
PATTERN_INPUT_CHARACTERS = 256
# Far above any honest pattern on 256 characters (some microseconds), far below Exim's timeout.
PATTERN_TIMEOUT_SECONDS = 0.005
# Loading may take longer, so that a busy machine does not refuse a good pattern.
PATTERN_TRIAL_SECONDS = 0.1


# As in other programs' tables. Here such a pattern would match nothing but a text with slashes.
_DELIMITED = regex.compile(r"/.*/[a-z]*(?:\s.*)?")
# What matches all of these matches anything, and would refuse all mail.
_UNLIKE = ("", "x", "7", "postmaster", "mx.example.net", "Ärger@")


class PatternTimeout(Exception):
    """A pattern did not finish within PATTERN_TIMEOUT_SECONDS; the text names the patterns."""


class Patterns(EntryList):
    """Regular expressions, searched in the text as it is; compiled once, as one alternation where possible.

    The text is cut to PATTERN_INPUT_CHARACTERS, and a search may take PATTERN_TIMEOUT_SECONDS: a pattern that
    backtracks badly costs its own verdict and nothing else.
    """

    kind = "list of patterns"
    entry_help = "a regular expression, searched anywhere in the text unless it has ^ or $"
    # Of the module `regex`, for all patterns.
    flags: ClassVar[int] = 0

    __slots__ = ("_searched", "_sources")

    def replace(self, entries: Iterable[str]) -> None:
        sources = tuple(dict.fromkeys(entries))
        self._searched = _together(tuple((_compiled(source, self.flags), source) for source in sources), self.flags)
        self._sources = sources
        self.filled = bool(sources)

    def parts(self) -> Mapping[Any, Collection[Any]]:
        return {"": frozenset(self._sources)}

    def __len__(self) -> int:
        return len(self._sources)

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def search(self, text: str) -> str | None:
        """Return the first pattern (in list order) that matches in `text`; or None. Raises PatternTimeout."""
        text = text[:PATTERN_INPUT_CHARACTERS]
        try:
            for compiled, singles, timeout in self._searched:
                # Passing a timeout, even None, takes longer than the search itself: 1.3 against 0.5 µs.
                found = compiled.search(text) if timeout is None else compiled.search(text, timeout=timeout)
                if found:
                    return _first_of(singles, text, timeout)
        except TimeoutError:
            sources = ", ".join(source for _, source in singles)
            raise PatternTimeout(f"took over {PATTERN_TIMEOUT_SECONDS * 1000:.0f} ms: {sources}") from None
        return None


def _compiled(source: str, flags: int) -> _Pattern:
    """Compile one pattern and try it on texts that make a bad one backtrack. Raises ValueError with the reason."""
    if "\b" in source:
        hint = r"it has a backspace in it: TOML reads \b in double quotes as one; write the pattern in single quotes"
        raise ValueError(f"pattern {shown(source)}: {hint}")
    wrong = unfit(source)
    if wrong:
        raise ValueError(f"pattern {shown(source)}: {wrong}; for the character itself write \\x or \\u and its number")
    if _DELIMITED.fullmatch(source):
        raise ValueError(f"pattern {shown(source)}: write it without the slashes around it, and nothing after it")
    try:
        compiled = regex.compile(source, flags)
    except (regex.error, RecursionError) as error:
        raise ValueError(f"pattern {source!r} does not compile: {error}") from None
    if all(compiled.search(text, timeout=PATTERN_TRIAL_SECONDS) for text in _UNLIKE):
        raise ValueError(f"pattern {shown(source)} matches every text")
    for letter in dict.fromkeys("a0.-_ " + "".join(filter(str.isalnum, source))):
        try:
            # NUL: a letter that no pattern expects at the end. A newline would not do, since `$` matches before it.
            compiled.search(letter * (PATTERN_INPUT_CHARACTERS - 1) + "\0", timeout=PATTERN_TRIAL_SECONDS)
        except TimeoutError:
            raise ValueError(
                f"pattern {source!r} backtracks endlessly on a run of {letter!r}: "
                "do not nest one repetition inside another"
            ) from None
    return compiled


# Escaped signs are ordinary letters, and the braces of `\p{L}` are not a repetition.
_ESCAPED = regex.compile(r"\\[pP]\{[^}]*\}|\\.")

_Pattern: TypeAlias = "regex.Pattern[str]"
_Single = tuple[_Pattern, str]
# What is searched, the patterns it is made of, and the time limit.
_Searched = tuple[tuple[_Pattern, tuple[_Single, ...], float | None], ...]


def _together(singles: tuple[_Single, ...], flags: int) -> _Searched:
    """Compile patterns to one alternation; keep them apart where group numbers or global flags forbid that."""
    # A time limit takes longer than the search; without these signs a pattern cannot backtrack.
    signs = set(_ESCAPED.sub("", "".join(source for _, source in singles)))
    timeout = PATTERN_TIMEOUT_SECONDS if signs & set("*+?{(") else None
    if len(singles) < 2 or any(compiled.groups or "(?" in source for compiled, source in singles):
        return tuple((single[0], (single,), timeout) for single in singles)
    return ((regex.compile("|".join(f"(?:{source})" for _, source in singles), flags), singles, timeout),)


def _first_of(singles: tuple[_Single, ...], text: str, timeout: float | None) -> str:
    """Return the pattern that matched."""
    for compiled, source in singles[:-1]:
        if compiled.search(text) if timeout is None else compiled.search(text, timeout=timeout):
            return source
    return singles[-1][1]
