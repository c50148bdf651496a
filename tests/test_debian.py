"""The Debian package, as far as it can be seen without building it: `make deb-test` does the rest."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from eximacl import __version__
from eximacl.config import find_checks, load, sample, show
from eximacl.config.settings import SETTINGS_TABLES
from eximacl.exim.place import BACKUPS, SNIPPETS
from eximacl.exim.removal import ASIDE, ASKING
from eximacl.system import paths
from tests.cli.running import eximacl
from tests.lab.site import ROOT
from tests.needs import needs

DEBIAN = ROOT / "debian"
UNITS = ("eximacl.service", "eximacl.socket")
# Exposure as `systemd-analyze security` counts it, times ten; what is left is DNS, and its sockets.
EXPOSURE_MAX = 15
SCRIPTS = ("eximacl.postinst", "eximacl.prerm", "eximacl.postrm")


def text(name: str) -> str:
    return (DEBIAN / name).read_text(encoding="utf-8")


@needs("needs_exim")
def systemd_analyze(*arguments: str | Path) -> str:
    return run("systemd-analyze", *arguments)


def run(*command: str | Path) -> str:
    done = subprocess.run([str(word) for word in command], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def paragraphs() -> list[dict[str, str]]:
    """Return debian/control's paragraphs (Debian Policy 5.1)."""
    found = []
    for paragraph in text("control").strip().split("\n\n"):
        fields = re.findall(r"^([A-Z][\w-]*): *((?:.*)(?:\n[ \t].*)*)", paragraph, re.MULTILINE)
        found.append(dict(fields))
    return found


def packages(field: str) -> set[str]:
    """Return the names in a field of relations, alternatives too."""
    return set(re.findall(r"(?:^|[,|])\s*([a-z0-9$][\w${}:.+-]*)", field))


def python_packages() -> Iterator[str]:
    """Yield Debian's names of what the wheel needs at run time."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for dependency in project["dependencies"]:
        yield "python3-" + re.split(r"[<>=!~\[; ]", dependency)[0].lower()


def test_the_control_file() -> None:
    source, package = paragraphs()
    assert (source["Source"], package["Package"], package["Architecture"]) == ("eximacl", "eximacl", "all")
    assert {"${python3:Depends}", "${misc:Depends}", "exim4-base"} <= packages(package["Depends"])
    assert all(len(line) <= 80 for line in package["Description"].splitlines())


@pytest.mark.parametrize("name", sorted(set(python_packages())))
def test_the_build_has_what_the_tests_import(name: str) -> None:
    """The binary's dependencies come from pyproject.toml by themselves (dh_python3)."""
    assert name in packages(paragraphs()[0]["Build-Depends"]), f"debian/control: Build-Depends needs {name}"


def test_the_version_is_one() -> None:
    newest = re.match(r"eximacl \((\S+)\) \w+; urgency=\w+\n\n  \* ", text("changelog"))
    assert newest, "debian/changelog does not begin as a changelog does"
    assert newest[1] == __version__, "eximacl/__init__.py and debian/changelog must say the same"


def test_the_licence_is_the_same() -> None:
    def words(licence: str) -> list[str]:
        return [word for word in licence.split() if word != "."]

    licence = words((ROOT / "LICENSE").read_text(encoding="utf-8"))
    shown = words(text("copyright"))
    assert shown[-len(licence) + 8 :] == licence[8:]


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_takes_the_units(tmp_path: Path, unit: str) -> None:
    for name in UNITS:
        (tmp_path / name).write_text(re.sub(r"/usr/bin/eximacl\b.*", sys.executable, text(name)))
    assert systemd_analyze("verify", "--man=no", tmp_path / unit) == ""


@pytest.mark.needs_exim
def test_verify_would_find_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "eximacl.service").write_text(text("eximacl.service").replace("ProtectHome=yes", "ProtectHmoe=yes"))
    assert "ProtectHmoe" in run("sh", "-c", f"systemd-analyze verify {tmp_path}/eximacl.service 2>&1 || true")


