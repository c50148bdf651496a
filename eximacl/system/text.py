"""Text that others wrote, made fit for a terminal or a line of a log."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return `text` on one line that is safe on a terminal: control characters and broken bytes as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def printable_text(text: str) -> str:
    """Return a text whose lines are `printable`, without its last newline."""
    return "\n".join(printable(line) for line in text.splitlines())


def one_line(text: str) -> str:
    """Return the words of `text` on one line, with a blank between them."""
    return " ".join(text.split())
