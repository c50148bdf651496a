"""`eximacl exim`: put the snippets into Exim's configuration, look at them there, and take them out.

Rule: what will change is shown before it is; a person at a terminal is asked, a script says --yes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from eximacl.cli import exits
from eximacl.cli.command import Group, Section
from eximacl.cli.options import Failure, config_option, find_socket, json_option, print_json
from eximacl.exim import (
    Exim,
    EximConfig,
    InstallPlan,
    InstallState,
    SetupError,
    Trial,
    apply_plan,
    find_place,
    find_shipped,
    fingerprint,
    plan_install,
    plan_remove,
    read_state,
    reload_exim,
    still_named,
    stoppable,
    try_plan,
)
from eximacl.exim.program import check_configuration
from eximacl.exim.snippets import copy, prune
from eximacl.system import paths
from eximacl.system.text import printable, printable_text

F = TypeVar("F", bound=Callable[..., Any])

RESTART = "Exim goes on as before until it is told: systemctl restart exim4 (or --reload)."
PLAIN = """\
{file} is a file of your own; eximacl changes nothing in it. Three edits wire it in (docs/exim.md tells more):

  in the main section, above your lines acl_smtp_rcpt and acl_smtp_data:
      EXIMACL_PLAIN = yes
      EXIMACL_DIR = {directory}{settings}
      .include_if_exists EXIMACL_DIR/macros
  (if your ACLs are not called acl_check_rcpt and acl_check_data: above the .include also
  EXIMACL_NEXT_RCPT = … and EXIMACL_NEXT_DATA = …)
  around these two lines of yours, which then count only when the snippets are gone:
      .ifndef EXIMACL_WIRE_RCPT
      acl_smtp_rcpt = …
      acl_smtp_data = …
      .endif
  right after `begin routers`, for disposable addresses:
      .include_if_exists EXIMACL_DIR/router

Then: exim4 -bV && systemctl restart exim4 && eximacl doctor"""


def place_options(function: F) -> F:
    """Add the options that say where Exim is; turn its errors into failures."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            with stoppable():  # what is tried lies in a directory that is to go
                return function(*args, **kwargs)
        except SetupError as error:
            raise Failure(printable_text(str(error)), exits.CONFIG) from None

    for decorate in (
        click.option("--exim", "exim_path", type=click.Path(path_type=Path), default=paths.EXIM, show_default=True,
                     help="The Exim program."),
        click.option("--exim-dir", type=click.Path(path_type=Path, file_okay=False), default=paths.EXIM_CONFIG,
                     show_default=True, help="Exim's configuration directory."),
    ):  # fmt: skip
        run = decorate(run)
    return run  # type: ignore[return-value]


def snippets_option(function: F) -> F:
    """Add --snippets."""
    return click.option(
        "--snippets",
        type=click.Path(path_type=Path, file_okay=False),
        help="The snippets of this version.  [default: those installed with eximacl]",
    )(function)


def change_options(function: F) -> F:
    """Add the options of a command that changes files."""
    for decorate in (
        click.option(
            "--pid-file", type=click.Path(path_type=Path), help="Exim's pid file.  [default: the one that Exim names]"
        ),
        click.option("--reload", "reload_too", is_flag=True, help="Have the running Exim read it (SIGHUP)."),
        click.option("-y", "--yes", is_flag=True, help="Assume yes."),
        click.option(
            "-n", "--dry-run", is_flag=True, help="Show what would change and try it in a copy, but change nothing."
        ),
    ):
        function = decorate(function)
    return function


@click.group(cls=Group, section=Section.SETUP)
def exim() -> None:
    """Wire eximacl into Exim's configuration, or take it out.

    \b
    Examples:
      eximacl exim install --dry-run    # what would change?
      eximacl exim install --reload     # wire it in, or upgrade it
      eximacl exim status               # is it in force, and of this version?
      eximacl exim remove               # take it out
    """


