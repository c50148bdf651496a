"""Look-ups in the DNS: one `Resolver` that asks the nameservers of the config or the system.

Rule: every answer is found (texts), absent (`()`) or `Unknown`; nothing raises, nothing waits past its caller's
time, and what is known is answered in the same call.
"""

from eximacl.dns.asking import Timing
from eximacl.dns.cache import Answer
from eximacl.dns.resolver import Resolver

__all__ = ["Answer", "Resolver", "Timing"]
