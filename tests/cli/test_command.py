"""Commands: each is found in its own file, has its place in the help, and says what it does at a glance."""

from __future__ import annotations

import pkgutil
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from eximacl.cli import cli, commands
from eximacl.cli.command import Command, Group, Section, find_commands
from tests.cli.running import eximacl

SUBSTITUTED = re.compile(r"\$\(.*?\)")


def all_commands(command: click.Command = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from all_commands(each, (*path, name))


PATHS = list(all_commands())
GROUPS = sorted({path[:-1] for path in PATHS if path})


def helped(path: tuple[str, ...]) -> str:
    done = eximacl(*path, "-h")
    assert (done.status, done.err) == (0, "")
    return done.out


def test_each_file_holds_the_command_of_its_name() -> None:
    modules = [module.name for module in pkgutil.iter_modules(commands.__path__)]
    assert [command.name for command in find_commands(commands)] == modules
    assert {command.name for command in find_commands(commands) if command.section} == set(cli.commands)


def test_a_file_without_its_command_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_commands"
    package.mkdir()
    (package / "one.py").write_text("import click\n\n@click.command()\ndef two(): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = ModuleType("some_commands")
    module.__path__ = [str(package)]
    with pytest.raises(TypeError, match=r"some_commands\.one: declare a command named one"):
        list(find_commands(module))


def test_commands_stand_under_their_sections() -> None:
    group = Group("some", commands=[Command("b", section=Section.DAEMON), Command("a"), Command("c")])
    shown = group.get_help(click.Context(group))
    assert [line.strip() for line in shown.splitlines()[-6:]] == ["Commands:", "a", "c", "", "The daemon:", "b"]


@pytest.mark.parametrize("path", GROUPS, ids=" ".join)
def test_no_summary_is_cut(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, _, shown = helped(path).partition("...\n")  # that of the usage: COMMAND [ARGS]...
    assert "..." not in shown
    for *_, name in (each for each in PATHS if each and each[:-1] == path):
        assert re.search(rf"^  {name} +[A-Z].*\.$", shown, re.MULTILINE), f"{name}'s first sentence is too long"


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_each_help_has_examples_that_are_commands(path: tuple[str, ...]) -> None:
    examples = re.search(r"^  Examples:\n((?:    .*\n)+)", helped(path), re.MULTILINE)
    assert examples, f"eximacl {' '.join(path)} -h has no examples"
    ours = 0
    for part in re.split(r"\s(?:&&|\|)\s|\n", SUBSTITUTED.sub("7KQ2M9D4", examples[1])):
        words = shlex.split(part.partition(" > ")[0], comments=True)
        if words[:1] == ["eximacl"]:
            parse(words[1:])
            ours += tuple(words[1 : 1 + len(path)]) == path
    assert ours, "none of the examples is one of this command"


def parse(words: list[str]) -> None:
    """Parse a command line, without running it. Raises UsageError."""
    command: click.Command = cli
    context = click.Context(cli, info_name="eximacl", **cli.context_settings)
    while isinstance(command, click.Group):
        name, *words = words
        command = command.commands[name]
    with command.make_context(command.name, words, parent=context):
        pass
