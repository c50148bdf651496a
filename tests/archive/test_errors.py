"""All that can go wrong with the archive is an ArchiveError, and nothing else is one."""

from __future__ import annotations

import inspect

import pytest

from eximacl.archive import errors
from eximacl.archive.errors import ArchiveError, NoSuchMessage, SpoolError

KINDS = [value for value in vars(errors).values() if inspect.isclass(value)]


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_an_archive_error_and_shows_its_text(kind: type[ArchiveError]) -> None:
    with pytest.raises(ArchiveError, match=r"^what to change$"):
        raise kind("what to change")


def test_they_are_not_errors_of_the_system() -> None:
    """An OSError has to be explained before it is shown, so it may not pass for one of these."""
    assert not issubclass(ArchiveError, OSError)
    assert not issubclass(SpoolError, NoSuchMessage)


def test_the_module_shows_them_all() -> None:
    assert all(kind.__name__ in str(errors.__doc__) for kind in KINDS)
