"""`eximacl reload`: have the daemon read its policy again."""

from __future__ import annotations

from pathlib import Path

import click

from eximacl.cli import exits
from eximacl.cli.command import Command, Section
from eximacl.cli.errors import explained
from eximacl.cli.options import (
    Failure,
    config_option,
    find_socket,
    json_option,
    print_json,
    socket_option,
)
from eximacl.protocol.control import reload as reload_daemon
from eximacl.system.text import printable


@click.command(cls=Command, section=Section.DAEMON)
@config_option
@socket_option
@json_option
@click.option(
    "--accept",
    is_flag=True,
    help="Let all lists count as they are, also those that have lost most entries, and default lists that are gone.",
)
@click.argument("lists", nargs=-1)
def reload(config_path: Path, socket_path: Path | None, accept: bool, as_json: bool, lists: tuple[str, ...]) -> int:
    """Reload the policy.

    If it has errors, the daemon keeps the current one, and they are printed. A list that has lost
    most of its entries keeps the old ones, and so does a default list that is gone, unless --accept
    says that so few are meant; then each such list is printed. LISTS are those that --accept is about,
    by the names that problems have; without them it is about all. A list that the policy names must exist.

    \b
    Examples:
      eximacl reload
      eximacl config test && eximacl reload
      eximacl reload --accept
      eximacl reload --accept lists/valid

    \b
    Exit status: 0 the new policy is in force
      65 one of LISTS is not a list of the policy    69 the daemon did not answer
      74 only root and the daemon's user may reload
      78 the new policy has errors, or lists keep their old entries
    """
    if lists and not accept:
        raise click.UsageError("lists are named for --accept")
    with explained():
        done = reload_daemon(find_socket(socket_path, config_path), accept=accept, named=lists)
    if as_json:
        print_json(done._asdict())
        return exits.CONFIG if done.problems or done.kept else 0
    if done.problems:
        lines = "\n".join(map(printable, done.problems))
        raise Failure(f"the new policy has errors, so the daemon keeps the current one:\n{lines}", exits.CONFIG)
    if done.kept:
        lines = "\n".join(map(printable, (*done.kept, *done.notes)))
        raise Failure(f"the new policy is in force, but with old entries of its lists:\n{lines}", exits.CONFIG)
    accepted = (f"taken as it is: {line}" for line in done.accepted)
    click.echo("\n".join(("The new policy is in force.", *map(printable, (*accepted, *done.notes)))))
    return 0
