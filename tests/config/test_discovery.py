"""Where checks are found: the supplied ones, those of packages, and those in the admin's own directory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import eximacl.checks
from eximacl.config import find_checks
from eximacl.config.discovery import discover, supplied
from eximacl.config.settings import DEFAULT_ORDER
from tests.config.world import loaded_from, problems_of, site, word

CHECK = '''
from eximacl.check import Ask, Hit, Outcome, Query, check

REASON = "{text}"

@check("{name}", stages={{"rcpt"}})
async def {name}(query: Query, options: object, ask: Ask) -> Outcome:
    """Refuse everything."""
    return Hit("{name}", "", REASON)
'''
CONFIG = '[policy]\ndomains = ["example.org"]\norder = ["mine"]\nchecks_dir = "checks"\n'


def installed(root: Path, point: str) -> None:
    """Put a package's metadata where the import system finds it."""
    info = root / "other_checks-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-checks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[eximacl.checks]\nother = {point}\n")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.startswith("other_checks")]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


def test_every_file_of_the_package_is_a_check_of_the_same_name() -> None:
    files = {path.stem for path in Path(eximacl.checks.__path__[0]).glob("[!_]*.py")}
    assert {found.check.name for found in supplied()} == files
    assert set(find_checks()) >= files
    assert files <= set(DEFAULT_ORDER), "put its name into DEFAULT_ORDER in eximacl/config/settings.py"


@pytest.mark.parametrize("point", ["other_checks", "other_checks:theirs"])
def test_checks_of_a_package(packages: Path, point: str) -> None:
    (packages / "other_checks.py").write_text(CHECK.format(name="theirs", text="no"))
    installed(packages, point)
    assert "theirs" in find_checks()


@pytest.mark.parametrize(
    ("source", "point", "problem"),
    [
        ("", "other_checks", "declares no check; mark an async function with @check(…)"),
        ("x = 1\n", "other_checks:x", "declares no check; mark an async function with @check(…)"),
        (
            "import no_such_module_at_all\n",
            "other_checks",
            "ModuleNotFoundError: No module named 'no_such_module_at_all'",
        ),
        ("raise SystemExit('bye')\n", "other_checks", "SystemExit: bye"),
        ("", "other_checks:x", "AttributeError: module 'other_checks' has no attribute 'x'"),
    ],
)
def test_packages_without_a_check(packages: Path, source: str, point: str, problem: str) -> None:
    (packages / "other_checks.py").write_text(source)
    installed(packages, point)
    here = site()
    discover(None, here)
    assert [str(found) for found in here.problems] == [f"entry point other ({point}): {problem}"]


def test_checks_in_a_directory(tmp_path: Path) -> None:
    files = {
        "eximacl.toml": CONFIG,
        "checks/mine.py": CHECK.format(name="mine", text="no"),
        "checks/_helper.py": "raise RuntimeError",
        "checks/.mine.py": "raise RuntimeError",
        "checks/README": "not Python",
    }
    loaded = loaded_from(tmp_path, files)
    assert word(loaded, "steve@example.org") == "reject"
    assert "mine" in loaded.checks


def test_a_changed_check_is_loaded_anew_and_the_running_one_stays(tmp_path: Path) -> None:
    files = {"eximacl.toml": CONFIG, "checks/mine.py": CHECK.format(name="mine", text="old")}
    running = loaded_from(tmp_path, files)
    again = loaded_from(tmp_path, files)
    assert running.checks["mine"] is again.checks["mine"]
    changed = loaded_from(tmp_path, {**files, "checks/mine.py": CHECK.format(name="mine", text="new")})
    texts = [vars(sys.modules[one.checks["mine"].run.__module__])["REASON"] for one in (running, changed)]
    assert texts == ["old", "new"]


def test_a_check_that_fails_leaves_no_module_behind(tmp_path: Path) -> None:
    before = set(sys.modules)
    problems = problems_of(tmp_path, {"eximacl.toml": CONFIG, "checks/mine.py": "raise ValueError('two\\nlines')\n"})
    assert problems[0] == r"checks/mine.py: ValueError: two\nlines"
    assert not [name for name in set(sys.modules) - before if name.startswith("eximacl_checks_dir")]


def test_a_check_may_be_declared_only_once(tmp_path: Path) -> None:
    source = CHECK.format(name="mine", text="no")
    files = {"eximacl.toml": CONFIG, "checks/a.py": source, "checks/b.py": source}
    assert problems_of(tmp_path, files) == [
        "checks/b.py: there is already a check named mine, in checks/a.py; give this one another name"
    ]


def test_what_python_cannot_even_read(tmp_path: Path) -> None:
    (tmp_path / "zero.py").write_bytes(b"\0")
    here = site(tmp_path)
    discover(tmp_path, here)
    assert [problem.file for problem in here.problems] == ["zero.py"]


OPTION = """
from dataclasses import dataclass
from eximacl.check import Ask, Outcome, Query, check, option

@dataclass(frozen=True, kw_only=True)
class Options:
    {name}: {kind} = option(1, "An option.")

@check("mine", stages={{"rcpt"}}, options=Options)
async def mine(query: Query, options: Options, ask: Ask) -> Outcome:
    '''Object to nothing.'''
"""


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", "mine.py: declares no check; mark an async function with @check(…)"),
        (
            CHECK.format(name="mine", text="").replace('"mine"', '"my.check"'),
            "mine.py: check 'my.check': a name consists of",
        ),
        (OPTION.format(name="action", kind="int"), "mine.py: check mine: every check has an option action; give this"),
        (OPTION.format(name="size", kind="bytes"), "mine.py: check mine: option size: options cannot be of type"),
    ],
)
def test_files_that_give_no_check(tmp_path: Path, source: str, problem: str) -> None:
    (tmp_path / "mine.py").write_text(source)
    here = site(tmp_path)
    assert "mine" not in discover(tmp_path, here)
    assert str(here.problems[0]).startswith(problem)


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    here = site(tmp_path, "policy.checks_dir")
    discover(tmp_path / "checks", here)
    text = "eximacl.toml: policy.checks_dir: checks cannot be read: No such file or directory"
    assert [str(problem) for problem in here.problems] == [text]
