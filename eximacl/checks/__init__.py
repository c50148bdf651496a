"""The checks that come with eximacl: one file each, named as its check. No list of them exists; they are found.

Rule: a check sees only `eximacl.check`, `model`, `address` and `disposable`. It finds; it never logs, counts
or decides.
"""
