"""Trying a plan where it does no harm: a copy of the configuration is changed, generated, and read by Exim."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from eximacl.exim import wiring
from eximacl.exim.errors import SetupError
from eximacl.exim.explain import debians_options, explain, in_an_admins_words, set_twice, where
from eximacl.exim.options import DEBIANS, STAGES, acls, asks_early, not_called, not_ours, option
from eximacl.exim.place import EximConfig, configuration_files, read
from eximacl.exim.plan import InstallPlan, plan_install, refuse_by_hand
from eximacl.exim.private import private_directory
from eximacl.exim.program import Exim, check_configuration
from eximacl.exim.snippets import copy

UPDATE = "update-exim4.conf"
# It is a shell script that reads some files.
UPDATE_SECONDS = 60.0
# An ACL by its name or its path; anything else cannot be an item of a named list.
PLAIN_ACL = re.compile(r"[\w./+-]{1,200}")


@dataclass(frozen=True)
class Trial:
    """What Exim makes of a plan.

    needed: further EXIMACL_NEXT_… settings, so that each of the admin's own ACLs runs as before. own: the ACLs that
    are not Debian's, by stage. complaint: Exim's own words where it refuses the plan; empty: it accepts it.
    """

    needed: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, str] = field(default_factory=dict)
    complaint: str = ""


def try_plan(place: EximConfig, shipped: Path, settings: Mapping[str, str], exim: Exim, *, router: bool) -> Trial:
    """Try to install in a copy. Raises SetupError where the configuration is wrong already, without us."""
    refuse_by_hand(place)
    with _copy_of(place, exim) as scratch:
        without_us = _generate(scratch, exim, "without")
        complaint = check_configuration(without_us)
        if complaint:
            why = in_an_admins_words(complaint, without_us, place)
            raise SetupError(f"Exim refuses its configuration already, without eximacl: {why}")
        before = _acls(without_us)
        directory = copy(shipped, scratch.own)
        _apply(plan_install(scratch, directory, settings, router=router))
        ours = _generate(scratch, exim, "with")
        complaint = check_configuration(ours)
        if complaint:
            return Trial(complaint=explain(in_an_admins_words(complaint, ours, place), place))
        needed = dict(_needed(before, ours))
        own = {stage: acl for stage, acl in before.items() if acl not in ("", f"acl_check_{stage}")}
        return Trial(needed, own, _not_in_force(place, before, ours, directory))


def generate(etc: Path, output: Path) -> None:
    """Have Debian's own script generate a configuration from the directory `etc`. Raises SetupError with its words."""
    command = [UPDATE, "--keepcomments", "-d", str(etc), "-o", str(output)]
    run_update(command)
    if not output.exists():
        raise SetupError(f"{UPDATE} did not write {output}")


def run_update(command: list[str]) -> None:
    """Run update-exim4.conf. Raises SetupError."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=UPDATE_SECONDS, cwd="/", env=_with_sbin())
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"{UPDATE}: {error}: is exim4-config installed?") from None
    if done.returncode:
        raise SetupError(
            f"{UPDATE} exited {done.returncode}: {(done.stderr + done.stdout).decode(errors='replace').strip()}"
        )


def _with_sbin() -> dict[str, str]:
    """Return the environment with directories in PATH that an ordinary user's shell, or cron, may lack."""
    return {**os.environ, "PATH": f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"}


@contextmanager
def _copy_of(place: EximConfig, exim: Exim) -> Iterator[EximConfig]:
    """Yield a copy of a configuration, with eximacl taken out."""
    with private_directory(exim.user_id()) as home:
        scratch = EximConfig(home / "etc", place.kind)
        scratch.etc.mkdir()
        names = {"exim4.conf.template", "exim4.conf.localmacros", "update-exim4.conf.conf"}
        paths = [*configuration_files(place), *(place.etc / name for name in names)]
        copies = {path: scratch.etc / path.relative_to(place.etc) for path in paths if path.is_file()}
        for directory in {copied.parent for copied in copies.values()}:
            directory.mkdir(parents=True, exist_ok=True)
        for path, copied in copies.items():
            copied.write_bytes(path.read_bytes())
        for path in {scratch.switch, scratch.router}:
            text = read(path)
            if text is not None and wiring.has_block(text):
                _write(path, wiring.without(text) or "")
        yield scratch


def _generate(scratch: EximConfig, exim: Exim, name: str) -> Exim:
    """Generate the configuration of a copy.

    The script reads `exim4.conf.localmacros` of another directory only while /etc/exim4 has one, too. So its text is
    put in front of the copy's template instead.
    """
    template, macros = scratch.etc / "exim4.conf.template", scratch.etc / "exim4.conf.localmacros"
    output = scratch.etc.parent / name
    if scratch.kind == "split":
        generate(scratch.etc, output)
        return Exim(exim.path, output)
    made = scratch.etc.parent / f"{name}.etc"
    made.mkdir()
    shutil.copy(scratch.etc / "update-exim4.conf.conf", made)
    (made / macros.name).touch()
    _write(made / template.name, (read(macros) or "") + "\n" + (read(template) or ""))
    generate(made, output)
    return Exim(exim.path, output)


def _apply(plan: InstallPlan) -> None:
    for edit in plan.edits:
        _write(edit.path, edit.after or "")


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))


def _acls(exim: Exim) -> dict[str, str]:
    found = acls(exim)
    if len(found) < len(STAGES):
        raise SetupError(f"{exim.path} does not print its options: is it Exim 4?")
    return found


def _needed(before: Mapping[str, str], ours: Exim) -> Iterator[tuple[str, str]]:
    """Yield the settings without which an ACL that ran before would not run any more."""
    after = ours.lists(*(f"eximacl_next_{stage}" for stage in DEBIANS))
    for stage in DEBIANS:
        was, now = before[stage], after.get(f"eximacl_next_{stage}", "")
        if was and not PLAIN_ACL.fullmatch(was):
            raise SetupError(
                f"acl_smtp_{stage} is {was!r}: eximacl can go on only to an ACL with a name or a path; "
                f"put that into an ACL with a name, and name it there"
            )
        if was == now or (was == "" and now == "accept"):
            continue
        yield f"EXIMACL_NEXT_{stage.upper()}", was or "accept"


def _not_in_force(place: EximConfig, before: Mapping[str, str], ours: Exim, directory: Path) -> str:
    """Return which ACL would not run although Exim accepts the configuration, ours or the admin's; empty: none."""
    early = asks_early(ours)
    for stage, found in not_ours(acls(ours), directory, early=early).items():
        return _debians_line(place, stage, found) if stage in DEBIANS else set_twice(place, stage)
    wired = [stage for stage in STAGES if stage not in DEBIANS and (early or stage in ("quit", "notquit"))]
    return next((set_twice(place, stage) for stage in not_called(before, ours, wired)), "")


def _debians_line(place: EximConfig, stage: str, found: str) -> str:
    """Return how to write what Debian has, a line that `macros` depends on. found: what Exim has instead."""
    name, macro = option(stage), f"MAIN_ACL_CHECK_{stage.upper()}"
    own = f", and set {macro} to your ACL at the top of {place.settings}" if found else ""
    if where(place, name) != where(place, name, but=macro):  # Debian's line is there, and another one below
        return f"{name} stays {found!r}{where(place, name, but=macro)}: delete that line{own}"
    line = where(place, name) or f" (Debian's line stood in {debians_options(place)}, above `begin acl`)"
    return f"{name} stays {found!r}{line}: write `{name} = {macro}` there, as Debian has it{own}"
