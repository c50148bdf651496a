"""Finding checks: in `eximacl/checks/`, among installed packages, and in the admin's own directory.

Nothing is registered by hand: a check is what `@check` has marked in a module that was found. A module that fails is
reported as a problem with its name, and never raises.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import eximacl.checks
from eximacl.config.problems import Problem, Refused, Site
from eximacl.config.settings import COMMON_TABLE, tables_within
from eximacl.config.sources import SOURCE_BYTES_MAX
from eximacl.config.values import kind_of
from eximacl.policy.declare import Check, Option, declared
from eximacl.system.files import read_regular
from eximacl.system.plugins import declarations_in, modules_in
from eximacl.system.text import printable

ENTRY_POINTS = "eximacl.checks"
_NAME = re.compile(r"[a-z][a-z0-9_]*")  # it is a key in TOML, and a word in logs and on the command line
NOTHING_DECLARED = "declares no check; mark an async function with @check(…)"


class DiscoveredCheck(NamedTuple):
    """A check, and where it was found (a module, an entry point, or a file)."""

    check: Check
    origin: str


def discover(checks_dir: Path | None, site: Site) -> dict[str, Check]:
    """Return all checks by name. `site` is where the directory was named; problems are collected there."""
    checks: dict[str, DiscoveredCheck] = {}
    for found in (*supplied(), *_installed(site.problems), *_in_directory(checks_dir, site)):
        try:
            _accept(found, checks)
        except Refused as refused:
            site.problems.append(Problem(found.origin, "", str(refused)))
    return {name: found.check for name, found in checks.items()}


def _accept(found: DiscoveredCheck, checks: dict[str, DiscoveredCheck]) -> None:
    check = found.check
    if not _NAME.fullmatch(check.name):
        raise Refused(f"check {check.name!r}: a name consists of lower-case letters, digits and _")
    other = checks.get(check.name)
    if other is not None:
        raise Refused(f"there is already a check named {check.name}, in {other.origin}; give this one another name")
    common = {option.name for option in COMMON_TABLE.options}
    for option in check.options:
        if option.name in common:
            raise Refused(f"check {check.name}: every check has an option {option.name}; give this one another name")
        try:
            _check_kinds(option)
        except TypeError as error:
            raise Refused(f"check {check.name}: option {option.name}: {error}") from None
    checks[check.name] = found


def _check_kinds(option: Option) -> None:
    """Raise TypeError if the config cannot read an option, or one in its tables."""
    kind_of(option.type)
    for table in tables_within(option.name, (option,)):
        for inner in table.options:
            kind_of(inner.type)


def supplied() -> Iterator[DiscoveredCheck]:
    """Find the checks that come with eximacl."""
    for module in modules_in(eximacl.checks):
        yield from _declared_in(module, module.__name__)


def _installed(problems: list[Problem]) -> Iterator[DiscoveredCheck]:
    """Find the checks of other packages: entry points that name a module, or a function marked with `@check`."""
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        origin = f"entry point {point.name} ({point.value})"
        try:
            loaded: Any = point.load()
        except (Exception, SystemExit) as error:
            problems.append(Problem(origin, "", _one_line(error)))
            continue
        one = declared(loaded)
        found = [DiscoveredCheck(one, origin)] if one else []
        if isinstance(loaded, ModuleType):
            found = list(_declared_in(loaded, origin))
        if not found:
            problems.append(Problem(origin, "", NOTHING_DECLARED))
        yield from found


def _in_directory(directory: Path | None, site: Site) -> Iterator[DiscoveredCheck]:
    """Find the checks in the `*.py` files of a directory; names that start with `_` or `.` are skipped."""
    if directory is None:
        return
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == ".py" and path.name[0] not in "._")
    except OSError as error:
        site.report(f"{site.shown(directory)} cannot be read: {error.strerror}")
        return
    for path in paths:
        origin = site.shown(path)
        try:
            yield from _in_file(path, origin)
        except Refused as refused:
            site.problems.append(Problem(origin, "", str(refused)))


def _in_file(path: Path, origin: str) -> list[DiscoveredCheck]:
    """Find the checks in one file. Raises Refused."""
    try:
        source = read_regular(path, SOURCE_BYTES_MAX)
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror}") from None
    try:
        found = list(_declared_in(_load(path, source), origin))
    except (Exception, SystemExit) as error:
        raise Refused(_one_line(error)) from None
    if not found:
        raise Refused(NOTHING_DECLARED)
    return found


def _load(path: Path, source: bytes) -> ModuleType:
    """Run a file as a module. The module's name contains the content's hash: a changed file gets a new module.

    So a reload that is refused in the end leaves the checks of the running policy unchanged.
    """
    digest = hashlib.sha256(b"%s\0%s" % (bytes(path), source)).hexdigest()[:16]
    name = f"eximacl_checks_dir_{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses look their module up there while it runs
    try:
        exec(compile(source, str(path), "exec"), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _declared_in(module: ModuleType, origin: str) -> Iterator[DiscoveredCheck]:
    """Find what a module declares itself; a check that it only imports is not its own."""
    for check in declarations_in(module, Check):
        yield DiscoveredCheck(check, origin)


def _one_line(error: BaseException) -> str:
    """Return an exception as one line: its class, its text, and the line of a syntax error."""
    return printable(f"{type(error).__name__}: {error}")
