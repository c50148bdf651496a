"""What a test needs that not every machine has: the markers `needs_root`, `needs_exim` and `needs_network`.

A helper that needs something is decorated with `@needs`. Each test that uses it, directly, through other helpers or
through a fixture, gets the marker when it is collected, so a new test cannot be forgotten. `make check` and the
package's build run the tests without a marker; `make test` runs all.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import ParamSpec, TypeVar

import pytest

MARKERS = {
    "needs_root": "the super-user: mounts, name spaces, other users and their files",
    "needs_exim": "Debian's Exim with its configuration, or another program that `make` gets with apt-get",
    "needs_network": "a package index, or the tests' DNS server, on port 53 of some 127.x.y.z",
}
# What the tests may start only with the marker, found by name on PATH or in the system's directories.
PROGRAMS = {
    "needs_root": ("mount", "nsenter", "umount", "unshare"),
    "needs_exim": ("exim4", "gcc", "groff", "jq", "systemd-analyze", "update-exim4.conf"),
}
P = ParamSpec("P")
T = TypeVar("T")


class _Running:
    """The test that is being set up, run or torn down. None: no test, as in `make run`."""

    item: pytest.Item | None = None


def needs(*markers: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Declare what a helper needs; for a class, on its `__init__`.

    A test that reaches the helper in a way that `mark` did not see fails, on every machine, and says what to add.
    """
    assert set(markers) <= MARKERS.keys()

    def decorate(helper: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(helper)
        def checked(*args: P.args, **kwargs: P.kwargs) -> T:
            _require(markers, f"{helper.__module__}.{helper.__qualname__}")
            return helper(*args, **kwargs)

        vars(checked)["needed"] = frozenset(markers)
        return checked

    return decorate


def running(item: pytest.Item | None) -> None:
    """Say which test runs from now on."""
    _Running.item = item


def watch() -> None:
    """From now on, a test that starts one of PROGRAMS without the marker fails, even where the program is there."""
    markers = {program: marker for marker, programs in PROGRAMS.items() for program in programs}

    def see(event: str, arguments: tuple[object, ...]) -> None:
        if event == "subprocess.Popen" and _Running.item:
            path = str(arguments[0])
            directory, program = os.path.split(path)
            if program in markers and directory in ("", "/bin", "/sbin", "/usr/bin", "/usr/sbin"):
                _require([markers[program]], path)

    sys.addaudithook(see)


def _require(markers: Iterable[str], what: str) -> None:
    """Fail the test that runs, if any, unless it has the markers."""
    item = _Running.item
    missing = [f"pytest.mark.{name}" for name in markers if item and not item.get_closest_marker(name)]
    if missing:
        pytest.fail(f"this test uses {what}, so it needs {', '.join(missing)}: see tests/needs.py")


def mark(items: Iterable[pytest.Item]) -> None:
    """Add to each test the markers of all that it, its fixtures and its parameters use."""
    for item in items:
        if isinstance(item, pytest.Function):
            fixtures = [
                definition.func for known in item._fixtureinfo.name2fixturedefs.values() for definition in known
            ]
            params = item.callspec.params.values() if hasattr(item, "callspec") else ()
            used = [item.function, *fixtures, *_parts(params)]
            for name in sorted(set[str]().union(*map(_needed, used))):
                item.add_marker(name)


def _needed(start: object) -> frozenset[str]:
    return _needed_by(start) if isinstance(start, FunctionType | type) else frozenset()


@functools.cache
def _needed_by(start: object) -> frozenset[str]:
    """Return the markers of a function or class, and of everything in tests/ that its code names, at any distance."""
    needed: frozenset[str] = frozenset()
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        value = waiting.pop()
        if id(value) not in seen:
            seen.add(id(value))
            needed |= getattr(value, "needed", frozenset())
            waiting.extend(_named(value))
    return needed


def _named(value: object) -> Iterator[object]:
    """Yield the functions and classes that the code of one names. What is not in tests/ names nothing that counts."""
    if not getattr(value, "__module__", "").startswith("tests."):
        return
    if isinstance(value, type):
        yield from value.__mro__[1:]
        yield from (getattr(member, "__func__", member) for member in vars(value).values())
    elif isinstance(value, FunctionType):
        function = inspect.unwrap(value)
        names = set(_names(function.__code__))
        found = [function.__globals__[name] for name in names & function.__globals__.keys()]
        modules = [each for each in found if isinstance(each, ModuleType) and each.__name__.startswith("tests.")]
        found += [vars(module)[name] for module in modules for name in names & vars(module).keys()]
        yield from (each for each in _parts(found) if isinstance(each, FunctionType | type))


def _names(code: CodeType) -> Iterator[str]:
    """Yield every name of a function's code, and of the functions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _parts(values: Iterable[object]) -> Iterator[object]:
    """Yield the values, and those inside their tuples, lists, dicts and data classes: a table may hold helpers."""
    for value in values:
        if isinstance(value, Mapping):
            yield from _parts(value.values())
        elif isinstance(value, tuple | list):
            yield from _parts(value)
        elif hasattr(type(value), "__dataclass_fields__"):
            yield from _parts(vars(value).values() if hasattr(value, "__dict__") else ())
        else:
            yield value.__func__ if isinstance(value, MethodType) else value
