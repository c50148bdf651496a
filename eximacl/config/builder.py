"""From tables to a policy: the base, one for each domain that has a file, and one for the early stages.

A domain's policy shares with the base everything that its file does not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eximacl.config.problems import Site, unknown
from eximacl.config.settings import NARROW_EXEMPT_TABLE, NARROW_POLICY_TABLE, OptionTable, check_table
from eximacl.config.sources import Sources
from eximacl.config.values import Value, Values, read_given, read_table
from eximacl.policy.declare import Check, ListProbe
from eximacl.policy.outcome import Action
from eximacl.policy.plan import DomainPolicy, Exempt, Policy, Step

NO_HOLD = "hold needs the archive: set archive.dir, or use another action"


class Builder:
    """Collects the tables of checks and domains, and builds the policy from them."""

    def __init__(
        self, checks: Mapping[str, Check], order: tuple[str, ...], tables: dict[str, Values], sources: Sources
    ) -> None:
        self.overlays: dict[str, dict[str, Values]] = {}
        self._checks = checks
        self._order = order
        self._tables = tables
        self._sources = sources
        self._steps: dict[str, Step] = {}
        self._declarations = {name: check_table(checks[name]) for name in order}
        self._exempt = (_exempt(tables["exempt"]),)
        self._domain_steps: dict[str, dict[str, Step]] = {}
        self._probes: dict[str, ListProbe] = {}
        self._running: set[str] = set()
        # Where it stands, what needs the other check, and the other check.
        self._needs: list[tuple[Site, str, str]] = []

    def read_base(self, raw: Any, site: Site) -> None:
        """Read `[checks.*]` of the main file: a table for each check of the order, defaults where none is given."""
        given = self._known_checks(raw, site)
        for name in self._order:
            here = site.at(name)
            table = self._declarations[name]
            values = read_table(table, given.get(name, {}), here, self._sources)
            self._check_hold(table, values, here)
            self._tables[table.key] = values
            if len(values) == len(table.options):
                self._make_step(name, values, (), here, self._steps)

    def read_overlay(self, domain: str, raw: Mapping[str, Any], site: Site) -> None:
        """Read a domain's file: it sets options of checks and the separators of tags, and adds exemptions."""
        overlay = {}
        if "policy" in raw:
            overlay["policy"] = read_given(NARROW_POLICY_TABLE, raw["policy"], site.at("policy"), self._sources)
        if "exempt" in raw:
            overlay["exempt"] = read_given(NARROW_EXEMPT_TABLE, raw["exempt"], site.at("exempt"), self._sources)
        steps = dict(self._steps)
        for name, given in self._known_checks(raw.get("checks", {}), site.at("checks")).items():
            here = site.at("checks").at(name)
            table = self._declarations[name]
            values = read_given(table, given, here, self._sources)
            self._check_hold(table, values, here)
            overlay[table.key] = values
            base = self._steps.get(name)
            if base is not None:
                merged = {**self._tables[table.key], **values}
                inherited = base.exempt if "exempt" in values else ()
                self._make_step(name, merged, inherited, here, steps)
        self.overlays[domain] = overlay
        self._domain_steps[domain] = steps

    def _check_hold(self, table: OptionTable, values: Values, site: Site) -> None:
        archive = self._tables["archive"].get("dir")
        if archive is None or archive.value is not None:
            return
        for option in table.options:
            if option.type == Action and option.name in values and values[option.name].value == "hold":
                site.at(option.name).report(NO_HOLD)

    def _wrong_source(self, name: str, other: str, is_on: bool) -> str:
        """Return why a check cannot listen to another; empty if it can. The order matters to one that is on."""
        if other not in self._checks:
            return f"{name} depends on the hits of {other}: {unknown('check', other, self._checks)}"
        if other == name:
            return f"{name} cannot depend on its own hits; name checks that come before it"
        if is_on and other not in self._order[: self._order.index(name)]:
            return f"{name} depends on the hits of {other}, so policy.order must name {other} before {name}"
        return ""

    def _wrong_counted(self, name: str, other: str, is_on: bool) -> str:
        """Return why a check cannot count the refusals of another; empty if it can. See `_wrong_source`."""
        if other not in self._checks:
            return f"{name} counts the refusals of {other}: {unknown('check', other, self._checks)}"
        if other == name:
            return f"{name} cannot count its own refusals; name checks that come after it"
        if is_on and other not in self._order[self._order.index(name) :]:
            return f"{name} counts the refusals of {other}, so policy.order must name {other} after {name}"
        return ""

    def _need(self, needs: str, other: str, wrong: str, action: Action, site: Site) -> None:
        """Report what is wrong with what a check needs of another, or remember it for `check_running`."""
        if wrong:
            site.report(wrong)
        elif action != "off":
            self._needs.append((site, needs, other))

    def check_running(self) -> None:
        """Report the checks that need one that runs for no domain. Call this when all files have been read."""
        for site, needs, other in self._needs:
            if other in self._steps and other not in self._running:
                site.report(f"{needs} {other}, which never runs: its action is off, or it has nothing to look for")

    def policy(self, domains: Any) -> Policy:
        """Return the policy of all that was read. It can be used only if there were no problems."""
        base = self._domain_policy(self._steps, self._exempt)
        overlays = {domain: self._overlay(self.overlays[domain], steps) for domain, steps in self._domain_steps.items()}
        known = self._tables["policy"]["known_days"].value
        return Policy(domains, base, overlays, self._early(), tuple(self._probes.values()), known)

    def _overlay(self, overlay: Mapping[str, Values], steps: Mapping[str, Step]) -> DomainPolicy:
        exempt = (*self._exempt, *_exempts(overlay.get("exempt")))
        return self._domain_policy(steps, exempt, overlay.get("policy", {}))

    def _early(self) -> DomainPolicy:
        """Return the policy of the stages before a recipient is known.

        A refusal there applies to every recipient, so it leaves out each check from which a recipient may be exempt:
        one that a domain's file changes, one that may spare by what the client says later, and all of them if a domain
        has exemptions.
        """
        touched = {key for overlay in self.overlays.values() for key in overlay}
        if "exempt" in touched:
            return DomainPolicy((), self._exempt)
        unsure = frozenset(name for name in self._steps if f"checks.{name}" in touched)
        return self._domain_policy(self._steps, self._exempt, unsure=unsure)

    def _domain_policy(
        self,
        steps: Mapping[str, Step],
        exempt: tuple[Exempt, ...],
        here: Mapping[str, Value] | None = None,
        unsure: frozenset[str] | None = None,
    ) -> DomainPolicy:
        # A check that is off in every domain has nothing to resolve either.
        used = (name for name in self._order if name in steps and name in self._running)
        separators = {**self._tables["policy"], **(here or {})}["separators"]
        return DomainPolicy(tuple(steps[name] for name in used), exempt, separators.value, unsure)

    def _known_checks(self, raw: Any, site: Site) -> dict[str, Any]:
        """Return the tables of checks that run; report the others."""
        if not isinstance(raw, dict):
            site.report("expected tables such as [checks.rdns_tld]")
            return {}
        for name in raw:
            if name not in self._checks:
                site.at(name).report(unknown("check", name, self._checks))
            elif name not in self._order:
                site.at(name).report(
                    f"{name} is not in policy.order, so it never runs; add it there, or take its table away"
                )
        return {name: given for name, given in raw.items() if name in self._declarations}

    def _make_step(
        self, name: str, values: Values, inherited: tuple[Exempt, ...], site: Site, steps: dict[str, Step]
    ) -> None:
        check = self._checks[name]
        own = {option.name: values[option.name].value for option in check.options}
        try:
            options = check.options_type(**own)
        except ValueError as error:
            site.report(str(error))
            return
        # Whether the checks it listens to run at all is known only when all files have been read: `check_running`.
        listens_to = frozenset(check.listens_to(options))
        action: Action = "off" if check.idle(options) else values["action"].value
        is_on = action != "off"
        for other in sorted(listens_to):
            self._need(f"{name} depends on the hits of", other, self._wrong_source(name, other, is_on), action, site)
        for other in sorted(set(check.counts(options))):
            self._need(f"{name} counts the refusals of", other, self._wrong_counted(name, other, is_on), action, site)
        if action != "off":
            self._running.add(name)
            self._probes.update({probe.name: probe for probe in check.probes(options)})
        steps[name] = Step(
            name,
            check.run,
            options,
            stages=check.stages,
            action=action,
            on_unknown=values["on_unknown"].value,
            exempt=(*inherited, *((values["exempt"].value,) if values["exempt"].raw else ())),
            message=values["message"].value,
            listens_to=listens_to,
            resolves=check.resolves,
            heeds_allowed=check.heeds_allowed,
            once=check.once,
            spare_known=values["spare_known"].value,
            allows=check.allows,
        )


def _exempt(values: Values) -> Exempt:
    return Exempt(**{name: value.value for name, value in values.items()})


def _exempts(values: Values | None) -> tuple[Exempt, ...]:
    return (_exempt(values),) if values else ()