@exim.command()
@click.option(
    "--router", is_flag=True, help="Change exim4.conf.template, too, so that disposable addresses are delivered."
)
@change_options
@snippets_option
@place_options
@config_option
def install(
    router: bool, dry_run: bool, yes: bool, reload_too: bool, pid_file: Path | None,
    exim_dir: Path, snippets: Path | None, exim_path: Path, config_path: Path,
) -> int:  # fmt: skip
    """Wire the snippets into Debian's Exim, or update them.

    The snippets are copied to /etc/exim4/eximacl. A few lines before Debian's own configuration include them: in
    conf.d/main/00_eximacl and conf.d/router/050_eximacl, or at the end of exim4.conf.localmacros. Your own ACLs
    (MAIN_ACL_CHECK_…) still run, after eximacl's. Your settings belong into 000_localmacros, or above the lines in
    exim4.conf.localmacros.

    The change is tried in a copy first. If Exim refuses the real one after all, everything is put back.

    \b
    Examples:
      eximacl exim install --dry-run
      eximacl exim install --yes --reload
      eximacl exim install --router        # one big file: with the router in its template
    """
    place, shipped, program = find_place(exim_dir), find_shipped(snippets), Exim(exim_path)
    settings = _settings(config_path)
    directory = place.own / fingerprint(shipped)
    if place.kind == "plain":
        return _install_plain(place, shipped, directory, settings, dry_run)
    tried = try_plan(place, shipped, settings, program, router=router)
    if tried.complaint:
        raise Failure(
            f"Exim would refuse this, so nothing was changed:\n{printable_text(tried.complaint)}", exits.CONFIG
        )
    plan = plan_install(place, directory, {**settings, **tried.needed}, router=router)
    _tell(plan, tried)
    state = read_state(place, shipped, program)
    if not plan.edits and _in_force(state, directory):
        click.echo(f"Nothing to change: eximacl is installed in {place.etc}, and up to date.")
        if not dry_run:
            copy(shipped, place.own)  # everybody may read it again
            _reload(program, reload_too, pid_file)
        return 0
    if dry_run or not _agreed(plan, yes):
        return 0
    copy(shipped, place.own)
    done = apply_plan(plan, program, _stamp(), confirm=_confirm(place, directory))
    _finish(f"eximacl is installed in {place.etc}.", done)
    if _reload(program, reload_too, pid_file) and reload_too:
        prune(place.own, {directory.name, state.directory.name if state.directory else ""})
    return 0


@exim.command()
@click.option("--purge", is_flag=True, help="Delete the copies of the snippets, too.")
@change_options
@place_options
def remove(
    purge: bool, dry_run: bool, yes: bool, reload_too: bool, pid_file: Path | None, exim_dir: Path, exim_path: Path
) -> int:
    """Take eximacl out of Exim's configuration.

    Nothing else is changed. The copies of the snippets stay for an Exim that still runs with them. --purge deletes
    them, too; such an Exim then accepts mail without asking.

    \b
    Examples:
      eximacl exim remove --reload --purge
    """
    place, program = find_place(exim_dir), Exim(exim_path)
    plan = plan_remove(place)
    if not plan.edits:
        click.echo(f"Nothing to change: `eximacl exim install` has left no line in {place.etc}.")
    else:
        click.echo(printable_text(plan.diff()))
        if dry_run or not _agreed(plan, yes):
            return 0
        _finish(f"eximacl is taken out of {place.etc}.", apply_plan(plan, program, _stamp()))
        _reload(program, reload_too, pid_file)
    return _purge(place, program) if purge and not dry_run else 0


@exim.command()
@json_option
@snippets_option
@place_options
def status(as_json: bool, exim_dir: Path, snippets: Path | None, exim_path: Path) -> int:
    """Show whether eximacl is in force in Exim, and up to date.

    The exit status is 0 if it is, 66 if it is not installed, else 78.

    \b
    Examples:
      eximacl exim status
    """
    state = read_state(find_place(exim_dir), find_shipped(snippets), Exim(exim_path))
    if as_json:
        print_json({**asdict(state), "place": {"etc": str(state.place.etc), "kind": state.place.kind},
                    "directory": str(state.directory or "")})  # fmt: skip
    else:
        for line in describe(state):
            click.echo(line)
    if not (state.switched or state.in_force or state.by_hand):
        return exits.NOT_FOUND
    return 0 if state.in_force and state.current and not state.twice else exits.CONFIG


def describe(state: InstallState) -> list[str]:
    """Say in words what is installed, and what to do about it."""
    kinds = {"split": "Debian's, split (conf.d)", "unsplit": "Debian's, one big file", "plain": "a file of your own"}
    lines = [f"configuration  {state.place.etc}: {kinds[state.place.kind]}"]
    if state.twice:
        lines.append(f"wiring         twice: by eximacl exim install, and by hand in {', '.join(state.by_hand)}")
        lines.append("               Exim refuses that at its next start: take the .include out there")
    elif state.in_force and state.by_hand:
        lines.append(f"wiring         in force, by hand: {', '.join(state.by_hand)}")
    elif state.in_force:
        lines.append("wiring         in force")
    elif state.switched and state.directory is not None and not state.missing:
        lines.append(f"wiring         in what Exim reads, but its acl_smtp_rcpt is {state.acl!r}")
        lines.append("               write acl_smtp_rcpt = MAIN_ACL_CHECK_RCPT again, as Debian's configuration has it")
    elif state.switched:
        lines.append("wiring         in the files, but not in what Exim reads: update-exim4.conf, then restart Exim")
    else:
        lines.append("wiring         not installed: eximacl exim install")
    if state.directory is not None:
        lines.append(f"snippets       {state.directory}: {_age(state)}")
    if state.in_force:
        none = "none: disposable addresses are not delivered" + (
            "; eximacl exim install --router" if state.place.kind == "unsplit" else ""
        )
        lines.append(f"router         {'eximacl_disposable' if state.router else none}")
    return lines


