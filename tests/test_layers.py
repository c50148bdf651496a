"""The layers of DESIGN 4, held by reading the imports: they point down only, and the core does no I/O."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "eximacl"

# What a module without I/O, clock, randomness and event loop may need of the standard library.
PURE_NAMES = (
    "__future__ base64 binascii calendar collections contextlib dataclasses datetime enum functools hashlib hmac "
    "inspect ipaddress itertools json math operator re string struct types typing unicodedata zoneinfo"
)
PURE = frozenset(PURE_NAMES.split())
ANYTHING = frozenset(sys.stdlib_module_names)


class Layer(NamedTuple):
    """One layer: its modules (a package stands for all in it) and what they may import from outside.

    sees: only these modules of ours; None: all of the layers below, and its own.
    """

    modules: str
    library: frozenset[str] = PURE
    others: str = ""
    sees: str | None = None


# From the bottom up.
LAYERS = (
    Layer("address", sees=""),
    Layer("model", sees="address"),
    # socket: for inet_pton, which is arithmetic.
    Layer("lists", PURE | {"socket"}, "regex", sees="address"),
    Layer("verbs", sees=""),
    Layer("questions", sees="model verbs"),
    Layer("registrable", PURE, "publicsuffix2"),
    Layer("blocking disposable hosts generic_name prvs references wire"),
    Layer("check drive"),
    Layer("dns_lists", sees="address check hosts lists questions"),
    Layer("policy"),
    Layer("checks", sees="check model address verbs blocking disposable hosts generic_name prvs registrable dns_lists"),
    Layer("judged quiet times", ANYTHING),
    Layer("dns", ANYTHING, "dns", sees="model address"),
    Layer("answers archive state records redaction journal rejections", ANYTHING, "msgpack"),
    Layer("config", ANYTHING),
    Layer("following mailview release rejection_search", ANYTHING),
    Layer("allow", ANYTHING),
    Layer("harvest", ANYTHING),
    Layer("listen sdnotify client exim_setup", ANYTHING),
    Layer("holding network recording", ANYTHING),
    Layer("judge", ANYTHING),
    Layer("server", ANYTHING),
    Layer("daemon", ANYTHING),
    Layer("doctor", ANYTHING, "dns"),
    Layer("cli", ANYTHING, "click"),
    Layer("__main__", ANYTHING),
)
# Calls that reach outside without an import.
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "breakpoint", "now", "today", "utcnow"}
# They answer questions and write records; who decides is not theirs to know.
NO_POLICY = tuple(
    "answers archive dns judged state records redaction journal rejections quiet listen server sdnotify".split()  # noqa: SIM905
)


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


def rank_of(module: str) -> int:
    found = [rank for rank, layer in enumerate(LAYERS) if module.partition(".")[0] in layer.modules.split()]
    assert len(found) == 1, f"eximacl/{module.replace('.', '/')}: put it into one layer of LAYERS"
    return found[0]


@pytest.mark.parametrize("module", [module for module in MODULES if module])
def test_imports_point_down(module: str) -> None:
    rank = rank_of(module)
    layer = LAYERS[rank]
    own = module.partition(".")[0]
    for top, ours in imports_of(module):
        if top != "eximacl":
            assert top in layer.library or top in layer.others.split(), f"{module} may not import {top}"
        elif ours and ours.partition(".")[0] != own:
            assert rank_of(ours) <= rank, f"{module} is below {ours}"
            assert layer.sees is None or ours in layer.sees.split(), f"{module} may see only {layer.sees}, not {ours}"


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


@pytest.mark.parametrize("module", [module for module in MODULES if module.partition(".")[0] in NO_POLICY])
def test_sources_and_records_know_no_policy(module: str) -> None:
    seen = {ours.partition(".")[0] for top, ours in imports_of(module) if top == "eximacl"}
    assert not seen & {"policy", "check", "checks", "config"}


def test_one_place_decides() -> None:
    users = [module for module, path in MODULES.items() if "decide(" in path.read_text(encoding="utf-8")]
    assert users == ["judge", "policy"]


def test_the_table_names_only_what_exists() -> None:
    named = {name for layer in LAYERS for name in layer.modules.split()}
    assert named == {module.partition(".")[0] for module in MODULES if module}
