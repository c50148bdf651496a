"""A decision, found in the journal by its reference, with what followed from it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from eximacl.records import journal
from eximacl.records.errors import NoDecision, RecordsError, reading
from eximacl.records.journal import Entry


def find(directory: Path, ref: str) -> tuple[Entry, ...]:
    """Return the decisions with a (normalised) reference in a journal, the earliest first; at least one.

    A recipient that was held has a second one: what became of the message. Raises NoDecision, RecordsError.
    """
    check_journal(directory)
    with reading(directory):
        found = journal.find(directory, ref)
    if not found:
        raise NoDecision(f"{ref} is not in {directory}: it is too old, or from another host")
    return found


def check_journal(directory: Path) -> None:
    """Make sure that there is a journal. Raises RecordsError."""
    with reading(directory):
        there = directory.is_dir()
    if not there:
        raise RecordsError(f"{directory} does not exist: has the daemon recorded anything yet?")


def query_of(entry: Entry) -> dict[str, str]:
    """Return the stage of a recorded query, and its values; nothing of one that is damaged."""
    return {"stage": entry.stage, **entry.values()}


def as_dict(first: Entry, *later: Entry) -> dict[str, Any]:
    """Return a reference's decisions as JSON shows them: the first one, with the others in its `later`."""
    return {**_as_dict(first), "later": [_as_dict(entry) for entry in later]}


def _as_dict(entry: Entry) -> dict[str, Any]:
    values = dataclasses.asdict(entry)
    del values["line"], values["stage"]
    return {**values, "trace": [line._asdict() for line in entry.trace], "query": query_of(entry)}
