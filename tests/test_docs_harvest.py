"""docs/harvest.md is run: its commands on the store that it speaks of, the list that they write, and its limits."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from eximacl.cli import exits
from eximacl.harvest import EXCLUDED_FOLDERS
from eximacl.harvest.mbox import HEADER_BYTES_MAX
from eximacl.harvest.message import DELIVERY_FIELDS, LIST_FIELDS
from tests.cli.running import eximacl
from tests.lab.site import ROOT

PAGE = (ROOT / "docs" / "harvest.md").read_text(encoding="utf-8")
PLACES = ("/etc/eximacl", "/var/vmail")
STORE = {
    "steve/cur/1": "Envelope-to: steve@example.org\nReceived: by mx; Mon, 31 Jan 2022 10:00:00 +0000",
    "steve/cur/2": "Envelope-to: steve+shop@example.org\nReceived: by mx; Mon, 30 Jun 2025 10:00:00 +0000",
    "steve/new/3": "Envelope-to: steve.3.count@example.org\nDate: Thu, 12 Mar 2026 10:00:00 +0000",
    "steve/.Sent/cur/4": "To: Juha <juha@example.org>\nDate: Thu, 12 Mar 2026 10:00:00 +0000",
    "steve/.Junk/cur/5": "To: qwertz@example.org\nDate: Thu, 12 Mar 2026 10:00:00 +0000",
    "juha/cur/6": "Delivered-To: juha@example.org\nList-Id: <l.example.com>\nCc: gone@example.org\n"
    "Date: Wed, 1 May 2024 10:00:00 +0000",
    "juha/new/7": "To: info@example.org\nDate: Wed, 1 May 2024 10:00:00 +0000",
    "old": "From x Tue Feb  1 10:00:00 2022\nTo: steve@example.org",
}


def blocks(kind: str) -> list[str]:
    return re.findall(rf"(?ms)^```{kind}\n(.*?)^```", PAGE)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name, header in STORE.items():
        path = tmp_path / "var/vmail" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{header}\n\ntext\n")
    (tmp_path / "etc/eximacl/lists").mkdir(parents=True)
    return tmp_path


def test_the_commands_print_what_the_page_says(home: Path) -> None:
    ran = 0
    for command, output in re.findall(r"(?ms)^\$ (.*?)\n(.*?)(?=^\$ |\Z)", "".join(blocks("console"))):
        for place in PLACES:
            command = command.replace(place, f"{home}{place}")
        done = eximacl(*shlex.split(command)[1:])
        assert done.status == 0
        assert (done.err + done.out).replace(str(home), "") == output
        ran += 1
    assert ran == 3
    written = (home / "etc/eximacl/lists/recipients").read_text()
    assert re.sub("checksum .*", "checksum …", written) == blocks("text recipients")[0]
    config = home / "etc/eximacl/eximacl.toml"
    config.write_text(blocks("toml")[0].replace('action = "observe"\n', ""))
    ask = ("check", "--offline", "--config", config, "--ip", "192.0.2.7", "--from", "a@example.net", "--rcpt")
    assert [eximacl(*ask, f"{who}@example.org").status for who in ("info", "steve+new", "gone")] == [0, 0, 1]


@pytest.mark.parametrize(
    "text",
    [
        f"{', '.join(EXCLUDED_FOLDERS[:-1])} and {EXCLUDED_FOLDERS[-1]}",
        ", ".join(DELIVERY_FIELDS),
        ", ".join(LIST_FIELDS),
        f"more than {HEADER_BYTES_MAX // 1024} KiB",
        *(
            f"| {status} |"
            for status in (exits.DATA, exits.NOT_FOUND, exits.ALREADY, exits.IO_ERROR, exits.INTERRUPTED)
        ),
    ],
)
def test_each_limit_and_name(text: str) -> None:
    assert text in " ".join(PAGE.split())
