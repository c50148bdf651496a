"""The lines that go into Exim's configuration, as text. What stands between our marks is ours, and nothing else.

Every line that we add is harmless when what it names is gone: `.include_if_exists` then reads nothing, and the lines
of the router count only where EXIMACL_DIR is defined.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from eximacl import __version__
from eximacl.exim.errors import SetupError

BEGIN = "# >>> eximacl exim install >>>"
END = "# <<< eximacl exim install <<<"
# Lines in a block that say what else `without` has to undo.
NO_FILE = "# There was no such file before."
NO_NEWLINE = "# The line above had no newline."
# An editor may have changed all line ends to CRLF, or dropped the last newline.
_BLOCK = re.compile(rf"(?m)^{re.escape(BEGIN)}\r?\n(?:.*\n)*?{re.escape(END)}[ \t\r]*(?:\n|\Z)")
# The value of a macro that we write: nothing that could end its line or mean something to Exim.
_VALUE = re.compile(r"[\w./+@%-]+")
_BY_HAND = re.compile(
    r"^[ \t]*\.include(?:_if_exists)?[ \t]+\S*eximacl\S*/(?:macros|router)[ \t\r]*$", re.MULTILINE | re.IGNORECASE
)
_ROUTERS = re.compile(r"(?m)^begin[ \t]+routers[ \t\r]*\n")


def switch_lines(directory: Path, settings: Mapping[str, str]) -> str:
    """Return the block that turns eximacl on, with the snippets in `directory`.

    settings: macros, which an admin may set above the block instead. Raises SetupError for a value that is not a path
    or a name.
    """
    for name, value in settings.items():
        if not _VALUE.fullmatch(value):
            raise SetupError(f"{name} would be {value!r}: use letters, digits, and / . _ - + @ % only")
    lines = [BEGIN, f"# Written for eximacl {__version__}; `eximacl exim remove` takes it out. Change nothing in here:"]
    lines.append("# settings (docs/exim.md) are macros that stand above it.")
    for name, value in settings.items():
        lines += [f".ifndef {name}", f"{name} = {value}", ".endif"]
    lines += [f"EXIMACL_DIR = {directory}", f".include_if_exists {directory}/macros", END]
    return "\n".join(lines) + "\n"


def router_lines() -> str:
    """Return the block that adds the router."""
    return f"{BEGIN}\n.ifdef EXIMACL_DIR\n.include_if_exists EXIMACL_DIR/router\n.endif\n{END}\n"


def without(text: str) -> str | None:
    """Return the text of a file without our blocks; None where there was no such file before."""
    found = _BLOCK.search(text)
    if found is None:
        return text
    rest = _BLOCK.sub("", text)
    if NO_FILE in found[0] and not rest.strip():
        return None
    at_end = found.end() == len(text)
    return re.sub(r"\r?\n\Z", "", rest) if NO_NEWLINE in found[0] and at_end else rest


def has_block(text: str) -> bool:
    """Return whether a text has one of our blocks."""
    return _BLOCK.search(text) is not None


def appended(text: str | None, block: str) -> str:
    """Return a text with our block at its end, in place of an older one. None: there is no such file."""
    own = None if text is None else without(text)
    if own is None:
        return _marked(block, NO_FILE)
    if own and not own.endswith("\n"):
        return f"{own}\n{_marked(block, NO_NEWLINE)}"
    return own + block


def _marked(block: str, mark: str) -> str:
    return block.replace(f"{BEGIN}\n", f"{BEGIN}\n{mark}\n", 1)


def first_router(text: str, where: Path) -> str:
    """Return the text of a template with our router first. Raises SetupError where it has no routers."""
    text = without(text) or ""
    found = _ROUTERS.search(text)
    if found is None:
        raise SetupError(f"{where}: there is no line `begin routers` that the router could follow")
    return text[: found.end()] + router_lines() + text[found.end() :]


def by_hand(text: str) -> list[int]:
    """Return the numbers of the lines that include our snippets and were not written by us."""
    blank = _BLOCK.sub(lambda found: "\n" * found[0].count("\n"), text)
    return [blank.count("\n", 0, found.start()) + 1 for found in _BY_HAND.finditer(blank)]
