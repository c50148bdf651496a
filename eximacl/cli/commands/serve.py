"""`eximacl serve`: run the daemon in the foreground, under systemd or by hand."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

import click

from eximacl.cli import exits
from eximacl.cli.command import Command, Section
from eximacl.cli.options import Failure, config_option, load_config
from eximacl.config import Loaded
from eximacl.daemon.daemon import Daemon, StartError
from eximacl.daemon.upkeep import NOTICE


@click.command(cls=Command, section=Section.DAEMON)
@config_option
@click.option("-v", "--verbose", is_flag=True, help="Log everything, not only what needs attention.")
def serve(config_path: Path, verbose: bool) -> int:
    """Run the daemon in the foreground.

    SIGHUP reloads the policy, as `eximacl reload` does. SIGTERM and SIGINT answer the queries that have arrived, and
    stop it. Under systemd use systemctl instead.

    \b
    Examples:
      eximacl serve
      eximacl serve --verbose --config /etc/eximacl/eximacl.toml
    """
    _log_to_stderr(verbose)
    # Until the daemon handles it: SIGHUP would end this process, and the policy is being read anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    loaded = load_config(config_path)
    try:
        asyncio.run(_serve(loaded))
    except StartError as error:
        raise Failure(str(error), exits.UNAVAILABLE) from None
    return 0


async def _serve(loaded: Loaded) -> None:
    await Daemon(loaded).run()


class _Priority(logging.Formatter):
    """Puts systemd's `<priority>` before each line (sd-daemon(3)); the journal adds the time."""

    def format(self, record: logging.LogRecord) -> str:
        number = {logging.ERROR: 3, logging.WARNING: 4, NOTICE: 5, logging.INFO: 6}.get(record.levelno, 6)
        return "\n".join(f"<{number}>{line}" for line in super().format(record).splitlines())


def _log_to_stderr(verbose: bool) -> None:
    logging.addLevelName(NOTICE, "NOTICE")
    level = logging.INFO if verbose or sys.stderr.isatty() else NOTICE
    handler = logging.StreamHandler()
    if "JOURNAL_STREAM" in os.environ:
        handler.setFormatter(_Priority())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
