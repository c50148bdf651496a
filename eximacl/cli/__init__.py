"""The command line: one file a command, found here and put together. Rule: commands print, libraries do."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from eximacl import __version__
from eximacl.cli import exits
from eximacl.cli.check import check
from eximacl.cli.common import Failure
from eximacl.cli.completion import completion
from eximacl.cli.config import config
from eximacl.cli.control import reload, status
from eximacl.cli.mint import mint
from eximacl.cli.serve import serve
from eximacl.cli.why import why


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="eximacl")
def cli() -> None:
    """Ask, run and understand the policy daemon for Exim.

    \b
    eximacl serve                       run the daemon (systemd does this)
    eximacl check --ip 192.0.2.7 …      what would Exim be told?
    eximacl why 7KQ2M9D4                why was this mail refused?
    eximacl config test                 is the policy file right?
    """


for _command in (serve, check, why, mint, config, reload, status, completion):
    cli.add_command(_command)


def main(argv: list[str] | None = None) -> Any:
    """Run the command line and exit. Usage errors exit with 64, since 1 to 3 are verdicts."""
    try:
        result = cli.main(args=argv, prog_name="eximacl", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(exits.USAGE)
    except Failure as error:
        error.show()
        sys.exit(error.status)
    except click.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(exits.IO_ERROR)
    sys.exit(result if isinstance(result, int) else 0)
