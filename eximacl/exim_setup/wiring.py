"""The lines that go into Exim's configuration. Rule: pure; what stands between our marks is ours, all else is not.

Every line that we add is harmless when what it names is gone: `.include_if_exists` reads nothing then, and the
router's lines count only where EXIMACL_DIR is defined.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from eximacl import __version__
from eximacl.exim_setup.errors import SetupError

BEGIN = "# >>> eximacl exim install >>>"
END = "# <<< eximacl exim install <<<"
_BLOCK = re.compile(rf"(?m)^{re.escape(BEGIN)}\n(?:.*\n)*?{re.escape(END)}\n")
_BY_HAND = re.compile(
    r"^[ \t]*\.include(?:_if_exists)?[ \t]+\S*eximacl\S*/(?:macros|router)[ \t]*$", re.MULTILINE | re.IGNORECASE
)
_ROUTERS = re.compile(r"(?m)^begin[ \t]+routers[ \t]*\n")


def switch_lines(directory: Path, settings: Mapping[str, str]) -> str:
    """Return the block that turns eximacl on, with the snippets of `directory`.

    settings: macros that count unless the admin has set them above.
    """
    lines = [BEGIN, f"# Written for eximacl {__version__}; `eximacl exim remove` takes it out. Change nothing in here:"]
    lines.append("# settings (docs/exim.md) are macros that stand above it.")
    for name, value in settings.items():
        lines += [f".ifndef {name}", f"{name} = {value}", ".endif"]
    lines += [f"EXIMACL_DIR = {directory}", f".include_if_exists {directory}/macros", END]
    return "\n".join(lines) + "\n"


def router_lines() -> str:
    """Return the block that adds the router."""
    return f"{BEGIN}\n.ifdef EXIMACL_DIR\n.include_if_exists EXIMACL_DIR/router\n.endif\n{END}\n"


def without(text: str) -> str:
    """Return a file's text without our blocks."""
    return _BLOCK.sub("", text)


def has_block(text: str) -> bool:
    """Whether a file has one of our blocks."""
    return _BLOCK.search(text) is not None


def appended(text: str, block: str) -> str:
    """Return a file's text with our block at its end, in place of an older one."""
    text = without(text)
    return text + ("\n" if text and not text.endswith("\n") else "") + block


def first_router(text: str, where: Path) -> str:
    """Return a template's text with our router first. Raises SetupError where it has no routers."""
    text = without(text)
    found = _ROUTERS.search(text)
    if found is None:
        raise SetupError(f"{where}: there is no line `begin routers` that the router could follow")
    return text[: found.end()] + router_lines() + text[found.end() :]


def by_hand(text: str) -> list[int]:
    """Return the numbers of the lines that include our snippets and that we did not write."""
    blank = _BLOCK.sub(lambda found: "\n" * found[0].count("\n"), text)
    return [blank.count("\n", 0, found.start()) + 1 for found in _BY_HAND.finditer(blank)]
