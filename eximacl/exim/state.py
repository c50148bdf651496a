"""What is installed: read from the files and from Exim, never from a note of what was once done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from eximacl.exim import options, wiring
from eximacl.exim.place import EximConfig, read
from eximacl.exim.plan import wired_by_hand
from eximacl.exim.program import Exim
from eximacl.exim.snippets import files_of, fingerprint, is_changed
from eximacl.system import paths


@dataclass(frozen=True)
class InstallState:
    """What is installed in a configuration.

    switched: the lines that turn it on are in the files. in_force: Exim has our RCPT ACL. directory: the snippets that
    Exim names. missing: they are not there. current: they are of this version. changed: they are of no version, but
    changed by hand. router: the router is there. router_before: another one that comes first. by_hand: where an admin
    has wired it in, as `FILE:LINE`. acl: Exim's acl_smtp_rcpt. elsewhere: Exim's ACLs, by stage, that do not name our
    file for it.
    """

    place: EximConfig
    switched: bool
    in_force: bool
    directory: Path | None
    missing: bool
    current: bool
    changed: bool
    router: bool
    by_hand: tuple[str, ...]
    acl: str
    router_before: str = ""
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    @property
    def twice(self) -> bool:
        """Whether it is wired in both by us and by hand; Exim will refuse the next configuration."""
        return self.switched and bool(self.by_hand)


def still_named(place: EximConfig, exim: Exim) -> str:
    """Return what still names our snippets: an admin's lines, or Exim's configuration; empty: nothing."""
    lines = ", ".join(f"{path}:{number}" for path, number in wired_by_hand(place))
    if not lines and place.etc == paths.EXIM_CONFIG and exim.lists("eximacl_dir"):
        return "Exim's configuration"
    return lines


def read_state(place: EximConfig, shipped: Path, exim: Exim) -> InstallState:
    """Find out what is installed. shipped: the snippets of this version."""
    named = exim.lists("eximacl_dir").get("eximacl_dir", "")
    directory = Path(named) if named else None
    there = files_of(directory) if directory else []
    routers, acls = options.routers(exim), options.acls(exim)
    current = bool(there) and directory is not None and fingerprint(directory, like=shipped) == fingerprint(shipped)
    early = directory is not None and options.asks_early(exim)
    return InstallState(
        place=place,
        switched=wiring.has_block(read(place.switch) or ""),
        in_force="eximacl" in acls.get("rcpt", ""),
        directory=directory,
        missing=directory is not None and not there,
        current=current,
        changed=not current and bool(there) and directory is not None and is_changed(directory),
        router="eximacl_disposable" in routers,
        by_hand=tuple(f"{path}:{number}" for path, number in wired_by_hand(place)),
        acl=acls.get("rcpt", ""),
        router_before=options.router_before(routers),
        elsewhere=options.not_ours(acls, directory, early=early) if directory and there else {},
    )
