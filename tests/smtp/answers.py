"""Replies for the scripted daemon."""

from __future__ import annotations

from collections.abc import Callable

from eximacl.protocol.exim import Reply
from tests.lab.responder import ACCEPT, Action, Asked

REJECT = Reply("reject", 550, "some-reason", "TESTTEST", message="5.7.1 we do not want this (TESTTEST)", log="why not")
DROP = REJECT._replace(extra={"close": "yes"})
DEFER = Reply("defer", 451, "some-reason", "TESTTEST", message="4.7.1 come back later (TESTTEST)", log="not yet")
HOLD = Reply("hold", 550, "some-reason", "TESTTEST", message="5.7.1 we keep this (TESTTEST)", log="held")
ERROR = Reply("error", 0, "syntax", message="what?")
WANT_DATA = Reply("accept", 250, ref="TESTTEST", want="data")
RESERVED = Reply("accept", 250, ref="TESTTEST", want="data end")


def at(stage: str, action: Action) -> Callable[[Asked], Action]:
    """Answer one stage with `action`, the others with accept."""
    return lambda asked: action if asked.stage == stage else ACCEPT


def by(**actions: Action) -> Callable[[Asked], Action]:
    """Answer stages, or recipients by their localpart, with the named actions; all else with accept.

    A localpart is written without its dots (`steve3count`).
    """

    def answer(asked: Asked) -> Action:
        localpart = asked.values.get("rcpt", "").partition("@")[0].replace(".", "")
        return actions.get(localpart, actions.get(asked.stage, ACCEPT))

    return answer
