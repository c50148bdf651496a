"""The command line: the commands found in `commands/`, and how each may end."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from typing import NoReturn

import click

from eximacl import __version__
from eximacl.cli import commands, exits
from eximacl.cli.command import Group, find_commands
from eximacl.cli.options import Failure

# The variable that click's completion scripts set.
COMPLETION = "_EXIMACL_COMPLETE"
# Commands of a group that people look for at the top.
ALIASES = {name: f"archive {name}" for name in ("list", "show", "export", "release", "purge")}


@click.group(
    cls=Group,
    aliases=ALIASES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="eximacl")
def cli() -> None:
    """The policy daemon for Exim: run it, ask it, and find out what it decided.

    \b
    Examples:
      eximacl check --ip 192.0.2.7 --from ann@example.net --rcpt steve@example.org
      eximacl log --domain example.org --since 3d
      eximacl why 7KQ2M9D4
      eximacl archive release 7KQ2M9D4 --allow sender
      eximacl config test && eximacl reload
      eximacl doctor
    """


# A command without a section belongs to the group that added it.
for _command in find_commands(commands):
    if _command.section is not None:
        cli.add_command(_command)


def main(argv: list[str] | None = None) -> NoReturn:
    """Run the command line and exit. An error never exits with 1 to 3, which are verdicts."""
    if os.environ.get(COMPLETION, "").endswith("_complete"):
        with contextlib.redirect_stderr(io.StringIO()):  # what a shell completes has no room for notes
            cli.main(prog_name="eximacl", complete_var=COMPLETION)
    if COMPLETION in os.environ:
        cli.main(prog_name="eximacl", complete_var=COMPLETION)
    if sys.stdout is None:  # started with standard output closed
        sys.exit(exits.IO_ERROR)
    status = _run(argv)
    try:
        sys.stdout.flush()
    except OSError as error:
        _discard_output()
        if not isinstance(error, BrokenPipeError):  # that reader has seen enough, which is not an error
            click.echo(f"Error: the output cannot be written: {error.strerror}", err=True)
        status = exits.IO_ERROR
    sys.exit(status)


def _run(argv: list[str] | None) -> int:
    try:
        with cli.make_context("eximacl", list(sys.argv[1:] if argv is None else argv)) as context:
            result = cli.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError as error:
        error.show()
        return exits.USAGE
    except Failure as error:
        error.show()
        return error.status
    except click.ClickException as error:
        error.show()
        return exits.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        return exits.INTERRUPTED
    except OSError as error:
        _discard_output()
        if not isinstance(error, BrokenPipeError):
            what = str(error) if error.filename else f"a file, or the output, cannot be written: {error.strerror}"
            click.echo(f"Error: {what}", err=True)
        return exits.IO_ERROR
    except Exception:
        logging.getLogger("eximacl").exception("this is a bug in eximacl")
        return exits.SOFTWARE
    return result if isinstance(result, int) else 0


def _discard_output() -> None:
    """Have Python's own flush at exit succeed, where standard output cannot be written."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
