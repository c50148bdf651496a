"""The files and directories behind lists, read at the start and again when they change.

If a source cannot be read, or is refused, the list keeps its entries. A source that has changed is read once it has not
changed between two calls of `refresh`; one that has lost many entries has to rest longer before it counts (`losses`),
so that a half-written file does not.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

from eximacl.config.list_files import Judge, fill, kept_names
from eximacl.config.losses import REST_SECONDS, Content, Loss, entries
from eximacl.config.problems import Problem, Refused, nearest, shown_path
from eximacl.mail.entry_list import EntryList

# A policy or a check has a few kilobytes; a wrong file (a disk image, a device behind a link) would fill the memory.
SOURCE_BYTES_MAX = 4 * 1024 * 1024
# Time stamps have a resolution of some milliseconds, on old file systems of a second or two. A file that was read this
# soon after its last change may have changed again without a trace, so it is read once more.
SETTLED_NANOSECONDS = 2_000_000_000

# A list that is rewritten every second is never still for two looks. A long job takes minutes to write one.
RESTLESS_SECONDS = 300.0

L = TypeVar("L", bound=EntryList)
# Of a file or directory: change of content, change of name or mode, size, inode. None: it cannot be looked at.
Signature = tuple[tuple[int, int, int, int], ...] | None


class Refreshed(NamedTuple):
    """What a `refresh` did. changed: paths of the sources that were read again; problems, warnings: the new ones.

    A warning is about a list that has lost many entries and will count if it stays so.
    """

    changed: tuple[str, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()


class Shrunk(Refused):
    """A list has lost so many entries that it does not count yet."""

    def __init__(self, shown: str, loss: Loss) -> None:
        super().__init__(f"{shown} {loss}")
        self.loss = loss


class Sources:
    """All files and directories that the lists of one configuration come from.

    clock: nanoseconds since 1970, to compare with the times of files. monotonic: seconds.
    """

    def __init__(
        self,
        home: Path,
        clock: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._home = home
        self._clock = clock
        self._monotonic = monotonic
        self._sources: dict[tuple[Path, type[EntryList]], _Source] = {}

    def open(self, path: Path, kind: type[L]) -> L:
        """Return the list at the absolute `path`, which is read unless it was before. Raises Refused."""
        source = self._at(path, kind)
        if not source.read:
            source.fill()
        assert isinstance(source.entries, kind)
        return source.entries

    def awaited(self, path: Path, kind: type[L], key: str) -> L:
        """Return the list of an option, `key`, whose file may be missing; it is read as soon as it is there."""
        source = self._at(path, kind)
        source.keys.append(key)
        assert isinstance(source.entries, kind)
        return source.entries

    def take_over(self, old: Sources, *, accept: bool = False, named: Collection[str] = ()) -> tuple[str, ...]:
        """Keep the old entries of lists that have lost too many since another configuration read them, or are gone.

        accept: someone has said that they are meant; then nothing is kept, and a line for each such list is returned.
        named: only these lists are meant, as problems name them or by their absolute paths; empty: all.
        """
        accepted: list[str] = []
        for key, source in self._sources.items():
            before = old._sources.get(key)
            if before is None or not before.read:
                continue
            if not accept or (named and source.names.isdisjoint(named)):
                source.succeed(before)
            elif not source.read:
                accepted.append(f"{source.shown} does not exist and had {entries(before.content.size)}")
            elif (loss := source.loss_since(before)).is_doubtful:
                accepted.append(f"{source.shown} {loss.facts}")
        return tuple(dict.fromkeys(accepted))

    def unknown(self, named: Iterable[str]) -> Iterator[str]:
        """Yield why a name of a list is none, for those that are not."""
        known = {source.shown: source.names for source in self._sources.values()}
        for name in named:
            if not any(name in names for names in known.values()):
                near = nearest(name, known)
                yield f"{name} is not a list of the policy" + (f"; did you mean {near}?" if near else "")

    def waiting(self) -> Iterator[str]:
        """Yield a line for each list that was being written when it was to be read, so that it is read in a moment."""
        for source in self._sources.values():
            if source.waits:
                yield f"{source.shown} has just changed: it is read once it has been still for a second"

    def sizes(self) -> dict[str, int]:
        """Return how many entries are in force of each list that comes from a file or directory, by absolute path."""
        return {str(path): source.content.size for (path, _), source in self._sources.items() if source.read}

    def losses(self, in_force: Mapping[str, int]) -> Iterator[tuple[str, bool]]:
        """Yield what a daemon with these numbers of entries in force would say of the lists, and whether it refuses."""
        for (path, _), source in self._sources.items():
            size = in_force.get(str(path))
            if size is None:
                continue
            loss = Loss(Content(size, source.content.ended), source.content)
            if not source.read:
                yield f"{source.shown} does not exist; {_kept(size)}; if that is meant: eximacl reload --accept", True
            elif loss.is_doubtful:
                yield f"{source.shown} {loss}", loss.is_refused

    def refresh(self) -> Refreshed:
        """Read what has changed. Each list is swapped in one step, so any thread may use the lists meanwhile.

        Raises nothing for bad sources: a problem is returned once, and again only after a further change.
        Only one thread may call this.
        """
        changed: list[str] = []
        problems: list[Problem] = []
        warnings: list[Problem] = []
        for source in self._sources.values():
            told = source.problem
            try:
                if source.refresh():
                    changed.append(source.shown)
            except Refused as refused:
                resting = isinstance(refused, Shrunk) and not refused.loss.is_refused
                if source.problem != told:
                    (warnings if resting else problems).append(Problem(source.shown, "", source.problem))
        return Refreshed(tuple(changed), tuple(problems), tuple(warnings))

    def problems(self) -> tuple[str, ...]:
        """Return a line for each list whose file is not what is in force, and why."""
        return tuple(source.problem for source in self._sources.values() if source.problem)

    def kept(self) -> tuple[str, ...]:
        """Return those of the `problems` that do not end by themselves when a list has rested."""
        return tuple(source.problem for source in self._sources.values() if source.problem and not source.rests)

    def missing(self) -> Iterator[tuple[str, str]]:
        """Yield the dotted key of each option whose default list is missing, and the list's path."""
        for source in self._sources.values():
            if not source.read:
                yield from ((key, source.shown) for key in source.keys)

    def find(self, path: Path) -> tuple[EntryList, ...]:
        """Return the lists that come from an absolute path, one for each kind in which it is used."""
        return tuple(source.entries for (named, _), source in self._sources.items() if named == path)

    def counted(self, path: Path) -> Iterator[tuple[EntryList, Content | None]]:
        """Yield the lists that come from an absolute path, each with what was in it; None: it was not read."""
        for (named, _), source in self._sources.items():
            if named == path:
                yield source.entries, source.content if source.read else None

    def files(self) -> Iterator[Path]:
        """Yield each file and directory that was read: those of the lists, and the texts in a directory of them."""
        for source in self._sources.values():
            if not source.read:  # a list that may be missing, and is
                continue
            yield source.path
            if source.entries.texts and source.path.is_dir():
                yield from (Path(entry.path) for entry in kept_names(source.path))

    def _at(self, path: Path, kind: type[EntryList]) -> _Source:
        if (path, kind) not in self._sources:
            shown = shown_path(path, self._home)
            self._sources[path, kind] = _Source(path, shown, kind(), self._clock, self._monotonic)
        return self._sources[path, kind]

    def __len__(self) -> int:
        """Return how many lists were read."""
        return sum(source.read for source in self._sources.values())


