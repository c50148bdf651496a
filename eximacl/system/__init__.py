"""The machine beneath us: files, locks, users, times, systemd. Nothing here knows mail."""
