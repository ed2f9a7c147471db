"""What a worker process does for one image: bytes to a part file, all of it decoded, onto the disk, under its final name.

A final name is never taken from another file. The same bytes saved again, as after a crash, find the file that is there already.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from io import BytesIO
from itertools import count
from typing import Any

from orchestrator.decoding import durable
from orchestrator.decoding.extract import decoded, spooled_text
from orchestrator.decoding.facts import Decode, ImageFacts, NotAnImage, UnsafeImage, extension_of

Reply = dict[str, Any]
"""Plain JSON: the process that asks must not have to trust the one that decodes."""


def save_inline(
    decode: Decode, *, spool: str, pieces: list[str | tuple[int, int]], out: str, batch: str, part: str, target: str
) -> Reply:
    """Save base64 text in pieces, each literal or (offset, length) in the spooled body; what is no image leaves no part."""
    with _folder(out, batch) as folder:
        durable.remove(part, folder=folder)
        try:
            with durable.create(part, folder=folder, mode=durable.SHARED) as file:
                for content in decoded(_text(spool, pieces)):
                    file.write(content)
            return _publish(decode, folder, part, target)
        except (NotAnImage, UnsafeImage):
            durable.remove(part, folder=folder)
            raise


def save_part(decode: Decode, *, out: str, batch: str, part: str, target: str) -> Reply:
    """Save a part file that a download has filled; it stays when it is no usable image."""
    with _folder(out, batch) as folder:
        return _publish(decode, folder, part, target)


def save_bytes(decode: Decode, *, out: str, batch: str, part: str, target: str, content: bytes = b"") -> Reply:
    """Save a download that was small enough to be handed over, or empty; nothing is written when it is no usable image."""
    facts = decode(BytesIO(content))
    with _folder(out, batch) as folder:
        durable.remove(part, folder=folder)
        try:
            with durable.create(part, folder=folder, mode=durable.SHARED) as file:
                file.write(content)
                file.flush()
                durable.flush(file.fileno())
            return _placed(folder, part, target, facts)
        except OSError:
            durable.remove(part, folder=folder)
            raise


def inspect_bytes(decode: Decode, *, content: bytes) -> Reply:
    """Return what the bytes of an image are."""
    return _told(decode(BytesIO(content)))


def inspect_file(decode: Decode, *, path: str) -> Reply:
    """Return what an image file of the user's is."""
    with durable.read(os.path.realpath(path)) as file:
        if not durable.is_regular(file):
            raise NotAnImage("it is no regular file")
        return _told(decode(file))


def _text(spool: str, pieces: list[str | tuple[int, int]]) -> Iterator[bytes]:
    for piece in pieces:
        if isinstance(piece, str):
            yield piece.encode("utf-8", "surrogatepass")
        else:
            with durable.read(spool) as answer:
                yield from spooled_text(answer, *piece)


@contextmanager
def _folder(out: str, batch: str) -> Iterator[int]:
    outer = os.open(out, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        inner = durable.open_folder(batch, inside=outer)
    finally:
        os.close(outer)
    try:
        yield inner
    finally:
        os.close(inner)


def _publish(decode: Decode, folder: int, part: str, target: str) -> Reply:
    with durable.read(part, folder=folder) as file:
        facts = decode(file)
        durable.flush(file.fileno())
    return _placed(folder, part, target, facts)


def _placed(folder: int, part: str, target: str, facts: ImageFacts) -> Reply:
    # failpoint P9
    name = _named(folder, part, target, facts)
    durable.remove(part, folder=folder)
    durable.flush(folder)
    return _told(facts) | {"name": name}


def _told(facts: ImageFacts) -> Reply:
    """Return the facts as JSON; `dataclasses.asdict` copies deeply and takes as long as a small image's pixels."""
    return {field.name: getattr(facts, field.name) for field in fields(facts)}


def _named(folder: int, part: str, target: str, facts: ImageFacts) -> str:
    """Return the first of `KEY-0.png`, `KEY-0.2.png`, ... that is free, and is then ours, or that holds the same bytes."""
    suffixes = (f".{number}" if number > 1 else "" for number in count(1))
    names = (f"{target}{suffix}.{extension_of(facts.format)}" for suffix in suffixes)
    return next(name for name in names if durable.take_name(part, name, folder=folder) or _holds(folder, name, facts))


def _holds(folder: int, name: str, facts: ImageFacts) -> bool:
    """Whether the file has these very bytes; one that cannot be read, or is a symbolic link, is another's."""
    try:
        with durable.read(name, folder=folder) as file:
            if not durable.is_regular(file) or os.fstat(file.fileno()).st_size != facts.bytes:
                return False
            return hashlib.file_digest(file, "sha256").hexdigest() == facts.sha256  # type: ignore[arg-type]  # as in decode
    except OSError:
        return False
