"""Loading a configuration. It changes nothing that runs, and reports all problems at once."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eximacl.config.builder import Builder
from eximacl.config.discovery import discover
from eximacl.config.effects import without_effect
from eximacl.config.problems import ConfigError, Problem, Site, nearest, unknown
from eximacl.config.settings import (
    DEFAULT_ORDER,
    DOMAIN_TOP_LEVEL,
    EXEMPT_TABLE,
    SETTINGS,
    SETTINGS_TABLES,
    TOP_LEVEL,
    Settings,
)
from eximacl.config.sources import SOURCE_BYTES_MAX, Sources
from eximacl.config.values import Value, Values, read_given, read_table
from eximacl.mail.address import canonical_domain
from eximacl.mail.lists import Domains, Messages, Recipients
from eximacl.policy.declare import Check
from eximacl.policy.plan import DomainPolicy, Exempt, Policy
from eximacl.system.files import read_regular

DOMAINS_DIRECTORY = "domains"
NO_FILE = "does not exist; write one with `eximacl config sample --write DIRECTORY`, or name another with --config"


@dataclass(frozen=True)
class Loaded:
    """A configuration, ready to run. Nothing in it changes except the entries of its lists, by `sources.refresh`.

    checks: all that were found, whether the order names them or not. tables: by dotted key, each value with its TOML.
    overlays: the same for each domain that has a file, and only what that file sets.
    """

    path: Path
    settings: Settings
    policy: Policy
    checks: Mapping[str, Check]
    sources: Sources
    tables: Mapping[str, Values]
    overlays: Mapping[str, Mapping[str, Values]]

    def notes(self) -> Iterator[Problem]:
        """Yield what is not an error, but may not be meant: domains as recipients, and checks that have no effect.

        They have an empty list since its file is not there, settings without an effect (`effects`), or come too late to
        resolve names.
        """
        for key, shown in self.sources.missing():
            if self._is_on(key.rpartition(".")[0]):
                yield Problem(self.path.name, key, f"{shown} does not exist, so this list is empty")

        yield from self._not_exempt()
        yield from without_effect(self.path.name, DOMAINS_DIRECTORY, self.policy, self.checks)
        yield from self._resolving_too_late()
        yield from _domains_as_recipients(self.path.name, self.tables, self.settings.policy.domains)
        for domain, overlay in self.overlays.items():
            yield from _domains_as_recipients(f"{DOMAINS_DIRECTORY}/{domain}.toml", overlay, (domain,))

    def _is_on(self, table: str) -> bool:
        """Return whether the check of this table is on, for all or for one domain."""
        tables = (given.get(table, {}) for given in (self.tables, *self.overlays.values()))
        return any("action" in values and values["action"].value != "off" for values in tables)

    def _not_exempt(self) -> Iterator[Problem]:
        """Yield which of those who are exempt by default are not, since the policy names others."""
        entries: Recipients = self.tables[EXEMPT_TABLE.key]["recipients"].value
        option = EXEMPT_TABLE.get("recipients")
        assert option
        assert isinstance(option.default, list | tuple)
        domains = [domain.removeprefix(".") for domain in self.settings.policy.domains]
        lost = [name for name in option.default if any(entries.match(name, domain) is None for domain in domains)]
        if lost:
            names = " and ".join(lost)
            what = f"{names} {'are' if lost[1:] else 'is'} not in it, so mail to {names} is judged like any other"
            yield Problem(self.path.name, "exempt.recipients", f"{what}; add {names}, unless that is meant")

    def _resolving_too_late(self) -> Iterator[Problem]:
        policies = (self.policy.base, *self.policy.overlays.values())
        for judge, resolver in dict.fromkeys(pair for policy in policies for pair in self._too_late(policy)):
            what = f"{judge} comes before {resolver}, so it judges the names that {resolver} would resolve"
            yield Problem(self.path.name, "policy.order", f"{what}; name {resolver} first")

    def _too_late(self, policy: DomainPolicy) -> Iterator[tuple[str, str]]:
        judges: list[str] = []
        for step in policy.steps("rcpt"):
            if step.resolves:
                yield from ((judge, step.name) for judge in judges)
            elif self.checks[step.name].wants_resolved and step.action != "observe":
                judges.append(step.name)

    def files(self) -> Iterator[Path]:
        """Yield each file and directory that was read, and that the next load will read again."""
        yield self.path
        domains = self.path.parent / DOMAINS_DIRECTORY
        if domains.is_dir():
            yield domains
            yield from sorted(domains.glob("*.toml"))
        yield from self.sources.files()


def _domains_as_recipients(file: str, tables: Mapping[str, Values], domains: Iterable[str]) -> Iterator[Problem]:
    """Yield the lists of recipients in which a domain of the policy stands like a localpart, without its @."""
    for key, entries in _recipient_lists(tables):
        for domain in domains:
            if entries.match(domain, ""):
                what = f"{domain} is taken for a localpart; write @{domain} for everyone at that domain"
                yield Problem(file, key, what)


def _recipient_lists(tables: Mapping[str, Values]) -> Iterator[tuple[str, Recipients | Messages]]:
    for key, table in tables.items():
        for name, value in table.items():
            found = value.value.recipients if isinstance(value.value, Exempt) else value.value
            if isinstance(found, Recipients | Messages) and found.filled:
                yield f"{key}.{name}" + (".recipients" if found is not value.value else ""), found


def load(path: Path, instead: Mapping[Path, str] | None = None, sources: Sources | None = None) -> Loaded:
    """Load the policy file at `path`, the domain files beside it, and all lists. Raises ConfigError.

    instead: what TOML files would contain, by absolute path; to try a change before it is made. sources: where the
    lists are registered, for those who want to know them even where there are problems.
    """
    path = path.absolute()
    instead = instead or {}
    problems: list[Problem] = []
    site = Site(path.name, path.parent, path.parent, problems)
    if not path.exists():
        raise ConfigError([Problem(str(path), "", NO_FILE)])
    raw = read_toml(path, site, instead)
    if raw is None:
        raise ConfigError(problems)
    check_top_level(raw, TOP_LEVEL, site)
    sources = Sources(path.parent) if sources is None else sources
    tables = _read_settings(raw, site, sources)
    checks = _find_checks(tables["policy"], site)
    order = settle_order(tables["policy"], raw, checks, site.at("policy").at("order"))
    builder = Builder(checks, order, tables, sources)
    builder.read_base(raw.get("checks", {}), site.at("checks"))
    read_domain_files(builder, tables["policy"], site, instead)
    report_misnamed(tables["policy"]["domains"].value if "domains" in tables["policy"] else None, site, sources)
    builder.check_running()
    if problems:
        raise ConfigError(problems)
    settings = _settings(tables)
    policy = builder.policy(settings.policy.domains)
    return Loaded(path, settings, policy, checks, sources, tables, builder.overlays)


def find_checks(path: Path | None = None) -> dict[str, Check]:
    """Return the checks that can be used: the supplied ones, those of packages, and those of `path`'s checks_dir.

    The policy file at `path` may be wrong or missing: this is for help, which is needed most then.
    """
    path = (path or Path()).absolute()
    site = Site(path.name, path.parent, path.parent, [])
    raw = read_toml(path, site) or {}
    named = {key: value for key, value in _table_at(raw, "policy").items() if key == "checks_dir"}
    return _find_checks(read_given(SETTINGS_TABLES["policy"], named, site, Sources(path.parent)), site)


def _read_settings(raw: Mapping[str, Any], site: Site, sources: Sources) -> dict[str, Values]:
    known = {**SETTINGS_TABLES, EXEMPT_TABLE.key: EXEMPT_TABLE}
    return {key: read_table(table, raw.get(key, {}), site.at(key), sources) for key, table in known.items()}


def _settings(tables: Mapping[str, Values]) -> Settings:
    made = {
        key: declaration(**{name: value.value for name, value in tables[key].items()})
        for key, declaration in SETTINGS.items()
    }
    return Settings(**made)


def _find_checks(policy: Values, site: Site) -> dict[str, Check]:
    checks_dir = policy.get("checks_dir")
    return discover(checks_dir.value if checks_dir else None, site.at("policy").at("checks_dir"))


def settle_order(policy: Values, raw: Mapping[str, Any], checks: Mapping[str, Check], site: Site) -> tuple[str, ...]:
    """Return the checks that run: in the given order, else in the default one, as far as they are installed."""
    if "order" not in _table_at(raw, "policy"):
        order = tuple(name for name in DEFAULT_ORDER if name in checks)
        policy["order"] = Value(order, list(order))
        return order
    if "order" not in policy:
        # It could not be read. Find the problems in the tables all the same:
        return tuple(name for name in checks if name in _table_at(raw, "checks"))
    order = policy["order"].value
    for name in order:
        if name not in checks:
            site.report(f"{name}: {unknown('check', name, checks)}")
    for name, count in Counter(order).items():
        if count > 1:
            site.report(f"{name} is listed {count} times; a check runs once")
    return tuple(dict.fromkeys(name for name in order if name in checks))


def read_domain_files(builder: Builder, policy: Values, site: Site, instead: Mapping[Path, str]) -> None:
    """Read `domains/*.toml` beside the main file into `builder`. Problems are collected."""
    directory = site.home / DOMAINS_DIRECTORY
    domains: Domains | None = policy["domains"].value if "domains" in policy else None
    files: dict[str, str] = {}
    for path in sorted({*directory.glob("*.toml"), *(path for path in instead if path.parent == directory)}):
        if path.name.startswith(".#"):
            continue  # an editor's lock
        here = site._replace(file=site.shown(path), directory=directory)
        domain = canonical_domain(path.name.removesuffix(".toml"))
        wrong = _wrong_domain(domain, domains, files)
        files.setdefault(domain, here.file)
        if wrong:
            here.report(wrong)
            continue
        raw = read_toml(path, here, instead)
        if raw is not None:
            check_top_level(raw, DOMAIN_TOP_LEVEL, here)
            builder.read_overlay(domain, raw, here)


def report_misnamed(domains: Domains | None, site: Site, sources: Sources) -> None:
    """Report the files beside the domains' files that have a domain's name, but not its ending, so nobody reads them.

    Lists of domains' files may stand there, too, and have any name. Call this when all lists are known.
    """
    directory = site.home / DOMAINS_DIRECTORY
    for path in sorted(directory.iterdir()) if domains is not None and directory.is_dir() else ():
        if canonical_domain(path.name) in (domains or ()) and path.is_file() and not sources.find(path):
            here = site._replace(file=site.shown(path))
            here.report(f"is not read, since its name does not end in .toml; rename it to {path.name}.toml")


def _wrong_domain(domain: str, domains: Domains | None, files: Mapping[str, str]) -> str:
    """Return why there cannot be a file for `domain` (`files` are those before it); empty if there can."""
    if domain.startswith("."):
        return f"a domain file is for one domain; write a file for each domain below {domain[1:]} that needs it"
    if domain in files:
        return f"{files[domain]} is for the same domain, {domain}; merge the two files"
    if domains is None or domain in domains:
        return ""
    near = nearest(domain, domains)
    return f"policy.domains does not list {domain}" + (f"; did you mean {near}?" if near else "")


def read_toml(path: Path, site: Site, instead: Mapping[Path, str] | None = None) -> dict[str, Any] | None:
    """Return what a TOML file contains, or would contain; None, with a problem, if it cannot be read."""
    try:
        data = instead[path].encode() if instead and path in instead else read_regular(path, SOURCE_BYTES_MAX)
        return parse_toml(data)
    except FileNotFoundError:
        site.report("does not exist")
    except OSError as error:
        site.report(f"cannot be read: {error.strerror}")
    except ValueError as error:
        site.report(str(error))
    return None


def parse_toml(data: bytes) -> dict[str, Any]:
    """Return what TOML in a file means. Raises ValueError, whose text says what the file is not."""
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8: byte {error.start}: {error.reason}") from None
    except RecursionError:
        raise ValueError("is not TOML: arrays or tables nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"is not TOML: {error}{_escape_hint(str(error))}") from None


def _escape_hint(error: str) -> str:
    """Return what to write instead where a pattern's backslashes are read as TOML's."""
    if "Unescaped '\\'" not in error and "hex value" not in error:
        return ""
    return r"; write a pattern in single quotes, where a backslash stands for itself: '/^promo-\d+@/'"


def check_top_level(raw: Mapping[str, Any], known: tuple[str, ...], site: Site) -> None:
    """Report the tables and keys at the top of a file that do not belong there."""
    for name, value in raw.items():
        if name not in known:
            site.at(name).report(unknown("table" if isinstance(value, dict) else "key", name, known))


def _table_at(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = raw.get(key, {})
    return found if isinstance(found, dict) else {}
