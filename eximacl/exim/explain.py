"""Exim's complaints, with the file and line that an admin can change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from eximacl.exim import wiring
from eximacl.exim.place import EximConfig, configuration_files, read
from eximacl.exim.program import Exim


def explain(complaint: str, place: EximConfig) -> str:
    """Add to Exim's words which of the admin's lines clashes with ours, and what to do."""
    clash = re.search(r'macro "(\w+)" is already defined|"(\w+)" option set for the second time', complaint)
    if not clash:
        return complaint
    name = clash[1] or clash[2]
    if name.startswith("acl_smtp_"):
        return f"{complaint}\n{set_twice(place, name.removeprefix('acl_smtp_'))}"
    if name.startswith("MAIN_ACL_CHECK_"):
        cure = f"move that line to the top of {place.settings}, where eximacl finds it and still runs its ACL"
    else:
        cure = f"delete that line; eximacl sets {name} itself"
    return f"{complaint}\n{name} is set{where(place, name)}: {cure}"


def set_twice(place: EximConfig, stage: str) -> str:
    """Return what to do where both eximacl and an admin set the ACL of a stage, and only one of them can run."""
    name = f"acl_smtp_{stage}"
    cure = f"delete that line, and set EXIMACL_NEXT_{stage.upper()} to its ACL in {place.settings}"
    return f"{name} is set{where(place, name)}: {cure}"


def debians_options(place: EximConfig) -> Path:
    """Return where Debian's configuration sets its ACL options."""
    return place.router if place.kind == "unsplit" else place.etc / "conf.d/main/02_exim4-config_options"


def in_an_admins_words(complaint: str, made: Exim, place: EximConfig) -> str:
    """Name the admin's file and line in place of those of a generated configuration, which is deleted by then."""
    found = re.search(r"line (\d+) of (\S+?)(?=:?(?:\s|\Z))", complaint)
    if not found or made.config is None or Path(found[2]) != made.config:
        return complaint
    lines = (read(made.config) or "").splitlines()
    number = int(found[1])
    line = lines[number - 1].strip() if number <= len(lines) else ""
    places = lines_with(place, line) if line else []
    named = " or ".join(places[:3]) or f"the configuration generated from {place.etc}"
    return complaint.replace(found[0], f"{named} ({line})" if line else named)


def where(place: EximConfig, name: str, *, but: str = "") -> str:
    """Return where an admin sets an option or a macro, in words; empty where that is not set, but to one value."""
    found = settings_of(place, name, but=but)
    return f" in {', '.join(found)}" if found else ""


def settings_of(place: EximConfig, name: str, *, but: str = "", always: bool = False) -> list[str]:
    """Return where an admin sets an option or a macro, as `FILE:LINE`; defaults of Debian and of ours do not count.

    but: a value that does not count, either. always: neither do lines that hold only under a condition.
    """
    return [
        f"{path}:{number}"
        for path in configuration_files(place)
        for number, value, conditions in _lines_of(read(path) or "", name)
        if not (but and value == but) and not (always and conditions)
    ]


def _lines_of(text: str, name: str) -> Iterator[tuple[int, str, int]]:
    """Yield the number of each line that sets a name, the value, and in how many `.ifdef` it stands."""
    ours, conditions = False, 0
    for number, (above, line) in enumerate(pairwise(["", *text.splitlines()]), 1):
        ours = line == wiring.BEGIN or (ours and line != wiring.END)
        default = re.match(rf"\s*\.ifndef\s+{name}\s*$", above)
        conditions += len(re.findall(r"^\s*\.ifn?def\b", line)) - len(re.findall(r"^\s*\.endif\b", line))
        found = re.match(rf"\s*{name}\s*=\s*(.*?)\s*$", line)
        if found and not ours and not default:
            yield number, found[1], conditions


def lines_with(place: EximConfig, wanted: str) -> list[str]:
    """Return where a line with exactly this text stands, as `FILE:LINE`."""
    return [
        f"{path}:{number}"
        for path in configuration_files(place)
        for number, line in enumerate((read(path) or "").splitlines(), 1)
        if line.strip() == wanted
    ]
