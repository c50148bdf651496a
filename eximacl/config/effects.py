"""Settings that are not wrong, but can never have the effect that they name: `config test`, log and status say so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eximacl.config.problems import Problem
from eximacl.policy.declare import Check
from eximacl.policy.plan import DomainPolicy, Policy, Step
from eximacl.policy.query import STAGES

# More than `defer`, which a temporary objection never becomes.
_STRONGER = ("hold", "reject", "drop")


def without_effect(file: str, directory: str, policy: Policy, checks: Mapping[str, Check]) -> Iterator[Problem]:
    """Yield a note for each setting of a check that is on, but cannot have the effect that it names.

    file: where `policy.base` was read from. directory: where the domains' files are.
    """
    base = _steps(policy.base)
    files = dict.fromkeys(base, file)
    for domain, overlay in policy.overlays.items():
        for step in _steps(overlay):
            files.setdefault(step, f"{directory}/{domain}.toml")
    for step, here in files.items():
        check = checks[step.name]
        key = f"checks.{step.name}"
        if check.temporary and step.action in _STRONGER:
            what = f"{step.action} does the same as defer, since {step.name} never refuses for good"
            yield Problem(here, f"{key}.action", what)
        yield from (Problem(here, key, what) for what in check.no_effect(step.options))
    yield from _counting_nothing(file, files, checks)
    yield from _hearing_nothing(file, files, checks)


def _steps(policy: DomainPolicy) -> dict[Step, None]:
    return dict.fromkeys(step for stage in STAGES for step in policy.steps(stage))


def _counting_nothing(file: str, steps: Mapping[Step, str], checks: Mapping[str, Check]) -> Iterator[Problem]:
    """Yield the checks that count the refusals of others, none of which refuses anything."""
    acting = [step for step in steps if step.action != "observe"]
    names = {step.name for step in acting}
    for step in {step.name: step for step in acting}.values():
        counted = tuple(checks[step.name].counts(step.options))
        if counted and names.isdisjoint(counted):
            what = f"it counts the refusals of {_joined(counted)}, which only observe{'s' * (len(counted) == 1)}"
            yield Problem(file, f"checks.{step.name}", f"{what}: so it never objects")


def _hearing_nothing(file: str, steps: Mapping[Step, str], checks: Mapping[str, Check]) -> Iterator[Problem]:
    """Yield the checks that depend on what others observe, none of which observes anything."""
    observing = {step.name for step in steps if _observes(step, checks[step.name])}
    for step in {step.name: step for step in steps}.values():
        heard = tuple(checks[step.name].listens_to(step.options))
        if heard and observing.isdisjoint(heard):
            what = f'it waits for observed hits of {_joined(heard)}, without action = "observe" there'
            yield Problem(file, f"checks.{step.name}", f"{what}: so it never objects")


def _observes(step: Step, check: Check) -> bool:
    """Whether a check's hits may be observed: all of them, or those for which an option of its own says so."""
    return "observe" in (step.action, *(getattr(step.options, option.name) for option in check.options))


def _joined(names: tuple[str, ...]) -> str:
    return " and ".join(names)
