"""docs/cli.md, written from the commands' own help, which is the only description of a command."""

from __future__ import annotations

from pathlib import Path

import click

from eximacl.cli import cli

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
WIDTH = 100

HEAD = """# The command line

Written from the commands' own help by `make docs`; a test fails where it differs.

"""


def reference() -> str:
    """Return the whole page."""
    return HEAD + "\n".join(_sections(cli, "eximacl", None))


def _sections(command: click.Command, name: str, parent: click.Context | None) -> list[str]:
    settings = {**command.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    context = click.Context(command, parent, name, color=False, **settings)
    found = [f"## `{context.command_path}`\n\n```\n{command.get_help(context)}\n```\n"]
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found += _sections(command.commands[each], each, context)
    return found


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
