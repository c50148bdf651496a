"""What is installed, and what an admin has to do by hand, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from eximacl.exim.explain import set_twice
from eximacl.exim.options import DEBIANS, option
from eximacl.exim.place import EximConfig
from eximacl.exim.state import InstallState

KINDS = {"split": "Debian's, split (conf.d)", "unsplit": "Debian's, one big file", "plain": "a file of your own"}
BY_HAND = """\
{file} is a file of your own, so eximacl changes nothing in it. Three edits wire it in (see docs/exim.md):

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


def edits_by_hand(place: EximConfig, directory: Path, settings: Mapping[str, str]) -> str:
    """Return what to write into a configuration that is not Debian's, to wire in the snippets in `directory`."""
    more = "".join(f"\n      {name} = {value}" for name, value in settings.items())
    return BY_HAND.format(file=place.switch, directory=directory, settings=more)


def describe(state: InstallState) -> Iterator[tuple[str, str]]:
    """Yield a label and a text for each part of what is installed, with what to do about it."""
    yield "Configuration", f"{state.place.etc}: {KINDS[state.place.kind]}"
    yield "Wiring", _wiring(state)
    if state.directory is not None:
        yield "Snippets", f"{state.directory}: {_version(state)}"
    if state.in_force:
        yield "Router", _router(state)


def _wiring(state: InstallState) -> str:
    by_hand = ", ".join(state.by_hand)
    if state.twice:
        return (
            f"twice: by eximacl exim install, and by hand in {by_hand}. "
            "Exim refuses that at its next start: take the .include out there"
        )
    if state.in_force and state.elsewhere:
        return f"not complete: {_elsewhere(state)}"
    if state.in_force:
        return f"in force, by hand: {by_hand}" if by_hand else "in force"
    if state.switched and state.directory is not None and not state.missing:
        return (
            f"in what Exim reads, but its acl_smtp_rcpt is {state.acl!r}. "
            "Write acl_smtp_rcpt = MAIN_ACL_CHECK_RCPT again, as in Debian's configuration"
        )
    if state.switched:
        return "in the files, but not in what Exim reads: run update-exim4.conf, then restart Exim"
    return "not installed: run eximacl exim install"


def _version(state: InstallState) -> str:
    if state.missing:
        return "missing, so Exim accepts mail without asking: run eximacl exim install"
    if state.current:
        return "of this version"
    if state.changed:
        return "changed by hand: eximacl exim install replaces them with this version's"
    return "of another version: eximacl exim install updates them"


def _elsewhere(state: InstallState) -> str:
    """Return the first ACL that is not ours, and what to do about it."""
    stage, acl = next(iter(state.elsewhere.items()))
    found = f"{option(stage)} is {acl!r}, not {stage}.acl"
    if stage in DEBIANS and state.place.kind != "plain":
        return f"{found}; write {option(stage)} = MAIN_ACL_CHECK_{stage.upper()} again, as in Debian's configuration"
    return f"{found}; {set_twice(state.place, stage)}"


def _router(state: InstallState) -> str:
    if state.router and state.router_before:
        return (
            f"eximacl_disposable, but {state.router_before} comes before it and may take a disposable address: "
            "move the .include of the router right after `begin routers`"
        )
    if state.router:
        return "eximacl_disposable"
    cure = "; run eximacl exim install --router" if state.place.kind == "unsplit" else ""
    return f"none: disposable addresses are not delivered{cure}"