def _age(state: InstallState) -> str:
    if state.missing:
        return "missing, so Exim takes mail without asking: eximacl exim install"
    if state.current:
        return "of this version"
    if state.changed:
        return "changed by hand: eximacl exim install puts this version's in their place"
    return "of another version: eximacl exim install brings them up to date"


def _purge(place: EximConfig, program: Exim) -> int:
    """Delete the copies of the snippets, unless somebody's own lines still name them: without them they do nothing."""
    named = still_named(place, program)
    if named:
        raise Failure(
            f"{place.own} stays, since it is still in use: take eximacl out of {named} first, and see that "
            "acl_smtp_rcpt and acl_smtp_data name your own ACLs again",
            exits.CONFIG,
        )
    for path in prune(place.own, set()):
        click.echo(f"Deleted {path}")
    if place.own.is_dir() and not any(place.own.iterdir()):
        place.own.rmdir()
    return 0


def _settings(config_path: Path) -> dict[str, str]:
    """Return what the policy file knows and Exim has to."""
    socket = find_socket(None, config_path)
    return {} if socket == paths.SOCKET else {"EXIMACL_SOCKET": str(socket.absolute())}


def _install_plain(place: EximConfig, shipped: Path, directory: Path, settings: dict[str, str], dry_run: bool) -> int:
    if not dry_run:
        copy(shipped, place.own)
        click.echo(f"The snippets are in {directory}.\n")
    more = "".join(f"\n      {name} = {value}" for name, value in settings.items())
    click.echo(PLAIN.format(file=place.switch, directory=directory, settings=more))
    return 0


def _tell(plan: InstallPlan, tried: Trial) -> None:
    """Show the change, and what was found that is the admin's own."""
    click.echo(printable_text(plan.diff()) + ("\n" if plan.edits else ""), nl=False)
    for stage, acl in tried.own.items():
        if stage in ("mail", "rcpt", "data"):
            click.echo(f"Your own ACL {printable(acl)} at {stage.upper()} goes on as before, together with eximacl's.")
        else:
            click.echo(f"Your own ACL {printable(acl)} at {stage.upper()} is left alone.")
    if plan.place.kind == "unsplit" and not plan.routed:
        click.echo(
            f"Without --router disposable addresses are not delivered; with it {plan.place.router.name} gets five "
            "lines, and Debian's package asks before it replaces that file."
        )


def _agreed(plan: InstallPlan, yes: bool) -> bool:
    """Whether to go on. Raises Failure where nobody can be asked."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise Failure("nobody to ask here: say --yes, or look first with --dry-run", exits.USAGE)
    files = len(plan.edits)
    what = f"Change {files} file{'s' * (files != 1)}?" if files else "Put the snippets in place?"
    return click.confirm(what, default=True)


def _in_force(state: InstallState, directory: Path) -> bool:
    return state.in_force and state.current and state.directory == directory


def _confirm(place: EximConfig, directory: Path) -> Callable[[Exim], str]:
    def confirm(program: Exim) -> str:
        if place.etc != paths.EXIM_CONFIG:
            return ""
        complaint = check_configuration(program)
        found = program.options("acl_smtp_rcpt").get("acl_smtp_rcpt", "")
        if complaint or f"{directory}/rcpt.acl" in found:
            return complaint
        return f"Exim's acl_smtp_rcpt is {found!r} all the same: does it read {place.etc}?"

    return confirm


def _finish(text: str, backup: Path | None) -> None:
    click.echo(text)
    if backup is not None:
        click.echo(f"The files as they were: {backup}")


def _reload(program: Exim, wanted: bool, pid_file: Path | None) -> bool:
    """Reload Exim, or tell how. Returns whether no Exim runs with what was there before."""
    if not wanted:
        click.echo(RESTART)
        return False
    pid = reload_exim(program, pid_file)
    click.echo("No Exim daemon runs: start it with systemctl start exim4." if pid is None else f"Exim ({pid}) reloads.")
    return True


def _stamp() -> str:
    """Name backups by the local time, which an admin remembers; SOURCE_DATE_EPOCH fixes it."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    return f"{datetime.fromtimestamp(float(fixed)) if fixed else datetime.now():%Y-%m-%dT%H%M%S}"
