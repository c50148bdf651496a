"""The smoke benchmark: `python -m bench` (or `make bench`) prints figures and goals. It needs gcc and two minutes."""
