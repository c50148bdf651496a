"""`eximacl exim`: wire the snippets into Exim's configuration, show what is there, and take them out.

What will change is shown first. A person at a terminal is asked, a script says --yes.
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
from eximacl.cli.errors import explained
from eximacl.cli.options import Failure, config_option, find_socket, json_option, print_json
from eximacl.cli.output import Style, fields, paint, plural, write_line, write_text
from eximacl.exim import (
    Exim,
    EximConfig,
    Installation,
    InstallPlan,
    InstallState,
    apply_plan,
    describe,
    drop_old_copies,
    edits_by_hand,
    find_place,
    find_shipped,
    fingerprint,
    plan_remove,
    prepare_install,
    read_state,
    reload_exim,
    remove_by_force,
    stoppable,
)
from eximacl.exim import install as install_prepared
from eximacl.exim import purge as purge_copies
from eximacl.exim.place import SNIPPETS
from eximacl.exim.removal import ASIDE
from eximacl.exim.snippets import copy
from eximacl.system import paths
from eximacl.system.text import printable, printable_text

F = TypeVar("F", bound=Callable[..., Any])

# By how a line of a diff begins.
DIFF_STYLES = {
    "--- ": Style.HEADING,
    "+++ ": Style.HEADING,
    "@": Style.HEADING,
    "+": Style.GOOD,
    "-": Style.BAD,
}
RESTART = "Exim still runs with what it read before: systemctl restart exim4 (or use --reload)."


def place_options(function: F) -> F:
    """Add the options that say where Exim is, and turn setup errors into failures."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with explained(), stoppable():  # so that the directory in which a change is tried is deleted
            return function(*args, **kwargs)

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
        click.option("--pid-file", type=click.Path(path_type=Path), help="Exim's pid file.  [default: as Exim is set]"),
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
    (MAIN_ACL_CHECK_…) still run, after eximacl's. Your settings belong in 000_localmacros, or above the lines in
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
    if place.kind == "plain":
        _install_plain(place, shipped, settings, dry_run)
        return 0
    wanted = prepare_install(place, shipped, settings, program, router=router)
    _show(wanted)
    if wanted.is_done:
        click.echo(f"Nothing to change: eximacl is installed in {place.etc}, and up to date.")
        if not dry_run:
            install_prepared(wanted, program, _stamp())
            _reload(program, reload_too, pid_file)
        return 0
    if dry_run or not _confirmed(wanted.plan, yes):
        return 0
    _finish(f"eximacl is installed in {place.etc}.", install_prepared(wanted, program, _stamp()))
    if _reload(program, reload_too, pid_file):
        drop_old_copies(wanted)
    return 0


@exim.command()
@click.option("--purge", is_flag=True, help="Delete the copies of the snippets, too.")
@click.option(
    "--force",
    is_flag=True,
    help="Before eximacl itself is removed: if lines stay, rename the files that ask, so that Exim asks nothing.",
)
@change_options
@place_options
def remove(
    purge: bool, force: bool, dry_run: bool, yes: bool, reload_too: bool, pid_file: Path | None,
    exim_dir: Path, exim_path: Path,
) -> int:  # fmt: skip
    """Take eximacl out of Exim's configuration.

    Nothing else is changed. The copies of the snippets stay for an Exim that still runs with them. --purge deletes
    them, too; such an Exim then accepts mail without asking.

    \b
    Examples:
      eximacl exim remove --reload --purge
      eximacl exim remove --reload --force
    """
    if force and (purge or dry_run):
        raise click.UsageError("--force goes neither with --purge nor with --dry-run")
    if force:
        return _remove_by_force(exim_dir, Exim(exim_path), reload_too, pid_file) if _confirmed(None, yes) else 0
    place, program = find_place(exim_dir), Exim(exim_path)
    plan = plan_remove(place)
    if not plan.edits:
        click.echo(f"Nothing to change: {place.etc} has no line that `eximacl exim install` has added.")
    else:
        _print_diff(plan)
        if dry_run or not _confirmed(plan, yes):
            return 0
        _finish(f"eximacl is removed from {place.etc}.", apply_plan(plan, program, _stamp()))
        _reload(program, reload_too, pid_file)
    for path in purge_copies(place, program) if purge and not dry_run else ():
        click.echo(f"Deleted {path}")
    return 0


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
    code, sentence = _verdict(state)
    if as_json:
        print_json({**asdict(state), "place": {"etc": str(state.place.etc), "kind": state.place.kind},
                    "directory": str(state.directory or "")})  # fmt: skip
        return code
    write_line(sentence)
    for line in fields((label, printable(text)) for label, text in describe(state)):
        write_line(line)
    return code


