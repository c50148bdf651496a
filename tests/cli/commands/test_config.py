"""`eximacl config test | show | sample | explain`."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from eximacl.doctor.access import Who
from tests.cli.running import eximacl
from tests.needs import needs


def test_a_right_policy(config: Path) -> None:
    done = eximacl("config", "test")
    assert (done.status, done.out) == (0, f"{config}: OK (0 domain files, 0 lists)\n")


@pytest.mark.usefixtures("daemon")
def test_it_says_when_the_daemon_runs_another_policy(config: Path) -> None:
    assert "reload" not in eximacl("config", "test").out
    config.write_text(config.read_text() + "# a change\n")
    first, *others = eximacl("config", "test").out.splitlines()
    assert first.startswith(f"{config}: OK ")
    assert others == ["in force after: eximacl reload"]
    assert json.loads(eximacl("config", "test", "--json").out)["waits_for_reload"] is True
    assert "after it was read: eximacl reload" in eximacl("status").out
    assert eximacl("reload").status == 0
    assert "reload" not in eximacl("config", "test").out
    log = (config.parent / "log").read_text()
    assert log.count(f"NOTICE reloaded {config}\n") == 1


@pytest.mark.usefixtures("daemon")
def test_a_list_that_the_daemon_would_not_take(config: Path) -> None:
    config.write_text(config.read_text().replace('tlds = ["sa"]', 'tlds = "tlds"'))
    tlds = config.parent / "tlds"
    tlds.write_text("".join(f"a{number}\n" for number in range(100)))
    assert eximacl("reload").status == 0
    tlds.write_text("sa\n")
    few = "has 1 entry and had 100, which stay in force; if so few are meant: eximacl reload --accept\n1 problem\n"
    done = eximacl("config", "test")
    assert (done.status, done.out, done.err) == (1, "", f"eximacl.toml: tlds {few}")
    done = eximacl("config", "test", tlds)
    assert (done.status, done.out, done.err) == (1, "", f"{tlds} {few}")
    assert eximacl("config", "test", tlds, "--accept").status == eximacl("config", "test", "--accept").status == 0
    tlds.write_text("".join(f"a{number}\n" for number in range(50)))
    done = eximacl("config", "test")
    assert (done.status, "tlds has 50 entries and had 100, which stay in force until" in done.out) == (0, True)


def test_every_problem_is_printed(config: Path) -> None:
    config.write_text(config.read_text() + 'colour = "red"\n[servr]\n')
    done = eximacl("config", "test")
    assert done.status == 1
    assert "checks.rdns_tld.colour" in done.err
    assert "did you mean server?" in done.err
    assert done.err.endswith("2 problems\n")
    answer = json.loads(eximacl("config", "test", "--json").out)
    assert (answer["ok"], len(answer["problems"])) == (False, 2)


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        pytest.param('dir = "eximacl.toml"', "archive.dir: {0}/eximacl.toml is not a directory", id="a file"),
        pytest.param('group = "nosuchgroup"', "archive.group: there is no group 'nosuchgroup'", id="no group"),
        pytest.param('group = "4294967295"', "archive.group: 4294967295 is not a group", id="no group's number"),
        pytest.param('sendmail = "none"', "archive.sendmail: {0}/none cannot be run", id="no sendmail"),
    ],
)
def test_what_an_archive_could_not_use(config: Path, setting: str, problem: str) -> None:
    here = 'dir = "archive"\nsendmail = "/bin/true"\n'
    config.write_text(f"{config.read_text()}[archive]\n{here}")
    assert eximacl("config", "test").status == 0
    key = setting.partition(" ")[0]
    kept = "".join(line for line in here.splitlines(keepends=True) if not line.startswith(key))
    config.write_text(config.read_text().replace(here, f"{kept}{setting}\n"))
    done = eximacl("config", "test")
    assert done.status == 1
    assert done.err.startswith(f"eximacl.toml: {problem.format(config.parent)}")
    assert done.err.endswith("\n1 problem\n")


def test_no_file(tmp_path: Path) -> None:
    done = eximacl("config", "test", "--config", tmp_path / "none.toml")
    assert done.status == 1
    assert done.err.startswith(f"{tmp_path}/none.toml: does not exist; write one with `eximacl config sample")


@pytest.mark.usefixtures("config")
def test_show_has_the_defaults_too_and_reads_as_toml() -> None:
    done = eximacl("config", "show")
    shown = tomllib.loads(done.out)
    assert shown["checks"]["rdns_tld"]["action"] == "defer"
    assert shown["server"]["mode"] == "0660"
    assert json.loads(eximacl("config", "show", "--json").out) == shown


def test_show_for_a_domain(config: Path) -> None:
    (config.parent / "domains").mkdir()
    (config.parent / "domains" / "example.org.toml").write_text('[checks.rdns_tld]\naction = "off"\n')
    assert (
        json.loads(eximacl("config", "show", "--json", "--domain", "example.org").out)["checks"]["rdns_tld"]["action"]
        == "off"
    )
    done = eximacl("config", "show", "--domain", "example.com")
    assert (done.status, done.err) == (66, "Error: policy.domains does not list example.com\n")


def test_sample_loads_once_it_is_written(tmp_path: Path) -> None:
    assert eximacl("config", "sample").out.startswith("# The policy of eximacl")
    done = eximacl("config", "sample", "--write", tmp_path / "etc")
    assert done.status == 0
    assert f"wrote {tmp_path}/etc/eximacl.toml" in done.out
    assert eximacl("config", "test", "--config", tmp_path / "etc/eximacl.toml").status == 0
    again = eximacl("config", "sample", "--write", tmp_path / "etc")
    assert again.status == 74
    assert "it stays as it is" in again.err


def test_sample_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = eximacl("config", "sample", "--write", tmp_path / "file" / "etc")
    assert done.status == 74
    assert "Not a directory" in done.err


@pytest.mark.usefixtures("config")
def test_explain() -> None:
    assert "rdns_tld " in eximacl("config", "explain").out
    assert "rdns_tld" in json.loads(eximacl("config", "explain", "--json").out)
    assert eximacl("config", "explain", "rdns_tld").out.startswith("[checks.rdns_tld]")
    assert json.loads(eximacl("config", "explain", "--json", "server.socket").out)["key"] == "server.socket"
    done = eximacl("config", "explain", "rdns_tdl")
    assert (done.status, done.err) == (66, "Error: rdns_tdl: unknown name; did you mean rdns_tld?\n")


def test_explain_without_a_policy_file(tmp_path: Path) -> None:
    assert eximacl("config", "explain", "rdns_tld", "--config", tmp_path / "none").status == 0


def test_a_list_alone(config: Path) -> None:
    config.write_text(config.read_text().replace('tlds = ["sa"]', 'tlds = "tlds"'))
    (config.parent / "tlds").write_text("".join(f"a{number}\n" for number in range(100)))
    new = config.parent / "new"
    new.write_text("sa\n*.vn\n")
    done = eximacl("config", "test", new, "--as", "checks.rdns_tld.tlds")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(f"{new} line 2: '*.vn' is not a domain name: write it without *")
    new.write_text("sa\n")
    done = eximacl("config", "test", new, "--as", config.parent / "tlds")
    few = "has 1 entry and had 100, which stay in force; if so few are meant: test it with --accept"
    told = f"{new} {few}, move it into place, then: eximacl reload --accept\n1 problem\n"
    assert (done.status, done.err) == (1, told)
    done = eximacl("config", "test", new, "--as", config.parent / "tlds", "--accept")
    assert done == (0, f"{new}: OK (list of domains, 1 entry; 100 now)\n", "")
    answer = json.loads(eximacl("config", "test", new, "--as", "checks.rdns_tld.tlds", "--accept", "--json").out)
    assert (answer["ok"], answer["entries"], answer["before"], answer["problems"]) == (True, 1, 100, [])
    (config.parent / "tlds").write_text("".join(f"a{number}\n" for number in range(50)))
    done = eximacl("config", "test", config.parent / "tlds")
    assert done == (0, f"{config.parent}/tlds: OK (list of domains, 50 entries)\n", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["{0}/new"], "does not name {0}/new: say for which option it is", id="no kind"),
        pytest.param(["{0}/new.toml"], "is not a list; name the policy file with --config", id="a policy file"),
        pytest.param(["--as", "policy.domains"], "--as is for a list: name its file", id="no file"),
    ],
)
def test_a_list_that_cannot_be_tested(config: Path, arguments: list[str], words: str) -> None:
    done = eximacl("config", "test", *(argument.format(config.parent) for argument in arguments))
    assert (done.status, words.format(config.parent) in done.err) == (64, True)


def test_a_default_list_that_is_missing_is_told(config: Path) -> None:
    config.write_text(config.read_text().replace('tlds = ["sa"]', ""))
    note = "eximacl.toml: checks.rdns_tld.tlds: lists/tld does not exist, so this list is empty"
    done = eximacl("config", "test")
    assert (done.status, done.out.splitlines()[1]) == (0, note)
    assert json.loads(eximacl("config", "test", "--json").out)["notes"] == [note]


@needs("needs_root")
def test_root_hears_what_the_daemons_user_may_not_read(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eximacl.cli.commands.config.unit_user", lambda _: Who.of_account("nobody"))
    config.chmod(0o600)
    done = eximacl("config", "test")
    assert done.status == 1
    assert done.err.startswith("eximacl.toml: the daemon may not read it: nobody may not ")
