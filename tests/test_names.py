"""One name, one meaning: no two modules define a class of the same name; and tests stay outside of what is private."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "eximacl"
# Each check has options, and `Options` is what their class is called.
EVERYWHERE = {"Options"}
# Wrong on purpose.
NOT_PYTHON = ROOT / "tests" / "bad-config"
# What a named tuple has in public, with an underscore because its fields come first.
NAMED_TUPLE = {"_asdict", "_field_defaults", "_fields", "_make", "_replace"}
# Some things cannot be seen from outside. More than these few would tie the tests to the code.
REACHED_INTO_MAX = 10


def parsed(directory: Path) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(directory.rglob("*.py")):
        if not path.is_relative_to(NOT_PYTHON):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def test_a_class_name_stands_in_one_module() -> None:
    places = defaultdict(list)
    for path, tree in parsed(PACKAGE):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not is_private(node.name) and node.name not in EVERYWHERE:
                places[node.name].append(path)
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def private_names(tree: ast.Module) -> Iterator[str]:
    """Yield the private functions, classes, variables and attributes that a module defines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            name = node.attr
        else:
            continue
        if is_private(name):
            yield name


def reached_into(tree: ast.Module, private: set[str]) -> Iterator[tuple[int, str]]:
    """Yield line and text of each place where a test uses one of the private names of something of ours."""
    outside = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in private:
            if not (isinstance(node.value, ast.Name) and node.value.id in {"self", "cls", *outside}):
                yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("eximacl"):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name in private)


def test_tests_hardly_reach_into_private_attributes() -> None:
    private = {name for _, tree in parsed(PACKAGE) for name in private_names(tree)} - NAMED_TUPLE
    found = [
        f"{path}:{line}: {text}" for path, tree in parsed(ROOT / "tests") for line, text in reached_into(tree, private)
    ]
    assert len(found) <= REACHED_INTO_MAX, "\n".join(["test these through what is public:", *found])
