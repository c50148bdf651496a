"""Running one check on one query, as a check's table of tests does."""

from __future__ import annotations

from typing import Any

from eximacl.check import Ask, CheckFunction, Outcome, declared
from eximacl.policy.drive import drive_now
from eximacl.policy.query import Query, Stage
from eximacl.policy.questions import AnyRequest
from eximacl.protocol.exim import build_query


def query(stage: Stage = "rcpt", **values: str) -> Query:
    """Make a query of the values that Exim would send; `sender` stands for `from`."""
    if "sender" in values:
        values["from"] = values.pop("sender")
    return build_query(stage, values)


def outcome_of(run: CheckFunction, options: Any, asked: Query) -> Outcome:
    """Run a check that asks nothing."""
    return drive_now(_coroutine(run, options, asked), _nothing_to_ask)


def documented_defaults(run: CheckFunction) -> dict[str, Any]:
    """Return each option of a declared check with its TOML default."""
    declaration = declared(run)
    assert declaration is not None
    return {option.name: option.default for option in declaration.options}


async def _coroutine(run: CheckFunction, options: Any, asked: Query) -> Outcome:
    return await run(asked, options, Ask("check"))


def _nothing_to_ask(request: AnyRequest) -> Any:
    raise AssertionError(f"this check asks nothing, but asked {request.question}")
