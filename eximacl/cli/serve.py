"""`eximacl serve`: run the daemon in the foreground; systemd, or you, keep it."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

import click

from eximacl.cli import exits
from eximacl.cli.common import Failure, config_option, load_config
from eximacl.config import Loaded
from eximacl.daemon import Daemon, StartError


@click.command()
@config_option
@click.option("-v", "--verbose", is_flag=True, help="Log more than what needs attention.")
def serve(config_path: Path, verbose: bool) -> int:
    """Run the daemon in the foreground.

    \b
    eximacl serve --config /etc/eximacl/eximacl.toml
    SIGHUP reloads the policy (or: eximacl reload), SIGTERM answers what has come and stops.
    """
    _log_to_stderr(verbose)
    loaded = load_config(config_path)
    try:
        asyncio.run(_serve(loaded))
    except StartError as error:
        raise Failure(str(error), exits.UNAVAILABLE) from None
    return 0


async def _serve(loaded: Loaded) -> None:
    await Daemon(loaded).run()


def _log_to_stderr(verbose: bool) -> None:
    """Log as systemd's journal wants it: a priority in front, no time; on a terminal the other way round."""
    level = logging.INFO if verbose or sys.stderr.isatty() else logging.WARNING
    plain = "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(level=level, format="%(message)s" if "JOURNAL_STREAM" in os.environ else plain)