def test_the_service_is_hardened() -> None:
    shown = systemd_analyze("security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", DEBIAN / "eximacl.service")
    exposure = re.search(r"exposure level for eximacl.service: ([\d.]+)", shown)
    assert exposure
    assert 0.5 < float(exposure[1]) <= EXPOSURE_MAX / 10


def test_socket_and_snippets_agree() -> None:
    assert f"ListenStream={paths.SOCKET}\n" in text("eximacl.socket")
    assert f"EXIMACL_SOCKET = {paths.SOCKET}\n" in (ROOT / "exim-snippets/macros").read_text(encoding="utf-8")
    assert "RuntimeDirectory=" not in text("eximacl.service"), "it would delete the socket when the daemon restarts"


DIRECTORIES = [
    ("/var/lib/eximacl", "state", "url"),
    ("/var/lib/eximacl", "journal", "dir"),
    ("/var/log/eximacl", "log", "rejections"),
]


def default(table: str, name: str) -> str:
    option = SETTINGS_TABLES[table].get(name)
    assert option
    return str(option.default)


@pytest.mark.parametrize(("directory", "table", "name"), DIRECTORIES)
def test_the_directories_are_those_of_the_defaults(directory: str, table: str, name: str) -> None:
    assert directory in default(table, name)
    assert re.search(rf"^d +{directory} +0750 eximacl eximacl$", text("eximacl.tmpfiles"), re.MULTILINE)
    assert f" {directory} " in text("eximacl.postrm")
    assert "StateDirectory=eximacl\nStateDirectoryMode=0750\n" in text("eximacl.service")
    assert "LogsDirectory=eximacl\nLogsDirectoryMode=0750\n" in text("eximacl.service")


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_maintainer_scripts_are_shell(script: str) -> None:
    run("sh", "-n", DEBIAN / script)
    assert text(script).startswith("#!/bin/sh\nset -e\n")
    assert text(script).count("#DEBHELPER#") == 1


@pytest.mark.parametrize(
    "script",
    [
        "debian/tests/mail",
        "tests/debian/try-package",
        "tests/debian/inside",
        "tests/debian/first",
        "tests/debian/lifecycle",
        "tests/debian/reconfigure",
        "tests/debian/dist-upgrade",
    ],
)
def test_the_tests_are_shell(script: str) -> None:
    run("bash", "-n", ROOT / script)
    assert (ROOT / script).stat().st_mode & 0o111


def test_exim_s_files_are_named_as_the_program_names_them() -> None:
    assert f"rm -rf {paths.EXIM_CONFIG / SNIPPETS} {paths.EXIM_CONFIG / BACKUPS}\n" in text("eximacl.postrm")
    assert "eximacl exim install" not in re.sub(r"(?m)^ *(#|echo).*", "", "".join(map(text, SCRIPTS)))


def test_what_asks_is_put_aside_by_the_names_that_the_wiring_looks_for() -> None:
    """Every file that Exim opens at each message; those that it opens only for a half-received message stay."""
    macros = (ROOT / "exim-snippets/macros").read_text(encoding="utf-8")
    looked_for = set(re.findall(r"\$\{if exists\{EXIMACL_DIR/(\w+)\.acl\}", macros))
    assert set(re.findall(r"-name (\w+)\.acl", text("eximacl.prerm"))) == set(ASKING) == looked_for
    assert f"find {paths.EXIM_CONFIG / SNIPPETS} " in text("eximacl.prerm")
    assert f"{{}}{ASIDE} " in text("eximacl.prerm")
    assert f"{paths.EXIM_CONFIG / SNIPPETS}/*/*.acl{ASIDE}" in text("eximacl.postinst")


REMOVED_BROKEN = f"""
mount --make-rprivate / && mount -t tmpfs tmpfs {paths.EXIM_CONFIG}
mkdir -p {paths.EXIM_CONFIG / SNIPPETS}/12345678
touch {paths.EXIM_CONFIG / SNIPPETS}/12345678/rcpt.acl {paths.EXIM_CONFIG / SNIPPETS}/12345678/data.acl
PATH=/usr/sbin:/usr/bin:/sbin:/bin sh {DEBIAN}/eximacl.prerm remove
ls {paths.EXIM_CONFIG / SNIPPETS}/12345678
"""


