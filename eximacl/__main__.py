"""`python -m eximacl` is the same as `eximacl`."""

from eximacl.cli import main

main()
