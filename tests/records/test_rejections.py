"""One line of JSON a refusal, whatever the client sent."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eximacl.policy.outcome import Decision, Word
from eximacl.protocol.exim import build_query
from eximacl.records.decision import DecisionRecord
from eximacl.records.rejections import RejectionLog, rejection_line
from eximacl.records.search import decode

ODD: dict[str, Any] = {"from": "b\udce9@example.net"}
PERL = 'binmode STDOUT, ":utf8"; print JSON::PP->new->utf8->decode(<STDIN>)->{from}'
NOW = 1_795_450_593.8
FIRST_KEYS = ["time", "from", "helo", "reason", "filename", "subject", "ip", "message-id", "recipient", "host"]
OTHER_KEYS = ["ref", "stage", "check", "verdict", "domain"]
RCPT = {"ip": "192.0.2.7", "tx": "1", "helo": "mx.example.net", "from": "a@example.net", "rcpt": "Juha@Example.ORG"}


def judged(word: Word = "reject", **values: Any) -> DecisionRecord:
    sentence = "Mail for juha not accepted at example.org"
    decision = Decision(word, (), "valid_recipient", "unknown-recipient", "juha", "no such user", sentence, "1.1")
    query = build_query("rcpt", {**RCPT, **values}, NOW)
    return DecisionRecord("7KQ2M9D4", "exim", b"the line", query, [], decision, 550, "", "")


def line_of(one: DecisionRecord) -> dict[str, Any]:
    line = rejection_line(one)
    assert line.endswith(b"}\n")
    found: dict[str, Any] = json.loads(line)
    return found


def test_has_exactly_these_keys_in_this_order() -> None:
    assert list(line_of(judged())) == FIRST_KEYS + OTHER_KEYS


def test_a_refused_recipient() -> None:
    assert line_of(judged(host="mx.example.net")) == {
        "time": "2026-11-23T16:16:33.800+00:00",
        "from": "<a@example.net>",
        "helo": "mx.example.net",
        "reason": "Mail for juha not accepted at example.org",
        "filename": "",
        "subject": "",
        "ip": "192.0.2.7",
        "message-id": "",
        "recipient": "Juha@example.org",
        "host": "mx.example.net",
        "ref": "7KQ2M9D4",
        "stage": "rcpt",
        "check": "unknown-recipient",
        "verdict": "reject",
        "domain": "example.org",
    }


@pytest.mark.parametrize(
    ("values", "key", "expected"),
    [
        ({"from": ""}, "from", "<>"),
        ({"host": ""}, "host", "Unknown"),
        ({"from": "ä\udcff@example.net"}, "from", "<ä\ufffd@example.net>"),
        ({"helo": 'x"\n{"time": "'}, "helo", 'x"\n{"time": "'),
    ],
)
def test_values(values: dict[str, Any], key: str, expected: str) -> None:
    assert line_of(judged(**values))[key] == expected


def test_a_refused_message_names_all_recipients_and_what_its_headers_say() -> None:
    query = build_query(
        "data",
        {
            "ip": "192.0.2.7",
            "tx": "1",
            "from": "a@example.net",
            "rcpts": "b@example.org, c@example.com",
            "subject": "Hello",
            "message_id": "<17@example.net>",
        },
    )
    found = line_of(judged()._replace(query=query))
    assert found["recipient"] == "b@example.org, c@example.com"
    assert (found["domain"], found["subject"], found["message-id"]) == ("example.org", "Hello", "<17@example.net>")


def test_no_recipient_looks_like_two() -> None:
    """What a client puts into quotes stays in them."""
    rcpts = '"\\"a\\"@example.org, steve@example.com, \\"b\\""@example.org, "a, b"@example.org, steve@example.org'
    query = build_query("data", {"ip": "192.0.2.7", "tx": "1", "from": "a@example.net", "rcpts": rcpts})
    assert line_of(judged()._replace(query=query))["recipient"] == rcpts
    assert line_of(judged(rcpt="a, b@example.org"))["recipient"] == '"a, b"@example.org'


def test_before_mail_there_is_neither_sender_nor_recipient() -> None:
    found = line_of(judged()._replace(query=build_query("connect", {"ip": "192.0.2.7"})))
    assert (found["from"], found["recipient"], found["domain"], found["helo"]) == ("", "", "", "")


BYTES = [
    pytest.param({"from": "b\udce9@example.net"}, {"from": "<b\\xe9@example.net>"}, id="sender"),
    pytest.param({"rcpt": "b\udce9@example.org"}, {"recipient": "b\\xe9@example.org"}, id="recipient"),
    pytest.param({"rcpt": "b@ex\udce9.org"}, {"recipient": "b@ex\\xe9.org", "domain": "ex\\xe9.org"}, id="domain"),
    pytest.param({"helo": "\udc80\udcff"}, {"helo": "\\x80\\xff"}, id="greeting"),
    pytest.param({"host": "\\x\udce9"}, {"host": "\\\\x\\xe9"}, id="backslash"),
    pytest.param({"helo": "\ud83d"}, {"helo": "\\ud83d"}, id="half a pair"),
    pytest.param({"helo": "😀", "from": "ä@example.net"}, None, id="valid"),
]


@pytest.mark.parametrize(("values", "raw"), BYTES)
def test_bytes_that_are_not_utf_8_are_replaced_and_kept_beside(values: dict[str, Any], raw: dict[str, str]) -> None:
    line = rejection_line(judged(**values))
    found = json.loads(line)
    json.dumps(found, ensure_ascii=False).encode("utf-8")  # raises where a surrogate is left
    assert found.get("raw") == raw
    assert list(found)[:10] == FIRST_KEYS
    entry = decode(line)
    assert entry is not None
    assert {key: entry[key] for key in values if key in ("helo", "host")} == {
        key: value for key, value in values.items() if key in ("helo", "host")
    }


@pytest.mark.needs_exim  # as all programs that `make` gets with apt-get
@pytest.mark.parametrize("program", [["jq", "-r", ".from"], ["perl", "-MJSON::PP", "-e", PERL]], ids=["jq", "perl"])
def test_other_people_s_parsers_take_it(program: list[str]) -> None:
    line = rejection_line(judged(**ODD))
    done = subprocess.run(program, input=line, capture_output=True, check=True)
    assert done.stdout.decode().rstrip("\n") == "<b\ufffd@example.net>"


def test_all_recipients_of_a_message_do_not_make_a_line_without_end() -> None:
    rcpts = ", ".join(f"steve+{number}@example.org" for number in range(50_000))
    query = build_query("data", {"ip": "192.0.2.7", "tx": "1", "from": "", "rcpts": rcpts})
    record = judged()._replace(query=query)
    assert len(rejection_line(record)) < 5000
    found = line_of(record)
    assert found["recipients"] == 50_000
    named = found["recipient"].split(", ")
    assert named == rcpts.split(", ")[: len(named)]
    assert len(named) > 100


@pytest.mark.parametrize("key", ["helo", "from", "host", "rcpt", "subject", "message_id"])
def test_what_a_client_sends_is_cut(key: str) -> None:
    sent: dict[str, Any] = {key: "x" * 60_000}
    line = rejection_line(judged(**sent))
    assert len(line) < 2500
    assert b"\\u2026(cut)" in line or key in ("rcpt", "subject")
    sent[key] = "x" * 250
    usual = rejection_line(judged(**sent))
    assert b"(cut)" not in usual


@given(st.text(), st.text())
def test_no_text_leaves_its_line_or_its_quotes(helo: str, host: str) -> None:
    line = rejection_line(judged(helo=helo, host=host))
    assert line.count(b"\n") == 1
    assert all(0x20 <= byte < 0x7F for byte in line[:-1])
    found = json.loads(line)
    assert found["helo"] == helo
    assert found["host"] == (host or "Unknown")


@pytest.mark.parametrize("byte", [*range(32), 0x7F, *range(0x80, 0xA0), 0x2028, 0x2029, 0x1F600])
def test_control_characters_are_escaped(byte: int) -> None:
    assert line_of(judged(helo=chr(byte)))["helo"] == chr(byte)
    assert rejection_line(judged(helo=chr(byte))).isascii()


def test_a_held_message_is_logged_once_it_is_refused(tmp_path: Path) -> None:
    """At DATA it has a file, a subject and a message id."""
    path = tmp_path / "rejections.jsonl"
    log = RejectionLog(path)
    data = {"ip": "192.0.2.7", "tx": "1", "rcpts": "juha@example.org, steve@example.com"}
    data |= {"message_id": "<1@x>", "subject": "=?utf-8?q?=C3=A4?="}
    kept = judged(word="hold")
    decision = kept.decision._replace(archived=("1.M2P3Q4.mx.example.org",))
    kept = kept._replace(query=build_query("data", data, NOW), decision=decision)
    log.write(kept)
    log.redact = ("subject",)
    log.write(kept)
    log.file.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["subject"] for line in lines] == ["ä", "(redacted)"]
    assert list(lines[0]) == FIRST_KEYS + OTHER_KEYS
    assert [lines[0][key] for key in ("filename", "message-id", "recipient", "stage", "verdict", "domain")] == [
        "1.M2P3Q4.mx.example.org", "<1@x>", "juha@example.org, steve@example.com", "data", "hold", "example.org",
    ]  # fmt: skip


@given(st.text(), st.text())
def test_no_subject_and_no_message_id_leaves_its_line(subject: str, message_id: str) -> None:
    query = build_query("data", {**RCPT, "rcpts": "a@example.org", "subject": subject, "message_id": message_id})
    line = rejection_line(judged(word="hold")._replace(query=query))
    assert line.count(b"\n") == 1
    assert all(0x20 <= byte < 0x7F for byte in line[:-1])
    assert json.loads(line)["message-id"] == message_id


def test_a_torn_last_line_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "rejections.jsonl"
    path.write_bytes(b'{"time": "20')
    log = RejectionLog(path)
    log.write(judged())
    log.file.close()
    assert path.read_bytes() == b'{"time": "20\n' + rejection_line(judged())
