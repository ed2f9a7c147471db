"""Base64 out of a spooled answer, piece by piece: the image is never in memory whole."""

import binascii
import json
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from orchestrator.decoding.facts import NotAnImage

_PIECE = 1 << 20
"""Bytes of base64 read at once."""
_LONGEST_PREFIX = 256
_ORDINARY = bytes.maketrans(b"-_", b"+/")
_BLANK = b" \t\r\n"
_UNFINISHED_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{0,3})?\Z")


def spooled_text(file: BinaryIO, offset: int, length: int) -> Iterator[bytes]:
    """Yield the string at a range of a spooled answer's body, without its JSON escapes: some servers escape slash and plus."""
    file.readline()
    file.seek(offset, 1)
    rest = b""
    while length > 0 and (piece := file.read(min(length, _PIECE))):
        length -= len(piece)
        piece = rest + piece
        unfinished = _UNFINISHED_ESCAPE.search(piece, max(0, len(piece) - 5))
        cut = unfinished.start() if unfinished else len(piece)
        rest = piece[cut:]
        yield _unescaped(piece[:cut])
    if length or rest:
        raise NotAnImage("the spooled answer ends within the image")


def decoded(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes behind base64 text; raise `NotAnImage` for anything else.

    A `data:` prefix, white space, missing padding and the URL alphabet are tolerated.
    """
    held = b""
    for piece in _without_prefix(pieces):
        held += piece.translate(_ORDINARY, _BLANK)
        whole = max(0, (len(held) - 4) // 4 * 4)
        if held.find(b"=", 0, whole) >= 0:  # the group held back may be the last, and only the last may be padded
            raise NotAnImage("the image's text in the answer is not base64: it goes on after its padding")
        yield _bytes_of(held[:whole])
        held = held[whole:]
    held = held.rstrip(b"=")
    yield _bytes_of(held + b"=" * (-len(held) % 4))


def _without_prefix(pieces: Iterable[bytes]) -> Iterator[bytes]:
    start = True
    for piece in pieces:
        if start and piece.lstrip(_BLANK)[:5].lower() == b"data:":
            comma = piece.find(b",", 0, _LONGEST_PREFIX)
            if comma < 0:
                raise NotAnImage("the data URL in the answer has no comma")
            yield piece[comma + 1 :]
        else:
            yield piece
        start = False


def _unescaped(piece: bytes) -> bytes:
    if b"\\" not in piece:
        return piece
    try:
        text: str = json.loads(b'"' + piece + b'"', strict=False)
    except ValueError as error:
        raise NotAnImage("the image's text in the answer is damaged") from error
    return text.encode("utf-8", "surrogatepass")


def _bytes_of(text: bytes) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error as error:
        raise NotAnImage(f"the image's text in the answer is not base64: {error}") from error
