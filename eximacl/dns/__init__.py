"""Looking names up: one `Resolver` that asks the name servers of the configuration or of the system.

Every answer is the records' texts, `()` where there are none, or `Unknown`. Nothing raises, no caller waits longer than
it asked to, and what is known is answered in the same call.
"""

from eximacl.dns.cache import Resolved
from eximacl.dns.lookup import Timing
from eximacl.dns.resolver import Resolver

__all__ = ["Resolved", "Resolver", "Timing"]
