"""`python -m build` makes a wheel and an sdist, and each of them runs in an empty venv."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from eximacl import __version__
from tests.lab.site import ROOT

# What the build reads; a clean copy, so that no leftover of an earlier build gets in.
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "eximacl", "exim-snippets")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with both."""
    tree = tmp_path_factory.mktemp("tree")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tree)
    _run([sys.executable, "-m", "build", "--outdir", tree / "dist", tree])
    return tree / "dist"


def _run(command: list[str | Path], **environ: str) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, check=False, capture_output=True, text=True, cwd="/", env={**os.environ, **environ})
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.needs_network
@pytest.mark.parametrize("suffix", ["-py3-none-any.whl", ".tar.gz"])
def test_installs_and_runs_in_an_empty_venv(built: Path, tmp_path: Path, suffix: str) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    _run([environment / "bin/pip", "install", "--quiet", built / f"eximacl-{__version__}{suffix}"])
    eximacl = environment / "bin/eximacl"
    assert _run([eximacl, "--version"]) == f"eximacl, version {__version__}\n"
    _run([eximacl, "config", "sample", "--write", tmp_path / "etc"])
    config = {"EXIMACL_CONFIG": str(tmp_path / "etc/eximacl.toml")}
    assert ": OK (" in _run([eximacl, "config", "test"], **config)
    asked = _run(
        [eximacl, "check", "--offline", "--ip", "192.0.2.7", "--from", "", "--rcpt", "a@example.org"], **config
    )
    assert asked.startswith("accept")
    snippets = environment / "share/eximacl/exim-snippets"
    assert sorted(path.name for path in snippets.iterdir()) == sorted(
        path.name for path in (ROOT / "exim-snippets").iterdir()
    )