def _kept(size: int) -> str:
    return f"what was read before stays in force ({entries(size)})"


class _Source:
    """One file or directory, and the list that its entries fill.

    content: how much it had when it was last taken. problem: why the file is not what is in force; or empty.
    keys: the options for which it may be missing. waits: it has changed, and will be read if it changes no further.
    """

    __slots__ = (
        "_changing_since",
        "_clock",
        "_monotonic",
        "_pending",
        "_rests_until",
        "_settled",
        "_signature",
        "content",
        "entries",
        "keys",
        "path",
        "problem",
        "read",
        "shown",
        "waits",
    )

    def __init__(
        self,
        path: Path,
        shown: str,
        entries: EntryList,
        clock: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        self.path = path
        self.shown = shown
        self.entries = entries
        self.entries.live = True
        self.read = False
        self.content = Content()
        self.problem = ""
        self.waits = False
        self.keys: list[str] = []
        self._clock = clock
        self._monotonic = monotonic
        self._signature: Signature = None
        self._pending: Signature = None
        self._settled = True
        self._rests_until: float | None = None
        self._changing_since: float | None = None

    @property
    def names(self) -> frozenset[str]:
        """How people may call the list: as problems do, or by its absolute path."""
        return frozenset((self.shown, str(self.path)))

    @property
    def kept(self) -> str:
        """What problems say of the entries that are in force."""
        return _kept(self.content.size)

    @property
    def rests(self) -> bool:
        """Whether the source will be read if it does not change."""
        return self._rests_until is not None

    def fill(self, *, rested: bool = False) -> None:
        """Read the source into the list. Raises Refused, and then the list is as it was.

        rested: it has not changed for so long that it is written to its end.
        """
        self._signature = self._pending = self._sign()
        self._settled = True
        self._rests_until = None
        try:
            self.content = fill(self.entries, self.path, self.shown, self._judge(rested))
        except Shrunk as shrunk:
            self._keep(shrunk)
            raise
        except Refused as refused:
            if self.read:
                self.problem = f"{refused}; {self.kept}"
            raise
        self.read = True
        self.problem = ""
        changed = max((one[1] for one in self._signature or ()), default=0)
        self._settled = abs(self._clock() - changed) > SETTLED_NANOSECONDS

    def refresh(self) -> bool:
        """Read the source if it has changed, but not since the last call; return whether it did. Raises Refused."""
        signature = self._sign()
        if signature != self._pending:
            self._pending = signature
            self._rests_until = None
            self._look_restless()
            return False
        self._changing_since = None
        self.waits = False
        if signature == self._signature:
            if self._rests_until is not None and self._monotonic() >= self._rests_until:
                self.fill(rested=True)
                return True
            if not self._settled:
                self.fill()
            return False
        self.fill()
        return True

    def succeed(self, before: _Source) -> None:
        """Keep the entries of the same source as it was read before, where this one is not to count (yet)."""
        loss = self.loss_since(before)
        if self.read and not loss.is_doubtful:
            if before._signature != self._signature and not self._settled and loss.is_any:
                self._wait(before)
            return
        if self.read:
            rests_until = before._rests_until if before._signature == self._signature else None
            self._keep(Shrunk(self.shown, loss), rests_until)
        else:
            self.problem = f"{self.shown} does not exist; {before.kept}"
        self._settled = True
        self._adopt(before)

    def _wait(self, before: _Source) -> None:
        """Keep the old entries until the source has not changed between two looks: someone may be writing to it."""
        self._signature, self._pending = before._signature, None
        self.waits = self._settled = True
        self._adopt(before)

    def _adopt(self, before: _Source) -> None:
        self.entries.adopt(before.entries)
        self.content = before.content
        self.read = True

    def loss_since(self, before: _Source) -> Loss:
        """Return what the list has lost since it was read before."""
        is_same = before._signature == self._signature and before._settled and not before.problem
        return Loss(before.content, self.content, 0 if is_same else before.entries.missing_in(self.entries))

    def _look_restless(self) -> None:
        """Complain of a source that is never still, so that it is never read. Raises Refused."""
        now = self._monotonic()
        if self._changing_since is None:
            self._changing_since = now
        if now - self._changing_since >= RESTLESS_SECONDS:
            often = f"has changed at each look for {RESTLESS_SECONDS:.0f} s, so it was not read: write it less often"
            self.problem = f"{self.shown} {often}; {self.kept}"
            raise Refused(self.problem)

    def _judge(self, rested: bool) -> Judge:
        def judge(fresh: EntryList, content: Content) -> None:
            if not self.read:
                return
            loss = Loss(self.content, content, self.entries.missing_in(fresh))
            if loss.is_refused or (loss.is_doubtful and not rested):
                raise Shrunk(self.shown, loss)

        return judge

    def _keep(self, shrunk: Shrunk, rests_until: float | None = None) -> None:
        self.problem = str(shrunk)
        if not shrunk.loss.is_refused:
            self._rests_until = rests_until or self._monotonic() + REST_SECONDS

    def _sign(self) -> Signature:
        try:
            found = self.path.stat()
            signed = [found]
            if self.entries.texts and stat.S_ISDIR(found.st_mode):
                signed += [entry.stat() for entry in kept_names(self.path)]
        except OSError:
            return None
        return tuple((one.st_mtime_ns, one.st_ctime_ns, one.st_size, one.st_ino) for one in signed)
