"""Exim's version and its known holes."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from eximacl.exim.version import HOLES, changelog, dotted, holes, version_of

VERSIONS = [
    ("Exim version 4.96 #2 built 27-May-2026 16:52:26", (4, 96)),
    ("Exim version 4.98.2 #2 built 11-Nov-2026 17:36:59", (4, 98, 2)),
    ("Exim version 4.100.1 #2 built 25-Nov-2026 17:25:56", (4, 100, 1)),
    ("Exim version 4.99+fixes", (4, 99)),
    ("\nExim version 4.97-RC1\n", (4, 97)),
    ("Postfix", ()),
    ("", ()),
]


@pytest.mark.parametrize(("said", "version"), VERSIONS)
def test_version(said: str, version: tuple[int, ...]) -> None:
    assert version_of(said) == version


def test_a_later_version_is_later() -> None:
    assert version_of("Exim version 4.100") > version_of("Exim version 4.99.5")
    assert dotted((4, 100, 1)) == "4.100.1"


ALL = "GnuTLS PROXY spa sqlite"
# What is printed for support, and what Debian's changelogs of the same day say; the holes that are left.
PLAIN = {"CVE-2026-94057", "GCVE-25-2026-11-82-1"}
KNOWN = [
    ("4.100.2", ALL, "", set()),
    ("4.101", ALL, "", set()),
    ("4.100.1", ALL, "", {"GCVE-25-2026-11-82-1"}),
    ("4.100.1", ALL, "from 4.100.2: an OOB write", set()),
    ("4.100.1", ALL, "(GCVE-25-2026-11-82-1)", set()),
    ("4.100.1", ALL, "14.100.2, 4.100.20, 4.100.2.1", {"GCVE-25-2026-11-82-1"}),
    ("4.99.4", "OpenSSL", "", PLAIN),
    ("4.99.4", "GnuTLS", "", PLAIN | {"CVE-2026-94055"}),
    ("4.99.1", "GnuTLS", "", PLAIN | {"CVE-2026-94055", "CVE-2026-45185", "CVE-2026-40685"}),
    ("4.99", "sqlite", "", PLAIN | {"CVE-2025-67896", "CVE-2026-40685"}),
    ("4.98", "sqlite", "", PLAIN | {"CVE-2025-26794", "CVE-2026-40685"}),
    ("4.98.2", "GnuTLS", "fixed upstream in 4.99.3. Cherry-pick from 4.100.1, 4.100.2, 4.99.2.", set()),
    ("4.97", "", "", PLAIN | {"CVE-2023-51766", "CVE-2024-39929", "CVE-2026-40685"}),
    ("4.96", "GnuTLS", "cve-2023-51766 CVE-2024-39929 CVE-2026-40686", PLAIN),
    ("", ALL, "", set()),
]


@pytest.mark.parametrize(("version", "support", "log", "left"), KNOWN)
def test_known_holes(version: str, support: str, log: str, left: set[str]) -> None:
    said = f"Exim version {version} #2\nSupport for: {support}\n"
    assert {hole.names[0] for hole in holes(said, log)} == left


def test_each_hole_has_a_beginning_and_an_end() -> None:
    assert all(hole.since < hole.mended and hole.names and hole.what for hole in HOLES)


def test_the_changelog_of_a_package(tmp_path: Path) -> None:
    path = tmp_path / "changelog.gz"
    assert changelog(path) == ""
    path.write_bytes(b"no gzip")
    assert changelog(path) == ""
    path.write_bytes(gzip.compress(b"exim4 (4.96-15)\n")[:-4])
    assert changelog(path) == ""
    path.write_bytes(gzip.compress(b"exim4 (4.96-15)\n"))
    assert changelog(path) == "exim4 (4.96-15)\n"
