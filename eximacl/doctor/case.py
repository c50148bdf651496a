"""The machine that is looked at: what Exim says, what the daemon says, and who they are. Rule: each is asked once."""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from eximacl.client import DaemonError, ask
from eximacl.config import ConfigError, Loaded, load
from eximacl.doctor.access import Who
from eximacl.doctor.sessions import Sessions
from eximacl.exim_setup import Exim
from eximacl.exim_setup.program import check_configuration
from eximacl.exim_setup.trying import STAGES
from eximacl.wire import CONTROL, format_query

LISTS = ("dir", "socket", "timeout", "on_failure", "skip_hosts")
# A domain as it stands in a list; anything else is a pattern or a look-up.
_PLAIN_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*", re.IGNORECASE)


@dataclass(frozen=True)
class Case:
    """What to look at.

    exim: the program. config: the policy file. socket: the daemon's, if not the policy's. shipped: this version's
    snippets. smtp: where Exim listens, None: not to be tried. pid_file: Exim's, if not the one that it names.
    resolver: a file as resolv.conf(5). now: seconds since 1970.
    """

    exim: Exim
    config: Path
    shipped: Path
    now: float
    socket: Path | None = None
    smtp: tuple[str, int] | None = None
    pid_file: Path | None = None
    proc: Path = field(default=Path("/proc"))

    # Exim

    @cached_property
    def complaint(self) -> str:
        """What Exim has to say against its configuration; empty: nothing."""
        return check_configuration(self.exim)

    @cached_property
    def acls(self) -> Mapping[str, str]:
        """What Exim has set for each stage."""
        found = self.exim.options(*(f"acl_smtp_{stage}" for stage in STAGES))
        return {name.removeprefix("acl_smtp_"): value for name, value in found.items()}

    @cached_property
    def settings(self) -> Mapping[str, str]:
        """The settings that the snippets' `macros` has put into named lists; empty where it is not included."""
        found = self.exim.lists(*(f"eximacl_{name}" for name in LISTS))
        return {name.removeprefix("eximacl_"): value.replace("::", ":") for name, value in found.items()}

    def setting(self, name: str) -> Mapping[str, str]:
        """Return a setting of several words, `key=value key=value`."""
        return dict(word.partition("=")[::2] for word in self.settings.get(name, "").split())

    @cached_property
    def directory(self) -> Path | None:
        """The snippets that Exim's configuration names, whether they are there or not."""
        named = self.settings.get("dir") or self.exim.macro("EXIMACL_DIR")
        return Path(named) if named else None

    @property
    def wired(self) -> bool:
        """Whether Exim asks at RCPT as far as its configuration says: only then is there anything to try."""
        return (
            not self.complaint
            and self.directory is not None
            and f"{self.directory}/rcpt.acl" in self.acls.get("rcpt", "")
        )

    @cached_property
    def exim_user(self) -> Who | None:
        """Exim's own user, with all groups; None where there is no such user."""
        named = self.exim.options("exim_user").get("exim_user") or "Debian-exim"
        try:
            user = pwd.getpwuid(int(named)) if named.isdigit() else pwd.getpwnam(named)
        except KeyError:
            return None
        return Who(user.pw_name, user.pw_uid, frozenset(os.getgrouplist(user.pw_name, user.pw_gid)))

    @cached_property
    def local_domains(self) -> tuple[str, ...]:
        """The domains that Exim takes mail for itself, as far as they are named one by one."""
        listed = self.exim.lists("local_domains").get("local_domains", "")
        separator = listed[1] if re.match(r"<\S", listed) else ":"
        items = listed[2:].split(separator) if listed.startswith("<") else listed.split(separator)
        found = [self.hostname if item.strip() == "@" else item.strip().lower() for item in items]
        return tuple(dict.fromkeys(item for item in found if _PLAIN_DOMAIN.fullmatch(item) and item != "localhost"))

    @cached_property
    def hostname(self) -> str:
        """Exim's name for this host."""
        return self.exim.options("primary_hostname").get("primary_hostname", "").lower() or os.uname().nodename.lower()

    @property
    def recipient(self) -> str:
        """An address that every mail host takes mail for (RFC 5321, section 4.5.1), in a domain that is judged."""
        judged = self.loaded.settings.policy.domains if self.loaded else None
        ours = [domain for domain in self.local_domains if judged is None or domain in judged]
        return f"postmaster@{(ours or [*self.local_domains, self.hostname])[0]}"

    @cached_property
    def main_log(self) -> Path:
        """Exim's main log; Debian's place where Exim's option names none."""
        named = self.exim.options("log_file_path").get("log_file_path", "")
        paths = [part.strip() for part in named.split(":") if part.strip().startswith("/")]
        return Path(paths[0].replace("%s", "main").replace("%M", "main") if paths else "/var/log/exim4/mainlog")

    @cached_property
    def sessions(self) -> Sessions:
        """Sessions with Exim that ask a socket of our own."""
        return Sessions(self.exim, self.recipient, "connect.acl" in self.acls.get("connect", ""))

    # The policy and the daemon

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the policy file."""
        return () if isinstance(self._load, Loaded) else tuple(str(each) for each in self._load.problems)

    @property
    def loaded(self) -> Loaded | None:
        """The policy; None where it is wrong."""
        return self._load if isinstance(self._load, Loaded) else None

    @cached_property
    def _load(self) -> Loaded | ConfigError:
        try:
            return load(self.config)
        except ConfigError as error:
            return error

    @property
    def daemon_socket(self) -> Path:
        """Where the daemon listens: as told, or as the policy says, or as Exim has it."""
        named = (
            self.loaded.settings.server.socket
            if self.loaded
            else Path(self.settings.get("socket", "/run/eximacl/eximacl.sock"))
        )
        return self.socket or named

    @cached_property
    def _asked(self) -> dict[str, Any] | DaemonError:
        try:
            reply = ask(self.daemon_socket, format_query(CONTROL, {"do": "status"}))
            answer: dict[str, Any] = json.loads(reply.extra["answer"])
        except DaemonError as error:
            return error
        except (KeyError, ValueError):
            return DaemonError(f"{self.daemon_socket}: whoever listens there does not tell its status")
        return answer

    @property
    def status(self) -> Mapping[str, Any] | None:
        """What the daemon says of itself; None where it does not answer."""
        return None if isinstance(self._asked, DaemonError) else self._asked

    @property
    def silence(self) -> str:
        """Why the daemon did not answer; empty where it did."""
        return str(self._asked) if isinstance(self._asked, DaemonError) else ""

    @cached_property
    def daemon_user(self) -> Who | None:
        """Whom the daemon runs as; None where that cannot be seen."""
        return Who.of_process(self.proc / str(self.status["pid"]), "eximacl") if self.status else None

    @property
    def view(self) -> Path:
        """The daemon's own view of the files: systemd may hide some from it, or make them read-only."""
        if self.status is None or self.daemon_user is None:
            return Path("/")
        return self.proc / str(self.status["pid"]) / "root"


def group_name(gid: int) -> str:
    """Return a group's name, or its number."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
