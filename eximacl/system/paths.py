"""The default paths: where things are unless an option or the policy says otherwise. Each stands here once."""

from __future__ import annotations

from pathlib import Path

# Ours: the policy, the daemon's socket, and what the daemon writes.
CONFIG = Path("/etc/eximacl/eximacl.toml")
SOCKET = Path("/run/eximacl/eximacl.sock")
STATE = Path("/var/lib/eximacl/state.db")
STATE_URL = f"sqlite:{STATE}"
JOURNAL = Path("/var/lib/eximacl/journal")
REJECTIONS = Path("/var/log/eximacl/rejections.jsonl")
# There is none by default; this is where the documentation puts it.
ARCHIVE = Path("/var/lib/eximacl/archive")
# What the Debian package brings.
SNIPPETS = Path("/usr/share/eximacl/exim-snippets")
ARCHIVE_UNIT_PART = Path("/usr/share/eximacl/systemd/archive.conf")

# Exim's, as Debian has it.
EXIM = Path("/usr/sbin/exim4")
EXIM_CONFIG = Path("/etc/exim4")
EXIM_PID = Path("/run/exim4/exim.pid")
EXIM_SPOOL = Path("/var/spool/exim4")
SENDMAIL = Path("/usr/sbin/sendmail")
