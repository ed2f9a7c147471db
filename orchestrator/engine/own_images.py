"""The user's own images, read to be sent: the bytes that were checked when the batch was loaded, and no others."""

import errno
import hashlib
import os
import stat

from orchestrator.engine.pictures import LARGEST
from orchestrator.jobs.spec import LocalImage
from orchestrator.providers.base import FileInput
from orchestrator.results import References, extension_of

GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENXIO})
"""What the system says of a file that is not there, or not to be read; anything else is trouble of its own, and may pass."""


class InputChanged(Exception):
    """A local file is no longer what was checked when the batch was loaded: the job must not be paid for."""


def identity(image: LocalImage) -> str:
    """Return what is uploaded once for all jobs that use it: the file's hash, or the name of the copy that goes in its place."""
    return image.sent or image.sha256


def read(image: LocalImage, references: References) -> FileInput:
    """Return an image as it goes to a provider; raise `InputChanged`, or `OSError` where the system cannot read it now."""
    try:
        content = _content(image)
    except OSError as error:
        if error.errno not in GONE:
            raise
        raise InputChanged(f"{image.path}: {error.strerror}; it was there when the batch was loaded") from error
    if hashlib.sha256(content).hexdigest() != image.sha256:
        raise InputChanged(f"{image.path} has changed since the batch was loaded; run the batch file again")
    if image.sent is None:
        return FileInput(filename=image.path.name, content_type=f"image/{image.format}", content=content)
    try:
        content = references.read(image.sent)
    except OSError as error:
        if error.errno not in GONE:
            raise
        raise InputChanged(f"the copy of {image.path} that was to be sent is gone; run the batch file again") from error
    filename = f"{image.path.stem}.{extension_of(image.format)}"
    return FileInput(filename=filename, content_type=f"image/{image.format}", content=content)


def _content(image: LocalImage) -> bytes:
    """Return what the file holds now, within reason: a pipe or device in its place is not waited for."""
    with open(image.path, "rb", opener=_without_waiting) as file:
        return file.read(LARGEST + 1) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
