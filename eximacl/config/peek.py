"""One setting of a policy file, for commands that must work where the rest of the policy is wrong.

The value is read as `load` reads it, with the same default.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eximacl.config.load import parse_toml
from eximacl.config.problems import Refused, Site
from eximacl.config.settings import SETTINGS_TABLES, TOP_LEVEL
from eximacl.config.sources import SOURCE_BYTES_MAX, Sources
from eximacl.config.toml import toml_type
from eximacl.config.values import read_value
from eximacl.system.files import read_regular

# For a default: the paths in one are absolute.
_NOWHERE = Site("", Path("/"), Path("/"), [])


class PeekError(Exception):
    """A setting cannot be read; the text names the file and the setting."""


class NoPolicyFile(PeekError):
    """There is no such policy file."""


class PolicyDenied(PeekError):
    """We may not read the policy file."""


def read_setting(path: Path, table: str, key: str) -> Any:
    """Return a setting of the policy file at `path`: its default where the file does not set it.

    None where neither does. Raises PeekError; nothing else in the file has to be right but its TOML.
    """
    option = SETTINGS_TABLES[table].get(key)
    assert option is not None, f"there is no setting {table}.{key}"
    given = _toml_at(path).get(table, {})
    if not isinstance(given, dict):
        raise PeekError(f"{path}: {table}: expected a table, got {toml_type(given)}")
    if key not in given:
        return default_setting(table, key)
    directory = path.absolute().parent
    site = Site(path.name, directory, directory, [], f"{table}.{key}")
    try:
        return read_value(option, given[key], site, Sources(directory))
    except Refused as refused:
        raise PeekError(f"{path}: {table}.{key}: {refused}") from None


def has_unknown_names(path: Path) -> bool:
    """Return whether a policy file has a table or a setting that does not exist, such as a misspelt one.

    Checks and their options are not looked at. Raises PeekError.
    """
    raw = _toml_at(path)
    if not raw.keys() <= set(TOP_LEVEL):
        return True
    return any(
        not given.keys() <= {option.name for option in SETTINGS_TABLES[key].options}
        for key, given in raw.items()
        if key in SETTINGS_TABLES and isinstance(given, dict)
    )


def is_set(path: Path, table: str, key: str) -> bool:
    """Return whether the policy file sets a setting of a table. Raises PeekError."""
    given = _toml_at(path).get(table, {})
    return isinstance(given, dict) and key in given


def default_setting(table: str, key: str) -> Any:
    """Return the default of a setting; None where it has none."""
    option = SETTINGS_TABLES[table].get(key)
    assert option is not None, f"there is no setting {table}.{key}"
    if option.default is None:
        return None
    raw = list(option.default) if isinstance(option.default, tuple) else option.default
    return read_value(option, raw, _NOWHERE, Sources(Path("/")))


def _toml_at(path: Path) -> dict[str, Any]:
    try:
        return parse_toml(read_regular(path, SOURCE_BYTES_MAX))
    except FileNotFoundError:
        raise NoPolicyFile(f"{path} does not exist") from None
    except PermissionError as error:
        raise PolicyDenied(f"{path} cannot be read: {error.strerror}") from None
    except OSError as error:
        raise PeekError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise PeekError(f"{path} {error}") from None
