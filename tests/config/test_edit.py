"""One entry more in a file that people write: nothing else changes, or nothing at all."""

from __future__ import annotations

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eximacl.config.edit import EditError, add_entry, set_key

NEW = "new@example.net"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("senders = []", 'senders = ["new@example.net"]', id="empty"),
        pytest.param("senders = [ ]  # none", 'senders = ["new@example.net" ]  # none', id="empty with a blank"),
        pytest.param('senders=["a"]', 'senders=["a", "new@example.net"]', id="one"),
        pytest.param('senders = [ "a", ]', 'senders = [ "a", "new@example.net" ]', id="comma at the end"),
        pytest.param(
            "senders = [\"a\", 'b]'] # x", 'senders = ["a", \'b]\', "new@example.net"] # x', id="bracket inside"
        ),
        pytest.param('"senders" = ["""a\n]"""]', '"senders" = ["""a\n]""", "new@example.net"]', id="long string"),
        pytest.param(
            'senders = [\n  "a", # Ann\n  "b" # Bob, who ]\n]',
            'senders = [\n  "a", # Ann\n  "b", # Bob, who ]\n  "new@example.net", # why\n]',
            id="several lines",
        ),
        pytest.param(
            'senders = [\n  "a",\n  # "b",\n]\n',
            'senders = [\n  "a",\n  # "b",\n  "new@example.net", # why\n]\n',
            id="comment last",
        ),
        pytest.param("senders = [\n]", 'senders = [\n    "new@example.net", # why\n]', id="empty lines"),
        pytest.param(
            'senders = [\n "a",\n "b"]', 'senders = [\n "a",\n "b",\n "new@example.net"]', id="bracket not alone"
        ),
        pytest.param('senders = [\r\n "a"\r\n]', 'senders = [\r\n "a",\r\n "new@example.net", # why\r\n]', id="DOS"),
    ],
)
@pytest.mark.parametrize(
    "around",
    [
        "{}",
        '[checks.dnsbl.zones."exempt"]\nsenders = 1\n[checks.dnsbl.zones."a.b"] # [\n'
        'codes = {{ "127.0.0.2" = {{}} }}\n[exempt]\n{}',
        "senders = 1\n[exempt]\n{}\n[checks]\n",
        "[exempt] # ours\nips = [\n'x' ]\n{}",
    ],
)
def test_an_array_gets_an_entry(before: str, after: str, around: str) -> None:
    around = around if "[exempt]" in around else "# ] [x\n[exempt]\n{}"
    assert add_entry(around.format(before), "exempt", "senders", NEW, "why") == around.format(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "exempt = { senders = ['a'] }", "exempt = { senders = ['a', \"new@example.net\"] }", id="inline table"
        ),
        pytest.param("exempt.senders = ['a']", "exempt.senders = ['a', \"new@example.net\"]", id="dotted key"),
        pytest.param(
            "[exempt]\nsenders = [{a = ['b']}]\n[exempt.x]",
            "[exempt]\nsenders = [{a = ['b']}, \"new@example.net\"]\n[exempt.x]",
            id="tables inside",
        ),
    ],
)
def test_arrays_in_other_places(before: str, after: str) -> None:
    assert add_entry(before, "exempt", "senders", NEW, "why") == after


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("[exempt]", id="no key"),
        pytest.param("[exempt]\nsenders = 'path'", id="no array"),
        pytest.param("[exempt]\nsenders.a = ['a']", id="deeper"),
        pytest.param("[[exempt]]\nsenders = ['a']", id="array of tables"),
    ],
)
def test_what_only_people_can_change(text: str) -> None:
    with pytest.raises(EditError):
        add_entry(text, "exempt", "senders", NEW)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", '[exempt]\nips = "a"\n', id="empty file"),
        pytest.param("a = 1\n", 'a = 1\n\n[exempt]\nips = "a"\n', id="no table"),
        pytest.param("a = 1", 'a = 1\n\n[exempt]\nips = "a"\n', id="no newline at the end"),
        pytest.param("[exempt]", '[exempt]\nips = "a"\n', id="header alone"),
        pytest.param(
            "[exempt] # whom\nhosts = [] # none\n[b]\n",
            '[exempt] # whom\nips = "a"\nhosts = [] # none\n[b]\n',
            id="table",
        ),
        pytest.param('[a]\r\n["exempt"]\r\n', '[a]\r\n["exempt"]\r\nips = "a"\r\n', id="DOS, quoted"),
        pytest.param("[exempt.b]\n", '[exempt]\nips = "a"\n[exempt.b]\n', id="a table below it"),
        pytest.param(
            "[exempt]\nhosts = []\n\n# The checks:\n[checks]\n",
            '[exempt]\nips = "a"\nhosts = []\n\n# The checks:\n[checks]\n',
            id="comment before the next table",
        ),
        pytest.param("exempt = {}", 'exempt = {ips = "a"}\n', id="inline table"),
        pytest.param("exempt.hosts = []\n", 'exempt.ips = "a"\nexempt.hosts = []\n', id="dotted key"),
    ],
)
def test_a_key_is_set(before: str, after: str) -> None:
    assert set_key(before, "exempt", "ips", "a") == after


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[[exempt]]", r"write ips", id="array of tables"),
        pytest.param("[exempt]\nips = []", r"exempt\.ips is set already", id="there"),
        pytest.param("wrong", "is not TOML", id="wrong"),
    ],
)
def test_a_key_that_only_people_can_set(text: str, words: str) -> None:
    with pytest.raises(EditError, match=words):
        set_key(text, "exempt", "ips", "a")


@given(
    st.lists(st.text(alphabet="ab][\"#'\\, \n", max_size=6), max_size=4),
    st.sampled_from([", ", ",\n  ", " , # x ]\n\t"]),
    st.sampled_from(["", ",", "\n", ",\n", " # end ]\n"]),
)
def test_any_array(entries: list[str], comma: str, end: str) -> None:
    if end.startswith(",") and not entries:
        end = ""
    text = f"[a]\nx = 1\n[exempt]\nsenders = [{comma.join(map(json.dumps, entries))}{end}]\n# end\n"
    changed = tomllib.loads(add_entry(text, "exempt", "senders", NEW, "why"))
    assert changed == {"a": {"x": 1}, "exempt": {"senders": [*entries, NEW]}}
