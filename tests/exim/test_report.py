"""What is installed, in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from eximacl.exim import EximConfig, InstallState, describe, edits_by_hand

COPY = Path("/etc/exim4/eximacl/0123abcd")
FINE = InstallState(
    EximConfig(Path("/etc/exim4"), "unsplit"),
    switched=True,
    in_force=True,
    directory=COPY,
    missing=False,
    current=True,
    changed=False,
    router=True,
    by_hand=(),
    acl="/etc/exim4/eximacl/0123abcd/rcpt.acl",
)
STATES = [
    (FINE, "Configuration", "/etc/exim4: Debian's, one big file"),
    (FINE, "Wiring", "in force"),
    (FINE, "Snippets", f"{COPY}: of this version"),
    (FINE, "Router", "eximacl_disposable"),
    (replace(FINE, place=EximConfig(Path("/e"), "split")), "Configuration", "/e: Debian's, split (conf.d)"),
    (replace(FINE, switched=False, by_hand=("/e/a:3", "/e/b:4")), "Wiring", "in force, by hand: /e/a:3, /e/b:4"),
    (replace(FINE, by_hand=("/e/a:3",)), "Wiring", "twice: by eximacl exim install, and by hand in /e/a:3"),
    (replace(FINE, in_force=False, directory=None), "Wiring", "but not in what Exim reads: run update-exim4.conf"),
    (replace(FINE, in_force=False, acl=""), "Wiring", "Write acl_smtp_rcpt = MAIN_ACL_CHECK_RCPT again"),
    (replace(FINE, in_force=False, switched=False), "Wiring", "not installed: run eximacl exim install"),
    (replace(FINE, missing=True), "Snippets", "missing, so Exim accepts mail without asking"),
    (replace(FINE, current=False), "Snippets", "of another version: eximacl exim install"),
    (replace(FINE, current=False, changed=True), "Snippets", "changed by hand"),
    (
        replace(FINE, elsewhere={"quit": "mine"}),
        "Wiring",
        "not complete: acl_smtp_quit is 'mine', not quit.acl; acl_smtp",
    ),
    (
        replace(FINE, elsewhere={"notquit": "mine"}),
        "Wiring",
        "delete that line, and set EXIMACL_NEXT_NOTQUIT to its ACL",
    ),
    (replace(FINE, elsewhere={"data": "mine"}), "Wiring", "write acl_smtp_data = MAIN_ACL_CHECK_DATA again"),
    (replace(FINE, router_before="own"), "Router", "eximacl_disposable, but own comes before it"),
    (replace(FINE, router=False), "Router", "not delivered; run eximacl exim install --router"),
]


@pytest.mark.parametrize(("state", "label", "words"), STATES)
def test_each_state_in_words(state: InstallState, label: str, words: str) -> None:
    assert words in dict(describe(state))[label]


def test_what_to_write_by_hand() -> None:
    text = edits_by_hand(EximConfig(Path("/e"), "plain"), COPY, {"EXIMACL_SOCKET": "/run/mine"})
    assert text.startswith("/e/exim4.conf is a file of your own")
    assert f"EXIMACL_DIR = {COPY}\n      EXIMACL_SOCKET = /run/mine\n      .include" in text
