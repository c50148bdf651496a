"""A policy daemon for Exim: Exim's ACLs ask, eximacl answers accept, defer, reject or hold."""

__version__ = "0.1.0"
