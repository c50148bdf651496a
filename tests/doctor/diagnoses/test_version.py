"""A version that is too old, or that has a known hole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.version import version
from eximacl.exim import Exim
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World
from tests.lab.daemons import EXIM


@contextmanager
def another_version(world: World) -> Iterator[Sequence[str]]:
    """The same Exim, which calls itself a version with a hole."""
    program = world.home / "exim4"
    program.write_text(
        "#!/bin/sh\n"
        f'[ "$*" != -bV ] || {{ {EXIM} -bV | sed "s/^Exim version [^ ]*/Exim version 4.99/"; exit; }}\n'
        f'exec {EXIM} "$@"\n'
    )
    program.chmod(0o755)
    yield ["--exim", str(program)]
    program.unlink()


WAYS: dict[str, Way] = {
    "a version with a hole": Way(
        another_version, "warning", r"^Exim 4\.99 may have known holes.*: .*CVE-2026-40685 \("
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "version", WAYS[way])


FOUND = [
    ("4.100.2", "", [("ok", "Exim 4.100.2 has no known hole")]),
    ("4.100.1", "", [("warning", "Exim 4.100.1 may have a known hole: GCVE-25-2026-11-82-1 (a write")]),
    ("4.100.1", "exim4 (4.100.1-4)", [("warning", "hole, which its package's changelog does not name: GCVE")]),
    ("4.100.1", "exim4 (4.100.1-5) From 4.100.2", [("ok", "no known hole that is not mended")]),
    ("4.94", "CVE-2023-51766 4.98 4.99.2 4.100.1 4.100.2", [("warning", "Exim has version 4.94")]),
    ("", "", []),
]


@pytest.mark.parametrize(("number", "changelog", "found"), FOUND)
def test_each_version(tmp_path: Path, number: str, changelog: str, found: list[tuple[str, str]]) -> None:
    program = tmp_path / "exim4"
    program.write_text(f"#!/bin/sh\necho 'Exim version {number} #2 built today'\n")
    program.chmod(0o755)
    results = told(version, known(tmp_path, exim=Exim(program), exim_changelog=changelog))
    assert [level for level, _ in results] == [level for level, _ in found]
    assert all(words in what for (_, words), (_, what) in zip(found, results, strict=True))
