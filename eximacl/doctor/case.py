"""The machine that is examined: what Exim says, what the daemon says, and who they are. Each is asked only once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from eximacl.config import ConfigError, Loaded, load
from eximacl.doctor.access import Who
from eximacl.doctor.sessions import Sessions
from eximacl.exim import Exim, SetupError, options
from eximacl.exim.apply import daemon_pid
from eximacl.exim.program import check_configuration
from eximacl.exim.version import changelog
from eximacl.protocol.client import DaemonError
from eximacl.protocol.control import Status, read_status
from eximacl.system import paths

LISTS = ("dir", "socket", "timeout", "on_failure", "skip_hosts", "note_sent")
# A domain as it stands in a list; anything else is a pattern or a look-up.
_PLAIN_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*", re.IGNORECASE)
# So many of the policy's domains fit into one question to Exim; a site with more does not list them in Exim, either.
DOMAINS_MAX = 100


@dataclass(frozen=True)
class Case:
    """What to look at.

    exim: the program. config: the policy file. socket: the daemon's, if not the policy's. shipped: this version's
    snippets. now: seconds since 1970. smtp: where Exim listens; None: do not try. pid_file: Exim's, if not the one that
    it names.
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
    def absent(self) -> str:
        """Why Exim cannot be run at all; empty: it can."""
        try:
            self.exim.run("-bV")
        except SetupError as error:
            return str(error)
        return ""

    @cached_property
    def complaint(self) -> str:
        """Exim's complaint about its configuration; empty: none."""
        return check_configuration(self.exim)

    @cached_property
    def tag_senders(self) -> str:
        """Whose outgoing mail Exim tags, as its configuration lists them; empty: nobody's."""
        return self.exim.macro("EXIMACL_TAG_SENDERS") or ""

    @cached_property
    def exim_changelog(self) -> str:
        """The changelog of Debian's package, if Exim is from there; empty where there is none."""
        return changelog() if self.exim.path.resolve() == paths.EXIM.resolve() else ""

    @cached_property
    def acls(self) -> Mapping[str, str]:
        """Exim's ACL for each stage."""
        return options.acls(self.exim)

    @cached_property
    def early(self) -> bool:
        """Whether Exim is set to ask at connect, HELO and MAIL."""
        return options.asks_early(self.exim)

    @cached_property
    def settings(self) -> Mapping[str, str]:
        """The settings that our `macros` puts into named lists; empty where Exim does not include that file."""
        found = self.exim.lists(*(f"eximacl_{name}" for name in LISTS))
        return {name.removeprefix("eximacl_"): value.replace("::", ":") for name, value in found.items()}

    def setting(self, name: str) -> Mapping[str, str]:
        """Return a setting with several values, written `key=value key=value`."""
        return dict(word.partition("=")[::2] for word in self.settings.get(name, "").split())

    @cached_property
    def directory(self) -> Path | None:
        """The snippets that Exim's configuration names, whether they are there or not."""
        named = self.settings.get("dir") or self.exim.macro("EXIMACL_DIR")
        return Path(named) if named else None

    @property
    def wired(self) -> bool:
        """Whether Exim asks at RCPT, according to its configuration; otherwise there is nothing to try."""
        return (
            not self.complaint
            and self.directory is not None
            and f"{self.directory}/rcpt.acl" in self.acls.get("rcpt", "")
        )

    @cached_property
    def exim_user(self) -> Who | None:
        """Exim's own user, with all groups; None where there is no such user."""
        return Who.of_account(self.exim.options("exim_user").get("exim_user") or "Debian-exim")

    @cached_property
    def local_domains(self) -> tuple[str, ...]:
        """The domains whose mail Exim delivers itself, as far as they are listed one by one."""
        return self._named("local_domains")

    @cached_property
    def relay_domains(self) -> tuple[str, ...]:
        """The domains whose mail Exim accepts and passes on, as far as they are listed one by one."""
        return self._named("relay_to_domains")

    @cached_property
    def looked_up(self) -> tuple[str, ...]:
        """What else is in the lists of domains: look-ups and patterns, whose domains we do not know."""
        items = [item for name in ("local_domains", "relay_to_domains") for item in self._items(name)]
        return tuple(item for item in items if item not in ("", "@") and not _PLAIN_DOMAIN.fullmatch(item))

    @cached_property
    def taken(self) -> Mapping[str, bool]:
        """Whether Exim accepts mail for each of the policy's domains, as far as it can say."""
        there = [name for name in ("local_domains", "relay_to_domains") if name in self._domain_lists]
        return self._said_of_domains(f"or{{{_matches(there)}}}") if there else {}

    @cached_property
    def relayed(self) -> tuple[str, ...]:
        """The policy's domains whose mail Exim passes on to another host, as far as it can say."""
        if "relay_to_domains" not in self._domain_lists:
            return ()
        own = f"{{!or{{{_matches(['local_domains'])}}}}}" if "local_domains" in self._domain_lists else ""
        return _those(self._said_of_domains(f"and{{{_matches(['relay_to_domains'])}{own}}}"))

    @cached_property
    def handed_on(self) -> tuple[str, ...]:
        """The policy's domains in which our routers hand an address on to its owner, as far as Exim can say."""
        return _those(self._said_of_domains(_matches(["eximacl_domains"])[1:-1])) if self.settings else ()

    def _said_of_domains(self, condition: str) -> Mapping[str, bool]:
        """Ask Exim whether a condition holds for each of the policy's domains, for which DOMAIN stands in it."""
        judged = self.loaded.settings.policy.domains if self.loaded else ()
        plain = [domain for domain in judged if _PLAIN_DOMAIN.fullmatch(domain)][:DOMAINS_MAX]
        if not plain:
            return {}
        lines = [f"${{if {condition}{{yes}}{{no}}}}".replace("DOMAIN", domain) for domain in plain]
        said = self.exim.run("-be", *lines).out.splitlines()
        return {domain: word == "yes" for domain, word in zip(plain, said, strict=False) if word in ("yes", "no")}

    @cached_property
    def _domain_lists(self) -> Mapping[str, str]:
        return self.exim.lists("local_domains", "relay_to_domains")

    def _items(self, name: str) -> list[str]:
        listed = self._domain_lists.get(name, "")
        separator = listed[1] if re.match(r"<\S", listed) else ":"
        items = listed[2:].split(separator) if listed.startswith("<") else listed.split(separator)
        return [item.strip().lower() for item in items]

    def _named(self, name: str) -> tuple[str, ...]:
        found = [self.hostname if item == "@" else item for item in self._items(name)]
        return tuple(dict.fromkeys(item for item in found if _PLAIN_DOMAIN.fullmatch(item) and item != "localhost"))

    @cached_property
    def relay_hosts(self) -> str:
        """The clients that Exim relays for, as Exim lists them."""
        return self.exim.lists("relay_from_hosts").get("relay_from_hosts", "")

    @cached_property
    def hostname(self) -> str:
        """Exim's name for this host."""
        return self.exim.options("primary_hostname").get("primary_hostname", "").lower() or os.uname().nodename.lower()

    @property
    def recipient(self) -> str:
        """An address that every mail host must accept (RFC 5321, section 4.5.1), in a domain that is judged."""
        judged = self.loaded.settings.policy.domains if self.loaded else None
        ours = [domain for domain in self.local_domains if judged is None or domain in judged]
        known = ours or [domain for domain, taken in self.taken.items() if taken]
        return f"postmaster@{(known or [*self.local_domains, self.hostname])[0]}"

    @cached_property
    def exim_pid_file(self) -> Path:
        """The pid file of Exim's daemon."""
        named = self.exim.options("pid_file_path").get("pid_file_path") or paths.EXIM_PID
        return self.pid_file or Path(named)

    @cached_property
    def exim_pid(self) -> int | None:
        """The process id of Exim's daemon; None where none runs."""
        return daemon_pid(self.exim, self.exim_pid_file, self.proc)

    @cached_property
    def exim_view(self) -> Path:
        """The root directory as the running Exim sees it: systemd may hide files from it."""
        return self._root_of(self.exim_pid)

    def _root_of(self, pid: int | None) -> Path:
        """Return the root directory of a process; ours where we may not look, as in a container."""
        seen = self.proc / str(pid) / "root"
        return seen if pid is not None and os.access(seen, os.X_OK) else Path("/")

    @cached_property
    def sessions(self) -> Sessions:
        """Sessions with Exim that ask a socket of our own."""
        early = "connect.acl" in self.acls.get("connect", "")
        return Sessions(self.exim, self.recipient, early, self.exim_user.uid if self.exim_user else 0)

    # The policy and the daemon

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """The problems of the policy file."""
        return () if isinstance(self._load, Loaded) else tuple(str(each) for each in self._load.problems)

    @property
    def loaded(self) -> Loaded | None:
        """The policy; None where it has problems."""
        return self._load if isinstance(self._load, Loaded) else None

    @cached_property
    def _load(self) -> Loaded | ConfigError:
        try:
            return load(self.config)
        except ConfigError as error:
            return error

    @property
    def policy_socket(self) -> Path | None:
        """Where the daemon listens according to the policy; None where that has problems."""
        return self.loaded.settings.server.socket if self.loaded else None

    @cached_property
    def exim_socket(self) -> Path | None:
        """Where Exim asks; None where its configuration does not say."""
        named = "" if self.absent else self.settings.get("socket", "")
        return Path(named) if named else None

    @cached_property
    def daemon_socket(self) -> Path:
        """Where the daemon listens: according to --socket, the policy, or Exim.

        A daemon that gets its socket from systemd may not be where the policy says, but answers where Exim asks.
        """
        told = self.socket or self.policy_socket
        if told is None:
            return self.exim_socket or paths.SOCKET
        exims = self.exim_socket
        if self.socket or exims is None or exims == told or not isinstance(self._status_at(told), DaemonError):
            return told
        return told if isinstance(self._status_at(exims), DaemonError) else exims

    @cached_property
    def _answers(self) -> dict[Path, Status | DaemonError]:
        return {}

    def _status_at(self, path: Path) -> Status | DaemonError:
        if path not in self._answers:
            try:
                self._answers[path] = read_status(path)
            except DaemonError as error:
                self._answers[path] = error
        return self._answers[path]

    @cached_property
    def _asked(self) -> Status | DaemonError:
        return self._status_at(self.daemon_socket)

    @property
    def status(self) -> Status | None:
        """What the daemon says about itself; None where it does not answer."""
        return None if isinstance(self._asked, DaemonError) else self._asked

    @property
    def silence(self) -> str:
        """Why the daemon did not answer; empty where it did."""
        return str(self._asked) if isinstance(self._asked, DaemonError) else ""

    @cached_property
    def daemon_user(self) -> Who | None:
        """The user that the daemon runs as; None where that cannot be seen."""
        return Who.of_process(self.proc / str(self.status["pid"]), "eximacl") if self.status else None

    @property
    def view(self) -> Path:
        """The root directory as the daemon sees it: systemd may hide files from it, or make them read-only."""
        return self._root_of(self.status["pid"] if self.status and self.daemon_user else None)


def _matches(names: list[str]) -> str:
    """Return conditions of Exim's, each in braces: that DOMAIN is in a named list."""
    return "".join(f"{{match_domain{{DOMAIN}}{{+{name}}}}}" for name in names)


def _those(said: Mapping[str, bool]) -> tuple[str, ...]:
    return tuple(sorted(domain for domain, yes in said.items() if yes))
