"""The one error of this package. Rule: its text names the file or the setting to change."""

from __future__ import annotations


class SetupError(Exception):
    """Exim cannot be set up, or not be asked. Nothing was changed, or what was changed has been taken back."""
