"""The lab itself: it starts what it says, says what is missing, and leaves nothing behind."""

from __future__ import annotations

import itertools
import re
import shlex
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.reversename
import pytest

from tests.lab import SERVFAIL, SILENT, Daemon, Lab, Mismatch, Missing, Names, Site, parse_script, reverse_zone
from tests.lab.dialogue import fits
from tests.lab.exim import PORTS
from tests.lab.namespace import Namespace, require
from tests.lab.site import ROOT, documented
from tests.lab.waiting import ended, until


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(Site(snippets=False)) as running:
        yield running


FITS = [
    ("250 OK", "250", True),
    ("250 OK", "2", True),
    ("250 OK", "", True),
    ("550 5.7.1 no\nreally", "550 5.7.1 … really", True),
    ("550 5.7.1 no", "550 …", True),
    ("550 5.7.1 no", "451", False),
    ("550 really no", "550 no … really", False),
    ("550 a.b", "550 a?b", False),
]


@pytest.mark.parametrize(("reply", "expected", "fit"), FITS)
def test_what_fits(reply: str, expected: str, fit: bool) -> None:
    assert fits(reply, expected) is fit


def test_a_line_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match="not 'R: 250'"):
        list(parse_script("C: NOOP\nR: 250"))


def test_a_mismatch_shows_the_dialogue_and_the_log(lab: Lab) -> None:
    with pytest.raises(Mismatch) as caught:
        lab.play("S: 220\nC: NOSUCH\nS: 250\n")
    assert "expected '250'" in str(caught.value)
    assert "S: 500 unrecognized command" in str(caught.value)
    assert any("daemon started" in note for note in caught.value.__notes__)


def test_a_reply_of_several_lines_is_one(lab: Lab) -> None:
    with lab.client() as client:
        client.reply()
        assert client.ask("EHLO mx.example.net").startswith(
            "250 mx.example.org Hello mx.example.net [127.0.0.2]\nSIZE "
        )
        client.send("QUIT")
        assert client.reply().startswith("221")
        assert client.reply() == ""


def test_exim_is_asked_inside(lab: Lab) -> None:
    assert lab.expand("${uc:abc} ${lookup dnsdb{a=nowhere.example}{$value}{none}}") == "ABC none"
    assert lab.setting("primary_hostname") == "primary_hostname = mx.example.org"
    with pytest.raises(RuntimeError, match="exited 1"):
        lab.run("/usr/sbin/exim4", "-bP", "no_such_option")


def test_mail_waits_for_delivery(lab: Lab) -> None:
    lab.play(
        """
        S: 220
        C: HELO mx.example.net
        S: 250
        C: MAIL FROM:<>
        S: 250
        C: RCPT TO:<juha@example.org>
        S: 250
        C: DATA
        S: 354
        C: Subject: hello
        C:
        C: .
        S: 250
        """
    )
    assert lab.queued() == 1
    assert lab.mailbox("juha") == []
    lab.deliver()
    assert lab.queued() == 0
    assert [message["Subject"] for message in lab.mailbox("juha")] == ["hello"]


def test_without_a_queue_mail_is_delivered_at_once() -> None:
    with Lab(Site("plain"), queue_only=False) as lab:
        message = f"Subject: hello\n\n{'text'}\n"
        lab.run("/usr/sbin/exim4", "-odi", "juha@example.org", text=message)
        assert [each["Subject"] for each in lab.mailbox("juha")] == ["hello"]


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        where = ("127.0.0.1", port)
        with Lab(Site("plain"), listen=where) as first, Lab(Site("plain"), listen=where) as second:
            assert port < first.server[1] < second.server[1] < port + PORTS


def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(Missing, match=r"cannot listen on 192\.0\.2\.77:2525"):
        Lab(Site("plain"), listen=("192.0.2.77", 2525))


def test_a_missing_program_is_named_with_its_package() -> None:
    with pytest.raises(Missing, match="no-such-program is not installed: apt-get install some-package"):
        require("sh", "no-such-program", package="some-package")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(Missing, match="/no/such is missing"):
        Namespace({Path("/tmp"): Path("/no/such")})


@pytest.mark.parametrize("start", [Lab, Names, lambda: Namespace({})], ids=["lab", "names", "namespace"])
def test_another_user_is_told_to_become_root(monkeypatch: pytest.MonkeyPatch, start: Callable[[], object]) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(Missing, match="run it as root or with sudo"):
        start()


def test_what_cannot_be_mounted_is_told() -> None:
    with pytest.raises(Missing, match=r"does not work here: (.|\n)*--privileged"):
        Namespace({Path("/no/such"): Path("/mnt")})


