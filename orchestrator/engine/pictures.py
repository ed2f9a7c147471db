"""What the user's own images are: read once per file however many jobs use them, decoded, hashed, made to fit."""

import asyncio
import stat
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.spec import JobSpec, LocalImage
from orchestrator.providers.base import LimitsProvider, Provider
from orchestrator.results import Copy, ImageFacts, NotAnImage, References, Target, UnsafeImage, WorkerUnavailable

LARGEST = 50 * 2**20
"""Bytes of a reference or mask at most, whatever its target allows."""

Inspect = Callable[[Path], Awaitable[ImageFacts]]


class BadPicture(Exception):
    """A reference or mask that cannot be used; the text says why."""


def target_of(spec: JobSpec, provider: Provider, settings: AccountSettings, *, mask: bool) -> Target:
    """Return what the references of a job, or its mask, are made to fit: nothing that its account does not allow."""
    to_alpha = mask and settings.black_white_masks
    if not settings.fit_references or not isinstance(provider, LimitsProvider):
        return Target(to_alpha=to_alpha)
    limits = provider.image_limits(spec, settings, mask=mask)
    # A mask must keep the size of what it covers, so it is never shrunk.
    return Target(formats=limits.formats, most_bytes=None if mask else limits.most_bytes, to_alpha=to_alpha)


def image_of(path: Path, facts: ImageFacts) -> LocalImage:
    """Return an image as a job knows it."""
    return LocalImage(
        path=path,
        sha256=facts.sha256,
        size=facts.bytes,
        format=facts.format,
        width=facts.width,
        height=facts.height,
        alpha=facts.alpha,
    )


def sent_as(image: LocalImage, copy: Copy | None) -> LocalImage:
    """Return an image whose copy goes in its place; None leaves it as it is."""
    if copy is None:
        return image
    return replace(
        image, sent=copy.name, size=copy.size, format=copy.format, width=copy.width, height=copy.height, alpha=copy.alpha
    )


class Pictures:
    """Looks at local references and masks; `inspect` decodes a file in a worker process."""

    def __init__(self, inspect: Inspect, references: References) -> None:
        self._inspect, self._references = inspect, references
        self._known: dict[tuple[str, int, int], LocalImage | BadPicture] = {}
        self._fitted: dict[tuple[LocalImage, Target], LocalImage | BadPicture] = {}

    async def look(self, path: Path) -> LocalImage:
        """Return what the image at `path` is; raise `BadPicture`."""
        try:
            found = await asyncio.to_thread(path.stat)
        except OSError as error:
            raise BadPicture(f"{path.name}: {(error.strerror or 'unreadable').lower()}") from error
        if not stat.S_ISREG(found.st_mode):
            raise BadPicture(f"{path.name} is no regular file")
        if found.st_size > LARGEST:
            raise BadPicture(f"{path.name} has {found.st_size / 2**20:.1f} MiB; at most {LARGEST // 2**20} are allowed")
        name = (str(path), found.st_size, found.st_mtime_ns)
        if name not in self._known:
            self._known[name] = await self._examine(path)
        known = self._known[name]
        if isinstance(known, BadPicture):
            raise known
        return known

    async def fitted(self, image: LocalImage, target: Target) -> LocalImage:
        """Return the image as it will be sent: upright, without private data, made to fit; raise `BadPicture`."""
        if (image, target) not in self._fitted:
            self._fitted[image, target] = await self._fit(image, target)
        found = self._fitted[image, target]
        if isinstance(found, BadPicture):
            raise found
        return found

    async def _fit(self, image: LocalImage, target: Target) -> LocalImage | BadPicture:
        try:
            copy = await self._references.made(image.path, image.sha256, target)
        except (NotAnImage, UnsafeImage, OSError, WorkerUnavailable) as error:
            return BadPicture(f"{image.path.name} cannot be used: {error}")
        return sent_as(image, copy)

    async def _examine(self, path: Path) -> LocalImage | BadPicture:
        try:
            facts = await self._inspect(path)
        except OSError as error:
            return BadPicture(f"{path.name}: {(error.strerror or 'unreadable').lower()}")
        except (NotAnImage, UnsafeImage, WorkerUnavailable) as error:
            return BadPicture(f"{path.name} cannot be used: {error}")
        return image_of(path, facts)
