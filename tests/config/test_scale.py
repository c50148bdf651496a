"""A farm's configuration starts fast and small: a million names in a list, a thousand domain files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.config.world import write

NAMES = 1_000_000
DOMAINS = 1_000
# What the project promises; it needs about a tenth and a third of it. Processor time, since the machine may be busy.
START_CPU_SECONDS_MAX = 10
START_MEGABYTES_MAX = 400

MEASURE = """
import re, resource, sys
from pathlib import Path
from eximacl.config import load
loaded = load(Path(sys.argv[1]))
used = resource.getrusage(resource.RUSAGE_SELF)
names = loaded.tables["checks.valid_recipient"]["recipients"].value
# Not ru_maxrss, which begins with what the process that has started this one had.
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(len(names), len(loaded.overlays), used.ru_utime + used.ru_stime, int(peak) / 1024)
"""
OVERLAY = """
[exempt]
senders = ["friend@example.net"]
[checks.rdns_tld]
action = "off"
[checks.sender_domain]
domains = ["spam.example"]
"""


def test_a_million_names_and_a_thousand_domains(tmp_path: Path) -> None:
    config = '[policy]\ndomains = [".example.org"]\n[checks.valid_recipient]\nrecipients = "valid"\n'
    files = {f"domains/d{number}.example.org.toml": OVERLAY for number in range(DOMAINS)}
    lists = {"lists/tld": "sa\n", "lists/patterns": ",\n", "valid": "".join(f"user{n:07}\n" for n in range(NAMES))}
    path = write(tmp_path, {"eximacl.toml": config, **lists, **files})
    command = [sys.executable, "-c", MEASURE, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    names, overlays, seconds, megabytes = map(float, done.stdout.split())
    assert (names, overlays) == (NAMES, DOMAINS)
    assert seconds < START_CPU_SECONDS_MAX
    assert megabytes < START_MEGABYTES_MAX
