"""Plugins: what a decorator has marked, found in the modules of a package. Nothing keeps a list of them.

A decorator such as `@check` or `@diagnosis` puts a declaration on a function with `mark`; what runs such functions
imports the modules of a package and asks each for its declarations.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, TypeVar

T = TypeVar("T")

_MARK = "__eximacl_declaration__"


def mark(function: Callable[..., Any], declaration: object) -> None:
    """Put a declaration on a function, in place of an earlier one."""
    setattr(function, _MARK, declaration)


def declaration_of(value: object, kind: type[T]) -> T | None:
    """Return the declaration of this kind that `mark` has put on a function; None where there is none."""
    found = getattr(value, _MARK, None)
    return found if isinstance(found, kind) else None


def declarations_in(module: ModuleType, kind: type[T]) -> Iterator[T]:
    """Yield what a module declares itself, in the order of its source; not what it has only imported."""
    for value in vars(module).values():
        found = declaration_of(value, kind)
        if found is not None and value.__module__ == module.__name__:
            yield found


def modules_in(package: ModuleType) -> Iterator[ModuleType]:
    """Import and yield the modules of a package, in the order of their names."""
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(module.name)
