"""A check is three files, an option is documented where it is declared, and every module has its own test file."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from eximacl.check import Check, declared
from eximacl.config import sample
from eximacl.config.discovery import supplied

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "eximacl"
CHECKS = {found.check.name: found.check for found in supplied()}
FILES = sorted(path for path in (PACKAGE / "checks").glob("*.py") if not path.stem.startswith("_"))
SAMPLE = sample(CHECKS.values())


def test_every_file_is_a_check_of_its_name() -> None:
    assert sorted(CHECKS) == [path.stem for path in FILES]
    for name, found in CHECKS.items():
        assert found.run.__module__ == f"eximacl.checks.{name}"
        assert declared(found.run) is found


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_a_check_has_its_tests_and_its_page(name: str) -> None:
    assert (ROOT / "tests" / "checks" / f"test_{name}.py").is_file()
    page = (ROOT / "docs" / "checks" / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {name}: ")
    for heading in ("## Reasons and replies", "## Examples", "## Pitfalls"):
        assert heading in page


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_every_option_is_in_the_page_and_in_the_sample(name: str) -> None:
    found: Check = CHECKS[name]
    page = (ROOT / "docs" / "checks" / f"{name}.md").read_text(encoding="utf-8")
    table = re.search(rf"<!-- options: {name} -->\n(.*?)<!-- end -->", page, re.DOTALL)
    assert table, f"docs/checks/{name}.md needs the markers of the options table"
    section = SAMPLE.partition(f"[checks.{name}]\n")[2].partition("\n[")[0]
    for option in found.options:
        assert f"| `{option.name}` |" in table[1], "run `make docs`"
        assert option.help in table[1], "run `make docs`"
        assert re.search(rf"^#?{option.name} = ", section, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_every_reason_is_in_the_page(name: str) -> None:
    """Reasons are the slugs that a check's file gives to Hit."""
    page = (ROOT / "docs" / "checks" / f"{name}.md").read_text(encoding="utf-8")
    tree = ast.parse((PACKAGE / "checks" / f"{name}.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Hit":
            reason = node.args[0] if node.args else node.keywords[0].value
            if isinstance(reason, ast.Constant) and isinstance(reason.value, str):
                assert f"| `{reason.value}` |" in page


def has_code(path: Path) -> bool:
    """Whether a file defines a function or a class; one that only gathers imports is tested through them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for node in ast.walk(tree))


def file_testing(path: Path) -> Path:
    inside = path.relative_to(PACKAGE)
    stem = inside.stem.strip("_")
    return ROOT / "tests" / inside.parent / f"test_{stem}.py"


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(PACKAGE.rglob("*.py")) if has_code(path)],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_every_module_has_its_own_test_file(path: Path) -> None:
    assert file_testing(path).is_file(), f"{path.relative_to(ROOT)} needs {file_testing(path).relative_to(ROOT)}"
