"""exim4-daemon-heavy: it is wired in, the doctor finds nothing, refusals take effect, and it is taken out again."""

from __future__ import annotations

import pytest

from tests.exim.machine import GOOD, REFUSED, install, machine, takes, tree
from tests.lab.daemons import EXIM, VARIABLE
from tests.lab.site import Kind

# Options that exim4-daemon-light does not know: it would refuse this configuration.
HEAVY_ALONE = "av_scanner = clamd:/run/none\nspamd_address = 127.0.0.1 783\n"


@pytest.mark.parametrize("kind", ["split", "unsplit"])
def test_with_the_heavy_daemon(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "heavy")
    with machine(kind) as world:
        name = "conf.d/main/000_localmacros" if kind == "split" else "exim4.conf.localmacros"
        macros = world.lab.etc / name
        macros.write_text(f"{macros.read_text() if macros.exists() else ''}{HEAVY_ALONE}")
        before = tree(world.lab.etc)
        install(world, "--router")
        assert "av_scanner = clamd" in world.run(EXIM, "-bP", "av_scanner").out
        assert world.eximacl("exim", "status").status == 0
        takes(world, REFUSED, "550 5")
        takes(world, GOOD)
        assert [found for found in world.doctor() if found["level"] != "ok"] == []
        assert world.eximacl("exim", "remove", "--yes", "--purge").status == 0
        assert tree(world.lab.etc, "eximacl-backups/") == before
