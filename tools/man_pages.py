"""Man pages, one for each command, written from the commands' own help, which is the only description of a command.

    python -m tools.man_pages DIRECTORY

writes them, dated by SOURCE_DATE_EPOCH (reproducible-builds.org) where it is set.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from eximacl import __version__
from eximacl.cli import cli
from eximacl.cli.command import first_sentence
from eximacl.system import paths

# Characters that groff would print as others (groff_char(7)).
_SPECIAL = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}
_FILES = (
    (paths.CONFIG, "The policy."),
    (paths.SOCKET, "The socket on which Exim asks."),
    (paths.REJECTIONS, "What was refused, for eximacl log."),
    (paths.JOURNAL, "Every decision, for eximacl why."),
)


def pages(date: str) -> Iterator[tuple[str, str]]:
    """Yield the file name (eximacl-log.1) and the text of each command's page; `date` goes into its footer."""
    for context in _contexts(cli, "eximacl", None):
        yield f"{_dashed(context)}.1", "\n".join((*_page(context, date), ""))


def write(directory: Path, date: str) -> list[Path]:
    """Write all pages into `directory`, which is created; return their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in pages(date):
        written.append(directory / name)
        written[-1].write_text(text, encoding="utf-8")
    return written


def _contexts(command: click.Command, name: str, parent: click.Context | None) -> Iterator[click.Context]:
    context = click.Context(command, parent, name, color=False, **command.context_settings)
    yield context
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            yield from _contexts(command.commands[each], each, context)


def _page(context: click.Context, date: str) -> Iterator[str]:
    name = _dashed(context)
    yield f'.TH "{_escape(name.upper())}" 1 "{date}" "eximacl {__version__}" "eximacl"'
    yield from (".SH NAME", rf"{_escape(name)} \- {_escape(first_sentence(context.command).removesuffix('.'))}")
    yield from (".SH SYNOPSIS", rf".B {_escape(context.command_path)}")
    yield _escape(" ".join(context.command.collect_usage_pieces(context)))
    yield ".SH DESCRIPTION"
    yield from _description(context.command)
    yield ".SH OPTIONS"
    yield from _options(context)
    yield from _commands(context)
    if context.parent is None:
        yield ".SH FILES"
        for path, what in _FILES:
            yield from (".TP", rf"\fI{_escape(str(path))}\fR", _escape(what))
    yield from _see_also(context)


def _description(command: click.Command) -> Iterator[str]:
    """Yield the help, as click reads it: a paragraph that begins with a line of \\b is not wrapped."""
    for paragraph in re.split(r"\n\s*\n", _help(command)):
        yield ".PP"
        if paragraph.startswith("\b\n"):
            yield from (".nf", *(_escape(line) for line in paragraph.splitlines()[1:]), ".fi")
        else:
            yield _escape(" ".join(paragraph.split()))


def _options(context: click.Context) -> Iterator[str]:
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            yield from (".TP", rf"\fB{_escape(record[0])}\fR", _escape(" ".join(record[1].split())))


def _commands(context: click.Context) -> Iterator[str]:
    if not isinstance(context.command, click.Group):
        return
    yield ".SH COMMANDS"
    for name in context.command.list_commands(context):
        page = _escape(f"{_dashed(context)}-{name}")
        yield from (".TP", rf"\fB{page}\fR(1)", _escape(first_sentence(context.command.commands[name])))


def _see_also(context: click.Context) -> Iterator[str]:
    yield ".SH SEE ALSO"
    pages = [_dashed(context.parent)] if context.parent else []
    if isinstance(context.command, click.Group):
        pages += [f"{_dashed(context)}-{name}" for name in context.command.list_commands(context)]
    yield ",\n".join(rf"\fB{_escape(page)}\fR(1)" for page in pages)


def _dashed(context: click.Context) -> str:
    return context.command_path.replace(" ", "-")


def _help(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "")


def _escape(text: str) -> str:
    """Return a line for groff. One that begins with a dot must not be taken for a request."""
    escaped = "".join(_SPECIAL.get(character, character) for character in text)
    return rf"\&{escaped}" if escaped.startswith(".") else escaped


if __name__ == "__main__":
    _epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    write(Path(sys.argv[1]), time.strftime("%Y-%m-%d", time.gmtime(int(_epoch) if _epoch else None)))
