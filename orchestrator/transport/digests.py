"""The digests that file hosts send along: the only sign of a flipped bit that a JPEG or WebP decodes in spite of.

None of them is proof. A CDN that shrinks pictures on their way leaves the digest of the original, and some stores put another
kind of number where others put an MD5. What a contradiction proves is that one transfer went wrong or the digest is of something
else; the same bytes coming twice tell which, and a paid result must not be lost to a header.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping

_MD5_TAG = re.compile(r'"([0-9a-f]{32})"', re.IGNORECASE)
_GOOGLE_MD5 = re.compile(r"(?:^|,)\s*md5=([A-Za-z0-9+/=]+)")
_MD5_BYTES = 16


class Contradicted(ValueError):
    """A body that is not what the digest in its header says."""


def promised(headers: Mapping[str, str]) -> bytes | None:
    """Return the MD5 that an answer's headers promise, by `Content-MD5`, `x-goog-hash` or an `ETag` of 32 hex digits; else None.

    A weak tag and the tag of an upload in parts (`"...-3"`) are none (reliability.md d.2).
    """
    if plain := _decoded(headers.get("Content-MD5", "")):
        return plain
    found = _GOOGLE_MD5.search(headers.get("x-goog-hash", ""))
    if found and (google := _decoded(found[1])):
        return google
    tag = _MD5_TAG.fullmatch(headers.get("ETag", "").strip())
    return bytes.fromhex(tag[1]) if tag else None


class Digests:
    """Compares bodies with what was promised of them, and remembers which hosts promise something else."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._unlike: set[str] = set()

    def check(self, host: str, expected: bytes, body_md5: bytes) -> None:
        """Raise `Contradicted` when a body differs from its digest, unless the very same body came before."""
        if expected == body_md5 or host in self._unlike:
            return
        if body_md5 in self._seen:
            self._unlike.add(host)
            return
        self._seen.add(body_md5)
        raise Contradicted("the file is not what the digest in its header says")


def md5() -> "hashlib._Hash":
    """Return a fresh MD5, which compares transfers and secures nothing."""
    return hashlib.md5(usedforsecurity=False)


def _decoded(text: str) -> bytes | None:
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if len(value) == _MD5_BYTES else None
