"""Which configuration a machine has, and what it lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.exim import EximConfig, SetupError, find_place
from eximacl.exim.place import ConfigKind, sources
from tests.exim.conftest import CONF


def test_which_it_is(place: EximConfig) -> None:
    assert place.kind == "unsplit"
    (place.etc / "update-exim4.conf.conf").write_text(CONF.format(split="TRUE"))
    (place.etc / "conf.d" / "main").mkdir(parents=True)
    assert find_place(place.etc).kind == "split"
    (place.etc / "update-exim4.conf.conf").write_text(f'{CONF.format(split="true")} # mine\nan odd "line\n')
    assert find_place(place.etc).kind == "split"
    (place.etc / "exim4.conf").touch()
    assert find_place(place.etc).kind == "plain"


NONE = [
    ("internet", "false", "exim4.conf.template", "exim4.conf.template is missing: .*force-confmiss"),
    ("internet", "true", "conf.d/main", "conf.d/main is missing: .*force-confmiss"),
    ("none", "false", "", "not configured yet: dpkg-reconfigure exim4-config"),
]


@pytest.mark.parametrize(("configured", "split", "missing", "words"), NONE)
def test_what_is_missing(tmp_path: Path, configured: str, split: str, missing: str, words: str) -> None:
    text = CONF.format(split=split).replace("internet", configured)
    (tmp_path / "update-exim4.conf.conf").write_text(text)
    for name in ("exim4.conf.template", "conf.d/main/x"):
        if not missing or not name.startswith(missing):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
    with pytest.raises(SetupError, match=words):
        find_place(tmp_path)


def test_no_exim_at_all(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="install exim4-config, or name the directory with --exim-dir"):
        find_place(tmp_path / "none")


FILES = {
    "split": ("conf.d/main/00_eximacl", "conf.d/router/050_eximacl", "conf.d/main/000_localmacros"),
    "unsplit": ("exim4.conf.localmacros", "exim4.conf.template", "exim4.conf.localmacros"),
    "plain": ("exim4.conf", "exim4.conf", "exim4.conf"),
}


@pytest.mark.parametrize("kind", ["split", "unsplit", "plain"])
def test_its_files(kind: ConfigKind) -> None:
    place = EximConfig(Path("/e"), kind)
    found = (place.switch, place.router, place.settings)
    assert tuple(str(path.relative_to("/e")) for path in found) == FILES[kind]
    assert place.own == Path("/e/eximacl")


IN_THE_DIRECTORY = {
    "split": ("conf.d/main/01_x", "conf.d/main/99_x.dpkg-dist", "conf.d/main/000_x~", "conf.d/acl/30_y"),
    "unsplit": ("exim4.conf.template", "exim4.conf.localmacros", "exim4.conf.template.bak"),
}
READ_BY_DEBIAN = {
    "split": {"01_x", "30_y", "update-exim4.conf.conf"},
    "unsplit": {"exim4.conf.template", "exim4.conf.localmacros", "update-exim4.conf.conf"},
}


@pytest.mark.parametrize("kind", ["split", "unsplit"])
def test_files_that_debians_script_passes_over_do_not_count(tmp_path: Path, kind: str) -> None:
    for name in (*IN_THE_DIRECTORY[kind], "update-exim4.conf.conf"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    where = EximConfig(tmp_path, "split" if kind == "split" else "unsplit")
    assert {path.name for path in sources(where)} == READ_BY_DEBIAN[kind]
