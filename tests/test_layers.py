"""The layers of the package, held by reading the imports: they point down only, and the core does no I/O."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "eximacl"

# What a module without I/O, clock, randomness and event loop may need of the standard library.
PURE_NAMES = (
    "__future__ base64 binascii calendar collections contextlib dataclasses datetime email encodings enum functools "
    "hashlib hmac html inspect ipaddress itertools json math operator pkgutil re string struct types typing "
    "unicodedata zoneinfo"
)
PURE = frozenset(PURE_NAMES.split())
ANYTHING = frozenset(sys.stdlib_module_names)


class Layer(NamedTuple):
    """One layer: folders, or modules of the package's root, and what they may import from outside."""

    folders: str
    library: frozenset[str] = ANYTHING
    others: str = ""


# From the bottom up.
LAYERS = (
    Layer("system"),
    Layer("mail", PURE | {"socket"}, "idna regex publicsuffix2"),  # socket: for inet_pton, which is arithmetic
    Layer("policy", PURE),
    Layer("check", PURE),
    Layer("protocol"),
    Layer("checks", PURE),
    Layer("state dns", others="msgpack dns"),
    Layer("records", others="msgpack"),
    Layer("config", others="tomlkit"),
    Layer("archive"),
    Layer("daemon harvest exim", others="msgpack"),
    Layer("testing"),
    Layer("doctor"),
    Layer("cli", others="click"),
    Layer("__main__"),
)
# Inside these folders too, nothing but the layers below may be seen.
SEES = {"checks": "checks check mail"}
# Calls that reach outside without an import.
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "breakpoint", "now", "today", "utcnow"}
# They answer questions and write records; who decides is not theirs to know.
NO_POLICY = frozenset(("system", "state", "dns", "records"))
DECIDERS = ("policy.engine", "check", "checks", "config")


def name_of(path: Path) -> str:
    """Return a module's dotted name below the package; empty for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(module: str) -> Iterator[tuple[str, str]]:
    """Yield each import, at whatever depth: ("eximacl", module below the package) or (top-level module, "")."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            found = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in found:
            top, _, rest = name.partition(".")
            yield top, module_named(rest) if top == "eximacl" else ""


def module_named(name: str) -> str:
    """Return the longest start of a dotted name that is a module of ours."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def folder_of(module: str) -> str:
    return module.partition(".")[0]


def rank_of(module: str) -> int:
    found = [rank for rank, layer in enumerate(LAYERS) if folder_of(module) in layer.folders.split()]
    assert len(found) == 1, f"eximacl/{module.replace('.', '/')}: put its folder into one layer of LAYERS"
    return found[0]


def is_within(module: str, names: Iterable[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in names)


@pytest.mark.parametrize("module", [module for module in MODULES if module])
def test_imports_point_down(module: str) -> None:
    rank, own = rank_of(module), folder_of(module)
    layer, seen = LAYERS[rank], SEES.get(own)
    for top, ours in imports_of(module):
        if top != "eximacl":
            assert top in layer.library or top in layer.others.split(), f"{module} may not import {top}"
        elif ours and folder_of(ours) != own:
            assert rank_of(ours) < rank, f"{module} is not above {ours}"
            assert seen is None or is_within(ours, seen.split()), f"{module} may see only {seen}, not {ours}"


def test_no_imports_go_round() -> None:
    graph = {module: {ours for top, ours in imports_of(module) if top == "eximacl" and ours} for module in MODULES}
    list(TopologicalSorter({module: below - {module} for module, below in graph.items()}).static_order())


def is_pure(module: str) -> bool:
    return bool(module) and not LAYERS[rank_of(module)].library >= ANYTHING


@pytest.mark.parametrize("module", [module for module in MODULES if is_pure(module)])
def test_the_core_reaches_nothing_outside(module: str) -> None:
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert called not in IMPURE_CALLS, f"{module}, line {node.lineno}: {called}()"


@pytest.mark.parametrize("module", [module for module in MODULES if folder_of(module) in NO_POLICY])
def test_sources_and_records_know_no_policy(module: str) -> None:
    for top, ours in imports_of(module):
        assert top != "eximacl" or not is_within(ours, DECIDERS), f"{module} may not see {ours}"


def callers_of(function: str) -> set[str]:
    """Return the modules that call a function, or make a value, of this name."""
    found = set()
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function:
                found.add(module)
    return found


def test_one_place_decides() -> None:
    """Only the policy makes decisions, at DATA and of held messages too; only the judge and a check's tests ask it."""
    assert callers_of("Decision") == {"policy.engine", "policy.plan"}
    assert callers_of("decide") == {"daemon.judge", "testing"}


def test_the_table_names_only_what_exists() -> None:
    named = {name for layer in LAYERS for name in layer.folders.split()}
    assert named == {folder_of(module) for module in MODULES if module}
