"""Several waits at once, whose outcome does not depend on which of them is quickest."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def together(work: Iterable[Awaitable[T]]) -> list[T]:
    """Return what each gives, in their order; when some fail, raise the error of the first in that order once all have ended."""
    if not (waits := list(work)):
        return []
    found = await asyncio.gather(*waits, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return [one for one in found if not isinstance(one, BaseException)]
