"""`eximacl allow`: exempt whoever was refused by mistake; `eximacl archive release --allow` does it, too."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import click

from eximacl.cli import exits
from eximacl.cli.command import Command, Section
from eximacl.cli.commands.why import entries_of, journal_option, query_of
from eximacl.cli.complete import logged
from eximacl.cli.filters import reference_of
from eximacl.cli.options import (
    Failure,
    ask_daemon,
    config_option,
    find_socket,
    json_option,
    print_json,
    socket_option,
)
from eximacl.cli.output import write_line
from eximacl.config.exempt import AllowError, Kind, RefusedMail, allow, prepare
from eximacl.mail.address import parse_address, quoted
from eximacl.protocol.exim import CONTROL, format_query, split_addresses
from eximacl.system.text import printable
from eximacl.system.times import local
from eximacl.system.users import current_user

KINDS = get_args(Kind)


@click.command("allow", cls=Command, section=Section.CORRECTIONS)
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("ref", shell_complete=logged("ref"))
@click.option("--everywhere", is_flag=True, help="Exempt it for all domains, not only for the recipient's.")
@json_option
@config_option
@journal_option
@socket_option
def allow_command(
    kind: Kind,
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

    Exit status: 0 it is exempt now, 66 not in the journal, 78 the exemption cannot be added.
    """
    reference = reference_of(ref)
    refusals = _refusals(reference, config_path, directory)
    allowing = Allowing(config_path, kind, everywhere, f"{reference} allowed", socket_path, f"allow {kind}")
    done = [allowing.add(refusal) for refusal in allowing.needed(refusals)]
    if as_json:
        print_json({"ref": reference, "allowed": done})
        return 0
    for one in done:
        write_line(told(one))
    return 0


def _refusals(reference: str, config: Path, directory: Path | None) -> list[RefusedMail]:
    """Return the refused mail, once for each domain of the last decision's recipients. At DATA it has all that were
    held."""
    values = query_of(entries_of(reference, config, directory)[-1])
    recipients = (parse_address(values["rcpt"]),) if "rcpt" in values else split_addresses(values.get("rcpts", ""))
    sender, ip, host, helo = (values.get(key, "") for key in ("from", "ip", "host", "helo"))
    by_domain: dict[str, str] = {}
    for one in recipients:
        by_domain.setdefault(one.domain, quoted(one))
    return [RefusedMail(one, sender, ip, host, helo) for one in by_domain.values() or ("",)]


class Allowing:
    """Adds exemptions of one kind. said: how the comment beside an entry begins; option: what errors begin with."""

    def __init__(self, config: Path, kind: Kind, everywhere: bool, said: str, socket: Path | None, option: str) -> None:
        self._config = config
        self._kind: Kind = kind
        self._everywhere = everywhere
        self._comment = f"{said} {local(time.time())} by {current_user(os.environ)}"
        self._socket = socket
        self._option = option

    def needed(self, refusals: Sequence[RefusedMail]) -> Sequence[RefusedMail]:
        """Return those that need an entry each: one for each domain, or one for all."""
        return refusals[:1] if self._everywhere else refusals

    def check(self, refusal: RefusedMail, state: str = "") -> None:
        """Make sure, as far as that is possible, that `add` can be done; else fail. `state` ends the text."""
        with self._explained(state):
            prepare(self._config, self._kind, refusal, self._comment, everywhere=self._everywhere)

    def add(self, refusal: RefusedMail, state: str = "") -> dict[str, Any]:
        """Add the exemption, and have the daemon know it; return what was done. `state` ends the text of a failure."""
        with self._explained(state):
            change, files = allow(self._config, self._kind, refusal, self._comment, everywhere=self._everywhere)
        done = {"entry": change.entry, "key": change.key, "list": str(change.file), "changed": list(map(str, files))}
        return {**done, "already": change.already, "reload": self._reload() if change.reload else ""}

    @contextlib.contextmanager
    def _explained(self, state: str) -> Iterator[None]:
        try:
            yield
            return
        except AllowError as error:
            text = str(error)
        except OSError as error:
            text = f"{error.filename}: {error.strerror}"
        raise Failure(f"{self._option}: {printable(text)}{state}", exits.CONFIG)

    def _reload(self) -> str:
        """Make the daemon read its TOML anew; return what came of it."""
        try:
            reply = ask_daemon(find_socket(self._socket, self._config), format_query(CONTROL, {"do": "reload"}))
        except Failure as error:
            return f"not in force yet: {error.message}; run `eximacl reload`"
        return "in force" if '"problems": []' in reply.extra["answer"] else "not in force: run `eximacl reload`"


def told(done: dict[str, Any]) -> str:
    """Return what was done as people read it."""
    entry = printable(done["entry"])
    if done["already"]:
        return f"{entry}: such mail is exempt already ({printable(done['already'])}); nothing was changed"
    state = done["reload"] or "in force in a moment"
    changed = ", ".join(done["changed"])
    return f"{entry} was added to {done['key']} in {done['list']}, {state}\nchanged: {changed}"
