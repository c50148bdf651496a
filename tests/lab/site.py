"""How the lab's Exim is configured: the snippets go in by running the commands of docs/exim.md.

What only the lab needs (its domains, its mailboxes, its authenticator) goes in like any site's own settings.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "exim.md"
ETC = Path("/etc/exim4")

Kind = Literal["split", "unsplit", "plain"]

# What a machine's /etc/exim4 may hold of its own and the lab must not inherit.
NOT_COPIED = ("exim4.conf", "exim4.conf.localmacros", "passwd.client", "000_localmacros", "050_eximacl", "eximacl")

# Of every user.
PASSWORD = "secret"
AUTHENTICATOR = f"""
lab_plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if eq{{$auth3}}{{{PASSWORD}}}}}
  server_set_id = $auth2
"""
ROUTER = """
lab_mailbox:
  driver = accept
  domains = +local_domains
  local_part_suffix = +*
  local_part_suffix_optional
  local_parts = lsearch;/etc/exim4/mailboxes
  transport = lab_maildir
"""
TRANSPORT = """
lab_maildir:
  driver = appendfile
  directory = /var/mail/$local_part_data
  maildir_format
  envelope_to_add
  user = Debian-exim
  group = mail
"""
# A relay host's mail to the outside has to go somewhere.
OUTSIDE = """
lab_outside:
  driver = manualroute
  domains = ! +local_domains
  transport = {transport}
  route_list = * {host}
  self = send
"""
BY_DNS = "by DNS"
NOWHERE = """
lab_nowhere:
  driver = redirect
  domains = ! +local_domains
  data = :blackhole:
"""
DEBIAN = """dc_eximconfig_configtype='internet'
dc_other_hostnames='{domains}'
dc_local_interfaces=''
dc_readhost=''
dc_relay_domains=''
dc_minimaldns='false'
dc_relay_nets='{relays}'
dc_smarthost=''
CFILEMODE='644'
dc_use_split_config='{split}'
dc_hide_mailname=''
dc_mailname_in_oh='true'
dc_localdelivery='mail_spool'
"""
# A small configuration in the manner of Exim's own default one, for those who have no Debian.
PLAIN = """{macros}
primary_hostname = {hostname}
domainlist local_domains = {domains}
hostlist relay_from_hosts = {relays}
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%slog
acl_smtp_rcpt = acl_check_rcpt
acl_smtp_data = acl_check_data
keep_environment =
{main}
begin acl
acl_check_rcpt:
  accept  hosts = +relay_from_hosts
  accept  authenticated = *
  require message = relay not permitted
          domains = +local_domains
  require verify = recipient
  accept
acl_check_data:
  deny    condition = ${{if match{{$h_subject:}}{{refuse me at data}}}}
          message = refused by the site's own data ACL
  accept
begin routers
{routers}
begin transports
{transports}
begin authenticators
{authenticators}
"""
SMTP_TRANSPORT = """
remote_smtp:
  driver = smtp
"""
# What the Debian configurations have in their data ACL's place for local rules.
DATA_ACL = """deny condition = ${if match{$h_subject:}{refuse me at data}}
     message = refused by the site's own data ACL
