"""Judging in this process what the daemon would judge, from the policy file: nothing is counted, stored or recorded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping

from eximacl.config import Loaded
from eximacl.daemon.daemon import network_of
from eximacl.daemon.front_end import EximFrontEnd
from eximacl.daemon.judge import Judge
from eximacl.dns.list_health import DnsNetwork
from eximacl.protocol.batch import AskOne
from eximacl.protocol.client import RequestRefused
from eximacl.protocol.control import accepted
from eximacl.protocol.exim import Reply, format_query, limit_for, parse_reply
from eximacl.state import open_state


@contextlib.contextmanager
def offline_judge(loaded: Loaded) -> Iterator[AskOne]:
    """Yield what answers queries by a policy, with an empty state; DNS is asked as the settings want.

    It raises RequestRefused for a query that the daemon would refuse.
    """
    network = network_of(loaded.settings.dns)
    front_end = EximFrontEnd(Judge(loaded.policy, open_state("memory:"), next_ref=lambda _: "", network=network))
    with asyncio.Runner() as runner:

        def ask(stage: str, values: Mapping[str, str]) -> Reply:
            return accepted(parse_reply(runner.run(_answer(front_end, _line_of(stage, values)))))

        try:
            # A list that was not tried out is not believed.
            runner.run(network.probe(loaded.policy.probes, loaded.settings.dns.budget))
            yield ask
        finally:
            runner.run(_close(network))


def judge_without_dns(loaded: Loaded, stage: str, values: Mapping[str, str]) -> Reply:
    """Return the verdict on one query by a policy, with an empty state; no DNS name is known. Raises RequestRefused."""
    front_end = EximFrontEnd(Judge(loaded.policy, open_state("memory:"), next_ref=lambda _: ""))
    answer = front_end.handle(_line_of(stage, values))
    assert isinstance(answer, bytes), "without DNS nothing is waited for"
    return accepted(parse_reply(answer))


async def _answer(front_end: EximFrontEnd, line: bytes) -> bytes:
    answer = front_end.handle(line)
    return answer if isinstance(answer, bytes) else await answer


async def _close(network: DnsNetwork) -> None:
    network.close()


def _line_of(stage: str, values: Mapping[str, str]) -> bytes:
    line = format_query(stage, values).rstrip(b"\n")
    if len(line) > limit_for(line):
        raise RequestRefused("line-too-long", f"the query is longer than {limit_for(line)} bytes")
    return line
