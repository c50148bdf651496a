"""Which of Exim's configurations a machine has, and the files it is made of; found by looking, not by asking."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from eximacl.exim.errors import SetupError
from eximacl.system import paths

# split, unsplit: Debian's, in conf.d or in one template; plain: a file that an admin wrote.
ConfigKind = Literal["split", "unsplit", "plain"]

SNIPPETS = "eximacl"  # our directory below Exim's
BACKUPS = "eximacl-backups"
# The answers to debconf's questions, for Debian's script.
ANSWERS = "update-exim4.conf.conf"
# What update-exim4.conf reads in conf.d.
_READ_BY_DEBIAN = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class EximConfig:
    """A configuration directory and its kind."""

    etc: Path
    kind: ConfigKind

    @property
    def own(self) -> Path:
        """Our directory below Exim's, with the copies of the snippets."""
        return self.etc / SNIPPETS

    @property
    def switch(self) -> Path:
        """The file with the lines that turn eximacl on; for `plain` the admin's own file."""
        names = {"split": "conf.d/main/00_eximacl", "unsplit": "exim4.conf.localmacros", "plain": "exim4.conf"}
        return self.etc / names[self.kind]

    @property
    def router(self) -> Path:
        """The file with the router."""
        names = {"split": "conf.d/router/050_eximacl", "unsplit": "exim4.conf.template", "plain": "exim4.conf"}
        return self.etc / names[self.kind]

    @property
    def settings(self) -> Path:
        """Where an admin sets macros."""
        names = {"split": "conf.d/main/000_localmacros", "unsplit": "exim4.conf.localmacros", "plain": "exim4.conf"}
        return self.etc / names[self.kind]


def find_place(etc: Path = paths.EXIM_CONFIG) -> EximConfig:
    """Return which configuration `etc` holds. Raises SetupError where there is none, or it is not generated yet."""
    if (etc / "exim4.conf").exists():
        return EximConfig(etc, "plain")
    conf = etc / ANSWERS
    try:
        values = _settings(conf.read_text(errors="replace"))
    except OSError as error:
        raise SetupError(
            f"{conf}: {error.strerror}: install exim4-config, or name the directory with --exim-dir"
        ) from None
    if values.get("dc_eximconfig_configtype", "none") == "none":
        raise SetupError(f"{conf}: Exim is not configured yet: dpkg-reconfigure exim4-config")
    kind: ConfigKind = "split" if values.get("dc_use_split_config", "").lower() == "true" else "unsplit"
    needed = etc / ("conf.d/main" if kind == "split" else "exim4.conf.template")
    if not needed.exists():
        raise SetupError(
            f"{needed} is missing: apt-get install --reinstall -o Dpkg::Options::=--force-confmiss exim4-config"
        )
    return EximConfig(etc, kind)


def _settings(text: str) -> dict[str, str]:
    """Return the variables that a shell script sets which does nothing else; Debian's script sources it."""
    found = {}
    for line in text.splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue
        if len(words) == 1 and "=" in words[0]:
            name, _, value = words[0].partition("=")
            found[name] = value
    return found


def local_place() -> EximConfig | None:
    """Return this machine's Exim configuration; None where there is none that we know."""
    try:
        return find_place()
    except SetupError:
        return None


def sources(place: EximConfig) -> list[Path]:
    """Return the files from which the next configuration will be generated; for a plain one, the file itself."""
    found = configuration_files(place)
    return found if place.kind == "plain" else [*found, place.etc / ANSWERS]


def configuration_files(place: EximConfig) -> list[Path]:
    """Return the files that the configuration consists of and that an admin edits."""
    if place.kind == "split":
        # Debian's script skips others: an editor's, or dpkg's.
        found = (place.etc / "conf.d").glob("*/*")
        return sorted(path for path in found if _READ_BY_DEBIAN.fullmatch(path.name) and path.is_file())
    if place.kind == "plain":
        return [place.etc / "exim4.conf"]
    return [path for path in (place.switch, place.router) if path.is_file()]


def read(path: Path) -> str | None:
    """Return the text of a file, None where there is none. Bytes that are not UTF-8 survive. Raises SetupError."""
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror}") from None
