"""Which files Exim's next configuration is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.exim import EximConfig
from eximacl.exim.sources import sources

FILES = {
    "split": ("conf.d/main/01_x", "conf.d/main/99_x.dpkg-dist", "conf.d/main/000_x~", "conf.d/acl/30_y"),
    "unsplit": ("exim4.conf.template", "exim4.conf.localmacros", "exim4.conf.template.bak"),
}
READ = {
    "split": {"01_x", "30_y", "update-exim4.conf.conf"},
    "unsplit": {"exim4.conf.template", "exim4.conf.localmacros", "update-exim4.conf.conf"},
}


@pytest.mark.parametrize("kind", ["split", "unsplit"])
def test_files_that_debians_script_passes_over_do_not_count(tmp_path: Path, kind: str) -> None:
    for name in (*FILES[kind], "update-exim4.conf.conf"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    where = EximConfig(tmp_path, "split" if kind == "split" else "unsplit")
    assert {path.name for path in sources(where)} == READ[kind]
