"""The settings tables are declared once, and every option of them can be read and has a help."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from eximacl.check import Check, Option
from eximacl.config.discovery import supplied
from eximacl.config.settings import (
    COMMON_TABLE,
    EXEMPT_TABLE,
    NARROW_EXEMPT_TABLE,
    SETTINGS,
    SETTINGS_TABLES,
    OptionTable,
    Settings,
    check_table,
    common_options,
    tables_within,
)
from eximacl.config.values import kind_of
from eximacl.policy.plan import Exempt

TABLES = [*SETTINGS_TABLES.values(), EXEMPT_TABLE, NARROW_EXEMPT_TABLE, COMMON_TABLE]
CHECKS = [found.check for found in supplied()]
WITHIN = [table for check in CHECKS for table in tables_within(f"checks.{check.name}", check.options)]
OPTIONS = [(table.key, option) for table in (*TABLES, *map(check_table, CHECKS), *WITHIN) for option in table.options]


@pytest.mark.parametrize(("key", "option"), OPTIONS, ids=lambda value: getattr(value, "name", value))
def test_every_option_has_a_help_and_a_type_that_can_be_read(key: str, option: Option) -> None:
    assert option.help
    assert "\n" not in option.help
    assert kind_of(option.type)


@pytest.mark.parametrize("table", [*TABLES, *WITHIN], ids=lambda table: table.key)
def test_every_table_has_a_help(table: OptionTable) -> None:
    assert table.doc.endswith(".")
    for option in table.options:
        assert option.help.endswith("."), option.name


def test_each_field_of_the_settings_is_a_declared_table() -> None:
    assert [field.name for field in dataclasses.fields(Settings)] == list(SETTINGS)


def test_exemptions_are_declared_as_the_policy_knows_them() -> None:
    fields = [field.name for field in dataclasses.fields(Exempt)]
    for table in (EXEMPT_TABLE, NARROW_EXEMPT_TABLE):
        assert [option.name for option in table.options] == fields


def test_postmaster_is_exempt_everywhere_but_nowhere_twice() -> None:
    defaults = [table.get("recipients") for table in (EXEMPT_TABLE, NARROW_EXEMPT_TABLE)]
    assert [option.default for option in defaults if option] == [["postmaster", "abuse"], []]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_the_common_options_have_the_check_s_own_defaults(check: Check) -> None:
    defaults: dict[str, Any] = {option.name: option.default for option in common_options(check)}
    assert defaults == {
        "action": check.action,
        "on_unknown": check.on_unknown,
        "exempt": {},
        "spare_known": check.spare_known,
        "message": "",
    }


def test_a_table_has_no_option_of_another_name() -> None:
    assert COMMON_TABLE.get("tlds") is None


def test_the_tables_of_options_are_named_by_their_place() -> None:
    keys = [table.key for table in WITHIN]
    assert {"checks.dnsbl.zones.NAME", "checks.dnsbl.zones.NAME.codes.NAME", "checks.dnswl.zones.NAME"} <= set(keys)
    assert len(keys) == len(set(keys))
    assert not list(tables_within("checks.rdns_tld", next(one for one in CHECKS if one.name == "rdns_tld").options))
