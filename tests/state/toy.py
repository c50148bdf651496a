"""A state over a network, as small as one can be: a server that has a MemoryState, and a backend that asks it.

Each verb is one connection to a Unix socket: a pickled verb there, a pickled answer back.
"""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from eximacl.policy.places import LISTED_MAX, NO_TERMS, AddressChange, KnownAddress, Place, Terms
from eximacl.policy.state import BLOCKS_MAX, Backend, Block, Settled, Sighting, StateError
from eximacl.state import MemoryState

# answers: as it should; silent: it takes the verb and never answers; cut: it closes in the middle of the answer.
Mood = Literal["answers", "silent", "cut"]


class ToyState:
    """The contract of `State` on a `ToyServer`. Nothing is connected before a verb is asked."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def reserve(
        self, key: str, limit: int, holder: str, now: float, until: float, terms: Terms = NO_TERMS
    ) -> Place:
        answer: Place = await self._ask("reserve", key, limit, holder, now, until, terms)
        return answer

    async def peek(self, key: str, limit: int, holder: str, now: float, terms: Terms = NO_TERMS) -> Place:
        answer: Place = await self._ask("peek", key, limit, holder, now, terms)
        return answer

    async def commit(self, holder: str, now: float) -> Settled:
        answer: Settled = await self._ask("commit", holder, now)
        return answer

    async def release(self, holder: str) -> int:
        return int(await self._ask("release", holder))

    async def places(self, key: str, now: float) -> tuple[int, int]:
        committed, reserved = await self._ask("places", key, now)
        return committed, reserved

    async def revise(self, key: str, now: float, change: AddressChange) -> KnownAddress:
        answer: KnownAddress = await self._ask("revise", key, now, change)
        return answer

    async def known(self, key: str, now: float) -> KnownAddress | None:
        answer: KnownAddress | None = await self._ask("known", key, now)
        return answer

    async def all_known(self, now: float, after: str | None = None, most: int = LISTED_MAX) -> tuple[KnownAddress, ...]:
        return tuple(await self._ask("all_known", now, after, most))

    async def forget_known(self, before: float, most: int = LISTED_MAX) -> int:
        return int(await self._ask("forget_known", before, most))

    async def count(self, key: str, window: float, most: int, now: float) -> int:
        return int(await self._ask("count", key, window, most, now))

    async def tally(self, key: str, window: float, now: float) -> int:
        return int(await self._ask("tally", key, window, now))

    async def forget(self, key: str) -> None:
        await self._ask("forget", key)

    async def first_seen(self, key: str, now: float, until: float, evict: bool = False) -> float:
        return float(await self._ask("first_seen", key, now, until, evict))

    async def seen(self, key: str, now: float) -> float | None:
        answer: float | None = await self._ask("seen", key, now)
        return answer

    async def remember(self, key: str, now: float, until: float) -> bool:
        return bool(await self._ask("remember", key, now, until))

    async def sightings(
        self, prefix: str, now: float, after: str | None = None, most: int = LISTED_MAX
    ) -> tuple[Sighting, ...]:
        return tuple(await self._ask("sightings", prefix, now, after, most))

    async def unsee(self, key: str) -> bool:
        return bool(await self._ask("unsee", key))

    async def block(self, key: str, now: float, until: float, why: str) -> None:
        await self._ask("block", key, now, until, why)

    async def unblock(self, key: str) -> bool:
        return bool(await self._ask("unblock", key))

    async def blocked(self, key: str, now: float) -> Block | None:
        answer: Block | None = await self._ask("blocked", key, now)
        return answer

    async def blocks(self, now: float, after: str | None = None, most: int = BLOCKS_MAX) -> tuple[Block, ...]:
        return tuple(await self._ask("blocks", now, after, most))

    async def prune(self, now: float) -> int:
        return int(await self._ask("prune", now))

    def close(self) -> None:
        """Nothing is open between two verbs."""

    async def _ask(self, *asked: Any) -> Any:
        try:
            reader, writer = await asyncio.open_unix_connection(self._path)
            try:
                writer.write(pickle.dumps(asked))
                writer.write_eof()
                answer = pickle.loads(await reader.read())
            finally:
                writer.close()
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise StateError(f"{self._path}: {error}") from error
        if isinstance(answer, Exception):
            raise answer
        return answer


BACKEND = Backend(form="toy:PATH", rest=".+", open=lambda path, _rows: ToyState(Path(path)), is_file=True)


class ToyServer:
    """Answers for one MemoryState, in a thread of its own. `mood` says how, from the next verb on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state = MemoryState()
        self.mood: Mood = "answers"
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> ToyServer:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        async with await asyncio.start_unix_server(self._answer, self.path):
            self._ready.set()
            await self._stop.wait()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        verb, *arguments = pickle.loads(await reader.read())
        data = pickle.dumps(_done(getattr(self.state, verb), arguments))
        if self.mood == "silent":
            await self._stop.wait()
        writer.write(data[: len(data) // 2] if self.mood == "cut" else data)
        writer.close()


def _done(verb: Callable[..., Any], arguments: list[Any]) -> Any:
    try:
        return verb(*arguments)
    except ValueError as error:
        return error
