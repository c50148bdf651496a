"""The one error of this package; its text names the file or the setting to change."""

from __future__ import annotations


class SetupError(Exception):
    """Exim cannot be set up, or cannot be asked. Nothing was changed, or it has been undone."""