"""


@dataclass(frozen=True)
class Site:
    """One configuration. `macros` stand above the line that includes the snippets; `main` are further main options."""

    kind: Kind = "split"
    macros: Mapping[str, str] = field(default_factory=dict)
    domains: tuple[str, ...] = ("example.org", "example.com")
    mailboxes: tuple[str, ...] = ("steve", "juha", "postmaster")
    relays: tuple[str, ...] = ("127.0.0.99",)
    hostname: str = "mx.example.org"
    main: str = ""
    rcpt_acl: str = ""  # Debian's CHECK_RCPT_LOCAL_ACL_FILE
    files: Mapping[str, str] = field(default_factory=dict)  # more files in /etc/exim4
    outside: str = ""  # where mail to the outside goes, as HOST::PORT; empty: nowhere; BY_DNS: where Debian sends it
    outside_transport: str = "remote_smtp"
    tags: bool = False  # whether outgoing mail is tagged, by docs/exim.md
    snippets: bool = True  # without: the bare Exim that a benchmark compares with

    def write(self, etc: Path) -> None:
        """Write what a site has before eximacl is installed into `etc`, the lab's /etc/exim4."""
        shutil.copytree(ETC, etc, ignore=shutil.ignore_patterns(*NOT_COPIED), dirs_exist_ok=True)
        (etc / "mailboxes").write_text("".join(f"{name}: {name}\n" for name in self.mailboxes))
        (etc / "rcpt.local").write_text(self.rcpt_acl)
        (etc / "data.local").write_text(DATA_ACL)
        for name, text in self.files.items():
            (etc / name).write_text(text)
        if self.kind == "plain":
            (etc / "exim4.conf").write_text(self._plain())
            return
        (etc / "update-exim4.conf.conf").write_text(
            DEBIAN.format(
                domains=" : ".join(self.domains),
                relays=" ; ".join(self.relays),
                split="true" if self.kind == "split" else "false",
            )
        )
        if self.kind == "split":
            self._split(etc / "conf.d")
        else:
            self._unsplit(etc)

    def _routers(self) -> str:
        if self.outside == BY_DNS:
            return ROUTER
        outside = OUTSIDE.format(transport=self.outside_transport, host=self.outside) if self.outside else NOWHERE
        return ROUTER + outside

    def _macros(self) -> str:
        return "".join(f"{name} = {value}\n" for name, value in self.macros.items())

    def _debian_macros(self) -> str:
        own = {
            "MAIN_HARDCODE_PRIMARY_HOSTNAME": self.hostname,
            "CHECK_RCPT_LOCAL_ACL_FILE": "/etc/exim4/rcpt.local",
            "CHECK_DATA_LOCAL_ACL_FILE": "/etc/exim4/data.local",
        }
        return "".join(f"{name} = {value}\n" for name, value in own.items()) + f"{self.main}\n{self._macros()}"

    def _plain(self) -> str:
        return PLAIN.format(
            macros=self._macros(),
            main=self.main,
            hostname=self.hostname,
            domains=" : ".join(self.domains),
            relays=" : ".join(self.relays),
            routers=self._routers(),
            transports=TRANSPORT + SMTP_TRANSPORT,
            authenticators=AUTHENTICATOR,
        )

    def _split(self, conf_d: Path) -> None:
        (conf_d / "main" / "000_localmacros").write_text(self._debian_macros())
        (conf_d / "router" / "060_lab").write_text(self._routers())
        (conf_d / "transport" / "20_lab").write_text(TRANSPORT)
        (conf_d / "auth" / "20_lab").write_text(AUTHENTICATOR)

    def _unsplit(self, etc: Path) -> None:
        (etc / "exim4.conf.localmacros").write_text(self._debian_macros())
        template = etc / "exim4.conf.template"
        text = template.read_text()
        for section, lines in (
            ("routers", self._routers()),
            ("transports", TRANSPORT),
            ("authenticators", AUTHENTICATOR),
        ):
            text, found = re.subn(rf"(?m)^begin {section}\n", f"\\g<0>{lines}\n".replace("\\/", "/"), text)
            assert found == 1, f"no 'begin {section}' in {template}"
        template.write_text(text)


def documented(kind: Kind, what: str = "") -> str:
    """Return the shell commands by which docs/exim.md installs the snippets, or `what`, into this configuration."""
    mark = f"{kind} {what}".rstrip()
    found = re.findall(rf"(?ms)^```sh {mark}\n(.*?)^```$", DOCUMENT.read_text())
    if len(found) != 1:
        raise ValueError(f"{DOCUMENT} has {len(found)} blocks marked `sh {mark}`; expected one")
    return str(found[0])
