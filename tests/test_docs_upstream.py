"""The reproductions of docs/upstream.md: what it says of Exim is so. Once Exim has mended it, that page has to go."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from eximacl.exim import Exim
from eximacl.exim.version import version_of
from tests.lab.site import ROOT

PAGE = (ROOT / "docs/upstream.md").read_text(encoding="utf-8")
# From this version on, an option that is set twice is accepted.
ACCEPTED_FROM = (4, 100)

pytestmark = [pytest.mark.needs_exim, pytest.mark.needs_root]


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory with a short name: Exim takes at most 256 bytes from its command line for a string."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def block(name: str, home: Path) -> str:
    """Run a block of the page in a directory of its own; return what it prints."""
    (found,) = re.findall(rf"^> ```sh {name}\n(.*?)^> ```$", PAGE, re.MULTILINE | re.DOTALL)
    script = re.sub(r"(?m)^> ?", "", found).replace("/tmp/", f"{home}/")
    config = home / "exim.conf"
    config.write_text("keep_environment =\n")
    script = script.replace("exim4 -be", f"exim4 -C {config} -be").replace("exim4 ", "/usr/sbin/exim4 ")
    done = subprocess.run(["sh", "-c", script], check=False, capture_output=True, text=True)
    return done.stdout + done.stderr


def test_a_closed_descriptor_is_used_again(home: Path) -> None:
    said = block("readsocket", home).splitlines()
    assert [f">     {line}" for line in said] == re.findall(r"(?m)^>     failed .*$", PAGE)


def test_an_option_is_set_twice(home: Path) -> None:
    said = block("twice", home)
    accepted = version_of(Exim().run("-bV").out) >= ACCEPTED_FROM
    wanted = "acl_smtp_connect = deny" if accepted else '"acl_smtp_connect" option set for the second time'
    assert wanted in said
    assert f"`{wanted}`" in PAGE
