from eximacl.checks.rdns_tld import rdns_tld

__all__ = ["rdns_tld"]
