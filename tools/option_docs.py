"""Option tables in the docs, made from the declarations: `python -m tools.option_docs [--check] [DIRECTORY]`.

A page holds the markers `<!-- options: NAME -->` and `<!-- end -->`; this program writes
what is between them. NAME is a check, a settings table, `exempt`, or `common`. With --check nothing is changed, and
the exit status is 1 when a page is out of date.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from eximacl.config.discovery import supplied
from eximacl.config.problems import unknown
from eximacl.config.render import option_default, option_help, option_word
from eximacl.config.settings import COMMON_TABLE, EXEMPT_TABLE, SETTINGS_TABLES, tables_within
from eximacl.policy.declare import Check, Option

LINE_COLUMNS = 100
_BLOCK = re.compile(r"(<!-- options: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def render(text: str, checks: Mapping[str, Check]) -> str:
    """Return a page with the text between its markers rewritten. Raises LookupError for an unknown NAME."""
    return _BLOCK.sub(lambda match: f"{match[1]}{block(match[2], checks)}{match[3]}", text)


def block(name: str, checks: Mapping[str, Check]) -> str:
    """Return the Markdown for one name. Raises LookupError."""
    if name == "common":
        return options_table(COMMON_TABLE.options)
    if name == EXEMPT_TABLE.key:
        return options_table(EXEMPT_TABLE.options)
    if name in SETTINGS_TABLES:
        return options_table(SETTINGS_TABLES[name].options)
    check = checks.get(name)
    if check is None:
        known = ("common", EXEMPT_TABLE.key, *SETTINGS_TABLES, *checks)
        raise LookupError(f"<!-- options: {name} -->: {unknown('name', name, known)}")
    own = options_table(check.options) if check.options else "This check has no other options.\n"
    for table in tables_within(f"checks.{name}", check.options):
        about = _wrapped(f"`[{table.key}]`: {table.doc}")
        own += f"\n{about}\n{options_table(table.options)}"
    common = (
        "It also has [the options of every check](../policy-file.md#options-of-every-check), "
        f'with the defaults `action = "{check.action}"` and `on_unknown = "{check.on_unknown}"`.'
    )
    return f"{own}\n{_wrapped(common)}"


def options_table(options: tuple[Option, ...]) -> str:
    """Return a Markdown table of options: name, type, default, help."""
    rows = ["| option | type | default | |", "|---|---|---|---|"]
    for option in options:
        default = option_default(option)
        cells = (f"`{option.name}`", option_word(option), f"`{default}`" if default else "must be set")
        rows.append("| " + " | ".join(_cell(text) for text in (*cells, option_help(option))) + " |")
    return "\n".join(rows) + "\n"


def outdated(root: Path) -> dict[Path, str]:
    """Return the pages below `root` that are out of date, each with its new text. Raises LookupError."""
    checks = {found.check.name: found.check for found in supplied()}
    found = {}
    for path in sorted(root.rglob("*.md")):
        old = path.read_text(encoding="utf-8")
        new = render(old, checks)
        if new != old:
            found[path] = new
    return found


def main(arguments: list[str]) -> int:
    """Rewrite the pages, or with --check only print which are out of date; return the exit status."""
    check = "--check" in arguments
    directories = [Path(argument) for argument in arguments if argument != "--check"] or [Path("docs")]
    stale = {path: text for directory in directories for path, text in outdated(directory).items()}
    for path, text in stale.items():
        if not check:
            path.write_text(text, encoding="utf-8")
        print(f"{path}: {'out of date: run make docs' if check else 'written'}")
    return 1 if stale and check else 0


def _wrapped(text: str) -> str:
    return textwrap.fill(text, LINE_COLUMNS, break_long_words=False, break_on_hyphens=False) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
