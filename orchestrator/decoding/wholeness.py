"""What decoding forgives: a missing tail, and in a PNG a wrong checksum. A cut or damaged download has just these."""

import os
import struct
import zlib
from typing import BinaryIO

_TAIL = 1024
_PIECE = 1 << 16


def is_whole(file: BinaryIO, form: str) -> bool:
    """Return whether an image file of `form` (png, jpeg, webp, gif, avif) is as long as its own structure says.

    Of a PNG all checksums are compared as well: Pillow's decoder skips those of the pixels, its `verify` that of the last
    chunk. JPEG needs nothing, its decoder asks for the end mark.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    match form:
        case "png":
            return _is_whole_png(file)
        case "webp":
            return bool(struct.unpack("<4xI4x", file.read(12))[0] + 8 <= size)
        case "gif":
            file.seek(max(0, size - _TAIL))
            return file.read().rstrip(b"\0").endswith(b";")
        case "avif":
            return _ends_boxes(file, size)
        case _:
            return True


def _is_whole_png(file: BinaryIO) -> bool:
    file.seek(8)
    while len(head := file.read(8)) == 8:  # noqa: PLR2004 - length and kind
        checksum, left = zlib.crc32(head[4:]), int.from_bytes(head[:4], "big")
        while left and (piece := file.read(min(left, _PIECE))):
            checksum = zlib.crc32(piece, checksum)
            left -= len(piece)
        if left or file.read(4) != checksum.to_bytes(4, "big"):
            return False
        if head[4:] == b"IEND":
            return True
    return False


def _ends_boxes(file: BinaryIO, size: int) -> bool:
    position = 0
    while position + 8 <= size:
        file.seek(position)
        length, _ = struct.unpack(">I4s", file.read(8))
        if length == 0:  # reaches to the end, wherever that is
            return True
        if length == 1:
            length = struct.unpack(">Q", file.read(8).ljust(8, b"\0"))[0]
        if length < 8:  # noqa: PLR2004 - the size of the box's own head
            return False
        position += length
    return bool(position == size)
