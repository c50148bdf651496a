"""How many of the package's files two common ways visit, as docs/architecture.md says. Run with -s to see the ways.

A way that grows is harder to follow: a bound is raised only for a file that is a thing of its own on this way.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.archive.release import release
from eximacl.config import load
from eximacl.config.exempt import Exempter, ExemptKind
from eximacl.daemon.front_end import EximFrontEnd
from eximacl.daemon.judge import Judge
from eximacl.daemon.recorder import Recorder
from eximacl.protocol.exim import format_query
from eximacl.records.references import References
from eximacl.state import MemoryState
from tests.cli.archived import REF, hold, with_archive
from tests.cli.conftest import POLICY as CLI_POLICY
from tests.cli.running import eximacl
from tests.ways import Way, way_of

ARCHITECTURE = Path(__file__).parents[1] / "docs" / "architecture.md"
# From the query's bytes to the reply's bytes and the record. Nine of the files are the checks, six what these use.
RCPT_FILES, RCPT_CHANGES = 29, 55
# From the command line to what Exim is given, with an exemption that is written into the policy file.
RELEASE_FILES = 65
# The same as a library call, without what loading the policy visits; and a release that exempts nothing.
RELEASE_OWN_FILES, RELEASE_PLAIN_FILES = 20, 13

POLICY = """
[log]
rejections = "rejections.jsonl"
[journal]
dir = "journal"
[policy]
domains = ["example.org"]
[checks.valid_recipient]
recipients = ["steve"]
[checks.localpart_pattern]
patterns = ["[0-9]$"]
[checks.sender_domain]
domains = ["junk.example"]
[checks.rdns_tld]
tlds = ["sa"]
"""
RCPT = {
    "tx": "1-1", "ip": "192.0.2.7", "port": "40112", "host": "mx.example.net", "host_failed": "0", "host_deferred": "0",
    "local_ip": "198.51.100.25", "local_port": "25", "helo": "mx.example.net", "from": "ann@example.net", "tls": "",
    "rcpt": "steve@example.org", "count": "1", "accepted": "0",
}  # fmt: skip


def shown(name: str, way: Way) -> Way:
    print(f"\n{name}: {way}")
    return way


def test_the_way_of_an_accepted_recipient(tmp_path: Path) -> None:
    (tmp_path / "eximacl.toml").write_text(POLICY)
    loaded = load(tmp_path / "eximacl.toml")
    assert len(loaded.policy.base.steps("rcpt")) == 9
    recorder = Recorder(loaded.settings, lambda _seconds, _flush: None)
    judge = Judge(loaded.policy, MemoryState(), next_ref=References().next)
    front_end = EximFrontEnd(judge, recorder.record)
    line = format_query("rcpt", RCPT).rstrip()
    front_end.handle(line)  # what is cached from then on is not on the way
    way = shown("an accepted recipient", way_of(lambda: front_end.handle(line)))
    recorder.close()
    assert way.result.startswith(b"verdict=accept ")
    assert sum(file.startswith("checks/") and "/_" not in file for file in way.files) == 9
    assert len(way.files) <= RCPT_FILES
    assert way.changes <= RCPT_CHANGES
    assert f"{RCPT_FILES} for an accepted recipient with nine checks" in ARCHITECTURE.read_text(encoding="utf-8")


def test_the_way_of_a_released_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "eximacl.toml"
    config.write_text(CLI_POLICY)
    monkeypatch.setenv("EXIMACL_CONFIG", str(config))
    with_archive(config)
    hold(config, "Subject: x\n", b"body\n", "steve@example.org")
    sendmail = tmp_path / "sendmail"
    sendmail.write_text("#!/bin/sh\nexec cat > /dev/null\n")
    sendmail.chmod(0o755)
    command = ("archive", "release", REF, "--sendmail", sendmail)
    assert eximacl(*command).status == 0  # so that all modules are imported
    way = shown("a released message", way_of(lambda: eximacl(*command, "--again", "--allow", "sender")))
    assert way.result.status == 0, way.result.err
    assert len(way.files) <= RELEASE_FILES


def test_the_way_of_a_release_as_a_library_call(tmp_path: Path) -> None:
    config = tmp_path / "eximacl.toml"
    config.write_text(CLI_POLICY)
    root = with_archive(config)
    hold(config, "Subject: x\n", b"body\n", "steve@example.org")
    sendmail = tmp_path / "sendmail"
    sendmail.write_text("#!/bin/sh\nexec cat > /dev/null\n")
    sendmail.chmod(0o755)

    def released(kind: ExemptKind | None) -> Way:
        exempter = Exempter(config, kind) if kind else None
        return way_of(lambda: release(root, REF, sendmail=sendmail, by="root", again=True, exempter=exempter))

    released("ip")  # so that all modules are imported
    plain, exempting = shown("a release", released(None)), released("sender")
    loading = way_of(lambda: load(config))
    own = [file for file in exempting.files if file not in loading.files]
    print(f"a release that exempts, besides loading the policy: {len(own)} files: {' '.join(own)}")
    assert len(plain.files) <= RELEASE_PLAIN_FILES
    assert len(own) <= RELEASE_OWN_FILES
