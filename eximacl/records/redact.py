"""What `[archive] redact` takes out of a query before the journal gets it.

The line stays a query that can be read; each hidden value says so, and no other byte changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping

from eximacl.mail.subject import REDACTED, logged_subject
from eximacl.protocol.codecs import CODECS
from eximacl.records.decision import DecisionRecord

# A header of `$message_headers_raw` that holds a subject, with its continuation lines (RFC 5322 sections 2.2.3 and
# 3.6.5). White space before the colon is obsolete (section 4.5.8), and Exim passes it on. Some mail programs write the
# subject once more: Resent-Subject, X-Original-Subject, Thread-Topic.
_SUBJECT_HEADER = re.compile(
    r"^((?:[!-9;-~]*-)?subject|thread-topic)([ \t]*:)[^\n]*(?:\n[ \t][^\n]*)*", re.IGNORECASE | re.MULTILINE
)


def redacted(record: DecisionRecord, redact: Container[str]) -> DecisionRecord:
    """Return a decision as the journal may keep it. redact: `archive.redact`."""
    if "subject" not in redact:
        return record
    return record._replace(line=CODECS[record.protocol].rewrite(record.line, _CHANGES))


def without_subject(headers: str) -> str:
    """Return a message's headers with REDACTED for the value of each that holds a subject."""
    return _SUBJECT_HEADER.sub(rf"\1\2 {REDACTED}", headers)


_CHANGES: Mapping[str, Callable[[str], str]] = {
    "subject": lambda value: logged_subject(value, ("subject",)),
    "headers": without_subject,
}
