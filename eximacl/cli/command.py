"""What a command is: a click command with a place in `eximacl --help`, found in its own file.

Adding one touches `eximacl/cli/commands/NAME.py`, its test, and docs/cli.md (`make docs`).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from types import ModuleType
from typing import Any

import click

from eximacl.system.plugins import modules_in


class Section(Enum):
    """The headings of `eximacl --help`, in their order. A command names its own."""

    DECISIONS = "What was decided, and why"
    CORRECTIONS = "After a wrong refusal"
    ADDRESSES = "Addresses and recipients"
    SETUP = "Configuration"
    DAEMON = "The daemon"


class Command(click.Command):
    """One command. section: its heading in `eximacl --help`; None for a command of a group."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; where there are too many, say how a policy file is named. Raises UsageError."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            takes_config = any(parameter.name == "config_path" for parameter in self.params)
            extra = "unexpected extra argument" in error.message
            if extra and takes_config and any(arg.endswith(".toml") for arg in given):
                raise click.UsageError(f"{error.message}; name the policy file with --config", ctx) from None
            raise

    def __init__(self, *args: Any, section: Section | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section

    def get_short_help_str(self, limit: int = 0) -> str:
        """Return the first sentence of the help, whole, however long it is."""
        return first_sentence(self)


class Group(click.Group):
    """A command that has others.

    section: as for `Command`. aliases: names that people try, each with the command to run instead; such a name is
    refused with that command in the message, because a word that deletes must be typed as it is documented.
    """

    command_class = Command

    def __init__(
        self,
        *args: Any,
        section: Section | None = None,
        aliases: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.section = section
        self.aliases = aliases or {}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments. An option of the commands is refused here with where it belongs. Raises UsageError."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if any(error.option_name in option.opts for option in self._options_below()):
                ctx.fail(f"No such option {error.option_name!r} here; put it after the command.")
            raise

    def _options_below(self) -> Iterator[click.Parameter]:
        for command in self.commands.values():
            yield from command.params
            if isinstance(command, Group):
                yield from command._options_below()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments begin with. Raises UsageError."""
        if args[0] in self.aliases:
            ctx.fail(f"No such command {args[0]!r}; it is `eximacl {self.aliases[args[0]]}`.")
        return super().resolve_command(ctx, args)

    def get_short_help_str(self, limit: int = 0) -> str:
        """Return the first sentence of the help, whole, however long it is."""
        return first_sentence(self)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under the headings of their sections; those without one come first."""
        commands = [(name, self.commands[name]) for name in self.list_commands(ctx)]
        for section in (None, *Section):
            rows = [
                (name, first_sentence(command))
                for name, command in commands
                if getattr(command, "section", None) is section and not command.hidden
            ]
            if rows:
                with formatter.section(section.value if section else "Commands"):
                    formatter.write_dl(rows)


def first_sentence(command: click.Command) -> str:
    """Return what stands for a command in lists: the first sentence of its help."""
    paragraph = inspect.cleandoc(command.help or "").partition("\n\n")[0]
    return re.split(r"(?<=\.) ", " ".join(paragraph.split()))[0]


def find_commands(package: ModuleType) -> Iterator[Command | Group]:
    """Yield the command of each module of a package: the one that has the module's name.

    Raises TypeError for a module that has none.
    """
    for module in modules_in(package):
        name = module.__name__.rpartition(".")[2]
        found = [value for value in vars(module).values() if isinstance(value, Command | Group) and value.name == name]
        if not found:
            raise TypeError(f"{module.__name__}: declare a command named {name}, with cls=Command and a section")
        yield found[0]