def _verdict(state: InstallState) -> tuple[int, str]:
    """Return the exit status for what is installed, and a sentence."""
    if not (state.switched or state.in_force or state.by_hand):
        return exits.NOT_FOUND, paint("eximacl is not installed in Exim.", Style.BAD)
    if state.in_force and state.current and not state.twice and not state.elsewhere:
        return 0, paint("Exim asks eximacl.", Style.GOOD)
    return exits.CONFIG, paint("The installation is not in order:", Style.WARNING)


def _settings(config_path: Path) -> dict[str, str]:
    """Return the macros that Exim needs because of the policy file."""
    socket = find_socket(None, config_path)
    return {} if socket == paths.SOCKET else {"EXIMACL_SOCKET": str(socket.absolute())}


def _install_plain(place: EximConfig, shipped: Path, settings: dict[str, str], dry_run: bool) -> None:
    """Copy the snippets, and print what to write into a configuration that is not Debian's."""
    if not dry_run:
        click.echo(f"The snippets are in {copy(shipped, place.own)}.\n")
    click.echo(edits_by_hand(place, place.own / fingerprint(shipped), settings))


def _show(wanted: Installation) -> None:
    """Show the change, and what it means for the admin's own ACLs."""
    plan = wanted.plan
    _print_diff(plan)
    for stage, acl in wanted.own_acls.items():
        then = "still runs, together with eximacl's" if stage in ("mail", "rcpt", "data") else "is left alone"
        write_text(f"Your own ACL {printable(acl)} at {stage.upper()} {then}.")
    if plan.place.kind == "unsplit" and not plan.routed:
        write_text(
            f"Without --router, disposable addresses are not delivered. With it, {plan.place.router.name} gets five "
            "lines, and Debian's package asks before it replaces that file."
        )


def _print_diff(plan: InstallPlan) -> None:
    """Print what would change, line by line, as `diff` does."""
    for line in plan.diff().splitlines():
        write_line(paint(printable(line), DIFF_STYLES.get(line[:4]) or DIFF_STYLES.get(line[:1])))
    if plan.edits:
        write_line("")


def _remove_by_force(exim_dir: Path, program: Exim, reload_too: bool, pid_file: Path | None) -> int:
    """Remove what can be removed, and say what the admin has to do; 78 where mail may now be deferred."""
    done, own = remove_by_force(exim_dir, program, _stamp()), exim_dir / SNIPPETS
    if done.failure:
        click.echo(printable_text(f"The lines could not be taken out of {exim_dir}: {done.failure}"))
    if done.changed:
        _finish(f"eximacl is removed from {exim_dir}.", done.backup)
        _reload(program, reload_too, pid_file)
    if not (done.left or done.changed or done.failure):
        click.echo("Nothing to change: Exim's configuration does not name eximacl.")
    if done.left and done.harmless:
        write_text(
            f"Exim's configuration still names {own}, or cannot be read. Exim goes on by its own rules and asks "
            f"nothing: the files that ask are called *{ASIDE} there now. Take the lines out: until then, disposable "
            "addresses are valid for ever."
        )
    elif done.left:
        why = "where the files cannot be renamed" if done.left == "ours" else f"elsewhere than in {own}"
        raise Failure(
            f"WARNING: Exim's configuration names eximacl's rcpt.acl, {why}. Take the lines out: until then, all mail "
            "gets what EXIMACL_ON_FAILURE says there, and 'defer' defers it.",
            exits.CONFIG,
        )
    return 0


def _confirmed(plan: InstallPlan | None, yes: bool) -> bool:
    """Return whether to go on. Raises Failure where there is no terminal to ask at."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise Failure("there is no terminal to ask at: use --yes, or look first with --dry-run", exits.USAGE)
    if plan is None:
        what = "Take eximacl out of Exim?"
    else:
        what = f"Change {plural(len(plan.edits), 'file')}?" if plan.edits else "Put the snippets in place?"
    return click.confirm(what, default=True)


def _finish(text: str, backup: Path | None) -> None:
    click.echo(text)
    if backup is not None:
        click.echo(f"The files as they were: {backup}")


def _reload(program: Exim, wanted: bool, pid_file: Path | None) -> bool:
    """Reload Exim if that is wanted, else say how. Returns whether it was wanted."""
    if not wanted:
        click.echo(RESTART)
        return False
    pid = reload_exim(program, pid_file)
    click.echo("No Exim daemon runs: start it with systemctl start exim4." if pid is None else f"Exim ({pid}) reloads.")
    return True


def _stamp() -> str:
    """Return the local time as the name of a backup, or SOURCE_DATE_EPOCH where it is set."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    return f"{datetime.fromtimestamp(float(fixed)) if fixed else datetime.now():%Y-%m-%dT%H%M%S}"
