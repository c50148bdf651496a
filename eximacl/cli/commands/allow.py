"""`eximacl allow`: exempt mail that was refused by mistake; `eximacl archive release --allow` does it, too."""

from __future__ import annotations

import time
from pathlib import Path

import click

from eximacl.cli.command import Command, Section
from eximacl.cli.complete import logged
from eximacl.cli.errors import explained
from eximacl.cli.filters import reference_of
from eximacl.cli.options import (
    config_option,
    journal_of,
    journal_option,
    json_option,
    print_json,
    socket_option,
)
from eximacl.cli.output import write_line
from eximacl.config.exempt import KINDS, Exempter, Exemption, ExemptKind, refused_mails
from eximacl.records.decisions import find
from eximacl.system.text import printable
from eximacl.system.times import local
from eximacl.system.users import current_user


@click.command("allow", cls=Command, section=Section.CORRECTIONS)
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("ref", shell_complete=logged("ref"))
@click.option("--everywhere", is_flag=True, help="Exempt it for all domains, not only for the recipient's.")
@json_option
@config_option
@journal_option
@socket_option
def allow_command(
    kind: ExemptKind,
    ref: str,
    everywhere: bool,
    as_json: bool,
    config_path: Path,
    directory: Path | None,
    socket_path: Path | None,
) -> int:
    """Exempt future mail like a refused message. Does not deliver it.

    REF is the reference of a message that was refused, held or not. Its sender, the sender's domain, the client's IP
    address or its host name becomes exempt; the journal says what they were.

    \b
    Examples:
      eximacl allow sender 7KQ2M9D4
      eximacl allow ip 7KQ2M9D4 --everywhere

    \b
    Exit status: 0 it is exempt now
      65 not a reference           66 not in the journal
      74 there is no journal       78 the exemption cannot be added
    """
    reference = reference_of(ref)
    exempter = Exempter(config_path, kind, everywhere=everywhere, socket=socket_path)
    comment = f"{reference} allowed {local(time.time())} by {current_user()}"
    with explained():
        mails = refused_mails(find(journal_of(config_path, directory), reference)[-1])
        done = exempter.add(exempter.plan(mails, comment))
    if as_json:
        print_json({"ref": reference, "allowed": [one.as_dict() for one in done]})
        return 0
    for exemption in done:
        write_line(describe_added(exemption))
    return 0


def describe_added(exemption: Exemption) -> str:
    """Return for people what was exempted, and in which files."""
    entry = printable(exemption.entry)
    if exemption.already:
        return f"{entry}: such mail is exempt already ({printable(exemption.already)}); nothing was changed"
    state = printable(exemption.reload) or "in force in a moment"
    changed = ", ".join(map(str, exemption.changed))
    return f"{entry} was added to {exemption.key} in {exemption.file}, {state}\nchanged: {changed}"
