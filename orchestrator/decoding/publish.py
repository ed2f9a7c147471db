"""What a worker process does for one image: bytes to a part file, all of it decoded, onto the disk, under its final name.

A final name is never taken from another file. The same bytes saved again, as after a crash, find the file that is there already.
"""

import hashlib
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import fields
from io import BytesIO
from itertools import count

from orchestrator.decoding import durable
from orchestrator.decoding.extract import decoded, spooled_text
from orchestrator.decoding.facts import Decode, ImageFacts, NotAnImage, UnsafeImage, extension_of
from orchestrator.decoding.replies import Reply, done, failed


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


def save_together(decode: Decode, *, out: str, batch: str, images: list[tuple[str, str, int]], content: bytes = b"") -> Reply:
    """Save downloads that were small enough to be handed over: (part, target, length) of each, and their bytes in this order.

    They share the flush of their folder. Each gets an answer of its own; nothing is written of what is no usable image.
    """
    source = BytesIO(content)
    with _folder(out, batch) as folder:
        answers = _abreast([_saving(decode, folder, part, target, source.read(length)) for part, target, length in images])
        durable.flush(folder)
    return {"images": answers}


def _saving(decode: Decode, folder: int, part: str, target: str, content: bytes) -> Generator[None, None, Reply]:
    """Save one image in three steps; a flush finds most of its work done when others were flushed just before."""
    facts = decode(BytesIO(content))
    durable.remove(part, folder=folder)
    try:
        with durable.create(part, folder=folder, mode=durable.SHARED) as file:
            file.write(content)
            file.flush()
            yield
            durable.flush(file.fileno())
        yield
        return _placed(folder, part, target, facts)
    except OSError:
        durable.remove(part, folder=folder)
        raise


def _abreast(works: list[Generator[None, None, Reply]]) -> list[Reply]:
    """Return the answer of each, all taken one step further in turn."""
    answers: dict[int, Reply] = {}
    while len(answers) < len(works):
        for number, work in enumerate(works):
            if number not in answers and (answer := _next_step(work)) is not None:
                answers[number] = answer
    return [answers[number] for number in range(len(works))]


def _next_step(work: Generator[None, None, Reply]) -> Reply | None:
    try:
        next(work)
    except StopIteration as end:
        return done(end.value)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this image's answer, and not the others'
        return failed(error)
    return None


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
    reply = _placed(folder, part, target, facts)
    durable.flush(folder)
    return reply


def _placed(folder: int, part: str, target: str, facts: ImageFacts) -> Reply:
    # failpoint P9
    name = _named(folder, part, target, facts)
    durable.remove(part, folder=folder)
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
