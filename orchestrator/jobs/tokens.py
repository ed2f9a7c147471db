"""Unguessable paths: where an attempt is called back, and where a reference image can be fetched.

A token is derived from a private key, so that the same request can be built again byte for byte; the store keeps its hash alone.
A part of it vouches for the rest, so that a flood of invented tokens costs a hash each and no look into the store.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode

KEY_BYTES = 32
LIFETIME = 7 * 86400.0
"""Seconds after its attempt began for which a token is good, whatever became of the attempt."""
_RANDOM, _CHECK = 16, 8
"""Bytes: 128 bits that nobody can guess, and 64 that show they are ours."""
LENGTH = (_RANDOM + _CHECK) * 4 // 3
"""Characters of a token."""


class Mint:
    """Makes tokens, and knows its own."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key for tokens has {KEY_BYTES} bytes, not {len(key)}")
        self._key = key

    def callback(self, attempt_id: str) -> str:
        """Return the token of the path on which an attempt is called back."""
        return self._token(f"callback {attempt_id}")

    def reference(self, job_id: int, content_id: str) -> str:
        """Return the token of the path of one reference image of a job, given by what names its content."""
        return self._token(f"reference {job_id} {content_id}")

    def made(self, token: str) -> bool:
        """Say whether a token is one of ours, of whatever kind."""
        try:
            content = urlsafe_b64decode(token)
        except ValueError:
            return False
        return len(token) == LENGTH and hmac.compare_digest(self._check(content[:_RANDOM]), content[_RANDOM:])

    def _token(self, purpose: str) -> str:
        random = self._digest(f"token {purpose}".encode())[:_RANDOM]
        return urlsafe_b64encode(random + self._check(random)).decode()

    def _check(self, random: bytes) -> bytes:
        return self._digest(b"check " + random)[:_CHECK]

    def _digest(self, text: bytes) -> bytes:
        return hmac.digest(self._key, text, "sha256")


def hash_of(token: str) -> str:
    """Return what the store keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def is_same(one: str, other: str) -> bool:
    """Compare two tokens, or their hashes, in a time that tells nothing of either."""
    return hmac.compare_digest(one.encode(), other.encode())
