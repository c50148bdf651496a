"""The command line: one file a command, found here and put together. Rule: commands print, libraries do."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from typing import NoReturn

import click

from eximacl import __version__
from eximacl.cli import exits
from eximacl.cli.commands.allow import allow_command
from eximacl.cli.commands.archive import archive
from eximacl.cli.commands.blocks import blocks
from eximacl.cli.commands.check import check
from eximacl.cli.commands.completion import completion
from eximacl.cli.commands.config import config
from eximacl.cli.commands.control import reload, status
from eximacl.cli.commands.doctor import doctor
from eximacl.cli.commands.exim import exim
from eximacl.cli.commands.harvest import harvest
from eximacl.cli.commands.log import log
from eximacl.cli.commands.mint import mint
from eximacl.cli.commands.observed import observed
from eximacl.cli.commands.serve import serve
from eximacl.cli.commands.why import why
from eximacl.cli.options import Commands, Failure

# What click's completion scripts set when a shell asks.
COMPLETION = "_EXIMACL_COMPLETE"


# Commands of a group that people look for at the top.
MEANT = {name: f"archive {name}" for name in ("list", "show", "export", "release", "purge")}


@click.group(
    cls=Commands, meant=MEANT, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="eximacl")
def cli() -> None:
    """Ask, run and understand the policy daemon for Exim.

    \b
    eximacl serve                       run the daemon (systemd does this)
    eximacl check --ip 192.0.2.7 …      what would Exim be told?
    eximacl why 7KQ2M9D4                why was this mail refused?
    eximacl log --domain example.org    what was refused?
    eximacl observed                    what would have been refused?
    eximacl archive release 7KQ2M9D4    deliver it after all
    eximacl allow sender 7KQ2M9D4       let the next one pass
    eximacl blocks list                 who gets no mail at the moment?
    eximacl harvest /var/vmail          who ever received mail?
    eximacl config test                 is the policy file right?
    eximacl exim install                wire it into Exim
    eximacl doctor                      does all of it work together?
    """


for _command in (
    *(serve, check, why, log, observed, archive, allow_command, blocks, mint, harvest),
    *(config, reload, status, exim, doctor, completion),
):
    cli.add_command(_command)


def main(argv: list[str] | None = None) -> NoReturn:
    """Run the command line and exit. What went wrong never exits with 1 to 3, which are verdicts."""
    if COMPLETION in os.environ:
        cli.main(prog_name="eximacl", complete_var=COMPLETION)
    status = _run(argv)
    try:
        sys.stdout.flush()
    except OSError as error:
        _discard_output()
        if not isinstance(error, BrokenPipeError):  # a reader that has seen enough is no failure to tell about
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
    """Let Python's own end not stumble over what could not be written."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
