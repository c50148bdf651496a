"""Where the socket comes from, and what is printed of hostile text."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.cli import options
from eximacl.cli.options import Failure, find_path, find_socket, find_value, policy_domains
from eximacl.system import paths
from tests.archive.holding import let_everybody_pass, nobody
from tests.cli.running import eximacl


def test_the_option_comes_first(tmp_path: Path) -> None:
    assert find_socket(Path("/x"), tmp_path / "none") == Path("/x")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param('[server]\nsocket = "s"\n', "DIR/s", id="relative"),
        pytest.param('[server]\nsocket = "/run/s"\n', "/run/s", id="absolute"),
        pytest.param("nonsense = 1\n", "/run/eximacl/eximacl.sock", id="wrong elsewhere"),
    ],
)
def test_then_the_policy_file(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "eximacl.toml"
    path.write_text(text)
    assert find_socket(None, path) == Path(found.replace("DIR", str(tmp_path)))


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        pytest.param('[policy]\ndomainz = ["example.org"]\n', True, id="a setting"),
        pytest.param("[servr]\n", True, id="a table"),
        pytest.param('[servr]\n[server]\nsocket = "s"\n', False, id="the socket is set"),
        pytest.param('[policy]\ndomains = ["example.org"]\n', False, id="nothing wrong"),
    ],
)
def test_a_default_of_a_wrong_policy_is_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, noted: bool
) -> None:
    path = tmp_path / "eximacl.toml"
    path.write_text(text)
    socket = find_socket(None, path)
    note = f"Note: {path} has errors; server.socket is taken to be {socket}; see `eximacl config test`\n"
    assert capsys.readouterr().err == (note if noted else "")


@pytest.mark.parametrize("there", [True, False])
def test_where_the_policy_is_not_toml_the_socket_that_is_there_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: bool
) -> None:
    socket = tmp_path / "s"
    monkeypatch.setattr(options, "default_setting", lambda _table, _key: socket)
    if there:
        socket.touch()
    path = tmp_path / "eximacl.toml"
    path.write_text(r'x = "\d"')
    with pytest.raises(Failure, match=r"is not TOML: .*in single quotes.*; see `eximacl config test`") as raised:
        find_socket(None, path)
    assert str(raised.value).endswith(f"or give the path with --socket{f' {socket}' if there else ''}")


def test_then_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(paths, "CONFIG", tmp_path / "none")
    assert find_socket(None, tmp_path / "none") == paths.SOCKET


def test_without_a_policy_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(paths, "CONFIG", tmp_path / "none")
    with pytest.raises(
        Failure, match=f"^{tmp_path}/none does not exist: name the policy file with --config, or"
    ) as one:
        find_path(tmp_path / "none", "archive", "dir", "--archive")
    with pytest.raises(Failure, match="/other does not exist; --config or EXIMACL_CONFIG names it") as other:
        find_path(tmp_path / "other", "archive", "dir", "--archive")
    assert (one.value.status, other.value.status) == (78, 78)


@pytest.mark.parametrize("directory_mode", [0o755, 0o700])
def test_a_policy_file_that_one_may_not_read(config: Path, directory_mode: int) -> None:
    """The file itself, or its directory."""
    let_everybody_pass(config.parent)
    config.chmod(0o600)
    config.parent.chmod(directory_mode)
    with nobody():
        assert find_value(config, "log", "rejections", Path("/etc"), "--log") == paths.REJECTIONS
        for default in (None, Path("/none")):
            with pytest.raises(Failure, match="cannot be read: Permission denied; run this as root, or give") as caught:
                find_value(config, "log", "rejections", default, "--log")
            assert caught.value.status == 74
        done = eximacl("archive", "list", "--config", config)
    assert done.status == 74
    assert done.err.startswith("Error: ")
    assert "run this as root, or give the path with --archive" in done.err


@pytest.mark.parametrize("text", ["[server", "server = 1", "\udcff"])
def test_a_file_that_cannot_be_read_as_toml(tmp_path: Path, text: str) -> None:
    path = tmp_path / "eximacl.toml"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(Failure, match="give the path with --socket") as caught:
        find_socket(None, path)
    assert caught.value.status == 78


def test_another_path(config: Path) -> None:
    assert find_path(config, "journal", "dir", "--journal") == config.parent / "journal"
    assert find_path(config, "archive", "dir", "--archive") is None
    assert find_path(config, "archive", "sendmail", "--sendmail") == paths.SENDMAIL


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        pytest.param('domains = ["example.org"]\norder = 3', ["example.org"], id="array, and a policy wrong elsewhere"),
        pytest.param('domains = "ours"', ["example.net"], id="file"),
        pytest.param("", [], id="none"),
    ],
)
def test_the_policy_s_domains(tmp_path: Path, text: str, ours: list[str]) -> None:
    (tmp_path / "ours").write_text("example.net\n")
    path = tmp_path / "eximacl.toml"
    path.write_text(f"[policy]\n{text}\n")
    assert list(policy_domains(path)) == ours


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(None, "does not exist", id="no file"),
        pytest.param("[policy", "is not TOML: Expected", id="not TOML"),
        pytest.param("policy = 3", "policy: expected a table, got a number", id="no table"),
        pytest.param("[policy]\ndomains = [3]", "policy.domains: entry 1: expected a string", id="no names"),
        pytest.param('[policy]\ndomains = "gone"', "policy.domains: gone does not exist", id="no list"),
    ],
)
def test_domains_that_cannot_be_known(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "eximacl.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=words):
        policy_domains(path)
