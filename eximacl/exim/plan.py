"""What an installation or a removal would change. Making a plan only reads; the line that turns eximacl on is last."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from eximacl.exim import wiring
from eximacl.exim.errors import SetupError
from eximacl.exim.place import EximConfig, configuration_files, read


@dataclass(frozen=True)
class Edit:
    """One file as it is, and as it will be; None: it does not exist."""

    path: Path
    before: str | None
    after: str | None

    def diff(self) -> str:
        """Return the change as a unified diff."""
        lines = difflib.unified_diff(
            (self.before or "").splitlines(keepends=True),
            (self.after or "").splitlines(keepends=True),
            str(self.path) if self.before is not None else "/dev/null",
            str(self.path) if self.after is not None else "/dev/null",
        )
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


@dataclass(frozen=True)
class InstallPlan:
    """The changes of a configuration. directory: the copy of the snippets to wire in; None: take eximacl out.

    routed: the router is there, or will be.
    """

    place: EximConfig
    edits: tuple[Edit, ...]
    directory: Path | None = None
    routed: bool = False

    def diff(self) -> str:
        """Return all changes as unified diffs."""
        return "".join(edit.diff() for edit in self.edits)


def plan_install(place: EximConfig, directory: Path, settings: Mapping[str, str], *, router: bool) -> InstallPlan:
    """Plan to wire in the snippets in `directory`. Raises SetupError where an admin has done so by hand.

    settings: macros for them. router: put the router into the template, too (a split configuration always gets it).
    """
    refuse_by_hand(place)
    switch = wiring.switch_lines(directory, settings)
    before = read(place.switch)
    if place.kind == "split":
        wanted, routed = [(place.router, wiring.router_lines()), (place.switch, switch)], True
    else:
        template = read(place.router) or ""
        routed = router or wiring.has_block(template)
        wanted = [(place.router, wiring.first_router(template, place.router))] if routed else []
        wanted.append((place.switch, wiring.appended(before, switch)))
    edits = [Edit(path, read(path), text) for path, text in wanted]
    return InstallPlan(place, tuple(edit for edit in edits if edit.before != edit.after), directory, routed)


def plan_remove(place: EximConfig) -> InstallPlan:
    """Plan to take out what `plan_install` puts in, even if the configuration was of the other kind then."""
    return InstallPlan(place, tuple(_removals(place)))


def _removals(place: EximConfig) -> Iterator[Edit]:
    for kind in ("split", "unsplit"):
        other = EximConfig(place.etc, kind)
        for path in (other.switch, other.router):
            before = read(path)
            if before is not None and wiring.has_block(before):
                after = wiring.without(before)
                # In a split configuration these files are ours alone.
                yield Edit(path, before, None if kind == "split" and not (after or "").strip() else after)


def refuse_by_hand(place: EximConfig) -> None:
    """Raise SetupError where lines that are not ours include the snippets."""
    found = list(wired_by_hand(place))
    if found:
        lines = ", ".join(f"{path}:{number}" for path, number in found)
        raise SetupError(f"eximacl is wired in by hand already: take the .include out of {lines} first, then install")


def wired_by_hand(place: EximConfig) -> Iterator[tuple[Path, int]]:
    """Yield the file and line number of each inclusion of our snippets that an admin wrote."""
    for path in configuration_files(place):
        for number in wiring.by_hand(read(path) or ""):
            yield path, number
