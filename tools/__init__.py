"""Run while building: they write the man pages, and the documentation that is taken from the code."""
