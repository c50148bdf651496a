"""The policies that are measured: the full sample, and one with many recipients and many domains of their own."""

from __future__ import annotations

from pathlib import Path

from bench.running import BenchError
from eximacl.config import find_checks, write_sample

SAMPLE_LISTS = {
    # Some exist and are refused all the same, by a pattern or as a bad recipient.
    "valid_recipient.recipients": """["steve", "juha", "info", "old", "gone", "steve7", "o'neill", "9lives", "a|b"]""",
    "bad_recipient.recipients": '["old No longer works here", "gone"]',
    "sender_domain.domains": '["junk.example", "linkedin.com"]',
}


def sample_policy(directory: Path) -> Path:
    """Write the whole sample policy with all its checks, journal and rejection log; return the file."""
    path, *_ = write_sample(directory, find_checks().values())
    text = _placed(path.read_text(), directory)
    for option, value in SAMPLE_LISTS.items():
        table, _, key = option.partition(".")
        text = _after(text, f"[checks.{table}]\n", f"{key} = {value}\n")
    path.write_text(text)
    return path


def large_policy(directory: Path, localparts: int, domains: int) -> Path:
    """Write a sample policy with a list of so many valid localparts and so many domains with a file of their own."""
    path, *_ = write_sample(directory, find_checks().values())
    names = "".join(f"user{number:07}x\n" for number in range(localparts))
    (directory / "lists" / "valid").write_text(names)
    text = _placed(path.read_text(), directory)
    text = _after(text, "[checks.valid_recipient]\n", 'recipients = "lists/valid"\n')
    path.write_text(text.replace('domains = ["example.org"]', 'domains = [".example.org"]'))
    (directory / "domains").mkdir()
    for number in range(domains):
        own = directory / "domains" / f"d{number:04}.example.org.toml"
        own.write_text(f'[checks.rdns_tld]\naction = "off"\n\n[checks.bad_recipient]\nrecipients = ["bad{number}"]\n')
    return path


def _placed(text: str, directory: Path) -> str:
    """Put the socket, the state, the log and the journal into `directory`."""
    text = _after(text, "[server]\n", f'socket = "{directory}/s"\n')
    text = _after(text, "[state]\n", f'url = "sqlite:{directory}/state.db"\n')
    text = _after(text, "[log]\n", f'rejections = "{directory}/rejections.jsonl"\n')
    return _after(text, "[journal]\n", f'dir = "{directory}/journal"\n')


def _after(text: str, place: str, addition: str) -> str:
    if place not in text:
        raise BenchError(f"the sample policy has no {place.strip()}")
    return text.replace(place, place + addition)