def test_a_wrong_configuration_is_told_in_exims_words() -> None:
    with pytest.raises(RuntimeError, match="no_such_option"):
        Lab(Site(main="no_such_option = 1"))


def test_a_configuration_that_only_the_daemon_refuses_is_told_too() -> None:
    with pytest.raises(RuntimeError, match=r"Exim did not start .exit 1(.|\n)*no_such_option"):
        Lab(Site("plain", main="no_such_option = 1", snippets=False))


def test_undocumented_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="0 blocks marked `sh other`"):
        documented("other")  # type: ignore[arg-type]


def test_a_daemon_that_does_not_start_says_why(tmp_path: Path) -> None:
    config = tmp_path / "eximacl.toml"
    config.write_text("[no_such_table]\n")
    with pytest.raises(Missing, match="no_such_table"):
        Daemon(config, tmp_path / "sock", tmp_path / "out")


@pytest.mark.needs_root
@pytest.mark.needs_exim
@pytest.mark.needs_network
def test_nothing_survives_a_killed_lab() -> None:
    """However we end, the kernel ends Exim: its port is free again."""
    script = (
        "from tests.lab import Lab, Site\nimport time\n"
        "lab = Lab(Site('plain'))\nprint(lab.home, *lab.server, flush=True)\ntime.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout
    with child.stdout:
        home, host, port = child.stdout.readline().split()
    child.send_signal(signal.SIGKILL)
    child.wait()

    def gone() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) != 0

    until(gone, "Exim to end")
    subprocess.run(["rm", "-rf", home], check=True)


@pytest.mark.needs_root
@pytest.mark.needs_exim
@pytest.mark.needs_network
def test_a_second_make_run_says_what_to_do(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.lab.demo", "--var", str(tmp_path)]
    with ended(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)) as first:
        assert first.stdout
        lines = iter(first.stdout.readline, "")
        assert next(lines).startswith(f"The daemon serves {tmp_path}/eximacl.toml; Exim listens on 127.0.0.1:")
        second = subprocess.run([*command, "--once"], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert second.returncode == 1
        assert f"another `make run` uses {tmp_path}" in second.stderr
        said = "".join(itertools.takewhile(lambda line: "Ctrl-C stops both" not in line, lines))
        assert end_by_hand(said) == "550"
        first.send_signal(signal.SIGINT)
        assert "Stopped Exim and the daemon." in first.stdout.read()
    assert first.returncode == 0


def end_by_hand(said: str) -> str:
    """Do what `make run` says about logging in; return the code of the reply to RCPT."""
    (command,) = re.findall(r"(?ms)^ +(swaks [^\n]*--auth .*?)\n\n", said)
    words = shlex.split(command.replace("\\\n", ""))[1:]
    given = dict(zip(words[::2], words[1::2], strict=True))
    host, _, port = given["--server"].partition(":")
    with smtplib.SMTP(host, int(port), source_address=(given["--local-interface"], 0)) as client:
        client.login(given["--auth-user"], given["--auth-password"])
        client.mail(given["--from"])
        code, text = client.rcpt(given["--to"])
    assert b"has ended and takes no more mail" in text
    return str(code)


ANSWERS = [
    ("mx.example.net", "A", dns.rcode.NOERROR, ["127.0.0.2"]),
    ("MX.Example.NET.", "A", dns.rcode.NOERROR, ["127.0.0.2"]),
    ("mx.example.net", "AAAA", dns.rcode.NOERROR, []),
    ("nowhere.example", "A", dns.rcode.NXDOMAIN, []),
    ("listed.example", "TXT", dns.rcode.NOERROR, ['"a reason"']),
]


def test_the_dns_server_answers_from_its_table() -> None:
    with Names(reverse_zone({"127.0.0.2": "mx.example.net", "127.0.0.3": SERVFAIL, "127.0.0.4": SILENT})) as names:
        names.learn({("listed.example", "TXT"): ['"a reason"']})
        for name, kind, code, found in ANSWERS:
            query = dns.message.make_query(name, kind)
            answer = dns.query.udp(query, names.address, timeout=5)
            assert answer.rcode() == code
            assert [item.to_text() for rrset in answer.answer for item in rrset] == found
        pointer = dns.reversename.from_address("127.0.0.3")
        assert dns.query.udp(dns.message.make_query(pointer, "PTR"), names.address).rcode() == dns.rcode.SERVFAIL
        silent = dns.message.make_query(dns.reversename.from_address("127.0.0.4"), "PTR")
        with pytest.raises(dns.exception.Timeout):
            dns.query.udp(silent, names.address, timeout=0.05)
        assert names.asked[0] == ("mx.example.net", "A")
        assert len(names.asked) == len(ANSWERS) + 2
