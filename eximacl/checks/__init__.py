"""The checks that come with eximacl: one file each, named after its check, and found by that.

A check imports `eximacl.check`, what is in `mail`, and the values of `policy`. It finds out; it never logs, counts or
decides.
"""
