"""What the journal does not get to see: every spelling of a subject goes, every other byte stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eximacl.policy.outcome import Decision
from eximacl.protocol.exim import format_query, parse_line, parse_query
from eximacl.records.decision import DecisionRecord
from eximacl.records.journal import pack_entry, unpack_entry
from eximacl.records.redact import redacted, without_subject

VALUES = {"ip": "192.0.2.7", "tx": "1-2", "from": "a@example.net", "rcpts": "b@example.org", "x-new": 'a "b" \\ \udcff'}
AROUND = "Received: by a.example\n\tfor b;\n{}From: a@example.net\n"


def judged(line: bytes) -> DecisionRecord:
    return DecisionRecord("7KQ2M9D4", "exim", line, parse_query(line), [], Decision("accept", ()), 250, "", "")


HEADERS = [
    pytest.param("Subject: secret\n", "Subject: (redacted)\n", id="plain"),
    pytest.param("sUBJECT:secret\n", "sUBJECT: (redacted)\n", id="any case"),
    pytest.param("Subject \t: secret\n", "Subject \t: (redacted)\n", id="white space before the colon"),
    pytest.param("Subject: secret\n more secret\n\tand secret\n", "Subject: (redacted)\n", id="folded"),
    pytest.param("Subject:\n =?utf-8?q?secret?=\n =?b?c2VjcmV0?=\n", "Subject: (redacted)\n", id="encoded"),
    pytest.param("Subject:\n \n secret\n", "Subject: (redacted)\n", id="a folded line that is blank"),
    pytest.param("Subject:\n", "Subject: (redacted)\n", id="empty"),
    pytest.param("Subject: \udce4 \x00 \r secret\n", "Subject: (redacted)\n", id="bytes"),
    pytest.param("Subject: a\nX: y\nSUBJECT: b\n", "Subject: (redacted)\nX: y\nSUBJECT: (redacted)\n", id="two"),
    pytest.param("Resent-Subject: secret\n", "Resent-Subject: (redacted)\n", id="resent"),
    pytest.param("X-Original-Subject: secret\n", "X-Original-Subject: (redacted)\n", id="original"),
    pytest.param("Thread-Topic: secret\n", "Thread-Topic: (redacted)\n", id="topic"),
    pytest.param("Subjects: kept\n", "Subjects: kept\n", id="another header"),
    pytest.param("X-Subject-Id: kept\n", "X-Subject-Id: kept\n", id="a third"),
    pytest.param("To: x\n Subject: kept\n", "To: x\n Subject: kept\n", id="not at a line's start"),
    pytest.param("DKIM-Signature: h=subject:to\n", "DKIM-Signature: h=subject:to\n", id="a name in a value"),
    pytest.param("", "", id="none"),
]


@pytest.mark.parametrize(("given_", "expected"), HEADERS)
def test_headers(given_: str, expected: str) -> None:
    assert without_subject(AROUND.format(given_)) == AROUND.format(expected)
    assert without_subject(given_) == expected


def test_headers_that_were_cut() -> None:
    assert without_subject("To: x\nSubject: secret\n secr") == "To: x\nSubject: (redacted)"


def test_a_megabyte_is_no_trouble() -> None:
    """The pattern looks at each character a few times at most, whatever a client sends."""
    for headers in ("-" * 1_000_000, "\n-" * 500_000, "Subject:" + "\n " * 500_000, "subject" * 150_000):
        assert without_subject(headers) in (headers, "Subject: (redacted)")


def test_the_line_says_so_and_is_else_the_same() -> None:
    headers = AROUND.format("Subject: =?utf-8?q?s=C3=A9cret?=\n and more\n")
    line = format_query("data", {**VALUES, "subject": "sécret and more", "headers": headers, "id": "1-2"}).rstrip()
    done = redacted(judged(line), ("subject",))
    assert done.line == line.replace(b'"s\xc3\xa9cret and more"', b'"(redacted)"').replace(
        b" =?utf-8?q?s=C3=A9cret?=\\n and more\\n", b" (redacted)\\n"
    )
    assert done._replace(line=line) == judged(line)


def test_a_record_holds_the_redacted_line_and_can_be_read() -> None:
    line = format_query("data", {**VALUES, "subject": "secret", "headers": "Subject: secret\n"}).rstrip()
    record = pack_entry(redacted(judged(line), ("subject",)))
    entry = unpack_entry(record)
    assert entry is not None
    assert b"secret" not in record
    read = parse_query(entry.line)
    assert read.stage == "data"
    assert read.values == {
        "v": "1",
        **VALUES,
        "subject": "(redacted)",
        "headers": "Subject: (redacted)\n",
    }


@pytest.mark.parametrize(
    ("values", "redact"),
    [
        pytest.param({"subject": "kept"}, (), id="nothing to redact"),
        pytest.param({"subject": "", "headers": "To: x\n"}, ("subject",), id="no subject"),
        pytest.param({}, ("subject",), id="no headers"),
    ],
)
def test_what_stays_whole(values: dict[str, str], redact: tuple[str, ...]) -> None:
    line = format_query("data", {**VALUES, **values}).rstrip()
    assert redacted(judged(line), redact).line == line


@given(st.text(), st.text(), st.sampled_from([":", " :", "\t:"]), st.sampled_from(["Subject", "subject", "SUBJECT"]))
def test_no_subject_gets_through(before: str, subject: str, colon: str, name: str) -> None:
    """Whatever stands before and in it: folded as Exim hands it out, none of it is left."""
    folded = "SECRET" + subject.replace("\n", "\n SECRET")
    line = format_query("data", {**VALUES, "headers": f"X: {before}\n{name}{colon}{folded}\nTo: x\n"}).rstrip(b"\n")
    stage, values = parse_line(redacted(judged(line), ("subject",)).line)
    assert stage == "data"
    assert "SECRET" not in values["headers"].removeprefix(f"X: {before}")
    assert values["headers"].endswith("\nTo: x\n")