@pytest.mark.needs_root
@pytest.mark.needs_exim
def test_a_removal_whose_program_is_broken_puts_aside_what_asks() -> None:
    said = run("unshare", "--mount", "sh", "-ec", REMOVED_BROKEN)
    assert "Exim goes on by its own rules" in said
    assert "\ndata.acl\nrcpt.acl.removed\n" in said


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_script_waits_for_ever(script: str) -> None:
    """What reads the machine's own files may meet a FIFO there."""
    code = re.sub(r"(?m)^ *#.*", "", re.sub(r'"[^"]*"', "", text(script)))
    before = re.findall(r"(?m)^(.*?)(?:eximacl exim|(?:/usr/sbin/)?exim4 -bP|grep -R)", code)
    assert before
    assert all(re.search(r"timeout \d+ $", words) for words in before), before


@pytest.mark.parametrize("command", ["exim remove --yes --reload --force", "exim status"])
def test_what_the_scripts_call_is_there(command: str) -> None:
    assert f"eximacl {command}" in "".join(map(text, SCRIPTS))
    assert eximacl(*command.split(), "--help").status == 0


@pytest.fixture(scope="module")
def policy() -> ModuleType:
    """debian/policy.py, which is not part of a package."""
    spec = importlib.util.spec_from_file_location("debian_policy", DEBIAN / "policy.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_installed_policy_is_right_and_refuses_nothing(tmp_path: Path, policy: ModuleType) -> None:
    policy.write(tmp_path / "etc")
    config = tmp_path / "etc/eximacl.toml"
    assert eximacl("config", "test", "--config", config).status == 0
    checks = show(load(config))["checks"]
    assert len(checks) >= 6
    assert {name for name, options in checks.items() if options["action"] not in ("observe", "off")} == {"disposable"}
    off = {check.name for check in find_checks().values() if check.action == "off"}
    assert {name for name, options in checks.items() if options["action"] == "off"} == off


def test_the_installed_policy_is_the_sample_but_for_the_actions(policy: ModuleType) -> None:
    plain = sample(find_checks().values())
    added = set(policy.observing(plain).splitlines()) - set(plain.splitlines())
    assert len(added) == 2
    assert 'action = "observe"' in added


def test_a_check_that_would_object_stops_the_build(
    tmp_path: Path, policy: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "observing", lambda plain: plain)
    with pytest.raises(SystemExit, match=r"these checks would object: .*rdns_tld"):
        policy.write(tmp_path / "etc")


def test_logrotate_rotates_the_log_of_the_defaults() -> None:
    assert default("log", "rejections") in text("eximacl.logrotate").split()


def test_a_build_that_leaves_a_folder_untested_fails() -> None:
    done = subprocess.run(
        [sys.executable, DEBIAN / "build-tests", "tests/mail/test_address.py"],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "debian/build-tests: no test has run for eximacl/archive, checks, " in done.stderr


def test_the_build_runs_what_make_check_runs() -> None:
    (selected,) = re.findall(r'^UNMARKED = (".*")', text("build-tests"), re.MULTILINE)
    assert f"-m {selected}" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_readme_installs_it_in_four_lines() -> None:
    """What the lines do is tried by `make deb-test`; here, that they are there and take what they are given."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```sh debian\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    lines = block.splitlines()
    assert lines[:2] == ["make deb", "apt install ./build/eximacl_*_all.deb"]
    assert [line.split("  ")[0] for line in lines[2:]] == [
        "editor /etc/eximacl/eximacl.toml",
        "eximacl exim install --router --reload",
    ]
    assert eximacl("exim", "install", "--reload", "--help").status == 0


@pytest.mark.parametrize("target", ["deb", "deb-test"])
def test_the_targets_are_explained(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    assert re.search(rf"^#.*make {target}\b", makefile, re.MULTILINE)
    assert f"`make {target}`" in (ROOT / "docs/debian.md").read_text(encoding="utf-8")
