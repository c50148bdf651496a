"""What a check is written with: the public API for authors of checks.

Third parties import only this module; where its parts live may change.
"""

from __future__ import annotations

from eximacl.mail.host_lists import Clients, Hosts
from eximacl.mail.lists import Messages, Names, Networks, Recipients, Secrets, Suffixes
from eximacl.mail.patterns import Patterns, PatternTimeout
from eximacl.mail.sender_lists import SenderRules, SenderTexts
from eximacl.policy.declare import (
    Check,
    CheckFunction,
    ListProbe,
    Named,
    NoOptions,
    Option,
    Tables,
    Text,
    check,
    declared,
    option,
    options_of,
    strongest,
    tables_of,
)
from eximacl.policy.outcome import Action, Alias, Allowed, AtData, CountFate, Delayed, Hit, Outcome, Reserve, Unknown
from eximacl.policy.places import KnownAddress, Place, Terms
from eximacl.policy.query import Query, Stage
from eximacl.policy.questions import KEY, Ask, RecordKind, Records
from eximacl.policy.state import Block

__all__ = [
    "KEY",
    "Action",
    "Alias",
    "Allowed",
    "Ask",
    "AtData",
    "Block",
    "Check",
    "CheckFunction",
    "Clients",
    "CountFate",
    "Delayed",
    "Hit",
    "Hosts",
    "KnownAddress",
    "ListProbe",
    "Messages",
    "Named",
    "Names",
    "Networks",
    "NoOptions",
    "Option",
    "Outcome",
    "PatternTimeout",
    "Patterns",
    "Place",
    "Query",
    "Recipients",
    "RecordKind",
    "Records",
    "Reserve",
    "Secrets",
    "SenderRules",
    "SenderTexts",
    "Stage",
    "Suffixes",
    "Tables",
    "Terms",
    "Text",
    "Unknown",
    "check",
    "declared",
    "option",
    "options_of",
    "strongest",
    "tables_of",
]
