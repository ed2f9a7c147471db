"""Whether what an account says about lost answers makes sense as a whole (design.md section 6)."""

import re
from collections.abc import Iterator

from orchestrator.jobs.accounts import AccountSettings, OnUncertain

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (RFC 9110 5.6.2)."""
_TAKEN = frozenset({"authorization", "content-length", "content-type", "connection", "host", "transfer-encoding", "user-agent"})


def wrong_about_doubts(account: AccountSettings) -> Iterator[tuple[str, str]]:
    """Yield fields and what is wrong with them."""
    if account.uncertain is OnUncertain.RESUBMIT and account.max_double_cost is None:
        yield "max_double_cost", "is missing: with uncertain: resubmit it says how many USD may be paid twice at most"
    if account.uncertain is OnUncertain.HOLD and account.max_double_cost is not None:
        yield "max_double_cost", "means nothing without uncertain: resubmit"
    header = account.idempotency_header
    if header is not None and (not _HEADER_NAME.fullmatch(header) or header.lower() in _TAKEN):
        yield "idempotency_header", f"must be the name of a header of its own, such as Idempotency-Key; got {header}"
    if header is not None and account.idempotency_ttl is None:
        yield "idempotency_ttl", "is missing: say for how long the provider remembers a key, such as 24h"
    if header is None and account.idempotency_ttl is not None:
        yield "idempotency_ttl", "means nothing without idempotency_header"
