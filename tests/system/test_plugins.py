"""What is marked is found where it was declared, and not where it is only used."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import pytest

import eximacl.checks
from eximacl.system.plugins import declaration_of, declarations_in, mark, modules_in


@dataclass(frozen=True)
class Declaration:
    name: str


def declared(name: str, module: str) -> object:
    def function() -> None: ...

    function.__module__ = module
    mark(function, Declaration(name))
    return function


def test_a_declaration_is_found_by_its_kind() -> None:
    function = declared("first", "here")
    assert declaration_of(function, Declaration) == Declaration("first")
    assert declaration_of(function, str) is None
    assert declaration_of(print, Declaration) is None


def test_what_is_imported_counts_where_it_was_declared() -> None:
    module = ModuleType("here")
    vars(module).update(b=declared("b", "here"), a=declared("a", "here"), other=declared("c", "there"), text="no")
    assert [one.name for one in declarations_in(module, Declaration)] == ["b", "a"]


def test_the_modules_of_a_package() -> None:
    names = [module.__name__ for module in modules_in(eximacl.checks)]
    assert names == sorted(names)
    assert "eximacl.checks.helo" in names


def test_a_module_that_fails_fails() -> None:
    package = ModuleType("nowhere")
    package.__path__ = []
    assert list(modules_in(package)) == []
    with pytest.raises(AttributeError):
        list(modules_in(ModuleType("no_package")))
