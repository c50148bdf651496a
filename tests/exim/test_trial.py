"""A plan is tried in a copy, with Debian's own script and the real Exim; what clashes is named with its line."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eximacl.exim import Exim, EximConfig, SetupError, Trial, find_place, try_plan
from eximacl.exim.trial import UPDATE, generate, run_update
from tests.exim.machine import tree
from tests.lab import Site
from tests.lab.site import ROOT, Kind

pytestmark = pytest.mark.needs_exim

SHIPPED = ROOT / "exim-snippets"
MACROS = "conf.d/main/000_localmacros"


@pytest.fixture
def made() -> Iterator[Callable[..., EximConfig]]:
    """Debian's templates, in a directory that no Exim reads, but that Exim's user may."""
    home = Path(tempfile.mkdtemp(prefix="eximacl-test-"))
    home.chmod(0o755)

    def make(kind: Kind = "split", macros: dict[str, str] | None = None) -> EximConfig:
        etc = home / "etc"
        Site(kind, macros or {}, snippets=False).write(etc)
        settings = etc / (MACROS if kind == "split" else "exim4.conf.localmacros")
        settings.write_text(re.sub(r"/etc/exim4/(\w+\.local)", rf"{etc}/\1", settings.read_text()))
        return find_place(etc)

    yield make
    shutil.rmtree(home)


def tried(place: EximConfig, *, router: bool = True) -> Trial:
    """Try it; nothing but the copy is changed."""
    before = tree(place.etc)
    try:
        return try_plan(place, SHIPPED, {}, Exim(), router=router)
    finally:
        assert tree(place.etc) == before


@pytest.mark.parametrize("kind", ["split", "unsplit"])
def test_debians_own_takes_it(made: Callable[..., EximConfig], kind: Kind) -> None:
    found = tried(made(kind))
    assert (found.complaint, dict(found.needed), dict(found.own)) == ("", {}, {})


CLASHES = {
    "acl_smtp_quit = acl_check_mail": ("00_zz_own", "delete that line, and set EXIMACL_NEXT_QUIT to its ACL in"),
    # Above our lines, Exim from 4.100 on would pass it over, where it passed over ours.
    "acl_smtp_notquit = acl_check_mail": ("000_own", "delete that line, and set EXIMACL_NEXT_NOTQUIT to its ACL in"),
    "EXIMACL_ASK_EARLY = yes\nacl_smtp_connect = acl_check_mail": (
        "000_own",
        "delete that line, and set EXIMACL_NEXT_CONNECT to its ACL in",
    ),
    "MAIN_ACL_CHECK_RCPT = acl_check_rcpt": (
        "00_zz_own",
        "move that line to the top of .*/conf.d/main/000_localmacros",
    ),
    "EXIMACL_DIR = /somewhere": ("000_own", "delete that line; eximacl sets EXIMACL_DIR itself"),
}


@pytest.mark.parametrize("line", CLASHES)
def test_what_clashes_is_named_with_its_line(made: Callable[..., EximConfig], line: str) -> None:
    place = made()
    name, cure = CLASHES[line]
    (place.etc / "conf.d/main" / name).write_text(f"# mine\n{line}\n")
    complaint = tried(place).complaint
    assert f"is set in {place.etc}/conf.d/main/{name}:{line.count(chr(10)) + 2}: " in complaint
    assert re.search(cure, complaint)


def test_an_acl_that_is_no_name_is_refused(made: Callable[..., EximConfig]) -> None:
    with pytest.raises(SetupError, match="put that into an ACL with a name, and name it there"):
        tried(made(macros={"MAIN_ACL_CHECK_RCPT": "${if eq{1}{1}{acl_check_rcpt}}"}))


def test_acl_options_set_by_hand_are_named(made: Callable[..., EximConfig]) -> None:
    place = made()
    path = place.etc / "conf.d/main/02_exim4-config_options"
    path.write_text(path.read_text().replace("acl_smtp_rcpt = MAIN_ACL_CHECK_RCPT", "acl_smtp_rcpt = acl_check_rcpt"))
    complaint = tried(place).complaint
    assert complaint.startswith(f"acl_smtp_rcpt stays 'acl_check_rcpt' in {path}:")
    assert (
        f"there, as Debian has it, and set MAIN_ACL_CHECK_RCPT to your ACL at the top of {place.etc / MACROS}"
        in complaint
    )


@pytest.mark.parametrize("stage", ["rcpt", "data"])
def test_a_line_below_debian_s_is_named(made: Callable[..., EximConfig], stage: str) -> None:
    """Exim up to 4.98 refuses that without eximacl, too."""
    place = made()
    path = place.etc / "conf.d/main/95_own"
    path.write_text(f"acl_smtp_{stage} = acl_check_mail\n")
    try:
        complaint = tried(place).complaint
    except SetupError as error:
        complaint = str(error)
    refused = f'"acl_smtp_{stage}" option set for the second time'
    named = f"acl_smtp_{stage} stays 'acl_check_mail' in {path}:1: delete that line, and set "
    assert refused in complaint or complaint.startswith(named)


def test_debians_line_that_is_gone_is_named(made: Callable[..., EximConfig]) -> None:
    place = made()
    path = place.etc / "conf.d/main/02_exim4-config_options"
    path.write_text(path.read_text().replace("acl_smtp_rcpt = MAIN_ACL_CHECK_RCPT", ""))
    assert tried(place).complaint == (
        f"acl_smtp_rcpt stays '' (Debian's line stood in {path}, above `begin acl`): "
        "write `acl_smtp_rcpt = MAIN_ACL_CHECK_RCPT` there, as Debian has it"
    )


def test_acls_of_an_admins_go_on(made: Callable[..., EximConfig]) -> None:
    place = made(macros={"MAIN_ACL_CHECK_RCPT": "/etc/exim4/mine"})
    conf = place.etc / "update-exim4.conf.conf"
    conf.write_text(conf.read_text() + "MAIN_ACL_CHECK_DATA=/etc/exim4/theirs\n")
    found = tried(place)
    assert dict(found.own) == {"rcpt": "/etc/exim4/mine", "data": "/etc/exim4/theirs"}
    assert dict(found.needed) == {"EXIMACL_NEXT_DATA": "/etc/exim4/theirs"}  # the other is found by the snippets


def test_a_wiring_by_hand_is_left_alone(made: Callable[..., EximConfig]) -> None:
    place = made()
    shutil.copytree(SHIPPED, place.own)
    path = place.etc / MACROS
    path.write_text(path.read_text() + ".include /etc/exim4/eximacl/macros\n")
    with pytest.raises(SetupError, match=f"wired in by hand already: take the .include out of {path}:"):
        tried(place)


def test_a_configuration_that_is_wrong_already(made: Callable[..., EximConfig]) -> None:
    place = made()
    (place.etc / "conf.d/main/50_own").write_text("no_such_option = 1\n")
    path = place.etc / "conf.d/main/50_own"
    with pytest.raises(SetupError, match=rf"already, without eximacl: .*in {path}:1 \(no_such_option = 1\)"):
        tried(place)


def test_what_debians_script_passes_over_is_passed_over(made: Callable[..., EximConfig]) -> None:
    """An editor's leftovers, a link to nothing, something that would never be read to its end."""
    place = made()
    (place.etc / "conf.d/main/000_localmacros~").write_text(".include /etc/exim4/eximacl/macros\n")
    (place.etc / "conf.d/main/50_link").symlink_to("/no/such/file")
    os.mkfifo(place.etc / "conf.d/main/60_fifo")
    assert try_plan(place, SHIPPED, {}, Exim(), router=True).complaint == ""


def test_no_exim_at_all(made: Callable[..., EximConfig]) -> None:
    with pytest.raises(SetupError, match="/bin/true does not print its options: is it Exim 4"):
        try_plan(made(), SHIPPED, {}, Exim(Path("/bin/true")), router=True)


def test_a_path_without_sbin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    run_update([UPDATE, "--help"])


def test_no_script_and_one_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SetupError, match="is exim4-config installed"):
        run_update(["/no/such/script"])
    with pytest.raises(SetupError, match="exited 3: it says so"):
        run_update(["sh", "-c", "echo it says so; exit 3"])
    monkeypatch.setattr("eximacl.exim.trial.UPDATE", "true")
    with pytest.raises(SetupError, match=f"true did not write {tmp_path}/out"):
        generate(tmp_path, tmp_path / "out")
