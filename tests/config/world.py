"""A configuration directory from a dict, and what its policy says to a query."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from eximacl.check import Option
from eximacl.config import ConfigError, Loaded, load
from eximacl.config.problems import Site
from eximacl.daemon.answers import Answers, NoNetwork
from eximacl.policy.drive import drive_now
from eximacl.policy.engine import decide
from eximacl.policy.outcome import Decision
from eximacl.policy.query import Stage
from eximacl.protocol.exim import build_query
from eximacl.state import MemoryState

SENDER_DOMAIN = '[policy]\ndomains = ["example.org", ".example.net"]\norder = ["sender_domain"]\n'


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Write files (a name that ends in `/` is a directory); return the path of the policy file."""
    for name, text in files.items():
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
    return root / "eximacl.toml"


def loaded_from(root: Path, files: Mapping[str, str]) -> Loaded:
    return load(write(root, files))


def problems_of(root: Path, files: Mapping[str, str]) -> list[str]:
    """Load a wrong configuration, and return its problems as lines."""
    try:
        load(write(root, files))
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    raise AssertionError("it loads")


def decision(loaded: Loaded, stage: str = "rcpt", **values: str) -> Decision:
    """Decide one query; `sender` stands for `from`."""
    given = {"tx": "1-1", "ip": "192.0.2.7", **values}
    if "sender" in given:
        given["from"] = given.pop("sender")
    query = build_query(cast("Stage", stage), {**given, "dry": "1"})
    return drive_now(decide(loaded.policy, query), Answers(MemoryState(), NoNetwork(), query))


def word(loaded: Loaded, rcpt: str, sender: str = "a@spam.example", **values: str) -> str:
    return decision(loaded, sender=sender, rcpt=rcpt, **values).word


def site(directory: Path = Path("/etc/eximacl"), key: str = "table.key") -> Site:
    return Site("eximacl.toml", directory, directory, [], key)


def option_of(kind: Any, default: Any = None, **bounds: Any) -> Option:
    return Option("key", kind, default, "Help.", **bounds)
