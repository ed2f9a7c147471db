"""Words for one submission of a job, the unit that may be charged (design.md section 5)."""

from enum import StrEnum


class AttemptState(StrEnum):
    """How an attempt stands or ended."""

    OPEN = "open"
    """Written down; its request may be in flight."""
    ACCEPTED = "accepted"
    """The provider took it: remote id or raw answer known."""
    UNCERTAIN = "uncertain"
    """Its answer was lost: perhaps charged."""
    NOT_SENT = "not_sent"
    THROTTLED = "throttled"
    REFUSED = "refused"
    FAILED = "failed"
    DELIVERED = "delivered"
    LOST = "lost"
    """Charged, but the result is gone."""
    ABANDONED = "abandoned"
    """Left behind by the user's word; a late result becomes an extra image."""


LIVE = (AttemptState.OPEN, AttemptState.ACCEPTED, AttemptState.UNCERTAIN)
"""At most one of these per job and part, which the database enforces."""


class Phase(StrEnum):
    """How far a request got; decides whether a lost answer can have been paid for."""

    NONE = "none"
    CONNECTING = "connecting"
    SENT = "sent"
    ANSWERED = "answered"


class Charged(StrEnum):
    """Whether an attempt costs money, as far as is known."""

    YES = "yes"
    NO = "no"
    POSSIBLE = "possible"


class ImageState(StrEnum):
    """Where one output image stands; a job has succeeded when none of its images is wanted."""

    WANTED = "wanted"
    SAVED = "saved"
    LOST = "lost"
    EXTRA = "extra"
    """Paid and kept, but not what the job needs: more than asked, or a second answer."""
